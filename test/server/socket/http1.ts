/** A response as it came over the wire. */
export interface WireResponse {
  readonly status: number
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** Fields behind the last chunk. */
  readonly trailers: Map<string, string>
  /** How long the body is: until the last chunk, a number of bytes, or until the connection ends. */
  readonly framing: 'chunks' | 'length' | 'connection' | 'none'
  readonly pieces: Uint8Array[]
  complete: boolean
}

/** What comes next on the connection. */
type State = 'head' | 'size' | 'data' | 'behind data' | 'trailer' | 'length' | 'connection'

const HEX = /^[0-9a-f]+$/i
const FIELD = /^([!#$%&'*+.^_`|~0-9a-z-]+):[ \t]*([^\r\n]*)$/i
const STATUS = /^HTTP\/1\.1 ([1-5]\d\d) [^\r\n]*$/

/** Reads what a server sends on one connection, as strictly as RFC 9112 has it: throws at the first byte that should not be there. */
export class Http1Reader {
  readonly responses: WireResponse[] = []
  /** The methods of the requests that have yet to be answered. */
  readonly asked: string[] = []
  /** How many interim responses have come. */
  interim = 0
  #state: State = 'head'
  #rest = Buffer.alloc(0)
  #left = 0

  push(data: Uint8Array): void {
    this.#rest = this.#rest.length === 0 ? Buffer.from(data) : Buffer.concat([this.#rest, data])
    while (this.#rest.length > 0 && this.#step());
  }

  /** The server has ended the connection. */
  end(): void {
    if (this.#state === 'connection') this.#complete()
  }

  get #current(): WireResponse {
    return this.responses.at(-1)!
  }

  /** Goes on by one part. False when more has to come first. */
  #step(): boolean {
    switch (this.#state) {
      case 'head':
        return this.#head()
      case 'size':
        return this.#line((line) => {
          if (!HEX.test(line)) throw new Error(`${JSON.stringify(line)} is no size of a chunk.`)
          this.#left = Number.parseInt(line, 16)
          this.#state = this.#left > 0 ? 'data' : 'trailer'
        })
      case 'behind data':
        return this.#line((line) => {
          if (line !== '') throw new Error(`A chunk is longer than it says, by ${JSON.stringify(line)}.`)
          this.#state = 'size'
        })
      case 'trailer':
        return this.#line((line) => {
          if (line === '') this.#complete()
          else this.#current.trailers.set(...field(line))
        })
      case 'connection':
        this.#left = this.#rest.length
        return this.#data()
      default:
        return this.#data()
    }
  }

  #head(): boolean {
    if (this.asked.length === 0) throw new Error(`What nobody asked for: ${JSON.stringify(this.#rest.toString('latin1', 0, 200))}`)
    const end = this.#rest.indexOf('\r\n\r\n')
    if (end < 0) return false
    const [first = '', ...lines] = this.#take(end + 4)
      .toString('latin1')
      .slice(0, -4)
      .split('\r\n')
    const status = Number(STATUS.exec(first)?.[1] ?? fail(`${JSON.stringify(first)} is no status line.`))
    if (status < 200) {
      this.interim++
      return true
    }
    const headers = new Map(lines.map(field))
    const framing = this.asked.shift() === 'HEAD' ? 'none' : framingOf(status, headers)
    this.responses.push({ status, headers, trailers: new Map(), framing, pieces: [], complete: false })
    this.#left = Number(headers.get('content-length') ?? 0)
    this.#state = ({ chunks: 'size', length: 'length', connection: 'connection', none: 'head' } as const)[framing]
    if (framing === 'none' || (framing === 'length' && this.#left === 0)) this.#complete()
    return true
  }

  #data(): boolean {
    const piece = this.#take(Math.min(this.#left, this.#rest.length))
    this.#current.pieces.push(piece)
    this.#left -= piece.length
    if (this.#left > 0) return false
    if (this.#state === 'data') this.#state = 'behind data'
    if (this.#state === 'length') this.#complete()
    return true
  }

  #complete(): void {
    this.#current.complete = true
    this.#state = 'head'
  }

  #line(act: (line: string) => void): boolean {
    const end = this.#rest.indexOf('\n')
    if (end < 0) return false
    const line = this.#take(end + 1).toString('latin1')
    if (!line.endsWith('\r\n')) throw new Error(`${JSON.stringify(line)} does not end with CR LF.`)
    act(line.slice(0, -2))
    return true
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length)
    this.#rest = this.#rest.subarray(length)
    return taken
  }
}

function framingOf(status: number, headers: ReadonlyMap<string, string>): WireResponse['framing'] {
  if (status === 204 || status === 304) return 'none'
  const [coding, length] = [headers.get('transfer-encoding'), headers.get('content-length')]
  if (coding !== undefined && (coding !== 'chunked' || length !== undefined))
    throw new Error(`transfer-encoding: ${coding}, content-length: ${length}`)
  if (coding !== undefined) return 'chunks'
  return length === undefined ? 'connection' : 'length'
}

function field(line: string): [name: string, value: string] {
  const [, name = fail(`${JSON.stringify(line)} is no field.`), value = ''] = FIELD.exec(line) ?? []
  return [name.toLowerCase(), value.trimEnd()]
}

function fail(message: string): never {
  throw new Error(message)
}
