import { expect, test } from 'vitest'
import { Recent, type Item } from '../../../src/client/share/recent.ts'

function event(id: string, data = ''): Item {
  return { id, message: { event: 'message', data, id } }
}

function checkpoint(id: string): Item {
  return { id }
}

function gap(id: string): Item {
  return { id, gap: { reason: 'evicted', requested: id, oldest: '' } }
}

function recentOf(...items: Item[]): Recent {
  const recent = new Recent()
  recent.begin('gen', 0, 'start')
  for (const item of items) recent.push(item)
  return recent
}

test('items are numbered from 1, and what follows a number is known', () => {
  const items = [event('a'), event('b'), event('c')]
  const recent = recentOf(...items)
  expect([recent.first, recent.last, recent.id]).toEqual([1, 3, 'c'])
  expect([0, 1, 3].map((number) => recent.after(number))).toEqual([items, items.slice(1), []])
  expect(
    [
      ['gen', 3, 'c'],
      ['gen', 3, 'b'],
      ['gen', 4, 'c'],
      ['other', 3, 'c'],
    ].map(([gen, number, id]) => recent.knows(gen as string, number as number, id as string)),
  ).toEqual([true, false, false, false])
})

test('the last thousand are kept, and the number of each stays', () => {
  const recent = recentOf(...Array.from({ length: 1_500 }, (_, i) => event(`${i + 1}`)))
  expect([recent.first, recent.last, recent.idAt(500), recent.at(501)?.id]).toEqual([501, 1_500, '500', '501'])
  expect([recent.knows('gen', 499, '499'), recent.knows('gen', 500, '500'), recent.after(500).length]).toEqual([false, true, 1_000])
  expect([recent.find('499'), recent.find('500'), recent.find('1500')]).toEqual([undefined, 500, 1_500])
})

test('of large events fewer are kept, and one whatever its size', () => {
  const recent = recentOf(...['a', 'b', 'c'].map((id) => event(id, 'x'.repeat(3 << 20))))
  expect([recent.first, recent.last]).toEqual([3, 3])
  recent.push(event('d', 'x'.repeat(9 << 20)))
  recent.push(event('e'))
  expect([recent.first, recent.last, recent.idAt(4)]).toEqual([5, 5, 'd'])
})

test('whoever resumes from an id has heard what came with it, and not what was lost behind it', () => {
  const recent = recentOf(event('a'), event('a'), event('b'), gap('b'), event('b'), checkpoint('d'), event('e'))
  expect(['start', 'a', 'b', 'd', 'e', 'x'].map((id) => recent.find(id))).toEqual([0, 2, 3, 6, 7, undefined])
})

test('whoever resumes from the last id still hears that the stream is over', () => {
  const recent = recentOf(event('a'), { id: 'a', closed: { reason: 'ended' } })
  expect([recent.find('a'), recent.over]).toEqual([1, true])
})

test('an id that comes again stands for the latest that had it', () => {
  expect(recentOf(event('a'), event('b'), event('a'), event('c')).find('a')).toBe(3)
})

test('what is taken back can be replaced', () => {
  const recent = recentOf(event('a'), event('b'), event('c'))
  expect(recent.rewind(1)).toEqual([event('b'), event('c')])
  expect([recent.last, recent.id]).toEqual([1, 'a'])
  recent.push(event('d'))
  expect([recent.last, recent.at(2)?.id, recent.find('c')]).toEqual([2, 'd', undefined])
})

test('whoever has half of what is kept before him is too far behind', () => {
  const recent = recentOf(...Array.from({ length: 1_200 }, (_, i) => event(`${i + 1}`)))
  expect([100, 699, 700, 1_200].map((number) => recent.isFar(number))).toEqual([true, true, false, false])
  const large = recentOf(event('a'), event('b', 'x'.repeat(3 << 20)), event('c'))
  expect([0, 1, 2].map((number) => large.isFar(number))).toEqual([true, true, false])
})
