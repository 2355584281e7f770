import type { WriteStream } from 'node:tty'

/** What a terminal obeys instead of showing it: control characters, and those that turn the direction of text. */
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu

/** Text that was not written here, for one line of a terminal: what could play with it is shown as `\u001b`, which within JSON means the same. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (char) => (char === '\t' ? char : String.raw`\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`))
}

const STYLES = { dim: 2, bold: 1, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 } as const

/** Gives a piece of text a style, where there are colours. */
export type Paint = (style: keyof typeof STYLES, text: string) => string

/** Paints for a stream: where it is a terminal, unless `NO_COLOR` or `FORCE_COLOR` say otherwise. */
export function painter({ isTTY }: Pick<WriteStream, 'isTTY'>, env: NodeJS.ProcessEnv = process.env): Paint {
  return coloured(isTTY, env) ? (style, text) => `\x1b[${STYLES[style]}m${text}\x1b[0m` : (_, text) => text
}

function coloured(isTTY: boolean | undefined, { FORCE_COLOR, NO_COLOR, TERM }: NodeJS.ProcessEnv): boolean {
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false'
  return isTTY === true && !NO_COLOR && TERM !== 'dumb'
}

/** Where lines are shown. */
export interface Screen {
  readonly write: (line: string) => void
  /** A promise to wait for before more is written; `undefined` when there is no need to. */
  readonly room: () => Promise<void> | undefined
}

/** Shows lines on standard output. `onGone` is called when nobody reads them any more, as behind `| head`. */
export function createScreen(onGone: () => void): Screen {
  const { stdout } = process
  stdout.on('error', onGone)
  return {
    write: (line) => void stdout.write(`${line}\n`),
    room: () => (stdout.writableNeedDrain ? new Promise((resolve) => stdout.once('drain', resolve)) : undefined),
  }
}

/** A time as people say it. */
export function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Number((ms / 1_000).toFixed(1))} s`
}
