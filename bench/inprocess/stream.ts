import type { Load } from './events.ts'

const utf8 = new TextEncoder()

/** A stream that is ready to be read: its bytes, already cut. */
export interface Prepared {
  readonly chunks: readonly Uint8Array[]
  readonly events: number
}

/** How the network cuts a stream: into so many bytes, or an event at a time. */
export type Cut = number | 'event'

/** `events` events of one kind as a server writes them, with ids. */
export function prepare({ event, data }: Load, events: number, cut: Cut): Prepared {
  const json = JSON.stringify(data)
  const blocks = Array.from({ length: events }, (_, i) => `id: k3v9x0q2m7ab-${i + 1}\nevent: ${event}\ndata: ${json}\n\n`)
  if (cut === 'event') return { events, chunks: blocks.map((block) => utf8.encode(block)) }
  const bytes = utf8.encode(blocks.join(''))
  const chunks = []
  for (let at = 0; at < bytes.length; at += cut) chunks.push(bytes.subarray(at, at + cut))
  return { events, chunks }
}

/** What a server of eventwire says first: no event, and nobody else has a use for it. */
export const READY = '$ready'

const ready = utf8.encode(
  `event: ${READY}\ndata: {"epoch":"k3v9x0q2m7ab","resumed":false,"replayed":0,"heartbeat":15000,"text":[],"ends":[]}\n\n`,
)

/** A fetch whose response is this stream. It stays open at its end, as event streams do. */
export function fetchOf({ chunks }: Prepared): () => Promise<Response> {
  return () => {
    let next = 0
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(ready),
      pull(controller) {
        const chunk = chunks[next++]
        if (chunk) controller.enqueue(chunk)
      },
    })
    return Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
  }
}
