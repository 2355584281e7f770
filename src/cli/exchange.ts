import { once } from 'node:events'
import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import { unpacked } from './unpack.ts'

/** How many redirects are followed, as by fetch. */
const MAX_REDIRECTS = 20

/** How long to wait for what should come at once, in ms. */
export const PATIENCE = 5_000

/** What is asked for. */
export interface Question {
  readonly url: string
  readonly method?: 'GET' | 'HEAD' | 'OPTIONS'
  readonly headers: Headers
  /** How long to wait for the head of the response, in ms. */
  readonly patience: number
}

/** A response whose head has come. */
export interface Answer {
  /** The address that answered. */
  readonly url: string
  /** Each redirect on the way there. */
  readonly redirects: readonly { readonly status: number; readonly to: string }[]
  /** The headers it was asked with: those of the question, without what was meant for another origin. */
  readonly sent: Headers
  readonly response: IncomingMessage
  readonly status: number
  /** When it was asked for, and how long the head took; in ms. */
  readonly asked: number
  readonly took: number
  /** Lets go of the connection. */
  readonly close: () => void
}

/** That there was none: no head came in time, each redirect led to another, or the connection failed. */
export type NoAnswer = 'silence' | 'loop' | Error

/**
 * Asks, and follows redirects. Never rejects. By node's own client and not by fetch, which would not tell how the response came:
 * its version, its coding, its transfer.
 */
export async function ask(question: Question): Promise<Answer | NoAnswer> {
  const redirects: { status: number; to: string }[] = []
  let headers = question.headers
  let { url } = question
  while (redirects.length <= MAX_REDIRECTS) {
    const answer = await askOnce({ ...question, url, headers })
    if (!isAnswer(answer)) return answer
    const to = redirectOf(answer)
    if (to === undefined) return { ...answer, redirects }
    answer.close()
    redirects.push({ status: answer.status, to })
    if (new URL(to).origin !== new URL(url).origin) headers = withoutSecrets(headers)
    url = to
  }
  return 'loop'
}

/** Whether there is a response. */
export function isAnswer(answer: Answer | NoAnswer): answer is Answer {
  return typeof answer === 'object' && 'response' in answer
}

async function askOnce({ url, method = 'GET', headers, patience }: Question): Promise<Answer | NoAnswer> {
  const send = url.startsWith('https:') ? requestHttps : requestHttp
  const asked = performance.now()
  const silence = new Error('No response in time.')
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    // A connection of its own: what was kept open by an earlier answer may be about to be closed.
    const request = send(url, { method, agent: false, headers: { connection: 'keep-alive', ...Object.fromEntries(headers) } })
    // A fault behind the head is told by the body, too.
    request.on('error', () => {})
    timer = setTimeout(() => request.destroy(silence), patience)
    request.end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.on('error', () => {})
    const took = performance.now() - asked
    return {
      url,
      redirects: [],
      sent: headers,
      response,
      status: response.statusCode ?? 0,
      asked,
      took,
      close: () => void request.destroy(),
    }
  } catch (error) {
    return error === silence ? 'silence' : (error as Error)
  } finally {
    clearTimeout(timer)
  }
}

function redirectOf({ status, url, response }: Answer): string | undefined {
  const { location } = response.headers
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) return undefined
  const to = URL.parse(location, url)
  return to && /^https?:$/.test(to.protocol) ? to.href : undefined
}

function withoutSecrets(headers: Headers): Headers {
  const kept = new Headers(headers)
  for (const name of ['authorization', 'cookie', 'proxy-authorization']) kept.delete(name)
  return kept
}

/** The beginning of a body, as text; what comes within two seconds. */
export async function beginning({ response, close }: Answer): Promise<string> {
  const timer = setTimeout(close, 2_000)
  const utf8 = new TextDecoder()
  let text = ''
  try {
    for await (const chunk of unpacked(response)) {
      text += utf8.decode(chunk as Buffer, { stream: true })
      if (text.length > 1_000) break
    }
  } catch {
    // What came says enough.
  }
  clearTimeout(timer)
  close()
  return text
}
