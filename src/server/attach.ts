import { MAX_DELAY } from '../wire/decode.ts'
import { EMPTY } from './crc.ts'
import { endOfStream, GZIP_HEADER } from './gzip.ts'
import { join } from './bytes.ts'
import type { Attach, Sink, SinkListener } from './sink.ts'
import type { Slot } from './slots.ts'

/** Makes the stream of a request, once its sink is there. `release` is to be called when it is gone. */
export type MakeStream = (sink: Sink, release: () => void) => SinkListener & { close(): void }

/** Holds a place for as long as the stream lasts, which is no longer than `maxAge` ms. */
export function attachOnce(make: MakeStream, slot: Slot, maxAge: number, closing: () => boolean, gzip: boolean): Attach {
  return (sink) => {
    // On the web the response was given before, and is read only now.
    if (closing() || slot.take()) return { opened: () => endAtOnce(sink, gzip), drained() {}, gone() {} }
    const stream = make(sink, () => {
      clearTimeout(expiry)
      slot.free()
    })
    const expiry = maxAge === Infinity ? undefined : setTimeout(() => stream.close(), Math.min(maxAge, MAX_DELAY))
    return stream
  }
}

function endAtOnce(sink: Sink, gzip: boolean): void {
  // To some clients no bytes are no gzip.
  if (gzip) sink.write(join([GZIP_HEADER, endOfStream(EMPTY)]))
  sink.end()
}
