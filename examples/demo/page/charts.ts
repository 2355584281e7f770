import type { EventData } from 'eventwire'
import type { events } from '../events.ts'
import { createChart, WINDOW, type ChartOptions, type Point, type View } from './chart.ts'
import { find, findAll, findAs } from './dom.ts'
import { plural } from './words.ts'
import type { Verdict } from './tally.ts'

type Metrics = EventData<typeof events, 'metrics'>

/** A number as it is shown, and the unit beside it where that changes. */
type Reading = readonly [number: string, unit?: string]

interface Panel extends ChartOptions {
  /** The id of its figure. */
  readonly id: string
  readonly values: (metrics: Metrics) => (number | null)[]
  readonly readings: (metrics: Metrics) => Reading[]
}

const GIB = 2 ** 30

const PANELS: readonly Panel[] = [
  {
    id: 'cpu',
    // The load as a share of the cores shares the scale.
    values: ({ cpu, load, cores }) => [cpu, load / cores],
    readings: ({ cpu, load, cores }) => [[(cpu * 100).toFixed(1)], [load.toFixed(2), `on ${plural(cores, 'core')}`]],
    ceiling: (largest) => round(Math.max(0.1, largest)),
    label: (ceiling) => `${(ceiling * 100).toFixed(0)} %`,
  },
  {
    id: 'memory',
    values: ({ memory }) => [memory.used / memory.total],
    readings: ({ memory }) => [[(memory.used / GIB).toFixed(2), `of ${(memory.total / GIB).toFixed(1)} GiB`]],
    ceiling: () => 1,
    label: () => '100 %',
  },
  {
    id: 'loop',
    values: ({ loopDelay }) => [loopDelay],
    readings: ({ loopDelay }) => [[loopDelay.toFixed(2)]],
    ceiling: (largest) => round(Math.max(1, largest)),
    label: (ceiling) => `${ceiling} ms`,
  },
  {
    id: 'network',
    values: ({ network }) => [network?.in ?? null, network?.out ?? null],
    readings: ({ network }) => [rate(network?.in), rate(network?.out)],
    ceiling: (largest) => round(Math.max(1_000, largest)),
    label: (ceiling) => (ceiling < 1e6 ? `${ceiling / 1e3} kB/s` : `${ceiling / 1e6} MB/s`),
  },
]

/** The charts: take samples, and draw them. */
export interface Charts {
  add(metrics: Metrics, replayed: boolean, verdict: Verdict): void
  draw(connected: boolean): void
}

export function createCharts(): Charts {
  const samples: { metrics: Metrics; mark: Omit<Point, 'values'> }[] = []
  /** How far the server's clock is ahead of ours, less the quickest way of a sample so far. */
  let ahead = -Infinity

  const panels = PANELS.map((panel) => {
    const figure = find(`#${panel.id}`)
    const numbers = findAll('.number', figure)
    const units = findAll('dd', figure).map((value) => value.querySelector('.unit'))
    const drawChart = createChart(findAs(SVGSVGElement, 'svg', figure), panel)
    return {
      draw: (view: Omit<View, 'points'>) =>
        drawChart({ ...view, points: samples.map(({ metrics, mark }) => ({ ...mark, values: panel.values(metrics) })) }),
      show(metrics: Metrics) {
        for (const [i, [number, unit]] of panel.readings(metrics).entries()) {
          numbers[i]!.textContent = number
          if (unit) units[i]!.textContent = unit
        }
      },
    }
  })

  return {
    add(metrics, replayed, { lost, repeated, restarted }) {
      if (repeated) return
      ahead = Math.max(ahead, metrics.at - Date.now())
      samples.push({ metrics, mark: { at: metrics.at, replayed, lost, apart: lost > 0 || restarted } })
      // One more than fits, so that the line begins at the edge.
      while (samples.length > 1 && samples[1]!.metrics.at < metrics.at - WINDOW) samples.shift()
      for (const panel of panels) panel.show(metrics)
    },
    draw(connected) {
      for (const panel of panels) panel.draw({ now: Date.now() + Math.max(ahead, -1e12), connected })
    },
  }
}

/** The next number that makes a good end of a scale: of one digit, or 15, 1.5 and so on. */
function round(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8].find((good) => value <= good * power) ?? 10
  // Not 0.30000000000000004.
  return Number((step * power).toPrecision(3))
}

function rate(bytes: number | undefined): Reading {
  if (bytes === undefined) return ['none', '']
  return bytes < 1e6 ? [(bytes / 1e3).toFixed(1), 'kB/s'] : [(bytes / 1e6).toFixed(1), 'MB/s']
}
