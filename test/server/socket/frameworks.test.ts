import type { RequestListener } from 'node:http'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import { expect, test } from 'vitest'
import type { Emitter } from 'eventwire/server'
import type { Market } from '../../support/market.ts'
import { serve } from '../../support/serve.ts'
import { openClient } from './client.ts'
import { exchange } from './exchange.ts'
import { watchedEmitter } from './server.ts'

// Frameworks hand out the response of node, each with what it has done to it before.

const FRAMEWORKS: Readonly<Record<string, (emitter: Emitter<Market>) => RequestListener | Promise<RequestListener>>> = {
  Express: (emitter) =>
    express()
      .get('/plain', (_request, response) => void response.type('text').send('plain'))
      .use('/events', (request, response) => emitter.handleNode(request, response)),
  async Fastify(emitter) {
    const app = fastify()
    app.get('/plain', (_request, reply) => reply.type('text/plain').send('plain'))
    app.get('/events', (request, reply) => {
      reply.hijack()
      emitter.handleNode(request.raw, reply.raw)
    })
    await app.ready()
    return (request, response) => app.routing(request, response)
  },
  Koa: (emitter) =>
    new Koa()
      .use(async (ctx, next) => {
        if (ctx.path === '/plain') ctx.body = 'plain'
        else await next()
      })
      .use((ctx) => {
        ctx.respond = false
        emitter.handleNode(ctx.req, ctx.res)
      })
      .callback(),
}

test.each(Object.entries(FRAMEWORKS))('behind %s a connection serves streams and other requests in turn', async (_name, listener) => {
  const watched = watchedEmitter()
  const { port } = await serve(await listener(watched.emitter))
  await exchange(await openClient(port), watched)
})

test('behind Express, what middleware has set is sent, and the session that is saved at the end is', async () => {
  const { emitter, connections, connected } = watchedEmitter()
  const saved: string[] = []
  const app = express()
    .use((request, response, next) => {
      const { end } = response
      // As sessions do: saved first, ended then.
      response.end = ((...args: unknown[]) => {
        setImmediate(() => {
          saved.push(request.url)
          Reflect.apply(end, response, args)
        })
        return response
      }) as typeof response.end
      response.cookie('session', '1')
      next()
    })
    .get('/events', (request, response) => emitter.handleNode(request, response))
    .get('/plain', (_request, response) => void response.send('plain'))
  const { port } = await serve(app)
  const client = await openClient(port)
  const stream = client.ask()
  await stream.opened
  void emitter.emit('message', 'one')
  await stream.has('data: one\n\n')
  expect([stream.response.headers.get('set-cookie'), saved]).toEqual(['session=1; Path=/', []])
  for (const connection of connections) connection.close()
  void emitter.emit('message', 'too late')
  await stream.complete
  await client.ask('GET /plain').complete
  await connected(0)
  expect([stream.messages, saved]).toEqual([['one'], ['/events', '/plain']])
})
