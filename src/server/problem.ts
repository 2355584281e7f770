import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Answer, AnswerHeaders } from './http.ts'

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** An answer that says what was wrong, as RFC 9457 has it. */
export function problem(status: number, detail: string, more: object = {}, headers: AnswerHeaders = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify({ type: 'about:blank', title: TITLES[status], status, detail, ...more }),
  }
}

/** The issues of a schema as JSON has them: with the path as names and numbers. */
export function issuesOf(issues: readonly StandardSchemaV1.Issue[]): { message: string; path: (string | number)[] }[] {
  return issues.map(({ message, path = [] }) => ({
    message,
    path: path.map((segment) => {
      const key = typeof segment === 'object' ? segment.key : segment
      return typeof key === 'symbol' ? String(key) : key
    }),
  }))
}
