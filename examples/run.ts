/** Every example, and the idea that it teaches. Each is a folder beside this file. */
const EXAMPLES = {
  workers: 'a stream of its own for each connection, which stops when the client leaves',
  'crypto-price': 'a typed generator, a page that plots it',
  'send-event': 'POST a message to everybody; who comes late, or was cut, misses nothing',
  broker: 'one source, many clients, the slow and the vanished among them',
  status: 'a poll that comes to an end, behind nginx',
  chat: 'rooms, history, cookies, and two processes on one Redis',
  llm: 'an answer token by token: POST, stop, resume after a reload',
}

const [name = ''] = process.argv.slice(2)

if (Object.hasOwn(EXAMPLES, name)) {
  await import(new URL(`./${name}/server.ts`, import.meta.url).href)
} else {
  const list = Object.entries(EXAMPLES).map(([example, idea]) => `  ${example.padEnd(14)}${idea}`)
  const fault = name ? `There is no example ${JSON.stringify(name)}.` : 'Say which one.'
  console.error(`${fault} There are, with npm run example NAME:\n\n${list.join('\n')}`)
  process.exitCode = 1
}
