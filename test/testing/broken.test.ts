import { EventwireError } from 'eventwire'
import { memoryLog, type LogListener } from 'eventwire/server'
import { altered, but, findOut, telling, writing } from './mistakes.ts'

const NUMBERS = 'each event gets the next number, and an id that has it'
const REFUSAL = 'what the wire cannot carry is refused, and uses no number'
const TOLD = 'each event is told of once, in order, with its topic and its size'
const TEXT = 'an event may have any text, of one line or several'

/** How events get into a log. */
findOut({
  'leaves out a number': {
    make: altered((log) => ({ append: (record) => (log.head === 2 && log.append(record), log.append(record)) })),
    found: NUMBERS,
    said: 'no number is left out',
  },
  'gives ids of another epoch': {
    make: altered((log) => ({ append: async (record) => `0${await log.append(record)}` })),
    found: NUMBERS,
    said: '<epoch>-<seq>',
  },
  'gives numbers without an epoch': {
    make: altered((log) => ({ append: (record) => (log.append(record), String(log.head)) })),
    found: NUMBERS,
    said: '"1" came instead of an id',
  },
  'never answers': {
    make: altered(() => ({ append: () => new Promise(() => {}) })),
    found: NUMBERS,
    said: 'after 200 ms it still waits for append',
  },
  'has the same epoch as any other': {
    make: altered(() => ({ epoch: 'same' })),
    found: 'a log has an epoch of its own, which stays',
    said: 'another one for each log',
  },
  'has an epoch that no cursor can have': {
    make: altered(() => ({ epoch: 'A-1' })),
    found: 'a log has an epoch of its own, which stays',
    said: '1 to 128 characters of 0-9a-z',
  },
  'never says which epoch it has': {
    make: altered(() => ({ epoch: '' })),
    found: 'a log has an epoch of its own, which stays',
    said: 'Only a log that has sync',
  },
  'does not begin empty': {
    make() {
      const log = memoryLog()
      log.append({ event: 'message', data: 'hello', topic: undefined })
      return log
    },
    found: 'a log begins with nothing in it',
    said: 'head is 0',
  },
  'appends what is ready first': {
    make: altered((log) => ({
      async append(record) {
        await new Promise((resolve) => setTimeout(resolve, (record.data.length % 7) * 3))
        return log.append(record)
      },
    })),
    found: 'events that do not wait for each other keep the order in which they were appended',
    said: 'in the order of the calls',
  },
  'makes do with what the wire cannot carry': {
    make: altered((log) => ({
      append: (record) =>
        log.append({ ...record, event: record.event.replaceAll(/[\r\n\0]/g, ' ').toWellFormed(), data: record.data.toWellFormed() }),
    })),
    found: REFUSAL,
    said: 'fails with invalid-message',
  },
  'fails without a code': {
    make: altered((log) => ({
      append(record) {
        try {
          return log.append(record)
        } catch {
          throw new Error('That cannot be.')
        }
      },
    })),
    found: REFUSAL,
    said: '"Error: That cannot be." came instead of "invalid-message"',
  },
  'uses a number for what it refuses': {
    make: altered((log) => ({
      append(record) {
        try {
          return log.append(record)
        } catch (error) {
          void log.append({ event: 'message', data: 'refused', topic: undefined })
          throw error
        }
      },
    })),
    found: REFUSAL,
    said: 'then appends nothing',
  },
  'tells nobody': {
    make: telling(() => ({ onAppend() {} })),
    found: TOLD,
    said: 'it still waits for event 40 to be told',
  },
  'tells twice': {
    make: telling((listener) => ({
      onAppend(...event) {
        listener.onAppend(...event)
        listener.onAppend(...event)
      },
    })),
    found: TOLD,
    // As docs/custom-logs.md has it.
    said: 'the number of the event that is told: 1 came instead of 2.\nOf a log is asked: onAppend is called once for each event, in order of seq',
  },
  'tells in another order': {
    make: telling((listener) => {
      const held: Parameters<LogListener['onAppend']>[] = []
      return {
        onAppend(...event) {
          if (held.push(event) === 2) for (const it of held.splice(0).reverse()) listener.onAppend(...it)
        },
      }
    }),
    found: TOLD,
    said: 'in order of seq',
  },
  'tells of another topic': {
    make: telling((listener) => ({ onAppend: (seq, topic, bytes) => listener.onAppend(seq, topic?.trim() || undefined, bytes) })),
    found: 'a topic may have any name',
    said: 'with its topic',
  },
  'tells of another size': {
    make: telling((listener) => ({ onAppend: (seq, topic, bytes) => listener.onAppend(seq, topic, bytes - 1) })),
    found: TOLD,
    said: 'the bytes of its block',
  },
  'tells of events later': {
    make: telling((listener) => ({ onAppend: (...event) => queueMicrotask(() => listener.onAppend(...event)) })),
    found: 'an event is the newest, and can be read and picked, when it is told of',
    said: 'it is the head',
  },
  'says that something is wrong when nothing is': {
    make: telling((listener) => ({
      onAppend(...event) {
        listener.onAppend(...event)
        listener.onFault(new EventwireError('network', 'The store is away.'))
      },
    })),
    found: NUMBERS,
    said: 'onFault was called, with network: The store is away.',
  },
  'cannot append while it tells': {
    make() {
      let busy = false
      const log = telling((listener) => ({
        onAppend(...event) {
          busy = true
          listener.onAppend(...event)
          busy = false
        },
      }))()
      const { append } = log
      return but(log, {
        append(record) {
          if (busy) throw new Error('Busy.')
          return append(record)
        },
      })
    },
    found: 'an event that is appended while another is told of follows it',
    said: 'Busy.',
  },
  'cuts what is long': {
    make: altered((log) => ({ append: (record) => log.append({ ...record, data: record.data.slice(0, 100_000) }) })),
    found: 'an event may be large',
    said: 'read back as it was appended',
  },
  'writes no ids': {
    make: writing((text) => text.replaceAll(/^id: .*\n/gm, '')),
    found: TEXT,
    said: 'an id that begins with',
  },
  'writes several lines as one': {
    make: altered((log) => ({ append: (record) => log.append({ ...record, data: record.data.replaceAll(/[\r\n]/g, ' ') }) })),
    found: TEXT,
    said: 'read back as it was appended',
  },
  'trims the names that it is given': {
    make: altered((log) => ({ append: (record) => log.append({ ...record, event: record.event.trim() }) })),
    found: 'an event may have any name of one line',
    said: 'read back as it was appended',
  },
  'writes the name of a message': {
    make: writing((text) => text.replaceAll(/^(id: .*\n)(?!event)/gm, '$1event: message\n')),
    found: 'an event named message is written without its name',
    said: 'the lines that begin with event',
  },
  'ends a page without a blank line': {
    make: writing((text) => text.slice(0, -1)),
    found: TEXT,
    said: 'each ends in a blank line',
  },
  'writes something between events': {
    make: writing((text) => `: hello\n${text}`),
    found: TEXT,
    said: 'what a page holds besides events',
  },
})
