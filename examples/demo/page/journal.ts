import { clock, create, find, prepend } from './dom.ts'

/** How an entry is marked. */
type Tone = 'calm' | 'good' | 'warn' | 'bad' | 'note'

/** Most entries kept. */
const MOST = 300

/** The list of what happened, newest first. */
export interface Journal {
  note(tone: Tone, text: string): void
  /** Notes it, and has screen readers say it. */
  announce(tone: Tone, text: string): void
}

export function createJournal(): Journal {
  const list = find('[data-test=journal]')
  const announcement = find('#announcement')
  const note = (tone: Tone, text: string): void => {
    const item = document.createElement('li')
    item.dataset['tone'] = tone
    item.append(clock(), create('span', 'text', text))
    prepend(list, item, MOST)
  }
  return {
    note,
    announce(tone, text) {
      note(tone, text)
      announcement.textContent = text
    },
  }
}
