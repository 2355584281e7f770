/** A request, from whichever transport. */
export interface Incoming {
  readonly method: string
  /** As it came: whole, or from the path on. */
  readonly url: string
  /** Where the client connected from, where that is known. */
  readonly address: string | undefined
  /** Somebody else encodes the body of the response: compresses it, say. */
  readonly encoded: boolean
  /** Aborts when the client has left. */
  readonly signal: AbortSignal
  /** The value of a header, `undefined` when it is not there. */
  header(name: string): string | undefined
  /** Characters of the names and values of all headers. */
  headerSize(): number
  /** The request as the web has it, for hooks. Throws when what the client wrote makes none. */
  request(): Request
}

/** A request of a web runtime. */
export function webIncoming(request: Request): Incoming {
  const { method, url, headers, signal } = request
  return {
    method,
    url,
    address: undefined,
    encoded: false,
    signal,
    header: (name) => headers.get(name) ?? undefined,
    headerSize: () => [...headers].reduce((size, [name, value]) => size + name.length + value.length, 0),
    request: () => request,
  }
}
