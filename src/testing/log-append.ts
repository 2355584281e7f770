import { same, holds } from './log-clauses.ts'
import { decode, seqOf } from './log-page.ts'
import { codeOf, mixed, span, type Cases } from './log-trial.ts'

/** What no event stream can carry. */
const REFUSED = [
  { event: 'a\nb' },
  { event: 'a\rb' },
  { event: 'a\0b' },
  { event: '\ud800' },
  { event: 'price', data: 'half \ude00 a pair' },
  { data: 'ends in \ud83d' },
]

/** What a careless log would change, cut or take for a field. */
const TEXTS = [
  '',
  ' ',
  ' begins with a space',
  'one\ntwo',
  'one\rtwo\r\nthree\n\nfive',
  '\n',
  'ends in a line end\n',
  'id: 99\n\nevent: another\ndata: x',
  ': no comment',
  'a\0b',
  '\ufeffbegins with a byte order mark',
  'é ł 漢字 עברית 👩‍👩‍👧 \u2028\u2029\u0085',
  '{"usd":64000}',
]

const NAMES = ['message', 'price', 'a b', ' begins with a space', 'a: b', 'constructor', '__proto__', 'é漢👍', '$own']

/** How it takes events. */
export const APPEND: Cases = {
  'a log begins with nothing in it': async (trial) => {
    const { log } = await trial.create()
    same('empty', 'head, oldest and held', [log.head, log.oldest, log.held], [0, 1, 1])
    same('empty', 'bytes', log.bytes, 0)
    same('empty', 'count of all events', log.count(0, '*'), 0)
    same('empty', 'what is read', log.read({ after: 0, bytes: Infinity }, '*'), undefined)
  },

  'a log has an epoch of its own, which stays': async (trial) => {
    const owner = await trial.create()
    const other = await trial.create()
    const { epoch } = owner.log
    holds('epoch', 'another epoch for another log', other.log.epoch !== epoch, other.log.epoch)
    await owner.appendAll(mixed(20))
    same('epoch', 'epoch, after events were appended', owner.log.epoch, epoch)
  },

  'each event gets the next number, and an id that has it': async (trial) => {
    const owner = await trial.create()
    const { epoch } = owner.log
    for (const seq of span(1, 5)) {
      same('id', `the id of event ${seq}`, await owner.append({ topic: seq % 2 ? 'A' : undefined }), `${epoch}-${seq}`)
      await owner.reach(seq)
    }
    same('id', 'head', owner.log.head, 5)
    same('id', 'the numbers that are read', owner.read('*'), [1, 2, 3, 4, 5])
  },

  'events that do not wait for each other keep the order in which they were appended': async (trial) => {
    const owner = await trial.create()
    same('order', 'the numbers of 300 events', await owner.appendAll(mixed(300)), span(1, 300))
    same('order', 'the numbers that are read', owner.read('*'), span(1, 300))
  },

  'what the wire cannot carry is refused, and uses no number': async (trial) => {
    const owner = await trial.create()
    const appended: Promise<string>[] = []
    const refused: Promise<unknown>[] = []
    for (const record of REFUSED) {
      appended.push(owner.append({ data: 'good' }))
      refused.push(codeOf(() => owner.append(record)))
    }
    for (const [i, code] of (await Promise.all(refused)).entries()) {
      same('refusal', `the code of the error for ${JSON.stringify(REFUSED[i])}`, code, 'invalid-message')
    }
    const seqs = (await Promise.all(appended)).map((id) => seqOf(id, owner.log.epoch))
    same('refusal', 'the numbers of the events between those that were refused', seqs, span(1, REFUSED.length))
    await owner.reach(REFUSED.length)
    await owner.appendAll([{}])
    same('refusal', 'the numbers that were told', owner.numbers, span(1, REFUSED.length + 1))
    same('refusal', 'the numbers that are read', owner.read('*'), span(1, REFUSED.length + 1))
  },

  'each event is told of once, in order, with its topic and its size': async (trial) => {
    const owner = await trial.create()
    const records = mixed(40)
    await owner.appendAll(records)
    const expected = records.map(({ topic }, i) => {
      const { page } = owner.page({ after: i, to: i + 1, bytes: 1 }, '*') ?? {}
      return { seq: i + 1, topic, bytes: page?.bytes.byteLength }
    })
    same('told', 'what was told', owner.told, expected)
    same(
      'told',
      'bytes of all that is in memory',
      owner.log.bytes,
      expected.reduce((sum, { bytes = 0 }) => sum + bytes, 0),
    )
  },

  'an event is the newest, and can be read and picked, when it is told of': async (trial) => {
    const owner = await trial.create()
    const { log } = owner
    owner.onTold = (seq) => {
      const read = log.read({ after: seq - 1, bytes: Infinity }, '*')
      const picked = log.pick([seq], Infinity)
      const ids = [read, picked].map(
        (page) =>
          page &&
          decode(page.bytes)
            .map(({ id }) => id)
            .join(),
      )
      const id = `${log.epoch}-${seq}`
      same('here', `what is read and picked while event ${seq} is told`, ids, [id, id])
    }
    await owner.appendAll(mixed(20))
  },

  'an event that is appended while another is told of follows it': async (trial) => {
    const owner = await trial.create()
    const within: Promise<string>[] = []
    owner.onTold = (seq) => void (seq === 1 && within.push(owner.append({ data: 'within' })))
    await owner.append({ data: 'first' })
    await owner.reach(1)
    await Promise.all(within)
    await owner.append({ data: 'last' })
    await owner.reach(3)
    const page = owner.log.read({ after: 0, bytes: Infinity }, '*')
    same('order', 'what is read', page && decode(page.bytes).map(({ data }) => data), ['first', 'within', 'last'])
  },

  'an event may have any text, of one line or several': async (trial) => {
    const owner = await trial.create()
    await owner.appendAll(TEXTS.flatMap((data) => [{ data }, { event: 'price', data }]))
    same('wire', 'the numbers that are read', owner.read('*'), span(1, 2 * TEXTS.length))
  },

  'an event may have any name of one line': async (trial) => {
    const owner = await trial.create()
    await owner.appendAll(NAMES.map((event) => ({ event, data: event })))
    same('wire', 'the numbers that are read', owner.read('*'), span(1, NAMES.length))
  },

  'an event named message is written without its name': async (trial) => {
    const owner = await trial.create()
    await owner.appendAll([{ data: 'one' }, { data: 'two\nlines' }])
    const { page } = owner.page({ after: 0, bytes: Infinity }, '*') ?? {}
    const lines = new TextDecoder().decode(page?.bytes).split(/\r\n?|\n/)
    same(
      'wire',
      'the lines that begin with event',
      lines.filter((line) => line.startsWith('event')),
      [],
    )
  },

  'an event may be large': async (trial) => {
    const owner = await trial.create()
    const data = '0123456789 é漢👍\n'.repeat(40_000)
    await owner.appendAll([{ data: 'before' }, { data, topic: 'A' }, { data: 'after' }])
    same('wire', 'the numbers that are read', owner.read('*'), [1, 2, 3])
    same('bytes', 'the numbers of a page that is to have one byte', owner.page({ after: 1, bytes: 1 }, ['A'])?.seqs, [2])
  },
}
