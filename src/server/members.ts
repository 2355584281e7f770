import { EventwireError } from '../errors.ts'

/** The members that an object may have, and whether each has to be a function. */
export type Members<T> = Readonly<Record<keyof T, 'function' | 'value'>>

/**
 * Refuses what is no object, members that mean nothing, and values where a hook is due: an option that is misspelt would be
 * one that is not set, in silence. Throws `invalid-option`, naming the member.
 *
 * @param where Whose members they are, as the message is to say it.
 */
export function checkMembers<T extends object>(where: string, given: T, members: Members<T>): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new EventwireError('invalid-option', `${where} takes an object with ${listing(members)}.`)
  }
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(members, name)) {
      throw new EventwireError('invalid-option', `${where} has no ${JSON.stringify(name)}; it takes ${listing(members)}.`)
    }
    if (members[name as keyof T] === 'function' && value !== undefined && typeof value !== 'function') {
      throw new EventwireError('invalid-option', `${where}: ${name} is ${JSON.stringify(value) ?? typeof value}; give a function.`)
    }
  }
}

function listing(members: object): string {
  return Object.keys(members).join(', ')
}
