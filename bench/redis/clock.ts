/** Added to the time of an event, so that it always has 13 digits, as a date in milliseconds has. */
const BASE = 1_000_000_000_000

/** Now, for the field of an event: in microseconds, of the clock that all processes of a machine share. */
export function stamp(): number {
  return BASE + Number(process.hrtime.bigint() / 1_000n)
}

/** How long ago that was, in ms. */
export function since(at: number): number {
  return Number(process.hrtime.bigint()) / 1e6 - (at - BASE) / 1e3
}
