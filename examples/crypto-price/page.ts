import { createSubscriber } from 'eventwire/client'
import { find, showStatus } from '../shared/dom.ts'
import { events } from './events.ts'

/** How long a price stays in the plot, in ms. */
const SPAN = 60_000

const stream = createSubscriber(events, '/prices')
const prices: { usd: number; at: number }[] = []

showStatus(stream)

stream.on('price', (price) => {
  prices.push(price)
  while (price.at - prices[0]!.at > SPAN) prices.shift()
  find('#price').textContent = dollars(price.usd)
  find('#symbol').textContent = `${price.symbol} in USD`
  plot(price.at)
})

/** Plots the last minute in the svg's own units: 60 to the right, 100 down. */
function plot(now: number): void {
  const all = prices.map(({ usd }) => usd)
  const [low, high] = [Math.min(...all), Math.max(...all)]
  const points = prices.map(({ usd, at }) => [60 + (at - now) / 1_000, 95 - (90 * (usd - low)) / (high - low || 1)] as const)
  const line = points.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(' ')
  find('.line').setAttribute('points', line)
  find('.area').setAttribute('points', `${points[0]![0].toFixed(2)},100 ${line} 60,100`)
  find('#range').textContent = `${dollars(low)} to ${dollars(high)}`
}

function dollars(usd: number): string {
  return usd.toLocaleString('en-US', { style: 'currency', currency: 'USD', maximumFractionDigits: 0 })
}
