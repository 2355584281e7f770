import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Server } from './measure.ts'
import { BUILD, commandFor } from './paths.ts'

function onNode(name: string, file: string, more: Partial<Server> = {}): Server {
  return { name, command: commandFor('node', file) ?? [], ...more }
}

export const floor: Server = { name: 'floor', command: [join(BUILD, 'floor')], native: true }
export const prototype = onNode('prototype', 'prototype')
export const eventwire = onNode('eventwire', 'eventwire')
export const eventwireDetach = onNode('eventwire, detach', 'eventwire', { env: { EVENTWIRE_DETACH: '1' } })
export const resWrite = onNode('res.write', 'res-write')
export const betterSse = onNode('better-sse', 'better-sse')
export const fastifySse = onNode('@fastify/sse', 'fastify-sse')
export const honoStream = onNode('hono streamSSE', 'hono-stream')
export const orpc = onNode('oRPC publisher', 'orpc')
export const trpc = onNode('tRPC subscription', 'trpc')
export const graphqlSse = onNode('graphql-sse', 'graphql-sse', {
  path: '/?query=subscription%7Bsample%7Bid,type,sym,px,qty,t,note%7D%7D',
})

/** A gzip stream for each client. */
export const gzipEach = onNode('node, gzip for each', 'gzip')
/** Node's own HTTP/2 streams, and eventwire on them. */
export const h2Stream = onNode('node:http2', 'h2-stream')
export const eventwireH2 = onNode('eventwire', 'eventwire-h2')
/** One prepared buffer for everyone who connects. */
export const prepared = onNode('prepared', 'prepared')

/** The runtimes whose web servers are here: a plain stream of each, and eventwire. */
export const WEB = (['node', 'bun', 'deno'] as const).flatMap((runtime) => {
  const plain = commandFor(runtime, 'web-stream')
  const own = commandFor(runtime, 'eventwire-web')
  const title = { node: '@hono/node-server', bun: 'Bun.serve', deno: 'Deno.serve' }[runtime]
  return plain && own
    ? [{ title, plain: { name: `plain on ${title}`, command: plain }, eventwire: { name: `eventwire on ${title}`, command: own } }]
    : []
})

const BROKER = join(BUILD, 'broker')
/** Where there is a Go to build it with. */
export const goBroker: Server | undefined = existsSync(BROKER) ? { name: 'Go broker', command: [BROKER], native: true } : undefined
export const NO_GO = 'The Go broker was left out: there is no `go` here (apt-get install golang-go).'
