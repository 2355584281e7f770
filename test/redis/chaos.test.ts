import { expect, test } from 'vitest'
import type { Topics } from 'eventwire/server'
import { missingNginx, startNginx } from '../support/nginx.ts'
import { seeded } from '../support/random.ts'
import { keepablePort, type RedisServer } from '../support/redis-server.ts'
import { missingRedis, startRedis } from '../support/redis.ts'
import { follow, type Follower } from './support/follower.ts'
import { auditHearing, auditLog, HEARD_WELL, LOGGED_WELL, type HearingFaults, type Publication, type Truth } from './support/ledger.ts'
import { bundleNode, createNode, type Node } from './support/nodes.ts'
import { pause, post, publishAll } from './support/publisher.ts'
import { readLog } from './support/truth.ts'

/** How long there are faults. They are the same for the same seed, as far as the machine allows. */
const SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 15)
const SEED = Number(process.env['CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const NODES = 3
const PUBLISHERS = 3
const SUBSCRIBERS = 300
/** How many of them are there from the beginning; the others come while there are faults. */
const EARLY = 200
/** Longest pause of a publisher between two events to the same topic, in ms. */
const PAUSE = 200
/** How many events a node holds in memory: few, so that much is read from Redis. And how long it may take to publish, in ms: less than Redis may be away. */
const HELD = 100
const DEADLINE = 1_000
/** How long a node lives, and how long it is away, in ms: at least, and so much more at random. */
const LIFE = [500, 2_500] as const
const AWAY = [0, 1_000] as const
/** How long Redis is away. */
const OUTAGE = [500, 1_500] as const
/** Longest wait for what has to happen when nothing is broken, in ms. */
const PATIENCE = 60_000

const KEY = 'chaos'
const TOPICS = ['red', 'green', 'blue']
/** What the subscribers listen to, by turns. All of them hear what has no topic. */
const LISTENED: readonly Topics[] = [
  '*',
  [],
  ['red'],
  ['red'],
  ['green'],
  ['blue'],
  ['red', 'green'],
  ['red', 'blue'],
  ['green', 'blue'],
  TOPICS,
]

type Random = () => number

test.skipIf(missingNginx || missingRedis)(
  `${NODES} nodes killed at random for ${SECONDS} s, Redis stopped and killed: each of ${SUBSCRIBERS} subscribers hears its exact sequence`,
  async ({ signal }) => {
    console.log(`CHAOS_SEED=${SEED}`)
    const broken = new AbortController()
    const onCrash = (error: unknown): void => broken.abort(error)
    const redis = await startRedis({ persistent: 'aof' })
    const { nodes, url } = await startNodes(redis, onCrash)
    const followers = Array.from({ length: EARLY }, (_, i) => follow(url, topicsOf(i)))
    await opened(followers)

    const over = AbortSignal.any([AbortSignal.timeout(SECONDS * 1_000), broken.signal, signal])
    const seed = seeded(SEED)
    const fork = (): Random => seeded(seed() * 2 ** 32)
    const publishing = channels().map((channel) => publishAll(url, channel, PAUSE, fork(), over))
    const actors = [
      ...publishing,
      ...nodes.map((node) => killAgainAndAgain(node, fork(), over)),
      endTwice(redis, fork(), over),
      joinIn(followers, url, fork(), over),
    ]
    for (const actor of actors) actor.catch(onCrash)
    await Promise.allSettled(actors)
    broken.signal.throwIfAborted()

    const healed = performance.now()
    await opened(followers)
    const chains = [...(await Promise.all(publishing)), await publishLast(url)]
    const last = chains.at(-1)!.at(-1)!
    await within(Promise.all(followers.map((it) => it.hears(last.text))), followers, ({ at }) => at !== last.id)
    const converged = performance.now() - healed
    for (const it of followers) it.close()
    const truth = await readLog(redis, KEY)
    const audits = followers.map((it) => auditHearing(truth, it, last.id!))
    report(nodes, followers, audits, chains, truth, converged)

    expect(auditLog(truth, chains)).toEqual(LOGGED_WELL)
    // Redis keeps what it has confirmed, so there are no gaps either.
    for (const [i, faults] of audits.entries()) expect(faults, describe(followers[i]!)).toEqual(HEARD_WELL)
    expect(nodes.map(({ kills }) => kills > 0)).toEqual(nodes.map(() => true))
    expect(nodes.flatMap(({ errors }) => errors).filter(({ code }) => code !== 'log-unavailable')).toEqual([])
  },
  SECONDS * 1_000 + 4 * PATIENCE,
)

async function startNodes(
  redis: RedisServer,
  onCrash: (error: Error) => void,
): Promise<{ readonly nodes: readonly Node[]; readonly url: string }> {
  const program = await bundleNode()
  const ports = await Promise.all(Array.from({ length: NODES }, keepablePort))
  const nodes = ports.map((port) => createNode(program, { port, url: redis.url, key: KEY, held: HELD, deadline: DEADLINE }, onCrash))
  await Promise.all(nodes.map((node) => node.start()))
  // What was sent to a node is not sent to another, unless it may be repeated: that is how nginx comes.
  const { url } = await startNginx(ports, 'proxy_http_version 1.1;')
  return { nodes, url }
}

/** Each publisher publishes to everyone and to each topic, all at once. */
function channels(): { readonly name: string; readonly topic: string | undefined }[] {
  const publishers = Array.from({ length: PUBLISHERS }, (_, i) => `publisher ${i}`)
  return publishers.flatMap((name) => [undefined, ...TOPICS].map((topic) => ({ name: `${name} ${topic ?? 'everyone'}`, topic })))
}

function topicsOf(subscriber: number): Topics {
  return LISTENED[subscriber % LISTENED.length]!
}

async function killAgainAndAgain(node: Node, random: Random, over: AbortSignal): Promise<void> {
  for (;;) {
    await pause(between(LIFE, random), over)
    if (over.aborted) return
    await node.kill()
    await pause(between(AWAY, random), over)
    await node.start()
  }
}

/** Redis is told to end once, and killed once: in the first half and in the second. */
async function endTwice(redis: RedisServer, random: Random, over: AbortSignal): Promise<void> {
  const half = SECONDS * 500
  const most = OUTAGE[0] + OUTAGE[1]
  for (const end of random() < 0.5 ? [redis.stop, redis.kill] : [redis.kill, redis.stop]) {
    const before = random() * (half - most)
    await pause(before, over)
    await end()
    await pause(between(OUTAGE, random), over)
    await redis.start()
    await pause(half - before - most, over)
  }
}

/** More subscribers come, one after the other. Every other one asks for all that there was before. */
async function joinIn(followers: Follower[], url: string, random: Random, over: AbortSignal): Promise<void> {
  const [{ began }] = followers as [Follower]
  for (let i = followers.length; i < SUBSCRIBERS; i++) {
    await pause(((random() * 2 * SECONDS) / (SUBSCRIBERS - EARLY)) * 1_000, over)
    followers.push(follow(url, topicsOf(i), i % 2 ? began : undefined))
  }
}

/** Publishes to everyone until it is confirmed, and not for ever. */
async function publishLast(url: string): Promise<Publication[]> {
  const late = AbortSignal.timeout(PATIENCE)
  const attempts: Publication[] = []
  for (;;) {
    const attempt = await post(url, `last ${attempts.length + 1}`, undefined)
    attempts.push(attempt)
    if (attempt.id !== undefined) return attempts
    late.throwIfAborted()
    await pause(PAUSE, late)
  }
}

function opened(followers: readonly Follower[]): Promise<unknown> {
  return within(Promise.all(followers.map((it) => it.opened)), followers, ({ began }) => began === '')
}

/** Waits, and not for ever: then it says who is late. */
async function within(waited: Promise<unknown>, followers: readonly Follower[], late: (follower: Follower) => boolean): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const bound = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const all = followers.filter(late).map(describe)
      reject(new Error(`After ${PATIENCE} ms ${all.length} subscribers wait:\n${all.join('\n')}`))
    }, PATIENCE)
  })
  await Promise.race([waited, bound]).finally(() => clearTimeout(timer))
}

function describe({ topics, status, began, at, takeovers }: Follower): string {
  return `of ${JSON.stringify(topics)}, from ${began} to ${at}, ${takeovers.length} times resumed, ${JSON.stringify(status)}`
}

function between([least, more]: readonly [number, number], random: Random): number {
  return least + random() * more
}

function report(
  nodes: readonly Node[],
  followers: readonly Follower[],
  audits: readonly HearingFaults[],
  chains: readonly Publication[][],
  { entries }: Truth,
  converged: number,
): void {
  const publications = chains.flat()
  const unconfirmed = publications.filter(({ id }) => id === undefined).map(({ text }) => text)
  const kept = new Set(entries.map(({ text }) => text))
  const takeovers = followers.flatMap((it) => it.takeovers).sort((a, b) => a - b)
  const quantile = (q: number): string => (takeovers[Math.floor(q * (takeovers.length - 1))] ?? NaN).toFixed()
  const faults = Object.keys(HEARD_WELL) as (keyof HearingFaults)[]
  console.log(
    [
      `${sum(nodes.map(({ kills }) => kills))} kills`,
      `${publications.length} events, ${unconfirmed.length} not confirmed, of which ${unconfirmed.filter((text) => kept.has(text)).length} are in the log`,
      `${sum(followers.map(({ notes }) => notes.length))} told`,
      `${takeovers.length} takeovers in ${quantile(0.5)} ms (p50), ${quantile(0.99)} ms (p99), ${quantile(1)} ms at most`,
      `all told all ${converged.toFixed()} ms after the last fault`,
      faults.map((fault) => `${sum(audits.map((it) => it[fault].length))} ${fault}`).join(', '),
    ].join('; '),
  )
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
