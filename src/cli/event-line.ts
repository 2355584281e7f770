import type { DecodedMessage } from '../wire/decode.ts'
import { formatJson, jsonTokens } from './json.ts'
import { printable, type Paint } from './terminal.ts'

/** How an event is shown. */
export type FormatEvent = (message: DecodedMessage, at: Date) => string

/** For people: the time, the name, the id and the data. Further lines are indented, so that none looks like another event. */
export function forPeople(paint: Paint, pretty: boolean): FormatEvent {
  return ({ event, id, data }, at) => {
    const tokens = jsonTokens(data)
    const text = tokens ? formatJson(tokens, { paint, pretty }) : data.split('\n').map(printable).join('\n')
    const parts = [
      paint('dim', clock(at)),
      paint(event === 'error' ? 'red' : 'cyan', printable(event)),
      id && paint('dim', printable(id)),
      text,
    ]
    return parts.filter(Boolean).join('  ').replaceAll('\n', '\n    ')
  }
}

/** For programs: one JSON object. Data that is JSON stays as it came; `isText` names the events whose data is text whatever it looks like. */
export function forPrograms(isText: (event: string) => boolean): FormatEvent {
  return ({ event, id, data }, at) => {
    const value = (isText(event) ? undefined : jsonTokens(data)?.join('')) ?? JSON.stringify(data)
    return printable(`{"event":${JSON.stringify(event)},"data":${value},"id":${JSON.stringify(id)},"at":${JSON.stringify(at)}}`)
  }
}

/** The time of day here. */
function clock(at: Date): string {
  const [hours, minutes, seconds] = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, '0'))
  return `${hours}:${minutes}:${seconds}.${String(at.getMilliseconds()).padStart(3, '0')}`
}
