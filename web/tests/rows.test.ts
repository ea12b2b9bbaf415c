import { expect, test } from 'vitest'
import { arrange, type Filter, fold, isIn, mattersTo, NO_FILTER, type Row, rowOf } from '../src/lib/rows'

const id = (at: number) => at.toString(16).padStart(40, '0')
const row = (at: number, known: Partial<Row>): Row => rowOf(id(at), known)
const ROWS = [
  row(1, { name: 'Ünder.the_Sea 10', stage: 'seeding', size_bytes: 5, tags: ['free'], progress_milli: 1000 }),
  row(2, { name: 'under the sea 9', stage: 'downloading', size_bytes: 9, eta_seconds: 60, down_rate: 5, category: 'films' }),
  row(3, { name: 'Alps', stage: 'stopped', size_bytes: 5, tracker: 'tracker.example' }),
  row(4, { name: 'Broken', stage: 'failed', error: 'no such folder' }),
]
const found = (filter: Partial<Filter>) =>
  arrange(ROWS, { ...NO_FILTER, ...filter }, { by: 'name', down: false }).map((each) => parseInt(each, 16))

test('words are found without case, accents and points, in any order', () => {
  expect(fold('Ünder.the_Sea')).toBe('under the sea')
  expect(found({ text: 'SEA under' })).toEqual([2, 1])
  expect(found({ text: 'free' })).toEqual([1])
  expect(found({ text: 'tracker.example' })).toEqual([3])
  expect(found({ text: 'example' })).toEqual([3])
  expect(found({ text: '  ' })).toEqual([3, 4, 2, 1])
  expect(found({ text: 'sea alps' })).toEqual([])
})

test('a filter of labels knows those that have none', () => {
  expect(found({ category: 'films' })).toEqual([2])
  expect(found({ category: '' })).toEqual([3, 4, 1])
  expect(found({ tag: 'free' })).toEqual([1])
  expect(found({ tag: '' })).toEqual([3, 4, 2])
})

test('each group has its rows', () => {
  const of = (group: Parameters<typeof isIn>[1]) => ROWS.filter((each) => isIn(each, group)).map((each) => parseInt(each.id, 16))
  expect(of('all')).toEqual([1, 2, 3, 4])
  expect(of('downloading')).toEqual([2])
  expect(of('seeding')).toEqual([1])
  expect(of('active')).toEqual([2])
  expect(of('stopped')).toEqual([3])
  expect(of('trouble')).toEqual([4])
})

test('numbers in names count as numbers, and what is alike is in the order of names', () => {
  const by = (sort: Parameters<typeof arrange>[2]) => arrange(ROWS, NO_FILTER, sort).map((each) => parseInt(each, 16))
  expect(by({ by: 'name', down: false })).toEqual([3, 4, 2, 1])
  expect(by({ by: 'size_bytes', down: true })).toEqual([2, 3, 1, 4])
  expect(by({ by: 'eta_seconds', down: false })[0]).toBe(2)
})

test('only what can move a row has the rows arranged anew', () => {
  const sort = { by: 'added_at', down: true } as const
  const matters = (filter: Partial<Filter>, ...fields: string[]) => mattersTo({ ...NO_FILTER, ...filter }, sort, new Set(fields))
  expect(matters({}, 'down_rate', 'progress_milli')).toBe(false)
  expect(matters({}, 'stage')).toBe(false)
  expect(matters({ group: 'seeding' }, 'stage')).toBe(true)
  expect(matters({ group: 'active' }, 'up_rate')).toBe(true)
  expect(matters({}, 'added_at')).toBe(true)
  expect(matters({}, 'name')).toBe(true)
  expect(matters({ tag: 'x' }, 'tags')).toBe(true)
})
