import { expect, test } from 'vitest'
import { createPosition } from '../../../src/client/position.ts'
import { settle } from '../../../src/client/options.ts'
import { Recent, type Item } from '../../../src/client/share/recent.ts'
import type { Stream } from '../../../src/client/reconnect.ts'
import { createFeed, type Feed } from '../../../src/client/share/feed.ts'
import type { Closed } from '../../../src/client/status.ts'

/** A feed, and what its stream has been told: ids of events, `(id)` of checkpoints, and gaps. */
interface Fed {
  readonly feed: Feed
  readonly recent: Recent
  readonly told: string[]
  readonly stream: Stream
  /** The stream that it connects by itself, once it does. */
  readonly alone: Promise<Stream>
  readonly closed: Promise<Closed>
  /** Brings what comes next. */
  bring(...items: readonly Item[]): void
  /** Another leader goes on behind a number. */
  lead(after: number, ...items: readonly Item[]): void
}

/** A feed whose stream ends with the event `end`. */
function feeding(lastEventId = 'a'): Fed {
  const told: string[] = []
  const position = createPosition({ lastEventId }, () => {}, undefined)
  const alone = Promise.withResolvers<Stream>()
  const closed = Promise.withResolvers<Closed>()
  const stream: Stream = {
    url: '/events',
    options: {},
    settings: settle({}),
    trace: undefined,
    signal: new AbortController().signal,
    position,
    onStatus: () => {},
    sink: {
      room: () => undefined,
      onReady: () => {},
      onError: () => {},
      onEnd: () => ({ kind: 'ended' }),
      onGap: ({ reason }) => void told.push(reason),
      onCursor(id) {
        position.receive(id)
        told.push(`(${id})`)
      },
      onMessage({ id, data }) {
        position.receive(id)
        told.push(data)
        return data === 'end' ? { kind: 'ended' } : undefined
      },
    },
  }
  const recent = new Recent()
  recent.begin('gen', 0, lastEventId)
  const connectAlone = async (itsOwn: Stream): Promise<Closed> => {
    alone.resolve(itsOwn)
    await new Promise((resolve) => itsOwn.signal.addEventListener('abort', resolve))
    return { reason: 'aborted' }
  }
  const feed = createFeed({ stream, recent, connectAlone, onMove: () => {}, onEnd: closed.resolve })
  const bring = (...items: readonly Item[]): void => {
    for (const item of items) recent.push(item)
    feed.pump()
  }
  return {
    feed,
    recent,
    told,
    stream,
    alone: alone.promise,
    closed: closed.promise,
    bring,
    lead(after, ...items) {
      feed.rewind(after, recent.rewind(after))
      bring(...items)
    },
  }
}

function event(id: string, data = id): Item {
  return { id, message: { event: 'message', data, id } }
}

function gap(id: string): Item {
  return { id, gap: { reason: 'evicted', requested: id, oldest: '' } }
}

test('what another leader brings again is not told again', () => {
  const { told, bring, lead } = feeding()
  bring(event('b'), event('c'), event('d'))
  lead(1, { id: 'b' }, event('c'), event('d'), event('e'))
  expect(told).toEqual(['b', 'c', 'd', 'e'])
})

test('an event without an id that another leader brings is told, and moves the cursor neither on nor back', () => {
  const { told, stream, bring, lead } = feeding()
  bring(event('b'), event('c'))
  lead(0, event('b'), event('b', 'hello'))
  expect([told, stream.position.received]).toEqual([['b', 'c', 'hello'], 'c'])
})

test('a gap that another leader brings is told where what follows is new', () => {
  const { told, bring, lead } = feeding()
  bring(event('b'), event('c'))
  lead(1, gap('b'), { id: 'f' }, event('g'))
  expect(told).toEqual(['b', 'c', 'evicted', '(f)', 'g'])
})

test('a gap that another leader brings is not told where what follows has been heard', () => {
  const { told, bring, lead } = feeding()
  bring(event('b'), event('c'), event('d'))
  lead(1, gap('b'), { id: 'c' }, event('d'), event('e'))
  expect(told).toEqual(['b', 'c', 'd', 'e'])
})

test('a stream that has caught up by itself hears from the others what follows, and nothing twice', async () => {
  const { feed, told, alone, recent, bring } = feeding('lost')
  recent.begin('gen', 10, 'x')
  feed.catchUp()
  bring(event('y'), event('z'))
  const { sink, signal } = await alone
  for (const id of ['m', 'x', 'y']) sink.onMessage({ event: 'message', data: id, id })
  expect(signal.aborted).toBe(true)
  await Promise.resolve()
  expect(told).toEqual(['m', 'x', 'y', 'z'])
})

test('a stream that is further than the others hears nothing from them before they have caught up with it', async () => {
  const { feed, told, alone, bring } = feeding('c')
  feed.catchUp()
  const { sink } = await alone
  sink.onMessage({ event: 'message', data: 'd', id: 'd' })
  bring(event('b'), event('c'), event('d'))
  await Promise.resolve()
  bring(event('e'))
  expect(told).toEqual(['d', 'e'])
})

test('a stream that comes to its end by itself is over, though the others know of it too', async () => {
  const { feed, told, alone, closed, recent, bring } = feeding('lost')
  recent.begin('gen', 10, 'x')
  feed.catchUp()
  const { sink } = await alone
  bring(event('y', 'end'), event('z'))
  expect(sink.onMessage({ event: 'message', data: 'end', id: 'y' })).toEqual({ kind: 'ended' })
  bring(event('z'))
  expect(told).toEqual(['end'])
  expect(await closed).toEqual({ reason: 'ended' })
})
