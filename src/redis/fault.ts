import { EventwireError, messageOf } from '../errors.ts'
import { isReply } from './link.ts'

interface Reason {
  /** What Redis says. Of a script it may say more before it. */
  readonly says: RegExp
  /** What to do. */
  readonly advice: string
  /** Whether it may be otherwise in a moment. */
  readonly passing?: true
}

const REASONS: readonly Reason[] = [
  { says: /\bWRONGTYPE\b/, advice: 'The key belongs to something else. Give redisLog another key, or delete that one.' },
  { says: /\bOOM\b/, advice: 'Redis has no memory left. Raise its maxmemory, or lower the retention.' },
  { says: /\bMISCONF\b/, advice: 'Redis cannot save to its disk, so it refuses writes. Its log says why.' },
  {
    says: /\bNOPERM\b|\bACL failure\b|\bcan't run this command\b/,
    advice:
      'Give the user of the connection access to the keys eventwire:* and to EVAL, EVALSHA and what the script calls, XREAD and XRANGE.',
  },
  { says: /\bNOAUTH\b/, advice: 'Give the password in the url, or in the options of the client.' },
  { says: /\bWRONGPASS\b/, advice: 'Give the right password in the url, or in the options of the client.' },
  { says: /\bDB index\b/, advice: 'Give the number of a database that there is at the end of the url.' },
  { says: /\bREADONLY\b/, advice: 'This is a replica: connect to the primary.', passing: true },
  { says: /\bNOREPLICAS\b/, advice: 'It has fewer replicas than its min-replicas-to-write asks for.', passing: true },
  { says: /\bLOADING\b/, advice: 'It reads its data set. Wait.', passing: true },
]

/** Whether it makes sense to ask again. */
export function isPassing(error: unknown): boolean {
  const reason = reasonOf(error)
  return !(error instanceof EventwireError) && (!reason || reason.passing === true)
}

/** What to tell of something that Redis did not do. */
export function unavailable(what: string, cause: unknown): EventwireError {
  if (cause instanceof EventwireError) return cause
  const advice = reasonOf(cause)?.advice ?? 'Look whether Redis runs and can be reached from here.'
  return new EventwireError('log-unavailable', `${what}: ${messageOf(cause).replace(/\.$/, '')}. ${advice}`, { cause })
}

function reasonOf(error: unknown): Reason | undefined {
  return isReply(error) ? REASONS.find(({ says }) => says.test(error.message)) : undefined
}
