/** One moment of a chart. */
export interface Point {
  /** In ms since 1970. */
  readonly at: number
  /** A value for each line; null where there is none. */
  readonly values: readonly (number | null)[]
  readonly replayed: boolean
  /** How many samples are missing right before this one. */
  readonly lost: number
  /** The line does not go on from the point before. */
  readonly apart: boolean
}

export interface ChartOptions {
  /** The top of the scale, given the largest value in sight. */
  readonly ceiling: (largest: number) => number
  /** The label of that top. */
  readonly label: (ceiling: number) => string
}

/** What a chart is drawn from. */
export interface View {
  readonly points: readonly Point[]
  /** The moment at the right edge, in ms since 1970. */
  readonly now: number
  readonly connected: boolean
}

/** What a chart shows, in ms. */
export const WINDOW = 60_000

const TOP = 8
const BOTTOM = 4
/** Room for the newest point's mark. */
const RIGHT = 4

/** Draws lines over time into an svg element; CSS gives it its size and colours. */
export function createChart(svg: SVGSVGElement, { ceiling, label }: ChartOptions): (view: View) => void {
  return ({ points, now, connected }) => {
    const { clientWidth: width, clientHeight: height } = svg
    const largest = Math.max(0, ...points.flatMap(({ values }) => values.map((value) => value ?? 0)))
    const top = ceiling(largest)
    const x = (at: number): number => Math.max(0, (width - RIGHT) * (1 - (now - at) / WINDOW))
    const y = (value: number): number => height - BOTTOM - (height - BOTTOM - TOP) * Math.min(1, value / top)

    svg.replaceChildren(
      ...[0, 0.5, 1].map((part) => shape('line', { class: 'grid', x1: 0, x2: width, y1: y(part * top), y2: y(part * top) })),
      ...points.flatMap((point, i) => (point.lost > 0 && i > 0 ? hole(x(points[i - 1]!.at), x(point.at), height, point.lost) : [])),
      ...(connected || points.length === 0 ? [] : outage(x(points.at(-1)!.at), width, height)),
      ...lines(points, x, y),
      caption(label(top), { class: 'scale', x: 0, y: TOP + 12 }),
    )
  }
}

/** The samples that are missing, as a hole that is seen. */
function hole(from: number, to: number, height: number, lost: number): SVGElement[] {
  if (to <= from) return []
  const area = { x: from, y: 0, width: to - from, height }
  return [
    shape('rect', { class: 'hole', ...area }),
    shape('rect', { class: 'hatch', fill: 'url(#hatch)', ...area }),
    caption(`${lost} lost`, { class: 'lost', x: (from + to) / 2, y: height / 2 + 4 }),
  ]
}

/** The time since the last sample, while none can come. */
function outage(from: number, to: number, height: number): SVGElement[] {
  return [
    shape('rect', { class: 'outage', x: from, y: 0, width: Math.max(0, to - from), height }),
    shape('line', { class: 'edge', x1: from, x2: from, y1: 0, y2: height }),
  ]
}

function lines(points: readonly Point[], x: (at: number) => number, y: (value: number) => number): SVGElement[] {
  const count = points[0]?.values.length ?? 0
  return Array.from({ length: count }, (_, series) => {
    const marks = points.map((point, i) => {
      const value = point.values[series] ?? null
      const joined = i > 0 && !point.apart && points[i - 1]!.values[series] !== null
      return { ...point, x: x(point.at), y: value === null ? null : y(value), joined }
    })
    const seen = marks.filter((mark) => mark.y !== null)
    const name = series === 0 ? 'first' : 'second'
    const path = seen.map((mark) => `${mark.joined ? 'L' : 'M'}${place(mark)}h0`).join('')
    const again = seen.filter(({ replayed }) => replayed)
    return [
      ...(series === 0 ? [shape('path', { class: 'area', d: areaOf(seen, y(0)) })] : []),
      shape('path', { class: `line ${name}`, d: path }),
      shape('path', { class: 'line replayed', d: again.map((mark) => segment(seen, mark)).join('') }),
      ...again.map((mark) => shape('circle', { class: 'replayed', cx: mark.x, cy: mark.y!, r: 2 })),
    ]
  }).flat()
}

interface Mark {
  readonly x: number
  readonly y: number | null
  readonly joined: boolean
}

function place({ x, y }: Mark): string {
  return `${x.toFixed(1)} ${y!.toFixed(1)}`
}

/** The line that leads to a mark. */
function segment(marks: readonly Mark[], mark: Mark): string {
  const before = marks[marks.indexOf(mark) - 1]
  return mark.joined && before ? `M${place(before)}L${place(mark)}` : ''
}

function areaOf(marks: readonly Mark[], floor: number): string {
  const runs: Mark[][] = []
  for (const mark of marks) {
    if (mark.joined && runs.length > 0) runs.at(-1)!.push(mark)
    else runs.push([mark])
  }
  return runs.map((run) => `M${run[0]!.x.toFixed(1)} ${floor}L${run.map(place).join('L')}V${floor}Z`).join('')
}

function caption(text: string, attributes: Record<string, string | number>): SVGElement {
  const element = shape('text', attributes)
  element.textContent = text
  return element
}

function shape(tag: string, attributes: Record<string, string | number>): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value))
  return element
}
