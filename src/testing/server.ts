import type { SubscriberOptions, Source } from '../client/options.ts'
import { createSubscriber, type Subscriber } from '../client/subscriber.ts'
import { isContract, type Contract } from '../contract.ts'
import { EventwireError } from '../errors.ts'
import { createEmitter, type Emitter } from '../server/emitter.ts'
import { memoryLog } from '../server/memory-log.ts'
import type { EmitterOptions } from '../server/options.ts'
import { calm, PATIENCE, pause, realTime } from './calm.ts'
import { createNetwork, type Endpoint, type Network } from './network.ts'
import { UnderWay, watchContract, watchEmits, watchHandlers, watchOptions, watchSnapshot } from './watch.ts'

/** Options of `subscribe`: those of `createSubscriber`, but for `fetch`, and the url. */
export interface TestSubscriberOptions extends Omit<SubscriberOptions, 'fetch'> {
  /** What to ask the server for; a path is one of `http://localhost`. Default: `/events`. */
  url?: Source<string | URL> | undefined
}

/** A server in memory, the way to it, and what may go wrong on that. */
export interface TestServer<C extends Contract> extends Network {
  /** Makes a real subscriber of this server. As any other it connects when its first handler or loop arrives. */
  subscribe(options?: TestSubscriberOptions): Subscriber<C>
  /**
   * Resolves when nothing moves any more: every request has been answered; what `emitter` and its snapshots send has come to those who are connected; and the
   * subscribers that `subscribe` gave have finished with it: their schemas, their handlers and loops, and the options that they ask:
   * `url`, `headers`, `body`, `cursor`, `onUnauthorized` and `shouldRetry`.
   * It lets no time pass: what waits for that, such as another attempt, stays as it is.
   *
   * It cannot see, and does not wait for: emits of an emitter of your own that nobody awaits; a stream of your own that takes its time between two events; a log over
   * a network; `onConnect` and other hooks that only listen; handlers of subscribers that `subscribe` did not give, their schemas and options; whoever reads a `toReadableStream`.
   *
   * @throws EventwireError `timeout` after 3 s of real time, with what is not finished.
   */
  settled(): Promise<void>
  /** Closes every subscriber that `subscribe` gave and breaks every connection; then closes the emitter, where it has one. */
  close(): Promise<void>
}

/** A test server that has an emitter. */
export interface TestEmitterServer<C extends Contract> extends TestServer<C> {
  readonly emitter: Emitter<C>
  /**
   * Forgets every event, as a server does that is started anew: clients hear a `gap` with reason `epoch`, those who are away when they come back.
   *
   * @throws EventwireError `invalid-option` for a log of your own that has no `clear`.
   */
  gap(): void
}

/** A subscriber, and what it is at. */
interface Client<C extends Contract> {
  readonly stream: Subscriber<C>
  readonly underWay: UnderWay
}

/**
 * Makes a server in memory. Whoever subscribes to it runs the real code, from the emitter and its log over the bytes of the wire to the handlers; only the
 * network is left out.
 *
 * @param options Options of `createEmitter`. In their place, an endpoint of your own, which answers a web `Request`, is tested itself.
 * @throws EventwireError `invalid-option`, which names the option.
 */
export function createTestServer<C extends Contract, Context = undefined>(
  contract: C,
  options?: EmitterOptions<C, Context>,
): TestEmitterServer<C>
export function createTestServer<C extends Contract>(contract: C, endpoint: Endpoint): TestServer<C>
export function createTestServer<C extends Contract, Context>(
  contract: C,
  second: EmitterOptions<C, Context> | Endpoint = {},
): TestServer<C> | TestEmitterServer<C> {
  if (!isContract(contract))
    throw new EventwireError('invalid-option', 'createTestServer takes the contract that defineEvents returned first.')
  return typeof second === 'function' ? serve(contract, second) : serveEmitter(contract, second)
}

function serveEmitter<C extends Contract, Context>(contract: C, options: EmitterOptions<C, Context>): TestEmitterServer<C> {
  const { history, log = memoryLog(history), snapshot, ...others } = options
  const underWay = new UnderWay()
  const plain = createEmitter<C, Context>(watchContract(contract, underWay), {
    ...others,
    log,
    ...(options.log && { history }),
    snapshot: typeof snapshot === 'function' ? watchSnapshot(snapshot, underWay) : snapshot,
  })
  const emitter = watchEmits(plain, underWay)
  const server = serve(
    contract,
    (request) => emitter.handle(request),
    underWay,
    () => emitter.close(),
  )
  return Object.assign(server, {
    emitter,
    gap() {
      if (!('clear' in log) || typeof log.clear !== 'function')
        throw new EventwireError(
          'invalid-option',
          'gap: the log that the test server was given has no clear(). Leave it out, or give a memoryLog.',
        )
      log.clear()
    },
  })
}

function serve<C extends Contract>(
  contract: C,
  endpoint: Endpoint,
  served = new UnderWay(),
  onClosed: () => unknown = () => {},
): TestServer<C> {
  const { network, unanswered, end } = createNetwork(endpoint)
  const clients: Client<C>[] = []

  return Object.assign(network, {
    subscribe({ url = '/events', ...options }: TestSubscriberOptions = {}): Subscriber<C> {
      if ('fetch' in options)
        throw new EventwireError('invalid-option', 'subscribe: what it gives asks this server. Leave fetch out, or use createSubscriber.')
      const underWay = new UnderWay()
      const { url: address, ...watched } = watchOptions({ ...options, url }, underWay)
      const stream = createSubscriber(watchContract(contract, underWay), address, { ...watched, fetch: network.fetch })
      watchHandlers(stream, underWay)
      clients.push({ stream, underWay })
      return stream
    },
    async settled(): Promise<void> {
      const late = realTime() + PATIENCE
      for (;;) {
        await calm()
        const left = [...unanswered().map(unansweredRequest), ...served.sentences, ...clients.flatMap(unfinished)]
        if (left.length === 0) return
        if (realTime() > late) throw new EventwireError('timeout', `Not settled after ${PATIENCE} ms. ${left.join(' ')}`)
        await pause(5)
      }
    },
    async close(): Promise<void> {
      for (const { stream } of clients) stream.close()
      end()
      try {
        await calm()
      } finally {
        // Also where a timer of the application has thrown.
        await onClosed()
      }
    },
  })
}

function unansweredRequest({ method, url }: Request): string {
  return `${method} ${url} has not been answered.`
}

function unfinished<C extends Contract>({ stream: { status }, underWay }: Client<C>): string[] {
  // What was closed goes on without anybody.
  return status.state === 'closed' && status.reason === 'aborted' ? [] : underWay.sentences
}
