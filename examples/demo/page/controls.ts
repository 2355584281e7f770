import { find } from './dom.ts'
import type { Journal } from './journal.ts'
import { post } from './post.ts'

/** Wires the two buttons that make trouble. */
export function createControls(page: string, journal: Journal): void {
  const press = (button: HTMLElement, url: string, before: string): void => {
    button.addEventListener('click', () => {
      journal.note('note', before)
      void post(url).then((posted) => {
        if (!posted.ok) journal.announce('bad', posted.detail)
      })
    })
  }
  press(find('[data-test=cut]'), `/cut?page=${page}`, 'You asked for a cut.')
  press(find('[data-test=restart]'), '/restart-log', 'You asked for the log to be restarted.')
}
