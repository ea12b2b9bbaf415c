import { expect, test } from 'vitest'
import {
  Arranger, COLUMNS, countGroups, type Filter, fold, GROUPS, isIn, mattersTo, NO_FILTER, type Row, rowOf, type Sort, STAGES,
} from '../src/lib/rows'

const id = (at: number) => at.toString(16).padStart(40, '0')
const row = (at: number, known: Partial<Row>): Row => rowOf(id(at), known)
const ROWS = [
  row(1, { name: 'Ünder.the_Sea 10', stage: 'seeding', size_bytes: 5, tags: ['free'], progress_milli: 1000 }),
  row(2, { name: 'under the sea 9', stage: 'downloading', size_bytes: 9, eta_seconds: 60, down_rate: 5, category: 'films' }),
  row(3, { name: 'Alps', stage: 'stopped', size_bytes: 5, tracker: 'tracker.example' }),
  row(4, { name: 'Broken', stage: 'failed', error: 'no such folder' }),
]
const byId = (rows: Row[]) => new Map(rows.map((each) => [each.id, each]))
const arrange = (filter: Filter, sort: Sort) => new Arranger().arrange(byId(ROWS), filter, sort).map((each) => parseInt(each, 16))
const found = (filter: Partial<Filter>) =>
  arrange({ ...NO_FILTER, ...filter }, { by: 'name', down: false })

test('words are found without case, accents and points, in any order', () => {
  expect(fold('Ünder.the_Sea')).toBe('under the sea')
  expect(found({ text: 'SEA under' })).toEqual([2, 1])
  expect(found({ text: 'free' })).toEqual([1])
  expect(found({ text: 'tracker.example' })).toEqual([3])
  expect(found({ text: 'example' })).toEqual([3])
  expect(found({ text: '  ' })).toEqual([3, 4, 2, 1])
  expect(found({ text: 'sea alps' })).toEqual([])
})

test('a group counts the rows that stand in it, whatever they are', () => {
  const rows = [...STAGES, 'of a later version'].flatMap((stage, at) => [
    row(at, { stage }), row(100 + at, { stage, up_rate: 1 }), row(200 + at, { stage, error: 'no', down_rate: at }),
  ])
  const counts = countGroups(rows)
  for (const group of GROUPS) expect(counts[group], group).toBe(rows.filter((each) => isIn(each, group)).length)
  expect(countGroups([]).all).toBe(0)
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
  const by = (sort: Sort) => arrange(NO_FILTER, sort)
  expect(by({ by: 'name', down: false })).toEqual([3, 4, 2, 1])
  expect(by({ by: 'size_bytes', down: true })).toEqual([2, 3, 1, 4])
  expect(by({ by: 'eta_seconds', down: false })[0]).toBe(2)
})

/** The order as it is meant: by the key, then the name, then the id, two rows at a time. */
const plainly = (rows: Map<string, Row>, { by, down }: Sort): string[] => {
  const names = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })
  const key = (row: Row): number => {
    if (by === 'name') return 0
    if (by === 'stage') return (STAGES as readonly string[]).indexOf(row.stage)
    return row[by] ?? (by === 'eta_seconds' || by === 'queue' ? Number.MAX_SAFE_INTEGER : -1)
  }
  const byName = (a: Row, b: Row) => names.compare(a.name, b.name) || (a.id < b.id ? -1 : 1)
  const sign = down ? -1 : 1
  const sorted = [...rows.values()].sort((a, b) => (by === 'name' ? sign * byName(a, b) : sign * (key(a) - key(b)) || byName(a, b)))
  return sorted.map((each) => each.id)
}

test('the order is that of comparing two rows at a time, whatever comes, goes, is renamed or changes', () => {
  let seed = 11
  const below = (most: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % most
  const named = (at: number) => row(at, {
    name: `${['road', 'Road', 'ROAD 10', 'röad', 'alps'][below(5)]} ${below(12)}`, stage: STAGES[below(STAGES.length)] ?? 'failed',
    down_rate: below(3) === 0 ? below(5) * 1000 : 0, size_bytes: below(4), ratio_milli: below(2) === 0 ? null : below(3),
    eta_seconds: below(2) === 0 ? null : below(4), queue: below(2) === 0 ? null : below(9), added_at: 1_700_000_000 + below(3),
  })
  const rows = byId(Array.from({ length: 200 }, (_, at) => named(at)))
  const arranger = new Arranger()
  for (let turn = 0; turn < 60; turn += 1) {
    const known = [...rows.values()]
    for (const old of known.slice(below(190)).slice(0, below(10))) rows.set(old.id, { ...old, down_rate: below(5) * 1000 })
    if (turn % 3 === 0) for (const old of known.slice(0, below(4))) rows.delete(old.id)
    if (turn % 4 === 0) for (let each = 0; each < 5; each += 1) rows.set(id(1000 + turn * 5 + each), named(1000 + turn * 5 + each))
    if (turn % 5 === 0) for (const old of known.slice(-3)) if (rows.has(old.id)) rows.set(old.id, { ...old, name: `renamed ${below(3)}` })
    const sort: Sort = { by: ([...COLUMNS, 'queue'] as const)[turn % (COLUMNS.length + 1)] ?? 'name', down: below(2) === 0 }
    expect(arranger.arrange(rows, NO_FILTER, sort), JSON.stringify(sort)).toEqual(plainly(rows, sort))
  }
  rows.clear()
  expect(arranger.arrange(rows, NO_FILTER, { by: 'down_rate', down: true })).toEqual([])
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
