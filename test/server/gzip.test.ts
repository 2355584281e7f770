import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import zlib from 'node:zlib'
import fc from 'fast-check'
import { expect, onTestFinished, test, vi } from 'vitest'
import { EMPTY, follow, type Checksum } from '../../src/server/crc.ts'
import { acceptsGzip, endOfStream, GZIP_HEADER, GzipStream, requireZlib, SharedDeflate, type Frame } from '../../src/server/gzip.ts'
import { CURL } from '../../scripts/programs.ts'
import { caught } from '../support/caught.ts'
import { missing, pathOf } from '../support/program.ts'
import { seeded } from '../support/random.ts'
import { serve } from '../support/serve.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const random = seeded(1)
const anyOf = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!
const noise = (size: number): Uint8Array => Uint8Array.from({ length: size }, () => random() * 256)

let published = 0
/** Events as a feed of prices has them, of 120 bytes each. */
function prices(count: number): Uint8Array {
  const events = Array.from({ length: count }, () => {
    const data = { symbol: anyOf(['BTC', 'ETH', 'SOL', 'XRP']), usd: Math.round(random() * 6_400_000) / 100, change: random().toFixed(3) }
    return `id: 4f9k2m1x-${++published}\nevent: price\ndata: ${JSON.stringify({ ...data, at: 1_790_000_000_000 + published * 37 })}\n\n`
  })
  return utf8(events.join(''))
}

/** A connection, with a decoder that is given what it is sent piece by piece. */
class Client {
  readonly body = new GzipStream(requireZlib())
  readonly #decoder = zlib.createGunzip()
  readonly #sent: Uint8Array[] = []
  readonly #meant: Uint8Array[] = []
  readonly #read: Uint8Array[] = []
  failure: unknown

  private constructor() {
    this.#decoder.on('data', (piece: Uint8Array) => this.#read.push(piece))
    this.#decoder.on('error', (error) => (this.failure = error))
  }

  static async join(): Promise<Client> {
    const client = new Client()
    await client.#receive(GZIP_HEADER)
    return client
  }

  async batch(frame: Frame): Promise<number> {
    return this.#expect(frame.batch, this.body.batch(frame))
  }

  async alone(bytes: Uint8Array): Promise<number> {
    return this.#expect(bytes, this.body.alone(bytes))
  }

  /** Ends the stream, which must then be a whole one with a right checksum. */
  async end(): Promise<void> {
    await this.#expect(new Uint8Array(0), this.body.end())
    const ended = once(this.#decoder, 'end')
    this.#decoder.end()
    await ended
    expect(this.failure).toBeUndefined()
    expect(Buffer.concat(this.#meant).equals(zlib.gunzipSync(Buffer.concat(this.#sent)))).toBe(true)
  }

  /** All that is meant for it must have been read once the decoder has had the bytes. Gives how many those were. */
  async #expect(meant: Uint8Array, sent: Uint8Array): Promise<number> {
    this.#meant.push(meant)
    await this.#receive(sent)
    expect(this.failure).toBeUndefined()
    expect(Buffer.concat(this.#read).equals(Buffer.concat(this.#meant))).toBe(true)
    return sent.byteLength
  }

  async #receive(sent: Uint8Array): Promise<void> {
    this.#sent.push(sent)
    await new Promise((resolve) => this.#decoder.write(sent, resolve))
  }
}

const blocks = fc.oneof(
  { arbitrary: fc.nat(20).map(prices), weight: 8 },
  { arbitrary: fc.uint8Array({ maxLength: 300 }), weight: 2 },
  { arbitrary: fc.constantFrom(7_900, 8_192, 33_000, 70_000, 140_000).map(noise), weight: 1 },
  { arbitrary: fc.constantFrom(8_193, 33_000, 70_000, 140_000).map((size) => prices(Math.ceil(size / 120)).subarray(0, size)), weight: 1 },
)

const steps = fc.array(
  fc.oneof(
    {
      arbitrary: fc.record({ batch: blocks, missedBy: fc.oneof(fc.constant<number[]>([]), fc.array(fc.nat(5), { maxLength: 2 })) }),
      weight: 8,
    },
    { arbitrary: fc.record({ alone: blocks, to: fc.nat(5) }), weight: 2 },
    { arbitrary: fc.constant('join' as const), weight: 2 },
    { arbitrary: fc.constant('end' as const), weight: 1 },
  ),
  { maxLength: 40 },
)

test('every connection reads what was meant for it as it comes, whenever it joined, whatever it missed, whatever it alone was sent', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (happenings) => {
      const group = new SharedDeflate(requireZlib())
      const clients = [await Client.join()]
      for (const happening of happenings) {
        if (happening === 'join') clients.push(await Client.join())
        else if (happening === 'end') await clients.shift()?.end()
        else if ('alone' in happening) await clients[happening.to]?.alone(happening.alone)
        else {
          const frame = group.encode(happening.batch)
          for (const [index, client] of clients.entries()) if (!happening.missedBy.includes(index)) await client.batch(frame)
        }
      }
      for (const client of clients) await client.end()
    }),
    { numRuns: 100 },
  )
})

test('a batch may be taken late, after others were encoded', async () => {
  const group = new SharedDeflate(requireZlib())
  const frames = Array.from({ length: 200 }, () => group.encode(prices(1)))
  expect(new Set(frames.map(({ key }) => key))).toEqual(new Set([true, false]))
  const client = await Client.join()
  for (const frame of frames) await client.batch(frame)
  await client.end()
})

test('what a connection takes is deflated once for all that take the same', async () => {
  const group = new SharedDeflate(requireZlib())
  const [first, second] = [await Client.join(), await Client.join()]
  for (let round = 0; round < 3; round++) {
    const frame = group.encode(prices(10))
    expect(first.body.batch(frame)).toBe(second.body.batch(frame))
  }
  const newcomer = await Client.join()
  const frame = group.encode(prices(10))
  const inStep = first.body.batch(frame)
  expect(newcomer.body.batch(frame).byteLength).toBeGreaterThan(inStep.byteLength)
})

test.each([
  ['single events', 1, 3],
  ['bursts of ten', 10, 4],
  ['bursts of a hundred', 100, 5],
])('%s become %s times smaller or more', async (_what, events, least) => {
  const group = new SharedDeflate(requireZlib())
  const client = await Client.join()
  let plain = 0
  let sent = 0
  for (let round = 0; round < 300; round++) {
    const batch = prices(events)
    plain += batch.byteLength
    sent += await client.batch(group.encode(batch))
  }
  expect(plain / sent).toBeGreaterThan(least)
})

test('a newcomer waits for the next key frame, which comes within 8 KB', async () => {
  const group = new SharedDeflate(requireZlib())
  const inStep = await Promise.all([Client.join(), Client.join(), Client.join()])
  for (let round = 0; round < 10; round++) {
    const frame = group.encode(prices(1))
    for (const client of inStep) client.body.batch(frame)
  }
  const newcomer = await Client.join()
  const waited = []
  for (let bytes = 0; bytes < 8 << 10;) {
    const frame = group.encode(prices(1))
    bytes += frame.batch.byteLength
    waited.push(frame.key)
    for (const client of inStep) client.body.batch(frame)
    await newcomer.batch(frame)
  }
  expect(waited).toContain(true)
  const frame = group.encode(prices(1))
  expect(newcomer.body.batch(frame)).toBe(inStep[0].body.batch(frame))
})

test('many newcomers do not wait: the key frame comes as soon as it costs less than they do', () => {
  const zlibHere = requireZlib()
  const group = new SharedDeflate(zlibHere)
  const old = new GzipStream(zlibHere)
  old.batch(group.encode(prices(1)))
  old.batch(group.encode(prices(1)))
  const newcomers = Array.from({ length: 100 }, () => new GzipStream(zlibHere))
  const keys = Array.from({ length: 4 }, () => {
    const frame = group.encode(prices(1))
    for (const body of [old, ...newcomers]) body.batch(frame)
    return frame.key
  })
  expect(keys).toEqual([false, true, false, false])
  // Those who waited have been served: that they did does not count again, whoever is left.
  old.batch(group.encode(prices(1)))
  expect(group.encode(prices(1)).key).toBe(false)
})

test('a few bytes for one connection cost no deflating, and five bytes more', async () => {
  const client = await Client.join()
  expect(await client.alone(utf8(':\n\n'))).toBe(3 + 5)
})

test('the checksum of a stream follows from those of another that it went along with, at any length', () => {
  const checksum = (...parts: readonly Uint8Array[]): Checksum => {
    const bytes = Buffer.concat(parts)
    return { crc: zlib.crc32(bytes), length: bytes.byteLength }
  }
  const bytes = fc.uint8Array({ maxLength: 1_000 })
  fc.assert(
    fc.property(bytes, bytes, bytes, (own, before, common) => {
      expect(follow(checksum(own), checksum(before), checksum(before, common))).toEqual(checksum(own, common))
    }),
  )
  // Beyond 4 GB: 2^32 - 1 bytes more are as good as none, for that is the order of x^8.
  const crcAfter = (length: number): number => follow({ crc: 7, length: 3 }, EMPTY, { crc: 1, length }).crc
  for (const rounds of [1, 5, 100_000]) expect(crcAfter(12_345 + rounds * (2 ** 32 - 1))).toBe(crcAfter(12_345))
})

test('a stream of more than 4 GB states its length modulo 2^32, as gzip does', () => {
  const end = endOfStream({ crc: 0x01020304, length: 2 ** 32 + 5 })
  expect([...end]).toEqual([3, 0, 4, 3, 2, 1, 5, 0, 0, 0])
})

test.each([
  ['gzip', true],
  ['gzip, deflate, br, zstd', true],
  ['deflate, GZIP', true],
  ['x-gzip', true],
  ['br;q=1.0, gzip;q=0.8, *;q=0.1', true],
  ['*', true],
  ['*;q=0.5, identity;q=0.5', true],
  ['gzip ; q=0.001', true],
  ['gzip;Q=1.000', true],
  ['identity;q=0, gzip;q=0.1', true],
  [undefined, false],
  ['', false],
  ['identity', false],
  ['br', false],
  ['gzipped', false],
  ['gzip;q=0', false],
  ['gzip;q=0.000, *', false],
  ['gzip; q = 0', false],
  ['*;q=0', false],
  ['*;q=0, br', false],
  ['gzip;q=0.5, identity', false],
  ['gzip;q=no', false],
  ['gzip;q=1.5', false],
  ['gzip;q=', false],
  ['br gzip', false],
])('accept-encoding %s: gzip %s', (header, accepted) => {
  expect(acceptsGzip(header)).toBe(accepted)
})

test.each([
  ['process', undefined],
  ['process.getBuiltinModule', {}],
  ['node:zlib', { getBuiltinModule: () => undefined }],
  ['crc32', { getBuiltinModule: () => ({ deflateRawSync: zlib.deflateRawSync, constants: zlib.constants }) }],
])('a platform without %s is told that it cannot compress', (_what, platform) => {
  vi.stubGlobal('process', platform)
  onTestFinished(() => void vi.unstubAllGlobals())
  const { code, message } = caught(requireZlib)
  expect([code, message]).toEqual(['invalid-option', expect.stringContaining('nodejs_compat')])
})

/** A server whose one connection is sent a batch at a time, and in the midst of them bytes of its own. */
async function feed(): Promise<{ url: string; next(): string; end(): void }> {
  const group = new SharedDeflate(requireZlib())
  const body = new GzipStream(requireZlib())
  let response: ServerResponse | undefined
  const { url } = await serve((_request, opened) => {
    response = opened.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' })
    response.write(GZIP_HEADER)
    response.write(body.alone(utf8('event: $ready\n\n')))
  })
  let sent = 0
  return {
    url,
    next() {
      const bytes = prices(sent % 3 === 0 ? 100 : 1)
      response!.write(sent++ % 5 === 4 ? body.alone(bytes) : body.batch(group.encode(bytes)))
      return new TextDecoder().decode(bytes)
    },
    end: () => void response!.end(body.end()),
  }
}

/** Reads until it has what was sent, before more is sent, and then to the end. */
async function readAlong(stream: AsyncIterable<Uint8Array>, { next, end }: { next(): string; end(): void }): Promise<void> {
  const decoder = new TextDecoder()
  let expected = 'event: $ready\n\n'
  let read = ''
  let rounds = 0
  for await (const piece of stream) {
    read += decoder.decode(piece, { stream: true })
    expect(expected.startsWith(read)).toBe(true)
    if (read.length < expected.length) continue
    if (rounds++ < 100) expected += next()
    else end()
  }
  expect([read.length, rounds]).toEqual([expected.length, 101])
}

test('fetch reads each batch as it comes, and a clean end', async () => {
  const server = await feed()
  const { body } = await fetch(server.url)
  await readAlong(body!, server)
})

test.skipIf(missing(CURL))('curl --compressed reads each batch as it comes, and a clean end', async () => {
  const server = await feed()
  const curl = spawn(pathOf(CURL), ['--compressed', '--silent', '--show-error', '--no-buffer', server.url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(curl, 'exit')
  await readAlong(curl.stdout, server)
  expect(await exited).toEqual([0, null])
})
