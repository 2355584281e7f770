import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSentinel } from 'redis'
import { expect, onTestFinished, test } from 'vitest'
import { redisLog } from 'eventwire/redis'
import { REDIS } from '../../scripts/programs.ts'
import { serveEmitter } from '../support/emitter.ts'
import { listen, type Listening } from '../support/listen.ts'
import { price } from '../support/market.ts'
import { pathOf } from '../support/program.ts'
import { missingRedis, startRedis } from '../support/redis.ts'
import { keepablePort } from '../support/redis-server.ts'

const numbers = (stream: Listening): number[] => stream.events.map(({ data }) => (JSON.parse(data) as { usd: number }).usd)

/** A sentinel that watches a primary, and makes its replica the primary soon after it is gone. */
async function startSentinel(primary: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'eventwire-sentinel-'))
  const port = await keepablePort()
  const file = join(folder, 'sentinel.conf')
  await writeFile(
    file,
    `bind 127.0.0.1
port ${port}
dir ${folder}
sentinel monitor market 127.0.0.1 ${primary} 1
sentinel down-after-milliseconds market 200
sentinel failover-timeout market 2000
`,
  )
  const child = spawn(pathOf(REDIS), [file, '--sentinel'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise<void>((resolve) => child.on('close', () => resolve()))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
    await rm(folder, { recursive: true })
  })
  // It is asked only once it knows the replica, or it would know of none to promote.
  await new Promise<void>((resolve, reject) => {
    let output = ''
    child.on('close', () => reject(new Error(`The sentinel ended:\n${output}`)))
    child.stdout.on('data', (data) => {
      output += String(data)
      if (output.includes('+slave slave')) resolve()
    })
  })
  return port
}

test.skipIf(missingRedis)(
  'when sentinels promote a replica, every node goes on with it, and nobody misses anything that it has',
  async () => {
    const primary = await startRedis()
    const replica = await startRedis({ replicaOf: primary.port })
    const port = await startSentinel(primary.port)
    const client = createSentinel({ name: 'market', sentinelRootNodes: [{ host: '127.0.0.1', port }] })
    client.on('error', () => {})
    const nodes = []
    for (let i = 0; i < 2; i++) nodes.push(await serveEmitter({ log: redisLog({ client, deadline: '20s' }), onError: () => {} }))
    const streams = [await listen(nodes[0]!.url), await listen(nodes[1]!.url)]
    for (let usd = 1; usd <= 20; usd++) await nodes[usd % 2]!.emitter.emit('price', price(usd))
    for (const stream of streams) await stream.until((it) => numbers(it).includes(20))
    while ((await replica.command('XLEN', 'eventwire:{eventwire}:events')) !== 20);
    await primary.kill()
    // It waits for the new primary.
    for (let usd = 21; usd <= 40; usd++) await nodes[usd % 2]!.emitter.emit('price', price(usd))
    for (const stream of streams) {
      await stream.until((it) => numbers(it).includes(40))
      expect([stream.gaps, numbers(stream)]).toEqual([[], Array.from({ length: 40 }, (_, i) => i + 1)])
    }
    expect(await replica.command('ROLE')).toContain('master')
  },
)
