import { printable, type Paint } from './terminal.ts'

/** A token of JSON: a string, a mark, or a number or word. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g

/** How JSON is written. */
export interface JsonStyle {
  readonly paint: Paint
  /** Over several lines. */
  readonly pretty: boolean
}

/**
 * The tokens of a JSON text; `undefined` when it is none. Kept as they came, and not parsed and written anew: that would round
 * large numbers and drop what is there twice, which are just the faults that one looks for.
 */
export function jsonTokens(text: string): string[] | undefined {
  try {
    JSON.parse(text)
  } catch {
    return undefined
  }
  return text.match(TOKEN) ?? undefined
}

/** Writes tokens for a terminal. */
export function formatJson(tokens: readonly string[], { paint, pretty }: JsonStyle): string {
  let text = ''
  let depth = 0
  const newLine = (): string => (pretty ? `\n${'  '.repeat(depth)}` : '')
  tokens.forEach((token, i) => {
    const next = tokens[i + 1]
    const opens = token === '{' || token === '['
    const closes = token === '}' || token === ']'
    const before = tokens[i - 1]
    if (closes) {
      depth--
      if (before !== '{' && before !== '[') text += newLine()
    }
    text += painted(token, next === ':', paint)
    if (opens) {
      depth++
      if (next !== '}' && next !== ']') text += newLine()
    } else if (token === ',') text += newLine()
    else if (token === ':' && pretty) text += ' '
  })
  return text
}

function painted(token: string, isKey: boolean, paint: Paint): string {
  if (isKey) return paint('blue', printable(token))
  if (token[0] === '"') return paint('green', printable(token))
  return '{}[],:'.includes(token) ? token : paint('yellow', token)
}
