/** What is asked of a log, clause by clause. The docstrings of the interface `Log` have the same at more length. */
const CLAUSES = {
  epoch:
    'epoch is 1 to 128 characters of 0-9a-z, another one for each log, and stays until the log is reset. Only a log that has sync may not know it at first.',
  empty: 'A log begins with nothing in it: head is 0, oldest and held are 1.',
  id: 'append gives the id of the event, <epoch>-<seq>: 1 for the first of an epoch, and no number is left out.',
  order: 'Events are appended in the order of the calls.',
  refusal: 'append fails with invalid-message for what the wire cannot carry, and then appends nothing.',
  told: 'onAppend is called once for each event, in order of seq, with its topic and the bytes of its block.',
  here: 'When onAppend is called the event is here: it is the head, and can be read and picked.',
  wire: 'A page is events as they go to the socket, each with its id; each ends in a blank line, and is read back as it was appended.',
  page: 'The events of a page are those asked for and no others, ascending; last is the number of the last one, and lastLeftOut says that bytes does not end with its id.',
  range:
    'read gives the events of the topics that follow after, to the number to or the head: one at least, or undefined when there is none.',
  bytes: 'A page holds one event at least, and more only until they add up to so many bytes.',
  topics: 'An event without a topic is for everyone; one with a topic is for that topic, and for "*".',
  count: 'count gives how many events of the topics follow after.',
  pick: 'pick gives the events of these numbers: the first at least, and more until they add up to so many bytes.',
  latest:
    'With latest, a page leaves out the events that a newer one of the same name, topic and key replaces, no others, and says so with incomplete.',
  shared: 'Bytes that were handed out are shared by those who send them: they never change.',
  kept: 'What follows handed is not evicted, whatever the bounds of the log.',
  eviction:
    'What exceeds the bounds and was handed is evicted, oldest first: held is the oldest in memory, where read begins; oldest is the oldest that can be had.',
  fetch:
    'fetch gives what follows after and lies before held, page by page up to there; undefined only when oldest says that it is not to be had any more.',
  sync: 'Once sync resolves, everything is here that anyone had appended before the call.',
  listen: 'A log has one listener: listen throws invalid-option while another holds it, and takes one again when that was let go of.',
  release: 'What listen gave lets go of that listener, and of no later one: it is told of nothing more.',
  reset: 'beforeReset is called while all can still be read, onReset once the log goes on without it in its new epoch.',
  fault: 'onFault is called when something is wrong with where the log comes from.',
  several: 'What one node appends every node tells of: the same events with the same ids, in one order without holes.',
} as const

export type Clause = keyof typeof CLAUSES

/** Fails unless what came is what a log was expected to give. */
export function same(clause: Clause, what: string, came: unknown, expected: unknown): void {
  const [a, b] = [show(came), show(expected)]
  if (a === b) return
  let at = 0
  while (a[at] === b[at]) at++
  throw broken(clause, `${what}: ${excerpt(a, at)} came instead of ${excerpt(b, at)}`)
}

/** Fails unless something holds of a log. */
export function holds(clause: Clause, expected: string, condition: boolean, came: unknown): void {
  if (!condition) throw broken(clause, `${excerpt(show(came), 0)} came instead of ${expected}`)
}

/** The error of a log that breaks a clause. */
export function broken(clause: Clause, how: string): Error {
  return new Error(`${how}.\nOf a log is asked: ${CLAUSES[clause]}`)
}

/** Most characters of a value in a message. */
const EXCERPT = 240

function show(value: unknown): string {
  return JSON.stringify(value, (_key, it: unknown) => (it === undefined ? '(undefined)' : it)) ?? String(value)
}

/** What of a long text lies around the place that matters. */
function excerpt(text: string, at: number): string {
  const from = text.length > EXCERPT ? Math.max(0, Math.min(at - EXCERPT / 2, text.length - EXCERPT)) : 0
  return (from > 0 ? '… ' : '') + text.slice(from, from + EXCERPT) + (text.length > from + EXCERPT ? ' …' : '')
}
