/** The one HTML element that a selector finds. */
export function find(selector: string, within: ParentNode = document): HTMLElement {
  return findAs(HTMLElement, selector, within)
}

/** The one element of this type. The page and its script come from one place, so a missing one is a mistake in it. */
export function findAs<E extends Element>(type: new () => E, selector: string, within: ParentNode = document): E {
  const element = within.querySelector(selector)
  if (element instanceof type) return element
  throw new Error(`The page has no ${type.name} ${selector}.`)
}

/** The elements of a selector, by position. */
export function findAll(selector: string, within: ParentNode): HTMLElement[] {
  return [...within.querySelectorAll<HTMLElement>(selector)]
}

export function create<K extends keyof HTMLElementTagNameMap>(tag: K, className: string, text: string): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  element.className = className
  element.textContent = text
  return element
}

/** Puts an item first in a list and lets go of what is beyond `most`. A list that was scrolled stays where it is. */
export function prepend(list: HTMLElement, item: HTMLElement, most: number): void {
  list.prepend(item)
  while (list.children.length > most) list.lastElementChild?.remove()
}

/** A time of day. */
export function clock(at = new Date()): HTMLTimeElement {
  const time = create('time', '', at.toLocaleTimeString('en-GB'))
  time.dateTime = at.toISOString()
  return time
}
