// A process of the suite, a node or a subscriber of a peer:
//   node worker.ts node|listener PEER REDIS
//   node worker.ts subscriber PEER URL
// It does what it is told over its channel, and ends with that.
import type { Duties } from './duties.ts'
import { hearing } from './hearing.ts'
import type { Peer } from './peer.ts'
import { publishing } from './publishing.ts'

const [role, name, url = ''] = process.argv.slice(2)
const peer = (await import(`./peers/${name}.ts`)) as Peer

/** What is asked of this process, and the number of the question. */
interface Order {
  readonly id: number
  readonly duty: keyof Duties
  readonly load: never
}

async function takeUp(): Promise<{ duties: Partial<Duties>; url?: string | undefined }> {
  if (role === 'subscriber') {
    const { heard, ...duties } = hearing()
    await peer.subscribe?.(url, heard)
    return { duties }
  }
  const node = await peer.join(url)
  return { duties: publishing(node), url: role === 'listener' ? await node.listen?.() : undefined }
}

const { duties, url: own } = await takeUp()

process.on('message', ({ id, duty, load }: Order) => {
  void duties[duty]?.(load).then(
    (result) => process.send?.({ id, result }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
process.send?.({ id: 0, result: own ?? '' })
