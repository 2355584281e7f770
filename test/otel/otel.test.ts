import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { expect, onTestFinished, test } from 'vitest'
import { observeEmitter } from 'eventwire/otel'
import { serveEmitter } from '../support/emitter.ts'
import { listen } from '../support/listen.ts'
import { price } from '../support/market.ts'

/** A real meter, and what it has collected: `name attributes` to value. */
function metering(): {
  provider: MeterProvider
  collected: () => Promise<Record<string, number>>
  units: () => Promise<Record<string, string>>
} {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })] })
  onTestFinished(() => provider.shutdown())
  const metrics = async () => {
    exporter.reset()
    await provider.forceFlush()
    return exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
  }
  return {
    provider,
    units: async () => Object.fromEntries((await metrics()).map(({ descriptor }) => [descriptor.name, descriptor.unit])),
    collected: async () =>
      Object.fromEntries(
        (await metrics()).flatMap(({ descriptor, dataPoints }) =>
          dataPoints.map(({ attributes, value }) => [
            [descriptor.name, ...Object.entries(attributes).map(([name, set]) => `${name}=${String(set)}`)].join(' '),
            Number(value),
          ]),
        ),
      ),
  }
}

test('an emitter is seen through OpenTelemetry, by names and units of its conventions', async () => {
  const { emitter, url } = await serveEmitter({ history: { events: 2 } })
  const { provider, collected, units } = metering()
  const stop = observeEmitter(emitter, provider.getMeter('test'), { 'service.part': 'prices' })
  const stream = await listen(`${url}?topic=BTC`)
  for (const usd of [1, 2, 3]) await emitter.emit('price', price(usd), { topic: 'BTC' })
  await stream.until(({ events }) => events.length === 3)
  await fetch(url, { method: 'PUT' })
  await fetch(url, { method: 'PUT' })
  await (await listen(url, { 'last-event-id': 'nonsense' })).until(({ gaps }) => gaps.length === 1)

  const { bytes } = emitter.stats().log
  const at = 'service.part=prices'
  expect(await collected()).toEqual({
    [`eventwire.server.connections ${at}`]: 2,
    [`eventwire.server.log.events ${at}`]: 2,
    [`eventwire.server.log.size ${at}`]: bytes,
    [`eventwire.server.log.evictions ${at}`]: 1,
    [`eventwire.server.buffer.size ${at}`]: 0,
    [`eventwire.server.lag ${at}`]: 0,
    [`eventwire.server.emits ${at}`]: 3,
    [`eventwire.server.gaps ${at}`]: 1,
    [`eventwire.server.replays ${at}`]: 0,
    [`eventwire.server.refusals ${at} http.response.status_code=405`]: 2,
  })
  const named = await units()
  for (const [name, unit] of Object.entries(named)) {
    expect(name).toMatch(/^[a-z]+(\.[a-z]+)+$/)
    expect(unit).toMatch(/^(By|\{[a-z]+\})$/)
  }

  // The reader repeats what it was told last.
  stop()
  await emitter.emit('price', price(4))
  expect((await collected())[`eventwire.server.emits ${at}`]).toBe(3)
})
