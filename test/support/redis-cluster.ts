import { keepablePort, launchRedis, type RedisServer } from './redis-server.ts'

/** Three masters that share the slots. */
export interface RedisCluster {
  readonly servers: readonly RedisServer[]
  readonly urls: readonly string[]
  dispose(): Promise<void>
}

/** Starts a cluster that answers once this resolves. It takes two seconds: so long a new master of Redis waits before it serves. Whoever calls this disposes of it. */
export async function launchCluster(): Promise<RedisCluster> {
  const launched = await Promise.allSettled(SLOTS.map(launchMember))
  const members = launched.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []))
  const servers = members.map(({ server }) => server)
  const dispose = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.dispose()))
  }
  try {
    for (const it of launched) if (it.status === 'rejected') throw it.reason
    await join(members)
  } catch (error) {
    await dispose()
    throw error
  }
  return { servers, urls: servers.map(({ url }) => url), dispose }
}

/** The first and the last slot of each. */
const SLOTS = [
  ['0', '5460'],
  ['5461', '10922'],
  ['10923', '16383'],
] as const

interface Member {
  readonly server: RedisServer
  /** The port on which they talk to each other. */
  readonly bus: number
}

async function launchMember([first, last]: (typeof SLOTS)[number], index: number): Promise<Member> {
  const bus = await keepablePort()
  const server = await launchRedis({ directives: `cluster-enabled yes\ncluster-port ${bus}\ncluster-announce-ip 127.0.0.1` })
  await server.command('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
  await server.command('CLUSTER', 'ADDSLOTSRANGE', first, last)
  return { server, bus }
}

async function join(members: readonly Member[]): Promise<void> {
  for (const [index, { server }] of members.entries()) {
    for (const other of members.slice(index + 1)) {
      await server.command('CLUSTER', 'MEET', '127.0.0.1', String(other.server.port), String(other.bus))
    }
  }
  await Promise.all(members.map(({ server }) => server.logged('Cluster state changed: ok')))
}
