/**
 * A copy of JSON that shares nothing with it, nor one part with another: a change in one place is none elsewhere, and YAML needs no
 * anchors for it. (`structuredClone` keeps what is shared within.)
 */
export function copyOf<T>(json: T): T {
  // oxlint-disable-next-line unicorn/prefer-structured-clone -- see above
  return JSON.parse(JSON.stringify(json)) as T
}
