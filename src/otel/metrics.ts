import type { Emitter } from '../server/emitter.ts'
import type { EmitterStats } from '../server/stats.ts'

/** An observable instrument. Nothing is asked of it but to be itself. */
export type Observable = object

/** Takes the values of a collection. */
export interface Observation {
  observe(instrument: Observable, value: number, attributes?: Record<string, string | number | boolean>): void
}

interface InstrumentOptions {
  description: string
  unit: string
}

/** What is used of a `Meter` of `@opentelemetry/api`. */
export interface Meter {
  createObservableCounter(name: string, options: InstrumentOptions): Observable
  createObservableGauge(name: string, options: InstrumentOptions): Observable
  createObservableUpDownCounter(name: string, options: InstrumentOptions): Observable
  addBatchObservableCallback(callback: (observation: Observation) => void, instruments: never[]): void
  removeBatchObservableCallback(callback: (observation: Observation) => void, instruments: never[]): void
}

type Kind = 'Counter' | 'Gauge' | 'UpDownCounter'

/** Names and units as OpenTelemetry's semantic conventions want them. */
const METRICS: readonly [name: string, kind: Kind, unit: string, description: string, value: (stats: EmitterStats) => number][] = [
  ['connections', 'UpDownCounter', '{connection}', 'Open event streams.', (stats) => stats.connections],
  ['log.events', 'UpDownCounter', '{event}', 'Events held in the log.', (stats) => stats.log.events],
  ['log.size', 'UpDownCounter', 'By', 'Bytes of the encoded events held in the log.', (stats) => stats.log.bytes],
  ['log.evictions', 'Counter', '{event}', 'Events that have made room for newer ones.', (stats) => stats.log.evictions],
  ['buffer.size', 'UpDownCounter', 'By', 'Bytes held for clients that have yet to take them.', (stats) => stats.buffered],
  ['lag', 'Gauge', '{event}', 'Events that the slowest connection is behind.', (stats) => stats.lag],
  ['emits', 'Counter', '{event}', 'Events emitted.', (stats) => stats.emits],
  ['gaps', 'Counter', '{gap}', 'Gaps declared to clients.', (stats) => stats.gaps],
  ['replays', 'Counter', '{connection}', 'Connections that resumed from their cursor.', (stats) => stats.replays],
]

const PREFIX = 'eventwire.server.'

/**
 * Reports an emitter's `stats` as OpenTelemetry metrics, named `eventwire.server.…`, at each collection. Refusals carry the
 * attribute `http.response.status_code`.
 *
 * @param attributes Are given to every value; tell several emitters of one process apart by them. Default: none.
 * @returns A function that stops it.
 */
export function observeEmitter(
  emitter: Pick<Emitter, 'stats'>,
  meter: Meter,
  attributes: Record<string, string | number | boolean> = {},
): () => void {
  const metrics = METRICS.map(([name, kind, unit, description, value]) => ({
    instrument: meter[`createObservable${kind}`](PREFIX + name, { description, unit }),
    value,
  }))
  const refusals = meter.createObservableCounter(`${PREFIX}refusals`, { description: 'Requests refused.', unit: '{request}' })

  const observe = (observation: Observation): void => {
    const stats = emitter.stats()
    for (const { instrument, value } of metrics) observation.observe(instrument, value(stats), attributes)
    for (const [status, count] of Object.entries(stats.refusals)) {
      observation.observe(refusals, count, { ...attributes, 'http.response.status_code': Number(status) })
    }
  }

  const instruments = [...metrics.map(({ instrument }) => instrument), refusals] as never[]
  meter.addBatchObservableCallback(observe, instruments)
  return () => meter.removeBatchObservableCallback(observe, instruments)
}
