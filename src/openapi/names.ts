/** A name as part of a component's: `user/created` is `UserCreated`. */
export function pascal(name: string): string {
  const words = name.match(/[A-Za-z0-9]+/g) ?? []
  return words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')
}

/** The name, with a number if it is another's already. */
export function free(name: string, taken: ReadonlySet<string>): string {
  let found = name
  for (let i = 2; taken.has(found); i++) found = `${name}${i}`
  return found
}
