/** The middle value; the mean of the two middle ones where their number is even. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** The median of the ratios pair by pair, so that a slow round weighs on both sides alike. */
export function ratio(values: readonly number[], base: readonly number[]): number {
  return median(values.map((value, index) => value / (base[index] ?? Number.NaN)))
}

/** The smallest and the largest value, for a table that tells how much the rounds differ. */
export function range(values: readonly number[]): [number, number] {
  const finite = values.filter((value) => Number.isFinite(value))
  return [Math.min(...finite), Math.max(...finite)]
}

/** A figure in a table: about three digits, thousands separated, a dash for none. */
export function figure(value: number, unit = ''): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  const decimals = size >= 10 ? 1 : size >= 0.1 || size === 0 ? 2 : 3
  const text = size >= 100 ? Math.round(value).toLocaleString('en-GB') : value.toFixed(decimals)
  return unit === '' ? text : `${text} ${unit}`
}
