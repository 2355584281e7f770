import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { encode } from 'eventwire/wire'
import { serveEmitter } from '../support/emitter.ts'
import { missingNginx, startNginx } from '../support/nginx.ts'
import { response, serve, serveTcp } from '../support/serve.ts'
import { run } from './cli.ts'
import { examined, headOf, MEASURED, serveStream, STREAM } from './streams.ts'

test('of an emitter all is well, and it takes no longer than the first heartbeat', async () => {
  const { url, emitter } = await serveEmitter({ heartbeat: 500, retry: 1_000 })
  await emitter.emit('message', 'hello')
  const { code, stdout } = await run(['check', url])
  expect(stdout).not.toMatch(/^(warn|fail)/m)
  expect(stdout).toMatch(/^ok {4}response: 200 over HTTP\/1\.1, its head after [\d.]+ m?s$/m)
  expect(stdout).toMatch(/^ok {4}content-type: text\/event-stream$/m)
  expect(stdout).toMatch(/^ok {4}caching: cache-control: no-cache, no-transform$/m)
  expect(stdout).toMatch(/^ok {4}heartbeats: announced each 500 ms, and seen; the longest silence was [\d.]+ m?s$/m)
  expect(stdout).toMatch(/^ok {4}resume: went on right behind [0-9a-z]+-1; events that were missed: 0$/m)
  expect(stdout).toMatch(/\n10 ok, 0 to look at, 0 failed\n$/)
  expect(code).toBe(0)
})

test('--json gives the verdict and all findings in one object', async () => {
  const { url } = await serveEmitter({ heartbeat: 100 })
  const { code, stdout } = await run(['check', url, '--json'])
  const { verdict, findings, ...rest } = JSON.parse(stdout) as { verdict: string; findings: { level: string; check: string }[] }
  expect({ code, verdict, rest }).toEqual({ code: 0, verdict: 'ok', rest: { url } })
  expect(findings.map(({ check }) => check)).toEqual([
    'response',
    'content-type',
    'caching',
    'compression',
    'buffering',
    'heartbeats',
    'ids',
    'resume',
    'HEAD',
  ])
})

test('an emitter that compresses is as well', async () => {
  const { url } = await serveEmitter({ heartbeat: 100, compression: 'shared' })
  const { findings } = await examined(url)
  expect(findings['compression']).toEqual({ level: 'ok', says: 'gzip' })
  expect(findings['buffering']?.level).toBe('ok')
})

test.each([
  ['a page', response('200 OK', '<h1>Shop</h1>', 'content-type: text/html\r\n'), 'content-type', 'text/html, so clients give up'],
  ['no content type', response('200 OK', 'data: 1\n\n'), 'content-type', 'none, so clients give up'],
  ['404', response('404 Not Found', 'nothing'), 'response', '404 over HTTP/1.1, its head'],
  ['401', response('401 Unauthorized'), 'response', '401 over HTTP/1.1, its head'],
  ['204', response('204 No Content'), 'response', '204 over HTTP/1.1, its head'],
  ['500', response('500 Oops'), 'response', '500 over HTTP/1.1, its head'],
  ['what is no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', 'connection', 'Parse Error'],
])('%s fails, and is not watched', async (_, answer, check, says) => {
  const { url } = await serveTcp((socket) => void socket.end(answer))
  const { code, findings } = await examined(url)
  expect(findings[check]).toMatchObject({ level: 'fail', says: expect.stringContaining(says), todo: expect.stringMatching(/\.$/) })
  expect(findings['buffering']).toBeUndefined()
  expect(code).toBe(1)
})

test('says how the body of a refusal begins', async () => {
  const { url } = await serveTcp((socket) => void socket.end(response('200 OK', '<h1>\n Shop</h1>', 'content-type: text/html\r\n')))
  const { stdout } = await run(['check', url])
  expect(stdout).toContain('text/html, so clients give up; the body begins with: <h1> Shop</h1> — ')
  expect(stdout).toMatch(/\n1 ok, 0 to look at, 1 failed\n$/)
})

test('says it also of one that is compressed, and of one with a character that comes in two pieces', async () => {
  const zipped = await serve((_, answer) => {
    answer.writeHead(404, { 'content-type': 'text/html', 'content-encoding': 'gzip' }).end(gzipSync('<h1>Überall</h1>'))
  })
  expect((await examined(zipped.url)).findings['response']?.says).toMatch(/; the body begins with: <h1>Überall<\/h1>$/)
  const torn = await serveTcp((socket) => {
    const bytes = Buffer.from(response('404 Not Found', 'Ü berall'))
    const inside = bytes.indexOf('Ü') + 1
    socket.write(bytes.subarray(0, inside))
    setTimeout(() => socket.end(bytes.subarray(inside)), 200)
  })
  expect((await examined(torn.url)).findings['response']?.says).toMatch(/; the body begins with: Ü berall$/)
})

test('a coding that cannot be read fails, whatever its name', async () => {
  const { url } = await serveStream('data: x\n\n', headOf('content-type: text/event-stream', 'content-encoding: constructor'))
  const { code, findings } = await examined(url, '--time', '0.5')
  expect(findings['compression']).toMatchObject({ level: 'fail', says: expect.stringMatching(/^constructor, .* cannot be read here$/) })
  expect(code).toBe(1)
})

test('a port where nothing listens fails', async () => {
  const { url, stop } = await serve(() => {})
  await stop()
  const { code, stdout } = await run(['check', url])
  expect(stdout).toMatch(/^fail {2}connection: connect ECONNREFUSED \S+ — Nothing listens there/)
  expect(code).toBe(1)
})

test('redirects are followed and named, and secrets stay with their origin', async () => {
  const other = await serveStream('id: 1\ndata: x\n\n')
  const { url, attempts } = await serveTcp((socket) => void socket.end(response('302 Found', '', `location: ${other.url}\r\n`)))
  const { findings } = await examined(url, '--header', 'authorization: Bearer secret', '--header', 'x-who: me', '--time', '1')
  expect(findings['redirect']).toMatchObject({ level: 'warn', says: `302 to ${other.url}` })
  expect(findings['ids']?.level).toBe('ok')
  expect(attempts[0]).toContain('Bearer secret')
  expect(other.heads.length).toBeGreaterThan(1)
  expect(other.heads.join('')).not.toContain('secret')
  expect(other.heads.every((head) => /^x-who: me\r$/m.test(head))).toBe(true)
})

test('redirects without an end fail', async () => {
  const { url, attempts } = await serveTcp((socket) => void socket.end(response('302 Found', '', 'location: /again\r\n')))
  const { code, findings } = await examined(url)
  expect(findings).toEqual({ redirect: { level: 'fail', says: 'each leads to another, over 20 times', todo: expect.any(String) } })
  expect(attempts).toHaveLength(21)
  expect(code).toBe(1)
})

test('what was not seen is said to be not seen, and for how long it was watched', async () => {
  const { url } = await serveStream('data: x\n\n')
  const { code, findings } = await examined(url, '--time', '1')
  expect(findings['heartbeats']).toMatchObject({
    level: 'warn',
    says: expect.stringMatching(`^none seen in ${MEASURED}, the longest silence was ${MEASURED}$`),
  })
  expect(findings['ids']).toMatchObject({ level: 'warn', says: 'none of the events has one; seen: 1' })
  expect(findings['resume']).toBeUndefined()
  expect(code).toBe(0)
})

test('a stream that says nothing at all is looked at with doubt', async () => {
  const { url } = await serveStream('')
  const { findings } = await examined(url, '--time', '1')
  expect(findings['buffering']).toMatchObject({ level: 'warn', says: expect.stringMatching(`^not a byte in ${MEASURED} behind the head`) })
  expect(findings['ids']).toMatchObject({ level: 'warn', says: expect.stringMatching(`^no event in ${MEASURED}, so not seen$`) })
})

test('headers that are amiss are named', async () => {
  const { url } = await serveStream('data: x\n\n', headOf('content-type: text/event-stream; charset=latin1', 'x-accel-buffering: yes'))
  const { code, findings } = await examined(url, '--time', '0.5')
  expect(findings['content-type']).toMatchObject({ level: 'warn', says: 'text/event-stream; charset=latin1' })
  expect(findings['caching']).toMatchObject({ level: 'warn', says: 'no cache-control' })
  expect(findings['transfer']).toMatchObject({ level: 'fail', says: 'x-accel-buffering: yes' })
  expect(code).toBe(1)
})

test('a stream with a length was held until it was complete', async () => {
  const { url } = await serveTcp((socket) => void socket.end(response('200 OK', 'data: x\n\n', `content-type: text/event-stream\r\n`)))
  const { findings } = await examined(url)
  expect(findings['transfer']).toMatchObject({ level: 'fail', says: 'content-length: 9' })
  // It was over too soon for more than that.
  expect(findings).not.toHaveProperty('buffering')
  expect(findings).not.toHaveProperty('heartbeats')
  expect(findings['end']).toMatchObject({ level: 'warn', says: expect.stringMatching(/^the stream ended after [\d.]+ m?s$/) })
})

test('an event that no blank line ends fails', async () => {
  const { url } = await serveStream('data: {"a":1}\n')
  const { findings } = await examined(url, '--time', '1')
  expect(findings['format']).toMatchObject({ level: 'fail', says: 'an event is begun and not ended: data: {"a":1}' })
})

test('lines that are no event stream fail', async () => {
  const { url } = await serveStream('{"a":1}\n{"a":2}\n')
  const { findings } = await examined(url, '--time', '1')
  expect(findings['format']).toMatchObject({ level: 'fail', says: expect.stringMatching(`^nothing in ${MEASURED} that is an event`) })
})

test('a stream that is cut in the midst of its response fails', async () => {
  const { url } = await serveTcp((socket) => {
    socket.write(headOf('content-type: text/event-stream', 'transfer-encoding: chunked') + '9\r\ndata: x\n\n\r\n', () => socket.destroy())
  })
  const { findings } = await examined(url)
  expect(findings['end']).toMatchObject({ level: 'fail', says: expect.stringMatching(/^the stream was cut after [\d.]+ m?s/) })
})

test('names and times that harm browsers are named', async () => {
  const { url } = await serveStream('retry: 0\nevent: error\ndata: x\n\n')
  const { findings } = await examined(url, '--time', '0.5')
  expect(findings['names']).toMatchObject({ level: 'warn', says: 'an event is named error' })
  expect(findings['retry']).toMatchObject({ level: 'warn', says: '0 ms' })
})

test('a head that comes late is said to', async () => {
  const { url } = await serveTcp((socket) => {
    setTimeout(() => socket.end(`${STREAM}data: x\n\n`), 2_200)
  })
  const { findings } = await examined(url)
  expect(findings['response']).toMatchObject({ level: 'warn', says: expect.stringMatching(/its head after [\d.]+ s$/) })
})

test('HEAD that opens a stream, and so is never answered, is named', async () => {
  const { url } = await serveTcp((socket, _, head) => {
    if (!head.startsWith('HEAD')) socket.end(`${STREAM}data: x\n\n`)
  })
  expect((await examined(url, '--time', '1')).findings['HEAD']).toMatchObject({ level: 'warn', says: 'no answer in 1 s' })
})

test('HEAD that is answered with another status than GET is named, but for 405', async () => {
  const answering = (status: string) =>
    serveTcp((socket, _, head) => void socket.end(head.startsWith('HEAD') ? response(status) : `${STREAM}data: x\n\n`))
  expect((await examined((await answering('404 Not Found')).url)).findings['HEAD']?.level).toBe('warn')
  expect((await examined((await answering('405 Not Allowed')).url)).findings['HEAD']?.level).toBe('ok')
})

test('what a server sends cannot play with the terminal', async () => {
  const { url } = await serveTcp((socket) => void socket.end(response('200 OK', '\x1b[2Jpage', 'content-type: text/\x1b[31mhtml\r\n')))
  const { stdout } = await run(['check', url])
  expect(stdout).not.toMatch(/(?!\n)\p{Cc}/u)
})

test.skipIf(missingNginx)('behind nginx as it comes all is well', async () => {
  const { port } = await serveEmitter({ heartbeat: 100 })
  const { url } = await startNginx(port)
  const { code, findings } = await examined(url)
  expect(findings['response']).toMatchObject({ level: 'ok', says: expect.stringContaining('from nginx') })
  expect(findings['buffering']?.level).toBe('ok')
  expect(code).toBe(0)
})

test.skipIf(missingNginx)('an nginx that buffers is found out', async () => {
  const { port } = await serveEmitter({ heartbeat: 1_000 })
  const { url } = await startNginx(port, 'proxy_ignore_headers X-Accel-Buffering;')
  const { code, findings } = await examined(url, '--time', '2')
  expect(findings).toEqual({
    buffering: {
      level: 'fail',
      says: expect.stringMatching(/^no response in 2 s, while HEAD is answered with 200 after [\d.]+ m?s$/),
      todo: expect.stringContaining('proxy_buffering off'),
    },
  })
  expect(code).toBe(1)
})

test.skipIf(missingNginx)('an nginx that holds a busy stream back in blocks is found out', async () => {
  const { port, emitter } = await serveEmitter({ heartbeat: 10_000 })
  const { url } = await startNginx(port, 'proxy_ignore_headers X-Accel-Buffering; proxy_buffer_size 4k; proxy_buffers 8 4k;')
  const busy = setInterval(() => void emitter.emit('message', encode({ comment: 'x'.repeat(150) })), 20)
  const { findings } = await examined(url, '--time', '6')
  clearInterval(busy)
  expect(findings['buffering']).toMatchObject({
    level: 'fail',
    says: expect.stringMatching(/^\d+ of \d+ pauses were in the midst of a line$/),
  })
})
