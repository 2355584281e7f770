// For runtimes that serve what a module exports: a stream that is compressed, and `/emit`, which publishes what is posted to it.
import { defineEvents, text } from 'eventwire'
import { createEmitter } from 'eventwire/server'

let emitter: ReturnType<typeof start> | undefined

const start = () => createEmitter(defineEvents({ message: text() }), { compression: 'shared' })

// oxlint-disable-next-line import/no-default-export
export default {
  hostname: '127.0.0.1',
  async fetch(request: Request): Promise<Response> {
    // Workers may have nothing random before a request.
    emitter ??= start()
    if (!request.url.endsWith('/emit')) return emitter.handle(request)
    await emitter.emit('message', await request.text())
    return new Response('published')
  },
}
