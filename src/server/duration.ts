import { EventwireError } from '../errors.ts'

/** A length of time: milliseconds, or text such as `'500ms'`, `'30s'`, `'10m'`, `'2h'`, `'7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of a duration. Throws `invalid-option`, naming `option`, for anything else. */
export function milliseconds(option: string, duration: Duration): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(duration)) ?? []
  const ms = typeof duration === 'number' ? duration : Number(amount) * (UNITS[unit] ?? NaN)
  if (ms >= 0) return ms
  throw new EventwireError('invalid-option', `${option} is ${show(duration)}; give milliseconds from 0, or text like '30s', '10m' or '2h'.`)
}

/** Checks a whole number; without `max`, Infinity will do too. Throws `invalid-option`, naming `option`. */
export function wholeNumber(option: string, value: number, min: number, max = Infinity): number {
  if (value >= min && value <= max && (Number.isInteger(value) || value === Infinity)) return value
  throw new EventwireError(
    'invalid-option',
    `${option} is ${show(value)}; give a whole number from ${min}${max === Infinity ? ', or Infinity' : ` to ${max}`}.`,
  )
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
