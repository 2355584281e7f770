import { readControl } from '../client/control.ts'
import type { Gap, Ready } from '../wire/control.ts'
import { createDecoder, type DecodedMessage } from '../wire/decode.ts'
import type { Answer } from './exchange.ts'
import { unpacked } from './unpack.ts'

/** A silence, in ms, within which the pieces of what was written at once come. */
const MOMENT = 100

/** What came over a stream while it was watched. Times are in ms, since its head came. */
export interface Watched {
  /** For how long, so far. */
  lasted: number
  /** How the stream ended; `undefined` when it was left while it went on. */
  end: 'ended' | 'cut' | undefined
  /** Bytes as they came over the wire. */
  bytes: number
  /** When the first of them came that could be read. */
  first: number | undefined
  /** The longest silence, that at the end included. */
  silence: number
  /** How often nothing came for a moment, how often of these in the midst of a line, and the longest of those. */
  pauses: number
  tornPauses: number
  torn: number
  /** Whether a block was begun and never finished. */
  unfinished: boolean
  /** The beginning of its text. */
  excerpt: string
  events: number
  /** How many of them had an id of their own, or one in force. */
  identified: number
  names: Set<string>
  /** The last two places at which it can be resumed, and the event that led from one to the other. */
  before: string
  id: string
  last: DecodedMessage | undefined
  /** The first event with an id. */
  placed: DecodedMessage | undefined
  /** When signs of life came: comments, and ids without an event. */
  beats: number[]
  retry: number | undefined
  ready: Ready | undefined
  gap: Gap | undefined
  /** Whether the server has said that it is finished. */
  finished: boolean
  /** What could not be read, if that was so. */
  fault: string | undefined
}

/** Reads a stream until `enough` holds, it ends, or `limit` ms have passed since its head came. */
export async function watch(answer: Answer, limit: number, enough: (watched: Watched) => boolean): Promise<Watched> {
  const { response, close } = answer
  const opened = answer.asked + answer.took
  const now = (): number => performance.now() - opened
  const watched = unseen()
  const reader = createReader(watched, now)
  response.on('data', (chunk: Buffer) => void (watched.bytes += chunk.length))
  let left = false
  const leave = (): void => {
    left = true
    close()
  }
  const timer = setTimeout(leave, limit)
  try {
    for await (const chunk of unpacked(response)) {
      reader.push(chunk as Buffer)
      if (enough(watched) || watched.fault !== undefined) leave()
      if (left) break
    }
    if (!left) watched.end = response.complete ? 'ended' : 'cut'
  } catch {
    if (!left) watched.end = 'cut'
  }
  clearTimeout(timer)
  close()
  reader.stop()
  return watched
}

function unseen(): Watched {
  const places = { before: '', id: '', last: undefined, placed: undefined }
  const control = { retry: undefined, ready: undefined, gap: undefined, finished: false, fault: undefined }
  const times = { lasted: 0, first: undefined, silence: 0, pauses: 0, tornPauses: 0, torn: 0, beats: [] }
  const text = { bytes: 0, unfinished: false, excerpt: '', events: 0, identified: 0, names: new Set<string>() }
  return { end: undefined, ...places, ...control, ...times, ...text }
}

/** Takes what could be read, and notes what it says and when. */
function createReader(watched: Watched, now: () => number): { push(chunk: Buffer): void; stop(): void } {
  let heard = 0
  let line = ''
  let block = ''
  const utf8 = new TextDecoder()
  const beat = (): void => void (watched.beats.length < 1_000 && watched.beats.push(now()))
  const decoder = createDecoder({
    maxEventBytes: 64 << 20,
    maxIdBytes: 64 << 10,
    onMessage: (message) => note(watched, message),
    onCursor(id) {
      beat()
      watched.before = watched.id = id
      watched.last = undefined
    },
    onComment: beat,
    onRetry: (ms) => void (watched.retry = ms),
    onError: ({ message }) => void (watched.fault = message),
  })
  const pause = (): void => {
    const silence = now() - heard
    watched.silence = Math.max(watched.silence, silence)
    if (silence > MOMENT && watched.first !== undefined) {
      watched.pauses++
      if (line !== '') watched.tornPauses++
    }
    if (line !== '') watched.torn = Math.max(watched.torn, silence)
    watched.lasted = heard = now()
  }
  return {
    push(chunk) {
      pause()
      watched.first ??= heard
      const text = utf8.decode(chunk, { stream: true })
      if (watched.excerpt.length < 1_000) watched.excerpt += text
      // Only the end of what came is looked at, so what is kept of it stays short.
      block = (block + text).replaceAll('\r\n', '\n').replaceAll('\r', '\n').slice(-4_096)
      line = block.slice(block.lastIndexOf('\n') + 1)
      decoder.push(chunk)
    },
    stop() {
      pause()
      watched.unfinished = /^data(:|$)/m.test(block.slice(block.lastIndexOf('\n\n') + 1))
    },
  }
}

function note(watched: Watched, message: DecodedMessage): void {
  const { event, id } = message
  if (event.startsWith('$')) {
    const { ready, gap, end } = readControl(message)
    watched.ready ??= ready
    watched.gap ??= gap
    watched.finished ||= end ?? false
    return
  }
  watched.events++
  if (watched.names.size < 100) watched.names.add(event)
  if (id === '') return
  watched.identified++
  watched.placed ??= message
  // Events without an id of their own stay where the one before them was.
  if (id === watched.id) return
  watched.before = watched.id
  watched.id = id
  watched.last = message
}
