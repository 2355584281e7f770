import { options } from './options.ts'

/** The event that every server publishes: seven fields, about 120 bytes of JSON. */
export interface Sample {
  id: number
  type: string
  sym: string
  px: number
  qty: number
  /** `~` and the time of publishing, for the load to find. Nothing else on the wire holds a `~`. */
  t: string
  note: string
}

/** Microseconds to add to this runtime's clock to come to that of the load. */
let offset = 0
let number = 100_000

/** Sets the clock by what the load's said a moment ago. Node's is the same clock, and left alone. */
export function setClock(loadUs: number): void {
  const difference = loadUs - ownUs()
  offset = Math.abs(difference) < 2e6 ? 0 : difference
}

export function createSample(): Sample {
  const t = `~${String(ownUs() + offset).padStart(16, '0')}`
  return { id: number++, type: 'tick', sym: 'ACME', px: 123.45, qty: 100, t, note: createNote() }
}

export function createSamples(count: number): Sample[] {
  return Array.from({ length: count }, createSample)
}

let seq = 0

/** The event as it goes over the wire where no library writes it: byte for byte what eventwire sends, the id that a client resumes with included. */
export function encodeSample(sample: Sample): string {
  return `id: 0123456789ab-${++seq}\ndata: ${JSON.stringify(sample)}\n\n`
}

// A large note is a string of its own each time, as in life: one shared string would hide what queues weigh.
function createNote(): string {
  const { noteBytes } = options
  return noteBytes === 0 ? 'abcdefghijklmnopqrst' : Buffer.alloc(noteBytes, 97 + (number % 26)).toString('latin1')
}

function ownUs(): number {
  return Number(process.hrtime.bigint() / 1000n)
}
