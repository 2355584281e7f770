import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { install, unpack, UNPACKED, type Fetch } from './debian.ts'

/** A program that tests need beside npm's packages. */
export interface Program {
  readonly title: string
  /** What is not done without it. */
  readonly loss: string
  /** The environment variable that may hold its path. */
  readonly variable: string
  /** Its usual names. */
  readonly names: readonly string[]
  /** Debian's package of it, and how that gets here. */
  readonly package: string
  readonly fetch: Fetch
}

export const CHROMIUM: Program = {
  title: 'Chromium',
  loss: 'nothing is tested in a browser',
  variable: 'CHROMIUM',
  names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
  package: 'chromium',
  fetch: install,
}

export const CURL: Program = {
  title: 'curl',
  loss: 'nothing is tested with it',
  variable: 'CURL',
  names: ['curl'],
  package: 'curl',
  fetch: install,
}

export const NGINX: Program = {
  title: 'nginx',
  loss: 'nothing is tested behind a proxy',
  // Not NGINX: nginx itself reads that one, as sockets to inherit.
  variable: 'NGINX_PATH',
  names: ['nginx'],
  package: 'nginx',
  fetch: unpack,
}

export const REDIS: Program = {
  title: 'Redis',
  loss: 'nothing is tested with Redis',
  variable: 'REDIS_SERVER',
  names: ['redis-server'],
  package: 'redis-server',
  fetch: unpack,
}

export const FIREFOX: Program = {
  title: 'Firefox',
  loss: 'nothing is tested in Firefox',
  variable: 'FIREFOX',
  names: ['firefox-esr', 'firefox'],
  package: 'firefox-esr',
  fetch: install,
}

export const WEBKIT: Program = {
  title: 'WebKitWebDriver',
  loss: 'nothing is tested in WebKit',
  variable: 'WEBKIT_DRIVER',
  names: ['WebKitWebDriver'],
  package: 'webkit2gtk-driver',
  fetch: install,
}

/** The display that WebKit's browser needs. */
export const XVFB: Program = {
  title: 'Xvfb',
  loss: 'nothing is tested in WebKit',
  variable: 'XVFB',
  names: ['Xvfb'],
  package: 'xvfb',
  fetch: install,
}

/** All that there are. */
export const PROGRAMS = [CHROMIUM, CURL, FIREFOX, NGINX, REDIS, WEBKIT, XVFB]

/** Where a program is: its variable says, or it is the first of its names on the path or among what was unpacked. */
export function findProgram({ variable, names }: Program): string | undefined {
  const given = process.env[variable]
  if (given) return given
  // A user's path need not have the folder of the servers.
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', UNPACKED]
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((path) => existsSync(path))
}

/** Fetches a program that is not there, and otherwise says what to do. */
export function ensureProgram(program: Program): void {
  if (findProgram(program)) return
  console.error(`Fetching Debian's ${program.package} for the tests ...`)
  try {
    program.fetch(program.package)
  } catch {
    // apt-get has said why.
  }
  if (!findProgram(program)) console.error(absence(program))
}

/** What to say when a program is not there. */
export function absence({ title, loss, variable, package: name }: Program): string {
  return `${title} is not installed, so ${loss}. Install it (Debian: apt-get install ${name}), or set ${variable} to its path.`
}
