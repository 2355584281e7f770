import sse from '@fastify/sse'
import { fastify, type FastifyReply } from 'fastify'
import { ready, takeOrders } from './control.ts'
import { options } from './options.ts'

const app = fastify({ keepAliveTimeout: 0, requestTimeout: 0, connectionTimeout: 0 })
await app.register(sse)
const streams = new Set<FastifyReply['sse']>()

app.get('/sse', { sse: true }, async (_request, reply) => {
  reply.sse.keepAlive()
  await reply.sse.send({ data: 'hello' })
  streams.add(reply.sse)
  reply.sse.onClose(() => streams.delete(reply.sse))
})
await app.listen({ port: options.port, host: '127.0.0.1', backlog: 4096 })
ready()

takeOrders((samples) => {
  for (const data of samples) for (const stream of streams) stream.send({ data }).catch(() => {})
})
