import { isStream } from '../client/response.ts'
import type { Answer } from './exchange.ts'
import { fail, ok, warn, type Finding } from './finding.ts'
import { excerpt } from './notices.ts'
import { remedyOfStatus } from './remedy.ts'
import { duration } from './terminal.ts'
import { unpackerOf } from './unpack.ts'

/** After how long, in ms, a head that comes was not sent at once. */
const LATE = 2_000

/** Whether a response is an event stream. */
export function isEventStream({ status, response }: Answer): boolean {
  return isStream({ status, headers: new Headers({ 'content-type': response.headers['content-type'] ?? '' }) })
}

/** What the head of a response says, up to where it is no stream; there with the beginning of its `body`. */
export function headFindings(answer: Answer, body = ''): Finding[] {
  const said = body.trim() && `; the body begins with: ${excerpt(body)}`
  const findings = [...redirectFindings(answer), responseFinding(answer, answer.status === 200 ? '' : said)]
  if (answer.status !== 200) return findings
  findings.push(typeFinding(answer, said))
  if (!isEventStream(answer)) return findings
  return [...findings, cachingFinding(answer), codingFinding(answer), ...transferFindings(answer)]
}

function redirectFindings({ redirects, url }: Answer): Finding[] {
  if (redirects.length === 0) return []
  const ways = redirects.map(({ status, to }) => `${status} to ${to}`).join(', ')
  return [warn('redirect', ways, `each reconnect takes the whole way again: give clients ${url} itself.`)]
}

function responseFinding({ status, response, took }: Answer, said: string): Finding {
  const { server, via } = response.headers
  const from = [server, via && `via ${via}`].filter(Boolean).join(', ')
  const says = `${status} over HTTP/${response.httpVersion}${from && ` from ${from}`}, its head after ${duration(took)}${said}`
  if (status === 204) return fail('response', says, 'it tells clients not to come back: give the address of a stream that goes on.')
  if (status !== 200)
    return fail('response', says, remedyOfStatus(status) ?? 'a stream is answered with 200; a browser’s EventSource gives up on all else.')
  if (took > LATE)
    return warn(
      'response',
      says,
      'clients wait for it to count as connected: have the server send its head at once (in node: res.flushHeaders()).',
    )
  if (response.httpVersion === '1.0')
    return warn(
      'response',
      says,
      'have the server, or the proxy before it, speak HTTP/1.1: with 1.0 a stream that was cut looks like one that has ended.',
    )
  return ok('response', says)
}

function typeFinding(answer: Answer, said: string): Finding {
  const type = answer.response.headers['content-type']
  if (!isEventStream(answer)) {
    const page = /html/i.test(type ?? '') ? ' It is a page: often the one that an application answers every unknown path with.' : ''
    return fail('content-type', `${type ?? 'none'}, so clients give up${said}`, `send content-type: text/event-stream.${page}`)
  }
  const charset = /charset\s*=\s*"?([^\s";]+)/i.exec(type ?? '')?.[1]
  if (charset && !/^utf-?8$/i.test(charset))
    return warn('content-type', `${type}`, 'clients read UTF-8 whatever it says: send that, and no other charset.')
  return ok('content-type', `${type}`)
}

function cachingFinding({ response }: Answer): Finding {
  const control = response.headers['cache-control']
  if (/\bno-(cache|store)\b/i.test(control ?? '')) return ok('caching', `cache-control: ${control}`)
  return warn(
    'caching',
    control ? `cache-control: ${control}` : 'no cache-control',
    'send cache-control: no-cache, no-transform, or a cache on the way may keep the stream.',
  )
}

function codingFinding({ response }: Answer): Finding {
  const coding = response.headers['content-encoding']
  if (coding === undefined || coding === 'identity') return ok('compression', 'none')
  if (unpackerOf(coding)) return ok('compression', coding)
  return fail('compression', `${coding}, which was not asked for and cannot be read here`, 'use gzip, or none.')
}

function transferFindings({ response }: Answer): Finding[] {
  const { 'content-length': length, 'x-accel-buffering': accel } = response.headers
  const findings: Finding[] = []
  if (length !== undefined)
    findings.push(
      fail(
        'transfer',
        `content-length: ${length}`,
        'a stream that goes on has no length: the server, or a proxy, has waited for all of it before it sent this.',
      ),
    )
  if (/^yes$/i.test(String(accel)))
    findings.push(fail('transfer', 'x-accel-buffering: yes', 'it has nginx hold the stream back: send x-accel-buffering: no.'))
  return findings
}
