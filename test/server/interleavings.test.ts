import { expect, onTestFinished, test } from 'vitest'
import { createEmitter, memoryLog, type Emitter } from 'eventwire/server'
import { collect, listen, type Listening } from '../support/listen.ts'
import { market, type Market } from '../support/market.ts'
import { serve } from '../support/serve.ts'
import { stall } from '../support/stall.ts'

const MB = 1 << 20

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** A server whose requests listen to the topic of their path. `onWrite` is told of each write to one of them, once that is done. */
async function serveTopics(emitter: Emitter<Market>, onWrite: (topic: string) => void): Promise<(topic: string) => Promise<Listening>> {
  const { port } = await serve((request, response) => {
    const topic = request.url!.slice(1)
    const write = response.write.bind(response)
    response.write = (chunk: Uint8Array) => {
      const room = write(chunk)
      onWrite(topic)
      return room
    }
    emitter.handleNode(request, response, { topics: [topic] })
  })
  return async (topic) => {
    const stream = await listen(`http://127.0.0.1:${port}/${topic}`)
    await stream.until(({ cursor }) => cursor !== '')
    return stream
  }
}

function open(emitter: Emitter<Market>, topics: readonly string[] = [], headers: Record<string, string> = {}): Promise<Response> {
  return emitter.handle(new Request('http://localhost/events', { headers }), { topics })
}

/** The stream of a web response, from when it has begun. */
async function opened(response: Response): Promise<Listening> {
  const stream = collect(response, () => {})
  await stream.until(({ cursor }) => cursor !== '')
  return stream
}

const dataOf = ({ events }: Listening): string[] => events.map(({ data }) => data)

/** The places in the log of what came, in the order in which it came. */
const seqsOf = ({ events }: Listening): number[] => events.map(({ id }) => Number(id.split('-')[1]))

test.each([
  ['one large event', 1],
  ['more than may wait', 36],
])('what is emitted while %s is being written comes after it, whatever the topics of the listener', async (_name, count) => {
  const emitter = createEmitter(market, { highWaterMark: 64 * MB })
  let armed = false
  const ask = await serveTopics(emitter, (topic) => {
    if (!armed || topic !== 'first') return
    armed = false
    void emitter.emit('message', 'meanwhile')
  })
  const streams = [await ask('first'), await ask('second'), await ask('third')]
  armed = true
  for (let i = 0; i < count; i++) void emitter.emit('message', `${i} `.padEnd(300_000, 'x'))
  while (armed) await turn()
  void emitter.emit('message', 'end')
  for (const stream of streams) {
    await stream.until(({ events }) => events.at(-1)?.data === 'end')
    expect(seqsOf(stream)).toEqual(Array.from({ length: count + 2 }, (_, i) => i + 1))
    expect(dataOf(stream)).toContain('meanwhile')
  }
  await emitter.close()
})

test('emit writes to nobody before it returns, however large the event', async () => {
  const emitter = createEmitter(market)
  let writes = 0
  const ask = await serveTopics(emitter, () => void writes++)
  const stream = await ask('any')
  writes = 0
  void emitter.emit('message', 'x'.repeat(1_000_000))
  expect(writes).toBe(0)
  await stream.until(({ events }) => events.length === 1)
  expect(writes).toBeGreaterThan(1)
  await emitter.close()
})

test('what is emitted right before close is heard, also when the log keeps nothing', async () => {
  const emitter = createEmitter(market, { history: { events: 0 } })
  const { url } = await serve((request, response) => emitter.handleNode(request, response))
  const streams = [await listen(url), await opened(await open(emitter))]
  for (const stream of streams) await stream.until(({ cursor }) => cursor !== '')
  void emitter.emit('message', 'the last word')
  await emitter.close()
  for (const stream of streams) {
    await stream.ended
    expect(dataOf(stream)).toEqual(['the last word'])
    expect(stream.gaps).toEqual([])
  }
})

test('a client that connects while the log is cleared is sent one snapshot, not two', async () => {
  const log = memoryLog()
  let drawn = 0
  const emitter = createEmitter(market, {
    log,
    onConnect: () => log.clear(),
    snapshot: () => [{ event: 'message', data: `state ${++drawn}` }],
  })
  const stream = await opened(await open(emitter))
  void emitter.emit('message', 'live')
  await stream.until((it) => dataOf(it).includes('live'))
  expect(dataOf(stream)).toEqual(['state 1', 'live'])
  expect(drawn).toBe(1)
  await emitter.close()
})

test('what is emitted in one go to many topics stays near the bounds of the log, and all of it is heard', async () => {
  const emitter = createEmitter(market, { history: { bytes: MB }, highWaterMark: MB })
  const topics = Array.from({ length: 150 }, (_, i) => `t${i}`)
  const streams = await Promise.all(topics.map(async (topic) => opened(await open(emitter, [topic]))))
  let most = 0
  // 30 MB in all, and 200 KB of each topic.
  for (let n = 0; n < 200; n++) {
    for (const topic of topics) void emitter.emit('message', `${n} `.padEnd(1_000, 'x'), { topic })
    most = Math.max(most, emitter.stats().log.bytes)
  }
  // 1 MiB that it may hold, 8 MiB that may await their turn, and some.
  expect(most).toBeLessThan(10 * MB)
  for (const stream of streams) {
    await stream.until(({ events }) => events.length === 200)
    expect(dataOf(stream).map((data) => Number(data.split(' ')[0]))).toEqual(Array.from({ length: 200 }, (_, n) => n))
  }
  await emitter.close()
})

/** The errors that nobody catches, until the end of the test. */
function uncaught(): Error[] {
  const errors: Error[] = []
  const take = (error: Error): void => void errors.push(error)
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException').on('uncaughtException', take)
  onTestFinished(() => {
    process.off('uncaughtException', take)
    for (const other of others) process.on('uncaughtException', other)
  })
  return errors
}

test('a connection that cannot be cut, as its response throws, takes the heartbeats of nobody else', async () => {
  const errors = uncaught()
  const emitter = createEmitter(market, { heartbeat: 10, stallTimeout: 1 })
  const { port } = await serve((request, response) => {
    const destroy = response.destroy.bind(response)
    response.destroy = () => {
      response.destroy = destroy
      throw new Error('not now')
    }
    emitter.handleNode(request, response, { topics: ['stalled'] })
  })
  stall(port)
  while (emitter.stats().connections === 0) await turn()
  const healthy = await opened(await open(emitter))
  while (errors.length === 0) {
    if (emitter.stats().buffered < MB) void emitter.emit('message', 'x'.repeat(500_000), { topic: 'stalled' })
    await turn()
  }
  const before = healthy.text.length
  await healthy.until(({ text }) => text.slice(before).split('\n\n').length > 3)
  while (emitter.stats().connections > 1) await turn()
  expect(errors.map(({ message }) => message)).toEqual(['not now'])
  await emitter.close()
})

test('connects who asks where an application has replaced the global Promise', async () => {
  const native = globalThis.Promise
  onTestFinished(() => void (globalThis.Promise = native))
  const errors: Error[] = []
  const emitter = createEmitter(market, { connect: async () => ({ context: 'someone' }), onError: (error) => errors.push(error) })
  const { url } = await serve((request, response) => emitter.handleNode(request, response))
  // An async function gives a promise of the language all the same.
  globalThis.Promise = class extends native<unknown> {} as PromiseConstructor
  const stream = await listen(url)
  await stream.until(({ cursor }) => cursor !== '')
  expect(stream.response.status).toBe(200)
  expect(errors).toEqual([])
  await emitter.close()
})

// The last one here: once a chunk was taken away, chunks are shared no more.
test('a reader that takes away an older of the chunks that another has yet to read ends the stream of the other, which resumes', async () => {
  const emitter = createEmitter(market)
  const [taking, other] = [(await open(emitter)).body!.getReader(), (await open(emitter)).body!.getReader()]
  await Promise.all([taking.read(), other.read()])
  const start = await emitter.emit('message', 'before')
  await Promise.all([taking.read(), other.read()])
  for (const data of ['one', 'two']) {
    void emitter.emit('message', data)
    await turn()
  }
  const { value } = await taking.read()
  structuredClone(value, { transfer: [value!.buffer] })
  void emitter.emit('message', 'three')
  await turn()
  await expect(other.read()).rejects.toThrow('The stream was cut')
  const resumed = await opened(await open(emitter, [], { 'last-event-id': start }))
  await resumed.until(({ events }) => events.length === 3)
  expect(dataOf(resumed)).toEqual(['one', 'two', 'three'])
  await emitter.close()
})
