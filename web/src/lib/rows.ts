// What the list of torrents shows: its rows, which of them, in which order. Pure, as ten thousand rows pass
// here and tests have to.
import type { Torrent } from '../api/schema'

/** The fields that the list asks for, and nothing else. */
export const FIELDS = [
  'name', 'stage', 'error', 'size_bytes', 'progress_milli', 'down_rate', 'up_rate', 'eta_seconds', 'category',
  'tags', 'added_at', 'ratio_milli', 'peers', 'seeds', 'queue', 'is_forced', 'tracker',
] as const

export type Field = (typeof FIELDS)[number]
export type Row = { id: string } & Required<Pick<Torrent, Field>>
export type Change = Partial<Row>

export const STAGES = [
  'stopped', 'queued', 'metadata', 'checking', 'downloading', 'seeding', 'moving', 'no_space', 'missing', 'failed',
] as const
export type Stage = (typeof STAGES)[number]

/** A row of what is known of it; what is not is nothing. */
export const rowOf = (id: string, known: Change): Row => ({
  name: '', stage: 'queued', error: null, size_bytes: 0, progress_milli: 0, down_rate: 0, up_rate: 0,
  eta_seconds: null, category: null, tags: [], added_at: 0, ratio_milli: null, peers: 0, seeds: 0, queue: null,
  is_forced: false, tracker: null, ...known, id,
})

/** What people look for, in few words. */
export const GROUPS = ['all', 'downloading', 'seeding', 'active', 'stopped', 'waiting', 'trouble'] as const
export type Group = (typeof GROUPS)[number]

const TROUBLE = new Set<string>(['failed', 'missing', 'no_space'])
const WAITING = new Set<string>(['queued', 'metadata', 'checking', 'moving'])

/** Whether a row stands in a group. */
export const isIn = (row: Row, group: Group): boolean => {
  switch (group) {
    case 'all': return true
    case 'downloading': return row.stage === 'downloading' || row.stage === 'metadata'
    case 'seeding': return row.stage === 'seeding'
    case 'active': return row.down_rate > 0 || row.up_rate > 0
    case 'stopped': return row.stage === 'stopped'
    case 'waiting': return WAITING.has(row.stage)
    case 'trouble': return row.error !== null || TROUBLE.has(row.stage)
  }
}

export type Filter = {
  text: string
  group: Group
  /** An empty text for rows without one; nothing for any. */
  category: string | null
  tag: string | null
}

export const NO_FILTER: Filter = { text: '', group: 'all', category: null, tag: null }

const folded = new WeakMap<Row, string>()

/** A name as it is searched: without case, accents and the points between words. */
export const fold = (text: string): string =>
  text.normalize('NFKD').replace(/\p{M}/gu, '').replace(/[._]+/g, ' ').toLocaleLowerCase()

const foldedOf = (row: Row): string => {
  let text = folded.get(row)
  if (text === undefined) {
    text = fold(row.name)
    folded.set(row, text)
  }
  return text
}

/** All words have to be in the name, the info-hash, or be a tag, a category or a tracker. */
export const matches = (row: Row, filter: Filter, words: readonly string[]): boolean => {
  if (!isIn(row, filter.group)) return false
  if (filter.category !== null && (row.category ?? '') !== filter.category) return false
  if (filter.tag !== null && !(filter.tag === '' ? row.tags.length === 0 : row.tags.includes(filter.tag))) return false
  return words.every((word) =>
    foldedOf(row).includes(word) || row.id.startsWith(word) || (row.tracker ?? '').includes(word) ||
    fold(row.category ?? '').includes(word) || row.tags.some((tag) => fold(tag).includes(word)))
}

export const COLUMNS = [
  'name', 'stage', 'progress_milli', 'size_bytes', 'down_rate', 'up_rate', 'eta_seconds', 'ratio_milli', 'peers', 'added_at',
] as const
export type Column = (typeof COLUMNS)[number]
export type Sort = { by: Column | 'queue'; down: boolean }

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })
const FOREVER = Number.MAX_SAFE_INTEGER

const keyOf = (row: Row, by: Sort['by']): number => {
  switch (by) {
    case 'stage': return STAGES.indexOf(row.stage as Stage)
    // What never ends comes after what does; what is not known before all.
    case 'eta_seconds': return row.eta_seconds ?? FOREVER
    case 'queue': return row.queue ?? FOREVER
    case 'name': return 0
    default: return row[by] ?? -1
  }
}

/** The ids of the rows that pass, in order. Rows that are alike keep the order of their names, then ids. */
export const arrange = (rows: Iterable<Row>, filter: Filter, sort: Sort): string[] => {
  const words = fold(filter.text).split(/\s+/).filter((word) => word !== '')
  const chosen: Row[] = []
  for (const row of rows) if (matches(row, filter, words)) chosen.push(row)
  const sign = sort.down ? -1 : 1
  const byName = (a: Row, b: Row) => collator.compare(a.name, b.name) || (a.id < b.id ? -1 : 1)
  if (sort.by === 'name') {
    chosen.sort((a, b) => sign * byName(a, b))
  } else {
    const keyed = chosen.map((row) => ({ row, key: keyOf(row, sort.by) }))
    keyed.sort((a, b) => sign * (a.key - b.key) || byName(a.row, b.row))
    return keyed.map(({ row }) => row.id)
  }
  return chosen.map((row) => row.id)
}

/** Fields whose change can move a row or let it in or out. */
export const mattersTo = (filter: Filter, sort: Sort, fields: ReadonlySet<string>): boolean => {
  if (fields.has(sort.by) || fields.has('name')) return true
  if (fields.has('stage') || fields.has('error')) return filter.group !== 'all'
  if (filter.group === 'active' && (fields.has('down_rate') || fields.has('up_rate'))) return true
  return ['category', 'tags', 'tracker'].some((field) => fields.has(field)) &&
    (filter.category !== null || filter.tag !== null || filter.text !== '')
}
