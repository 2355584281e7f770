import { inspect } from 'node:util'
import { defineEvents, EventwireError, text } from 'eventwire'
import { expect, test, vi } from 'vitest'
import { messageOf } from '../src/errors.ts'

// A second copy of the package, as an application has that loads it both as ESM and as CJS.
vi.resetModules()
const copy = await import('../src/index.ts')

test('an error of another copy of the package is an EventwireError', () => {
  expect(copy.EventwireError).not.toBe(EventwireError)
  const foreign = new copy.EventwireError('network', 'The connection was cut.')
  expect(foreign instanceof EventwireError).toBe(true)
  expect(new EventwireError('network', 'The connection was cut.') instanceof copy.EventwireError).toBe(true)
  expect(Object.getPrototypeOf(foreign)).not.toBe(EventwireError.prototype)
})

test.each([
  ['undefined', undefined],
  ['null', null],
  ['a string', 'invalid-payload'],
  ['an object with a code', { name: 'EventwireError', code: 'network', message: '' }],
  ['another error', new TypeError('fetch failed')],
  ['another error with a code', Object.assign(new Error('reset'), { name: 'EventwireError', code: 'network' })],
  ['the class itself', EventwireError],
])('%s is no EventwireError', (_, value) => {
  expect((value as unknown) instanceof EventwireError).toBe(false)
})

test('is an error like any other', () => {
  const error = new EventwireError('timeout', 'No answer within 30,000 ms.')
  expect(error).toBeInstanceOf(Error)
  expect(error.name).toBe('EventwireError')
  expect(String(error)).toBe('EventwireError: No answer within 30,000 ms.')
  expect(error.stack).toContain('errors.test.ts')
  expect(Object.prototype.toString.call(error)).toBe('[object Error]')
})

test('carries the fields that its code speaks of', () => {
  const issues = [{ message: 'Expected a number', path: ['usd'] }]
  expect(new EventwireError('invalid-payload', 'Wrong.', { event: 'price', id: 'e-7', issues })).toMatchObject({
    code: 'invalid-payload',
    event: 'price',
    id: 'e-7',
    issues,
  })
  expect(new EventwireError('bad-status', 'Not found.', { status: 404, body: 'No such stream' })).toMatchObject({
    code: 'bad-status',
    status: 404,
    body: 'No such stream',
  })
  const cause = new TypeError('fetch failed')
  expect(new EventwireError('network', 'The connection was cut.', { cause }).cause).toBe(cause)
})

test('has no field that says nothing', () => {
  const error = new EventwireError('emitter-closed', 'This emitter was closed.')
  for (const field of ['cause', 'event', 'id', 'issues', 'status', 'body']) expect(field in error, field).toBe(false)
})

test('shows its code, its event and its cause when it is printed', () => {
  const printed = inspect(new EventwireError('handler-failed', 'A handler threw: oops', { event: 'price', cause: new Error('oops') }))
  expect(printed).toMatch(/^EventwireError: A handler threw: oops\n/)
  expect(printed).toContain("code: 'handler-failed'")
  expect(printed).toContain("event: 'price'")
  expect(printed).toContain('Error: oops')
})

test('a contract of another copy of the package is recognised by both halves, and its raw text as such', async () => {
  // Imported after the reset: of the second copy, as the contract is of the first.
  const [{ createEmitter }, { createSubscriber }] = await Promise.all([import('../src/server/index.ts'), import('../src/client/index.ts')])
  const chat = defineEvents({ message: text() })
  const emitter = createEmitter(chat)
  await expect(emitter.emit('message', 'hello')).resolves.toMatch(/-1$/)
  await emitter.close()
  createSubscriber(chat, 'http://127.0.0.1/events').close()
  expect(copy.defineEvents({ message: text() }).text).toEqual(['message'])
})

test('anything that was thrown has a text', () => {
  expect(messageOf(new TypeError('fetch failed'))).toBe('fetch failed')
  expect(messageOf('no')).toBe('no')
  expect(messageOf(undefined)).toBe('undefined')
  expect(messageOf({ toString: () => 'odd' })).toBe('odd')
})
