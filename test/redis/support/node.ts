// One node of several, in a process of its own: it is killed without warning.
import { createServer } from 'node:http'
import type { EventwireError } from 'eventwire'
import { redisLog } from 'eventwire/redis'
import { createEmitter, publishHandler, type Topics } from 'eventwire/server'
import { events } from './events.ts'

export interface NodeConfig {
  /** Where it listens, on 127.0.0.1. */
  readonly port: number
  /** Where Redis is, and the key of the log there. */
  readonly url: string
  readonly key: string
  /** How many events it holds in memory. */
  readonly held: number
  /** How long an emit may take, in ms. */
  readonly deadline: number
}

/** What a node tells: that it listens, or what went to `onError`. */
export type Told = 'listening' | Fault

export type Fault = Pick<EventwireError, 'code' | 'message'>

const { port, url, key, held, deadline } = JSON.parse(process.argv[2]!) as NodeConfig

const log = redisLog({ url, key, deadline, history: { events: held } })
const onError = ({ code, message }: EventwireError): void => tell({ code, message })
const emitter = createEmitter(events, { log, heartbeat: 2_000, onError })
const publisher = publishHandler(emitter, { authorize: () => true, onError })

createServer((request, response) => {
  if (request.method === 'POST') publisher.handleNode(request, response)
  else emitter.handleNode(request, response, { topics: topicsOf(request.url) })
}).listen(port, '127.0.0.1', () => tell('listening'))
process.on('disconnect', () => process.exit())

function topicsOf(path = ''): Topics {
  const topics = new URLSearchParams(path.split('?')[1]).getAll('topic')
  return topics.includes('*') ? '*' : topics
}

function tell(told: Told): void {
  process.send!(told)
}
