import { clock, create, find, findAs, prepend } from './dom.ts'
import { post } from './post.ts'

/** Most messages kept. */
const MOST = 40

/** Sends what the form holds, and gives what shows a message that was received. */
export function createMessages(): (text: string, replayed: boolean) => void {
  const list = find('[data-test=messages]')
  const outcome = find('[data-test=outcome]')
  const form = findAs(HTMLFormElement, '#send')
  const input = findAs(HTMLInputElement, '#message')

  const send = async (): Promise<void> => {
    const posted = await post(form.action, { message: input.value })
    outcome.dataset['tone'] = posted.ok ? 'good' : 'bad'
    outcome.textContent = posted.ok ? `Sent as ${(posted.body as { id: string }).id}` : posted.detail
    if (posted.ok) form.reset()
    input.focus()
  }

  form.addEventListener('submit', (submit) => {
    submit.preventDefault()
    void send()
  })

  return (text, replayed) => {
    const item = document.createElement('li')
    item.append(clock(), create('span', 'text', text))
    if (replayed) item.append(create('span', 'badge', 'replayed'))
    prepend(list, item, MOST)
  }
}
