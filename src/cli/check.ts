import type { CheckArgs } from './args.ts'
import { ask, beginning, isAnswer, PATIENCE, type Answer, type NoAnswer } from './exchange.ts'
import type { ExitCode } from './exit-code.ts'
import { fail, type Finding } from './finding.ts'
import { headFindings, isEventStream } from './head-findings.ts'
import { notify } from './notices.ts'
import { probeCors } from './probe-cors.ts'
import { probeHead } from './probe-head.ts'
import { probeHttp2 } from './probe-http2.ts'
import { declaresResume, probeResume } from './probe-resume.ts'
import { codeOf, remedyOf } from './remedy.ts'
import { signOfLife, streamFindings } from './stream-findings.ts'
import { createScreen, duration, painter, printable } from './terminal.ts'
import { watch, type Watched } from './watch.ts'

const LEVELS = { ok: 'green', warn: 'yellow', fail: 'red' } as const

/** Says whether a stream, and the proxies before it, do it right. */
export async function check(args: CheckArgs): Promise<ExitCode> {
  // Nobody reads what is said any more: there is nothing left to do.
  const screen = createScreen(() => process.exit())
  const paint = painter(process.stdout)
  const findings: Finding[] = []
  for await (const finding of examine(args)) {
    findings.push(finding)
    const { level, check: what, says, todo } = finding
    if (args.json) continue
    screen.write(`${paint(LEVELS[level], level.padEnd(4))}  ${printable(`${what}: ${says}`)}${todo ? printable(` — ${todo}`) : ''}`)
  }
  const count = (level: Finding['level']): number => findings.filter((finding) => finding.level === level).length
  const verdict = count('fail') > 0 ? 'fail' : count('warn') > 0 ? 'warn' : 'ok'
  if (args.json) screen.write(printable(JSON.stringify({ url: args.url, verdict, findings })))
  else screen.write(`${count('ok')} ok, ${count('warn')} to look at, ${count('fail')} failed`)
  return verdict === 'fail' ? 1 : 0
}

async function* examine({ url, headers: given, time, origin }: CheckArgs): AsyncGenerator<Finding, void> {
  const headers = new Headers({ accept: 'text/event-stream', 'cache-control': 'no-cache', ...Object.fromEntries(given) })
  // As browsers do, or what compresses streams for them would not be seen.
  if (!headers.has('accept-encoding')) headers.set('accept-encoding', 'gzip, deflate, br')
  if (origin !== undefined) headers.set('origin', origin)
  notify(`watching ${url} for at most ${duration(time)}`)
  const answer = await ask({ url, headers, patience: time })
  if (isAnswer(answer)) yield* examineAnswer(answer, time, origin)
  else yield await noAnswer(answer, url, headers, time)
}

async function* examineAnswer(answer: Answer, time: number, origin: string | undefined): AsyncGenerator<Finding, void> {
  if (isEventStream(answer)) {
    yield* headFindings(answer)
    yield* examineStream(answer, time)
  } else yield* headFindings(answer, await beginning(answer))
  if (origin !== undefined) yield* await probeCors(answer, origin)
}

async function* examineStream(answer: Answer, time: number): AsyncGenerator<Finding, void> {
  const { url, sent } = answer
  const patience = Math.min(PATIENCE, time)
  const watched = await watch(answer, time, enough)
  yield* streamFindings(watched)
  yield* await probeResume(url, sent, watched, patience)
  yield await probeHead(url, sent, patience)
  yield* await probeHttp2(url)
}

/** What it means that there is no response. */
async function noAnswer(reason: NoAnswer, url: string, headers: Headers, time: number): Promise<Finding> {
  if (reason === 'silence') return heldBack(url, headers, time)
  if (reason === 'loop')
    return fail(
      'redirect',
      'each leads to another, over 20 times',
      'correct the rule that redirects: often one for https or for slashes, which a proxy undoes.',
    )
  return fail('connection', reason.message || (codeOf(reason) ?? 'failed'), remedyOf(reason) ?? 'see the log of the server.')
}

/** No head has come. What HEAD is answered with, where nothing can be held back, tells who keeps it. */
async function heldBack(url: string, headers: Headers, time: number): Promise<Finding> {
  const says = `no response in ${duration(time)}`
  const head = await ask({ url, method: 'HEAD', headers, patience: Math.min(PATIENCE, time) })
  if (!isAnswer(head))
    return fail(
      'response',
      says,
      'see whether the server, or what it waits for, hangs; and that it sends its head at once, before there is an event.',
    )
  head.close()
  return fail(
    'buffering',
    `${says}, while HEAD is answered with ${head.status} after ${duration(head.took)}`,
    'a proxy waits for more of the stream, or the server sends its head only with the first event. Send the head at once; and to nginx the header x-accel-buffering: no, or set proxy_buffering off.',
  )
}

/** Whether all has been seen that there is to see. */
function enough(watched: Watched): boolean {
  const { ready, finished, id, before, last } = watched
  if (finished) return true
  const resumable = declaresResume(ready) ? id !== '' : before !== '' && last !== undefined
  return resumable && ready?.heartbeat !== 0 && signOfLife(watched) !== undefined
}
