import { ask, isAnswer } from './exchange.ts'
import { ok, warn, type Finding } from './finding.ts'
import { isEventStream } from './head-findings.ts'
import { duration } from './terminal.ts'

/** Asks with HEAD, as monitors and some proxies do. */
export async function probeHead(url: string, headers: Headers, patience: number): Promise<Finding> {
  const answer = await ask({ url, method: 'HEAD', headers, patience })
  if (answer === 'silence')
    return warn(
      'HEAD',
      `no answer in ${duration(patience)}`,
      'monitors and some proxies wait for it: answer HEAD with the head alone, or with 405, and open no stream.',
    )
  if (!isAnswer(answer)) return warn('HEAD', 'it fails, where GET does not', 'answer HEAD with the head of GET, or with 405.')
  answer.close()
  const { status, took } = answer
  if (isEventStream(answer)) return ok('HEAD', `the same head, after ${duration(took)}`)
  if (status === 405 || status === 501) return ok('HEAD', `${status}: not offered, and said so`)
  return warn(
    'HEAD',
    `${status}, and not what GET says`,
    'monitors and some proxies go by it: answer HEAD with the head of GET, or with 405.',
  )
}
