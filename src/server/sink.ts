/** What carries the bytes of one connection: a response of node, or the body of a web response. */
export interface Sink {
  /** Hands over bytes, which are shared and never change. False when it is full: write no more until it has drained. */
  write(bytes: Uint8Array): boolean
  /** Bytes handed over that have not left yet. */
  readonly buffered: number
  /** Ends the stream after what was written. */
  readonly end: () => void
  /** Ends the stream at once, whatever was not sent yet. */
  destroy(): void
}

/** The other way round: what a sink tells its connection. */
export interface SinkListener {
  /** The sink is ready to be written to. Called once, first. */
  opened(): void
  /** What was written has left; there is room again. */
  drained(): void
  /** The stream is over, whoever ended it. */
  gone(): void
}

/** Makes the connection of a sink. */
export type Attach = (sink: Sink) => SinkListener
