import type { Outlet } from './transport.ts'

/** What events are drawn from: a generator, an array, or what else can be iterated. */
export type Source<T> = AsyncIterable<T> | Iterable<T>

/**
 * Writes what a source yields, drawing one item at a time and only while the transport has room. Rejects with what the
 * source, or `encodeItem`, throws.
 *
 * @returns True when all has been written. False when `signal` aborted first: then the source was told to return, and what it
 * throws on its way out is nobody's concern any more.
 */
export async function pump<T>(
  source: Source<T>,
  transport: Outlet,
  signal: AbortSignal,
  encodeItem: (item: T) => string | Promise<string>,
): Promise<boolean> {
  const iterator = iterate(source)
  const abandon = (): void => {
    // A generator queues this behind what it awaits; other iterators may end what they await.
    const leave = async (): Promise<unknown> => iterator.return?.()
    leave().catch(() => {})
  }
  signal.addEventListener('abort', abandon, { once: true })
  if (signal.aborted) abandon()
  try {
    while (await whenRoom(transport, signal, () => {})) {
      const { done, value } = await iterator.next()
      if (signal.aborted) return false
      if (done) return true
      const block = await encodeItem(await value)
      await whenRoom(transport, signal, () => transport.write(block))
    }
    return false
  } catch (error) {
    if (signal.aborted) return false
    abandon()
    throw error
  } finally {
    signal.removeEventListener('abort', abandon)
  }
}

function iterate<T>(source: Source<T>): AsyncIterator<T> | Iterator<T> {
  if (typeof source === 'object' && source !== null) {
    if (Symbol.asyncIterator in source) return source[Symbol.asyncIterator]()
    if (Symbol.iterator in source) return source[Symbol.iterator]()
  }
  throw new TypeError('it gave no events to go through: give an array of them, or a generator')
}

/**
 * Acts once the transport has room, in the same turn: others wait for the same room, and may have filled it by the next. False
 * when `signal` aborted first.
 */
export async function whenRoom(transport: Outlet, signal: AbortSignal, act: () => void): Promise<boolean> {
  while (!signal.aborted && transport.full) await transport.room()
  if (signal.aborted) return false
  act()
  return true
}
