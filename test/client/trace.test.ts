import { expect, test } from 'vitest'
import type { Trace } from 'eventwire/client'
import { response, serveTcp, STREAM_HEAD } from '../support/serve.ts'
import { collector, subscribe } from '../support/subscribe.ts'

const READY = 'event: $ready\ndata: {"epoch":"e","resumed":true,"replayed":1,"heartbeat":15000,"text":[],"ends":[]}\n\n'

test('onTrace hears every transition, message and request, in order, with its time', async () => {
  const { url } = await serveTcp((socket, attempt) =>
    socket.end(
      attempt === 1
        ? response('503 Service Unavailable')
        : `${STREAM_HEAD}${READY}id: 1\ndata: a\n\nevent: odd\ndata: x\n\nevent: $end\ndata: {}\n\n`,
    ),
  )
  const traces: Trace[] = []
  const before = performance.now()
  const { stream } = subscribe(url, { onTrace: (trace) => traces.push(trace), lastEventId: '0' })
  stream.on('message', () => {})
  await stream.closed
  const told = traces.map((trace) => `${trace.type} ${detail(trace, url)}`)
  expect(told).toEqual([
    'status connecting',
    'request true 0 text/event-stream',
    'response 503',
    'end bad-status',
    'status connecting later',
    'status connecting',
    'request true 0 text/event-stream',
    'response 200',
    'status open',
    'message $ready',
    'status open',
    'message message',
    'commit 1',
    'message odd',
    'message $end',
    'end undefined',
    'status closed',
  ])
  const times = traces.map(({ at }) => at)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(times[0]).toBeGreaterThanOrEqual(before)
})

test('an onTrace that throws is reported, and disturbs nothing', async () => {
  const { url } = await serveTcp((socket) => socket.write(`${STREAM_HEAD}data: a\n\n`))
  const { stream, errors } = subscribe(url, {
    onTrace() {
      throw new Error('devtools')
    },
  })
  const heard = collector<string>()
  stream.on('message', heard.take)
  expect(await heard.reach(1)).toEqual(['a'])
  expect(errors[0]).toMatchObject({ code: 'handler-failed', message: 'onTrace threw: devtools' })
})

function detail(trace: Trace, url: string): string | undefined {
  if (trace.type === 'status') return `${trace.status.state}${'retryAt' in trace.status ? ' later' : ''}`
  if (trace.type === 'request') return `${trace.url === url} ${trace.lastEventId} ${new Headers(trace.init.headers).get('accept')}`
  if (trace.type === 'response') return String(trace.status)
  if (trace.type === 'message') return trace.message.event
  return trace.type === 'end' ? String(trace.error?.code) : trace.lastEventId
}
