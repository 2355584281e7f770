/** What a server is started with. */
export interface ServerOptions {
  readonly port: number
  /** Size of the text in each event; 0 for the usual 20 letters. */
  readonly noteBytes: number
  /** Events in the log when the first client comes. */
  readonly logged: number
  /** How many of them a reconnecting client has missed. */
  readonly missed: number
  /** Most bytes of the log. */
  readonly logBytes: number
  /** Whether to watch for how long the event loop is held. It costs a timer each millisecond. */
  readonly watchLoop: boolean
  /** Whether to tell, at the end, what is in use after a garbage collection. */
  readonly weigh: boolean
  /** Whether eventwire compresses. */
  readonly compression: boolean
  /** Publish to one topic after another instead of to all: so many topics. */
  readonly topics: number
}

export const DEFAULTS: Omit<ServerOptions, 'port'> = {
  noteBytes: 0,
  logged: 0,
  missed: 0,
  logBytes: 64 << 20,
  watchLoop: false,
  weigh: false,
  compression: false,
  topics: 0,
}
