import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { CursorStore } from 'eventwire/client'
import { serveEmitter } from '../support/emitter.ts'
import { serveTcp, STREAM_HEAD } from '../support/serve.ts'
import { collector, subscribe } from '../support/subscribe.ts'

const lastEventId = (head: string): string | undefined => /^last-event-id: (.*)\r$/im.exec(head)?.[1]

/** A store that notes what is saved. */
function store(kept?: string): CursorStore & { readonly saved: ReturnType<typeof collector<string>> } {
  const saved = collector<string>()
  return { load: async () => kept, save: saved.take, saved }
}

/** A stream of two events, and what its requests brought. */
async function twoEvents() {
  const sockets = new Set<Socket>()
  const served = await serveTcp((socket) => {
    sockets.add(socket)
    socket.write(`${STREAM_HEAD}id: e-1\ndata: a\n\nid: e-2\ndata: b\n\n`)
  })
  return served
}

test("commit: 'handled' moves the cursor when handlers have finished, 'received' as soon as an event has come", async () => {
  for (const [commit, during] of [
    ['handled', ''],
    ['received', 'e-2'],
  ] as const) {
    const { url } = await twoEvents()
    const kept = store()
    const { stream } = subscribe(url, { commit, cursor: kept })
    const begun = collector<string>()
    const gate = Promise.withResolvers<void>()
    stream.on('message', (text) => {
      begun.take(text)
      return gate.promise
    })
    await begun.reach(1)
    await new Promise(setImmediate)
    expect([stream.lastEventId, kept.saved.items.at(-1) ?? '']).toEqual([during, during])
    gate.resolve()
    await begun.reach(2)
    await new Promise(setImmediate)
    expect([stream.lastEventId, kept.saved.items.at(-1)]).toEqual(['e-2', 'e-2'])
  }
})

test('the first request brings what the store holds, before lastEventId', async () => {
  const { url, attempts } = await twoEvents()
  const { stream } = subscribe(url, { cursor: store('e-0'), lastEventId: 'older' })
  const heard = collector<string>()
  stream.on('message', heard.take)
  await heard.reach(2)
  expect(lastEventId(attempts[0]!)).toBe('e-0')
  const empty = await twoEvents()
  const other = subscribe(empty.url, { cursor: store(), lastEventId: 'older' })
  other.stream.on('message', heard.take)
  await heard.reach(4)
  expect(lastEventId(empty.attempts[0]!)).toBe('older')
})

test('a later subscriber goes on where the first one left off, without loss or repetition', async () => {
  const { url, emitter, connected } = await serveEmitter()
  let kept: string | undefined
  const cursor: CursorStore = { load: () => kept, save: (id) => void (kept = id) }
  const first = subscribe(url, { cursor })
  const heard = collector<string>()
  first.stream.on('message', heard.take)
  await connected(1)
  await emitter.emit('message', 'a')
  await heard.reach(1)
  await new Promise(setImmediate)
  first.stream.close()
  await connected(0)
  await emitter.emit('message', 'b')
  const second = subscribe(url, { cursor })
  second.stream.on('message', heard.take)
  await connected(1)
  await emitter.emit('message', 'c')
  expect(await heard.reach(3)).toEqual(['a', 'b', 'c'])
  expect([...first.gaps, ...second.gaps]).toEqual([])
})

test('a store that cannot be read is asked again, and nothing is asked of the server without it', async () => {
  const { url, attempts } = await twoEvents()
  let failures = 0
  const cursor: CursorStore = {
    load() {
      if (failures++ < 2) throw new Error('locked')
      return 'e-0'
    },
    save() {},
  }
  const { stream, statuses } = subscribe(url, { cursor })
  const heard = collector<string>()
  stream.on('message', heard.take)
  await heard.reach(2)
  expect(attempts.map(lastEventId)).toEqual(['e-0'])
  expect(statuses[1]).toMatchObject({
    state: 'connecting',
    attempt: 2,
    error: { code: 'hook-failed', message: expect.stringContaining('locked') },
  })
})

test('a store that cannot be written to is reported, and the stream goes on', async () => {
  const { url } = await twoEvents()
  const { stream, errors } = subscribe(url, { cursor: { load: () => null, save: () => Promise.reject(new Error('full')) } })
  const heard = collector<string>()
  stream.on('message', heard.take)
  await heard.reach(2)
  await new Promise(setImmediate)
  expect(errors[0]).toMatchObject({ code: 'hook-failed', message: 'cursor.save failed: full' })
  expect(stream.lastEventId).toBe('e-2')
})

test('a slow store is written to one at a time, and then with the newest', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const saves: string[] = []
  let finish = (): void => {}
  const begun = collector<string>()
  const cursor: CursorStore = {
    load: () => undefined,
    save(id) {
      saves.push(id.split('-')[1]!)
      begun.take(id)
      return new Promise<void>((resolve) => (finish = resolve))
    },
  }
  const { stream } = subscribe(url, { cursor })
  const heard = collector<string>()
  stream.on('message', heard.take)
  await connected(1)
  // The checkpoint of the beginning.
  await begun.reach(1)
  for (let i = 1; i <= 5; i++) await emitter.emit('message', String(i))
  await heard.reach(5)
  await new Promise(setImmediate)
  expect(saves).toEqual(['0'])
  finish()
  await begun.reach(2)
  expect(saves).toEqual(['0', '5'])
})

test('a store that answers when another attempt has asked it again moves no cursor back', async () => {
  const late = Promise.withResolvers<string>()
  let loads = 0
  const { url, attempts } = await serveTcp((socket, attempt) => {
    if (attempt === 1) socket.write(`${STREAM_HEAD}id: e-11\ndata: a\n\n`)
    else socket.end('HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n')
  })
  const { stream } = subscribe(url, { connectTimeout: 100, cursor: { load: () => (++loads === 1 ? late.promise : 'e-10'), save() {} } })
  const heard = collector<string>()
  stream.on('message', heard.take)
  await heard.reach(1)
  late.resolve('e-10')
  await new Promise(setImmediate)
  expect(stream.lastEventId).toBe('e-11')
  expect(attempts.map(lastEventId)).toEqual(['e-10'])
})

test("with 'received', close() is the last that moves the cursor", async () => {
  const { url } = await serveTcp((socket) => socket.write(STREAM_HEAD + [1, 2, 3, 4].map((n) => `id: e-${n}\ndata: ${n}\n\n`).join('')))
  const kept = store()
  const { stream } = subscribe(url, { commit: 'received', cursor: kept })
  stream.on('message', (text) => {
    if (text === '2') stream.close()
  })
  await stream.closed
  await new Promise(setImmediate)
  expect([stream.lastEventId, kept.saved.items.at(-1)]).toEqual(['e-2', 'e-2'])
})
