import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createQueue } from '../../src/client/queue.ts'

interface Listener {
  readonly heard: number[]
  readonly since: number
  readonly remove: () => void
  finish: (() => void) | undefined
}

const turn = (): Promise<void> => new Promise(setImmediate)

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('push' as const), event: fc.constantFrom('a', 'b') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('gap' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('checkpoint' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('finish' as const), which: fc.nat(4) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('add' as const), name: fc.constantFrom('a', 'b', undefined), slow: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), which: fc.nat(4) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
)

/** Plays steps on a queue with one handler that stays, and checks what has been promised at the end. */
async function play(steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[], limit: number, dropOldest: boolean) {
  const told: { requested: number; oldest: number }[] = []
  const order: string[] = []
  const commits: number[] = []
  const listeners: Listener[] = []
  const underWay = new Map<number, number>()
  const pushed: { id: number; event: string }[] = []
  let id = 0

  const queue = createQueue({
    limit,
    dropOldest,
    decode: ({ data }) => (Number(data) % 5 === 0 ? Promise.resolve(data) : data),
    onInvalid: (error) => expect.fail(String(error)),
    onHandlerError: (error) => expect.fail(String(error)),
    onStalled: () => {},
    onGap({ reason, requested, oldest }) {
      if (reason === 'overflow') told.push({ requested: Number(requested), oldest: Number(oldest) })
      else order.push(requested)
    },
    onCommit(cursor) {
      expect(Number(cursor)).toBeGreaterThanOrEqual(commits.at(-1) ?? 0)
      // Nothing that is under way is passed.
      for (const at of underWay.keys()) expect(at).toBeGreaterThan(Number(cursor))
      commits.push(Number(cursor))
    },
  })
  const add = (name: string | undefined, slow: boolean): void => {
    const listener: Listener = {
      heard: [],
      since: id,
      finish: undefined,
      remove: queue.add(name, ({ data }) => {
        const at = Number(data)
        expect(at).toBeGreaterThan(listener.heard.at(-1) ?? 0)
        listener.heard.push(at)
        if (!slow) return undefined
        underWay.set(at, (underWay.get(at) ?? 0) + 1)
        return new Promise<void>((resolve) => {
          listener.finish = () => {
            listener.finish = undefined
            if (underWay.get(at) === 1) underWay.delete(at)
            else underWay.set(at, underWay.get(at)! - 1)
            resolve()
          }
        })
      }),
    }
    listeners.push(listener)
  }

  add(undefined, true)
  for (const it of steps) {
    if (it.do === 'push') {
      pushed.push({ id: ++id, event: it.event })
      queue.push(String(id), { event: it.event, data: String(id), id: String(id) })
    } else if (it.do === 'gap') queue.push(String(id), undefined, { reason: 'epoch', requested: `g${id}`, oldest: '' })
    else if (it.do === 'checkpoint') queue.push(String(id))
    else if (it.do === 'finish') listeners[it.which]?.finish?.()
    else if (it.do === 'add') add(it.name, it.slow)
    else if (it.do === 'turn') await turn()
    // The first one stays.
    else if (it.which > 0) listeners[it.which]?.remove()
  }
  const idle = queue.idle()
  let over = false
  void idle.then(() => (over = true))
  while (!over) {
    await turn()
    for (const listener of listeners) listener.finish?.()
  }
  return { first: listeners[0]!.heard, told, commits, order, pushed, id, gaps: steps.filter((it) => it.do === 'gap').length }
}

test('whatever handlers come, go and dawdle: the one that stays hears all, once, in order; every gap is told; the cursor ends at the end', () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { first, told, commits, pushed, order, id, gaps } = await play(steps, 5, false)
      expect(first).toEqual(pushed.map((it) => it.id))
      expect([told, order.length]).toEqual([[], gaps])
      expect(commits.at(-1) ?? 0).toBe(id)
    }),
    { numRuns: 1_000 },
  ))

test('with drop-oldest, all that it does not hear lies in a gap that it was told of', () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 6 }), async (steps, limit) => {
      const { first, told, commits, pushed, order, id, gaps } = await play(steps, limit, true)
      const missed = pushed.map((it) => it.id).filter((n) => !first.includes(n))
      for (const n of missed) {
        expect(told.some(({ requested, oldest }) => requested < n && (oldest === 0 || n < oldest))).toBe(true)
      }
      expect(order).toHaveLength(gaps)
      expect(commits.at(-1) ?? 0).toBe(id)
    }),
    { numRuns: 1_000 },
  ))

const ending = fc.constantFrom('push' as const, 'push' as const, 'gap' as const, 'checkpoint' as const, 'finish' as const, 'turn' as const)

test('after close() nothing is handed out, every loop is told, and the cursor passes nothing that was not handled', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(ending, { maxLength: 40 }),
      fc.array(ending, { maxLength: 10 }),
      fc.boolean(),
      async (before, after, within) => {
        const [handled, commits, finishers] = [new Set<number>(), [] as number[], [] as (() => void)[]]
        let id = 0
        let closed = false
        let late = 0
        let ends = 0
        const queue = createQueue({
          limit: 4,
          dropOldest: false,
          decode: ({ data }) => (Number(data) % 3 === 0 ? Promise.resolve(data) : data),
          onInvalid: (error) => expect.fail(String(error)),
          onHandlerError: (error) => expect.fail(String(error)),
          onStalled: () => {},
          onGap: () => {},
          onCommit: (cursor) => commits.push(Number(cursor)),
        })
        const close = (): void => {
          closed = true
          queue.end({ reason: 'aborted' })
        }
        const run = async (steps: readonly string[]): Promise<void> => {
          for (const it of steps) {
            if (it === 'push') queue.push(String(++id), { event: 'a', data: String(id), id: String(id) })
            else if (it === 'gap') queue.push(String(id), undefined, { reason: 'epoch', requested: '', oldest: '' })
            else if (it === 'checkpoint') queue.push(String(id))
            else if (it === 'finish') finishers.shift()?.()
            else await turn()
          }
        }
        queue.add(
          undefined,
          ({ data }) => {
            const at = Number(data)
            if (closed) late++
            if (within && at === 3) close()
            return new Promise<void>((resolve) => finishers.push(() => (handled.add(at), resolve())))
          },
          () => ends++,
        )
        await run(before)
        close()
        await run(after)
        while (finishers.length > 0) {
          finishers.shift()!()
          await turn()
        }
        await queue.idle()
        expect(late).toBe(0)
        expect(ends).toBeGreaterThan(0)
        for (const cursor of commits) expect(cursor === 0 || handled.has(cursor)).toBe(true)
      },
    ),
    { numRuns: 1_000 },
  ))
