import { expect, test } from 'vitest'
import { encode } from 'eventwire/wire'
import { serveEmitter } from '../support/emitter.ts'
import { price } from '../support/market.ts'
import { response, scripted, serve, serveTcp, STREAM_HEAD } from '../support/serve.ts'
import { eventwire, run } from './cli.ts'

const END = encode({ event: '$end', data: '{"reason":"done"}' })

/** A server whose stream is these bytes and then over. */
const sending = (...blocks: string[]): ReturnType<typeof serveTcp> => serveTcp((socket) => void socket.end(STREAM_HEAD + blocks.join('')))

test('shows the time, name, id and data of each event, until Ctrl-C', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const cli = eventwire(['tail', url])
  await connected(1)
  const id = await emitter.emit('price', price(1))
  await emitter.emit('message', 'hello')
  await cli.until('hello')
  expect(cli.stdout).toMatch(new RegExp(`^\\d\\d:\\d\\d:\\d\\d\\.\\d{3}  price  ${id}  \\{"symbol":"BTC","usd":1\\}\n`))
  expect(cli.stderr).toBe('# open\n')
  cli.kill('SIGINT')
  expect(await cli.exit).toBe(0)
  await connected(0)
})

test('--json gives one object for each event, and nothing else on standard output', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const cli = eventwire(['tail', url, '--json'])
  await connected(1)
  const id = await emitter.emit('price', price(1))
  await emitter.emit('message', '42')
  await cli.until('42')
  const [first, second, ...more] = cli.stdout.trimEnd().split('\n')
  expect(JSON.parse(first!)).toEqual({ event: 'price', data: price(1), id, at: expect.stringMatching(/^\d{4}-.*Z$/) })
  // The server has said that it is text.
  expect(JSON.parse(second!)).toMatchObject({ event: 'message', data: '42' })
  expect(more).toEqual([])
})

test('--json leaves data as it came: large numbers and members that are there twice', async () => {
  const { url } = await sending('data: {"n": 12345678901234567890,\ndata:  "a": 1, "a": 2}\n\ndata: no {json\n\n', END)
  const { code, stdout } = await run(['tail', url, '--json'])
  const [first, second] = stdout.split('\n')
  expect(first).toContain('"data":{"n":12345678901234567890,"a":1,"a":2},')
  expect(JSON.parse(second!)).toMatchObject({ data: 'no {json' })
  expect(code).toBe(0)
})

test('--pretty writes JSON over several lines, and keeps empty objects in one', async () => {
  const { url } = await sending('event: x\ndata: {"a":{},"b":[1,"two"]}\n\n', END)
  const { stdout } = await run(['tail', url, '--pretty'])
  expect(stdout.split('  x  ')[1]).toBe(
    ['{', '      "a": {},', '      "b": [', '        1,', '        "two"', '      ]', '    }', ''].join('\n'),
  )
})

test('--event shows the events of these names alone', async () => {
  const { url } = await sending('event: a\ndata: 1\n\nevent: b\ndata: 2\n\nevent: c\ndata: 3\n\ndata: 4\n\n', END)
  const { stdout } = await run(['tail', url, '--event', 'b', '--event', 'message', '--json'])
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { event: string }).event),
  ).toEqual(['b', 'message'])
})

test('sends the headers and the cursor that it is given', async () => {
  const { url, attempts } = await sending(END)
  await run(['tail', url, '--header', 'Authorization: Bearer a:b', '--header', 'x-who:me', '--last-event-id', 'k-7'])
  expect(attempts[0]).toMatch(/^authorization: Bearer a:b\r$/im)
  expect(attempts[0]).toMatch(/^x-who: me\r$/im)
  expect(attempts[0]).toMatch(/^last-event-id: k-7\r$/im)
})

test('--data is posted, as JSON where it is that, and the end of the answer is no fault', async () => {
  const { url, attempts } = await sending('data: token\n\n')
  const { code, stdout, stderr } = await run(['tail', url, '--data', '{"q":1}'])
  expect(attempts).toHaveLength(1)
  expect(attempts[0]).toMatch(/^POST [^]*content-type: application\/json\r[^]*\{"q":1\}$/)
  expect(stdout).toContain('token')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '# open\n# the stream has ended.\n' })
})

test('a stream that is cut is connected again, goes on where it was, and that is said', async () => {
  const { url, attempts } = await serveTcp((socket, attempt) => {
    socket.write(`${STREAM_HEAD}retry: 1\n\nid: ${attempt}\ndata: part ${attempt}\n\n${attempt === 2 ? END : ''}`, () => socket.destroy())
  })
  const { code, stdout, stderr } = await run(['tail', url])
  expect(stdout).toMatch(/  1  part 1\n.*  2  part 2\n$/)
  expect(stderr).toMatch(
    /^# open\n# The stream from \S+ \S.* Trying again in \d+ ms\.\n# open\n# the server says: the stream is complete\.\n$/,
  )
  expect(attempts[1]).toMatch(/^last-event-id: 1\r$/im)
  expect(code).toBe(0)
})

test('without ids what is sent in between is missed, and that is said', async () => {
  const { url } = await serveTcp((socket, attempt) => {
    socket.write(`${STREAM_HEAD}retry: 1\n\ndata: part ${attempt}\n\n${attempt === 2 ? END : ''}`, () => socket.destroy())
  })
  const { stderr } = await run(['tail', url])
  expect(stderr).toContain('# open\n# no event had an id: what was sent in between is missed.\n')
  expect(stderr.match(/no event had an id/g)).toHaveLength(1)
})

test('what is missed while it is cut off comes, and how much that is', async () => {
  const { url, emitter, connected, cut } = await serveEmitter({ retry: 250 })
  const cli = eventwire(['tail', url])
  await connected(1)
  await emitter.emit('message', 'before')
  await cli.until('before')
  cut()
  await connected(0)
  await emitter.emit('message', 'meanwhile')
  await cli.until('meanwhile')
  expect(cli.stderr).toContain('# resumed where it was; events that were missed: 1\n')
})

test('a server that is restarted has lost its log: that is said as a gap', async () => {
  const first = await serveEmitter({ retry: 250 })
  const second = await serveEmitter()
  let { port } = first
  const { url, cut } = await serve((request, answer) => (port === first.port ? first : second).emitter.handleNode(request, answer))
  const cli = eventwire(['tail', url])
  await first.connected(1)
  const id = await first.emitter.emit('message', 'before')
  await cli.until('before')
  ;({ port } = second)
  cut()
  await cli.until(`# gap: events behind ${id} may be lost; the server has another log than before, as after a restart.\n`)
})

test('a server that cannot be reached is tried again, and what to do is said', async () => {
  const { url, stop } = await serve(() => {})
  await stop()
  const cli = eventwire(['tail', url])
  await cli.until(
    /ECONNREFUSED [\d.:]+\. Nothing listens there: see that the server runs, and on this port\. Trying again in [\d.]+ m?s\.\n/,
  )
  cli.kill('SIGINT')
  expect(await cli.exit).toBe(0)
})

test('a response that does not come is said to be missing, and one that comes is not', async () => {
  const { url } = await serveTcp(
    (socket, _, head) => void (head.includes('x-late') && setTimeout(() => socket.end(STREAM_HEAD + END), 3_500)),
  )
  const cli = eventwire(['tail', url])
  const [late, soon] = await Promise.all([run(['tail', url, '--header', 'x-late: 1']), run(['tail', (await sending(END)).url])])
  expect(late.stderr).toMatch(/^# no response yet; eventwire check says why\.\n# open\n/)
  expect(soon.stderr).toMatch(/^# open\n/)
  await cli.until('# no response yet')
})

test('--once does not try again: the end of a stream is the end, and one that cannot be had a failure', async () => {
  const { url, attempts } = await sending('data: x\n\n')
  expect(await run(['tail', url, '--once'])).toMatchObject({ code: 0, stderr: '# open\n# the stream has ended.\n' })
  expect(attempts).toHaveLength(1)
  const gone = await serve(() => {})
  await gone.stop()
  expect(await run(['tail', gone.url, '--once'])).toMatchObject({ code: 1, stderr: expect.stringContaining('Nothing listens there') })
})

test.each([
  ['204', response('204 No Content'), 0, /204: the server has nothing for this client/],
  ['$end', `${STREAM_HEAD}${END}`, 0, /the server says: the stream is complete\.\n/],
  ['401', response('401 Unauthorized', 'Who are you?'), 1, /status 401\. It says: Who are you\? Give credentials: --header/],
  ['405', response('405 Method Not Allowed'), 1, /status 405\. .* With --data, tail asks by POST\.\n/],
  ['404', response('404 Not Found'), 1, /status 404\. Check the path of the address\.\n/],
  [
    'a page',
    response('200 OK', '<p>Hi', 'content-type: text/html\r\n'),
    1,
    /content type text\/html[^]*Is it the address of an event stream\? It says: <p>Hi/,
  ],
])('%s ends it, and it says what to do', async (_, answer, code, said) => {
  const { url } = await serveTcp((socket) => void socket.end(answer))
  const ended = await run(['tail', url])
  expect(ended.stderr).toMatch(said)
  expect(ended.code).toBe(code)
})

test('a terminal event that the server has announced ends it; an end without one is a fault', async () => {
  const ready = encode({ event: '$ready', data: '{"epoch":"","resumed":false,"replayed":0,"heartbeat":0,"text":[],"ends":["done"]}' })
  const whole = await sending(ready, 'event: done\ndata: 1\n\ndata: never\n\n')
  const { code, stdout } = await run(['tail', whole.url])
  expect(stdout).toMatch(/^\S+  done  1\n$/)
  expect(code).toBe(0)
  const part = await sending(ready, 'data: 1\n\n', END)
  expect(await run(['tail', part.url])).toMatchObject({ code: 1, stderr: expect.stringContaining('ended before it was complete') })
})

test('reasons that it does not know are said as they came', async () => {
  const { url } = await sending(
    encode({ event: '$gap', data: '{"reason":"constructor","requested":"7","oldest":""}' }),
    encode({ event: '$end', data: '{"reason":"toString"}' }),
  )
  const { stderr } = await run(['tail', url])
  expect(stderr).toBe('# open\n# gap: events behind 7 may be lost; constructor.\n# the server says: not to come back toString.\n')
})

test('nothing that a server sends can play with the terminal, and in JSON it is all there', async () => {
  const nasty = '\x1b[2J\x07\x9b1A\x7f\u202e\u2028evil'
  const { url } = await sending(encode({ event: `name${nasty}`, id: `id${nasty}`, data: `text${nasty}\n12:00:00.000  fake` }), END)
  const shown = await run(['tail', url])
  expect(shown.stdout).not.toMatch(/(?!\n)[\p{Cc}\p{Bidi_Control}\p{Zl}]/u)
  expect(shown.stdout).toContain(String.raw`text\u001b[2J\u0007\u009b1A\u007f\u202e\u2028evil`)
  // A line of data is not taken for another event.
  expect(shown.stdout).toContain('\n    12:00:00.000  fake\n')
  const { stdout } = await run(['tail', url, '--json'])
  expect(stdout).not.toMatch(/(?!\n)[\p{Cc}\p{Bidi_Control}\p{Zl}]/u)
  expect(JSON.parse(stdout)).toMatchObject({ event: `name${nasty}`, id: `id${nasty}`, data: `text${nasty}\n12:00:00.000  fake` })
})

test('what a server says in a refusal cannot either', async () => {
  const { url } = await serveTcp((socket) => void socket.end(response('403 Forbidden', 'no\x1b[2J\nway')))
  const { stderr } = await run(['tail', url])
  expect(stderr).toContain(String.raw`It says: no\u001b[2J way`)
  expect(stderr.trimEnd()).not.toMatch(/\p{Cc}/u)
})

test('colours come with FORCE_COLOR, and none by themselves behind a pipe', async () => {
  const { url } = await sending('id: 7\ndata: {"a":1}\n\n', END)
  expect((await run(['tail', url])).stdout).not.toContain('\x1b')
  const { stdout } = await run(['tail', url], { FORCE_COLOR: '1' })
  expect(stdout).toContain('\x1b[36mmessage\x1b[0m  \x1b[2m7\x1b[0m  {\x1b[34m"a"\x1b[0m:\x1b[33m1\x1b[0m}')
})

test('an event of 8 MB comes whole, as JSON and for people', async () => {
  const text = 'x"\\'.repeat(1 << 20)
  const { url } = await sending(encode({ data: JSON.stringify({ text }) }), END)
  const { stdout } = await run(['tail', url, '--json'])
  expect((JSON.parse(stdout) as { data: { text: string } }).data.text === text).toBe(true)
  const shown = await run(['tail', url, '--pretty'])
  expect(shown.stdout.includes(JSON.stringify(text))).toBe(true)
})

test('a reader that leaves, as behind `| head`, ends it', async () => {
  const { url, write } = await scripted()
  const cli = eventwire(['tail', url])
  await cli.until('# open')
  await write('data: first\n\n')
  await cli.until('first')
  cli.hangUp()
  await write('data: second\n\n')
  expect(await cli.exit).toBe(0)
  expect(cli.stderr).toBe('# open\n')
})

test('a reader that is slow slows down the server, and misses nothing', async () => {
  const count = 3_000
  const block = encode({ data: 'x'.repeat(10_000) })
  const stalled = Promise.withResolvers<void>()
  let sent = 0
  const { url } = await serveTcp((socket) => {
    socket.write(STREAM_HEAD)
    const send = (): void => {
      while (sent < count) {
        sent++
        if (!socket.write(block)) break
      }
      if (sent === count) return void socket.end(END)
      const timer = setTimeout(() => stalled.resolve(), 500)
      socket.once('drain', () => {
        clearTimeout(timer)
        send()
      })
    }
    send()
  })
  const cli = eventwire(['tail', url, '--json'])
  cli.pause()
  await stalled.promise
  expect(sent).toBeLessThan(count)
  cli.resume()
  expect(await cli.exit).toBe(0)
  expect(cli.stdout.trimEnd().split('\n')).toHaveLength(count)
})
