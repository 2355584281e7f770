import { memoryLog, type LogListener } from 'eventwire/server'
import { altered, but, findOut, reading, telling } from './mistakes.ts'
import { Store, StoreLog } from './store.ts'

const TOPICS = 'who listens to topics reads their events and those for everyone, and no others'
const PAGES = 'pages end when they are large enough, and adjoin'
const LATEST = 'who wants the newest of each key is told what was left out'
const RELEASE = 'a log that was let go of tells nothing, and may be taken by another'
const FETCH = 'what lies before the events in memory is fetched, page by page'

const stored = (): StoreLog => new StoreLog(new Store())

/** How events come out of a log, what becomes of them, and who is told. */
findOut({
  'reads the events of every topic': {
    make: altered((log) => ({ read: (range) => log.read(range, '*') })),
    found: TOPICS,
    said: 'one with a topic is for that topic',
  },
  'reads nothing for everyone to those who listen to a topic': {
    make: altered((log) => ({ append: (record) => log.append({ ...record, topic: record.topic ?? '' }) })),
    found: TOPICS,
    said: 'without a topic is for everyone',
  },
  'takes a topic named * for all of them': {
    make: altered((log) => ({ read: (range, topics) => log.read(range, topics.includes('*') ? '*' : topics) })),
    found: 'a topic may have any name',
    said: 'the numbers for ["*"]',
  },
  'counts the events of every topic': {
    make: altered((log) => ({ count: (after) => log.count(after, '*') })),
    found: 'the events of topics are counted from any place',
    said: 'how many events of the topics',
  },
  'reads beyond the end of a range': {
    make: altered((log) => ({ read: ({ after, bytes }, topics) => log.read({ after, bytes }, topics) })),
    found: 'a range is read from behind one place to another',
    said: 'to the number to or the head',
  },
  'reads pages that overlap': {
    make: altered((log) => ({ read: (range, topics) => log.read({ ...range, after: Math.max(0, range.after - 1) }, topics) })),
    found: PAGES,
    said: 'numbers that ascend',
  },
  'says that a page goes further than it does': {
    make: reading(({ last }, { head }) => ({ last: Math.min(last + 1, head) })),
    found: PAGES,
    said: 'lastLeftOut',
  },
  'skips an event between pages': {
    make: reading(({ last }, { head }) => (last < head ? { last: last + 1, lastLeftOut: true } : {})),
    found: PAGES,
    said: 'not to leave out anything',
  },
  'reads pages of any size': {
    make: altered((log) => ({ read: (range, topics) => log.read({ ...range, bytes: Infinity }, topics) })),
    found: PAGES,
    said: 'only until they add up',
  },
  'reads nothing where an event is larger than a page': {
    make: altered((log) => ({
      read(range, topics) {
        const page = log.read(range, topics)
        return page && page.bytes.byteLength > range.bytes ? undefined : page
      },
    })),
    found: PAGES,
    said: 'one at least',
  },
  'picks what lies between too': {
    make: altered((log) => ({ pick: (seqs, bytes) => log.read({ after: seqs[0]! - 1, to: seqs.at(-1)!, bytes }, '*')! })),
    found: 'events are picked by their numbers',
    said: 'the events of these numbers',
  },
  'leaves out events without a word': {
    make: reading(() => ({ incomplete: false })),
    found: LATEST,
    said: 'says so with incomplete',
  },
  'leaves out nothing': {
    make: altered((log) => ({ read: (range, topics) => log.read({ ...range, latest: false }, topics) })),
    found: LATEST,
    said: 'leaves out the events that a newer one',
  },
  'leaves out events of another topic': {
    make: altered((log) => ({
      append: (record) => log.append({ ...record, topic: undefined }),
      read: (range) => log.read(range, '*'),
    })),
    found: LATEST,
    said: 'leaves out the events that a newer one',
  },
  'hands out bytes that it writes to again': {
    make() {
      const buffer = new Uint8Array(4 << 20)
      return reading(({ bytes }) => {
        buffer.set(bytes)
        return { bytes: buffer.subarray(0, bytes.byteLength) }
      })()
    },
    found: 'what was handed out never changes',
    said: 'they never change',
  },
  'evicts what was not handed yet': {
    make: telling(
      () => ({ handed: Infinity }),
      () => memoryLog({ events: 20 }),
    ),
    options: { events: 20 },
    found: 'what was not handed yet is kept, whatever the bounds',
    said: 'What follows handed is not evicted',
  },
  'never evicts': {
    make: () => memoryLog(),
    options: { events: 20 },
    found: 'what was handed is evicted, oldest first, when it exceeds the bounds',
    said: 'at most 20 events in memory',
  },
  'says that it has what it has evicted': {
    make: altered(
      () => ({ oldest: 1 }),
      () => memoryLog({ events: 20 }),
    ),
    found: 'what is had, and what is held, are as many as are read',
    said: 'oldest is the oldest that can be had',
  },
  'takes a second listener': {
    make: altered((log) => {
      let release = (): void => {}
      return {
        listen(listener) {
          release()
          release = log.listen(listener)
          return release
        },
      }
    }),
    found: 'a log has one listener at a time',
    said: 'listen throws invalid-option',
  },
  'goes on telling whom it was to let go of': {
    make: altered((log) => {
      const all = new Set<LogListener>()
      return {
        listen(listener) {
          all.add(listener)
          return log.listen(but(listener, { onAppend: (...event) => all.forEach((it) => it.onAppend(...event)) }))
        },
      }
    }),
    found: RELEASE,
    said: 'it is told of nothing more',
  },
  'lets go of somebody else': {
    make: altered((log) => {
      let release = (): void => {}
      return {
        listen(listener) {
          release = log.listen(listener)
          return () => release()
        },
      }
    }),
    found: RELEASE,
    said: 'it still waits for event 6',
  },
  'is reset and tells nobody': {
    make: () => memoryLog(),
    options: { reset: () => {} },
    found: 'a log that is reset goes on in a new epoch, and says so before and after',
    said: 'beforeReset is called',
  },
  'has not come far when sync is over': {
    make: altered((log) => ({ sync: async () => (log.epoch === '' ? log.sync?.() : undefined) }), stored),
    found: 'all that was appended is here after sync',
    said: 'anyone had appended before the call',
  },
  'fetches what follows a place further on': {
    make: altered((log) => ({ fetch: async (after, topics) => log.fetch?.(after + 1, topics) }), stored),
    found: FETCH,
    said: 'page by page up to there',
  },
  'fetches nothing of what it says it has': {
    make: altered(() => ({ fetch: async () => undefined }), stored),
    found: FETCH,
    said: 'undefined only when oldest says',
  },
  'gets no further when it fetches': {
    make: altered(
      () => ({ fetch: async (after) => ({ bytes: new Uint8Array(), last: after, incomplete: false, lastLeftOut: true }) }),
      stored,
    ),
    found: FETCH,
    said: 'came instead of last of 1 or more',
  },
  'fetches what it does not have any more': {
    make() {
      const store = new Store()
      store.dropped = 30
      const log = new StoreLog(store)
      return but(log, { fetch: (after, topics) => log.fetch(Math.max(after, 30), topics) })
    },
    found: 'what is not to be had any more is not fetched',
    said: 'undefined only when oldest says',
  },
  'tells of what it appended itself, and of nothing else': {
    make: stored,
    options: { shared: () => [stored(), stored()] },
    found: 'what one node appends, the others tell of',
    said: 'every node tells of',
  },
  'does not have what was before it came': {
    make: stored,
    options: { shared: pairOf(() => ({ oldest: 100 })) },
    found: 'a node that comes later has what was before, fetched or read',
    said: 'the oldest event that the second can give',
  },
  'numbers what each node appends by itself': {
    make: stored,
    options: { shared: () => [stored(), stored()] },
    found: 'what nodes append at the same time has one order, without holes, in which each keeps its own',
    said: 'it still waits for event 200',
  },
  'does not ask the store when it is to sync': {
    make: stored,
    options: { shared: pairOf((log) => ({ sync: async () => (log.epoch === '' ? log.sync() : undefined) })) },
    found: 'what one node was told is appended is here on the others after sync',
    said: 'anyone had appended before the call',
  },
  'keeps the keys of events to itself': {
    make: stored,
    options: { shared: pairOf((log) => ({ append: ({ event, data, topic }) => log.append({ event, data, topic }) })) },
    found: 'a newer event of a key replaces that of another node',
    said: 'leaves out the events that a newer one',
  },
})

/** Makes two logs on one store, the second of which is another one in some of its members. */
function pairOf(change: (log: StoreLog) => Partial<StoreLog>): () => [StoreLog, StoreLog] {
  return () => {
    const store = new Store()
    const second = new StoreLog(store)
    return [new StoreLog(store), but(second, change(second))]
  }
}
