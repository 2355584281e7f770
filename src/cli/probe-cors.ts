import { ask, isAnswer, PATIENCE, type Answer } from './exchange.ts'
import { fail, ok, warn, type Finding } from './finding.ts'

/** Whether pages of another origin may read the stream, and resume it. */
export async function probeCors(answer: Answer, origin: string): Promise<Finding[]> {
  const allowed = answer.response.headers['access-control-allow-origin']
  if (allowed !== origin && allowed !== '*')
    return [
      fail(
        'CORS',
        `access-control-allow-origin: ${allowed ?? 'none'}`,
        `browsers keep the stream from pages of ${origin}: send access-control-allow-origin: ${origin}.`,
      ),
    ]
  const credentials = answer.response.headers['access-control-allow-credentials'] === 'true' && allowed !== '*'
  const read = ok('CORS', `pages of ${origin} may read it, ${credentials ? 'with' : 'without'} cookies`)
  return [read, await preflight(answer.url, origin)]
}

async function preflight(url: string, origin: string): Promise<Finding> {
  const headers = new Headers({ origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'last-event-id' })
  const answer = await ask({ url, method: 'OPTIONS', headers, patience: PATIENCE })
  const todo =
    'clients that use fetch cannot resume from another origin (a browser’s EventSource can): answer OPTIONS with 204 and access-control-allow-headers: last-event-id.'
  if (!isAnswer(answer)) return warn('preflight', 'OPTIONS was not answered', todo)
  answer.close()
  const { 'access-control-allow-headers': allow = '', 'access-control-allow-origin': from } = answer.response.headers
  const names = allow.toLowerCase().split(/\s*,\s*/)
  const passes =
    answer.status >= 200 &&
    answer.status < 300 &&
    (from === origin || from === '*') &&
    (names.includes('last-event-id') || names.includes('*'))
  return passes
    ? ok('preflight', 'Last-Event-ID may be sent')
    : warn('preflight', `OPTIONS is answered with ${answer.status}, allowed headers: ${allow || 'none'}`, todo)
}
