import type { EventData } from 'eventwire'
import { createSubscriber } from 'eventwire/client'
import { find, showStatus } from '../shared/dom.ts'
import { events, ROOMS } from './events.ts'

const list = find('#messages')
let me = ''
let leave = (): void => {}

for (const room of ROOMS) find('nav').append(Object.assign(document.createElement('a'), { href: `#${room}`, textContent: room }))
find('#sign-in').addEventListener('submit', (submit) => void send(submit, signIn))
find('#say').addEventListener('submit', (submit) => void send(submit, say))
addEventListener('hashchange', enter)
greet((await (await fetch('/me')).json()).name)

/** Lets in who has a name, and asks anybody else for one. */
function greet(name: string | null): void {
  me = name ?? ''
  document.body.dataset['state'] = name ? 'guest' : 'stranger'
  if (name) enter()
  else find('#sign-in input').focus()
}

/** Goes to the room that the address names, and hears first what was said there before. */
function enter(): void {
  leave()
  const room = currentRoom()
  for (const link of document.querySelectorAll('nav a')) link.ariaCurrent = link.textContent === room ? 'page' : null
  list.replaceChildren()
  const stream = createSubscriber(events, `/events?room=${room}`)
  leave = () => stream.close()
  showStatus(stream)
  stream.on('said', show)
  stream.onGap(() => add('gap', 'Messages may be missing here'))
  void stream.closed.then(({ error }) => error?.status === 401 && greet(null))
  find('#say input').focus()
}

function currentRoom(): string {
  return ROOMS.find((room) => location.hash === `#${room}`) ?? ROOMS[0]!
}

function show({ from, text }: EventData<typeof events, 'said'>): void {
  add(from === me ? 'mine' : '', Object.assign(document.createElement('strong'), { textContent: from }), text)
}

function add(kind: string, ...content: (string | Node)[]): void {
  const line = Object.assign(document.createElement('li'), { className: kind })
  line.append(...content)
  list.append(line)
  list.scrollTop = list.scrollHeight
}

async function signIn(name: string): Promise<void> {
  greet((await post('/me', { name })).name ?? null)
}

/** It is shown when it comes back, in its place among what the others say. */
async function say(text: string): Promise<void> {
  await post('/say', { event: 'said', topic: currentRoom(), data: { from: me, text } })
}

/** Does what a form is for with what is in it; what fails is said below, and stays there. */
async function send(submit: SubmitEvent, act: (text: string) => Promise<void>): Promise<void> {
  submit.preventDefault()
  const input = (submit.target as HTMLFormElement).querySelector('input')!
  const failure = await act(input.value).catch((error: Error) => error)
  find('#failure').textContent = failure?.message ?? ''
  if (!failure) input.value = ''
}

async function post(path: string, value: unknown): Promise<{ name?: string }> {
  const response = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) })
  const { detail, ...answer } = await response.json()
  if (!response.ok) throw new Error(detail ?? `The server answered ${response.status}.`)
  return answer
}
