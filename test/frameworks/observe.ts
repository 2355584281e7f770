// Loaded before a page's code: it prints what cannot be seen from outside, and changes nothing.
import { subscribe } from 'node:diagnostics_channel'
import { registerHooks } from 'node:module'
import type { Server } from 'node:net'
import { createEmitter as create, type Emitter, type EmitterOptions } from 'eventwire/server'
import type { Contract } from 'eventwire'

subscribe('tracing:net.server.listen:asyncEnd', (message) => {
  const { server } = message as { server: Server }
  console.log(`listening ${JSON.stringify(server.address())}`)
})

// From here on, whoever imports the server gets this module.
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'eventwire/server' ? { url: import.meta.url, shortCircuit: true } : next(specifier, context),
})

export { publishHandler } from 'eventwire/server'

export function createEmitter<C extends Contract>(contract: C, options: EmitterOptions<C> = {}): Emitter<C> {
  return create(contract, {
    ...options,
    onConnect: () => console.log('a client came'),
    onDisconnect: () => console.log('a client left'),
  })
}
