import { createHmac, timingSafeEqual } from 'node:crypto'

/** What cookies are signed with. All processes need the same, and outside of an example nobody else may know it. */
const SECRET = process.env['SECRET'] || 'not much of a secret'

/** The cookie that says who somebody is. Scripts cannot read it, and other sites cannot use it. */
export function cookieOf(user: string): string {
  const name = Buffer.from(user).toString('base64url')
  return `chat=${name}.${sign(name)}; Path=/; HttpOnly; SameSite=Strict`
}

/** Who sends these cookies; `undefined` without one that was signed here. */
export function userOf(cookies: string | null | undefined): string | undefined {
  const [, name = '', signature = ''] = /(?:^|; )chat=([\w-]+)\.([\w-]+)/.exec(cookies ?? '') ?? []
  const given = Buffer.from(signature)
  const expected = Buffer.from(sign(name))
  return given.length === expected.length && timingSafeEqual(given, expected) ? Buffer.from(name, 'base64url').toString() : undefined
}

function sign(name: string): string {
  return createHmac('sha256', SECRET).update(name).digest('base64url')
}
