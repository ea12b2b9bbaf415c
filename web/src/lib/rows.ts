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

/** How many rows stand in each group. Rows of one kind stand in the same groups: one of each kind is asked. */
export const countGroups = (rows: Iterable<Row>): Record<Group, number> => {
  const kinds = new Map<string, ({ row: Row; count: number } | undefined)[]>()
  for (const row of rows) {
    let ofStage = kinds.get(row.stage)
    if (!ofStage) kinds.set(row.stage, (ofStage = []))
    const at = (row.down_rate > 0 || row.up_rate > 0 ? 1 : 0) + (row.error === null ? 0 : 2)
    const kind = ofStage[at]
    if (kind) kind.count += 1
    else ofStage[at] = { row, count: 1 }
  }
  const counts = Object.fromEntries(GROUPS.map((group) => [group, 0])) as Record<Group, number>
  for (const kind of [...kinds.values()].flat()) {
    for (const group of GROUPS) if (kind && isIn(kind.row, group)) counts[group] += kind.count
  }
  return counts
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

const byName = (a: Row, b: Row): number => collator.compare(a.name, b.name) || (a.id < b.id ? -1 : 1)

/** The first place of a sorted array whose value is not less. */
const placeOf = (value: number, sorted: Float64Array): number => {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? 0) < value) low = middle + 1
    else high = middle
  }
  return low
}

/** Where a row stands among the names. */
type Place = { id: string; name: string; at: number }

/** Puts rows in order. It keeps that of their names between two looks, as to compare names is what costs. */
export class Arranger {
  #places = new Map<string, Place>()
  /** The same, as the rows came the last time: mostly they come so again. */
  #came: Place[] = []

  /** The ids of the rows that pass, in order. Rows that are alike keep the order of their names, then ids. */
  arrange(rows: ReadonlyMap<string, Row>, filter: Filter, sort: Sort): string[] {
    const words = fold(filter.text).split(/\s+/).filter((word) => word !== '')
    const chosen = this.#byName(rows).filter((row) => matches(row, filter, words))
    const ids = chosen.map((row) => row.id)
    if (sort.by === 'name') return sort.down ? ids.reverse() : ids
    const keys = new Float64Array(chosen.length)
    chosen.forEach((row, at) => (keys[at] = sort.down ? -keyOf(row, sort.by) : keyOf(row, sort.by)))
    // The place of a row's key, then its place among the names, as one number that no other row has: numbers are
    // sorted without a call for each pair.
    const sorted = keys.slice().sort()
    const numbers = keys.map((key, at) => placeOf(key, sorted) * ids.length + at).sort()
    return ids.map((_, at) => ids[(numbers[at] ?? 0) % ids.length] ?? '')
  }

  /** All rows in the order of their names. Only those that are new or have another name are compared. */
  #byName(rows: ReadonlyMap<string, Row>): Row[] {
    const placed = new Array<Row | undefined>(this.#places.size)
    const fresh: Row[] = []
    let at = 0
    for (const row of rows.values()) {
      const next = this.#came[at]
      const known = next?.id === row.id ? next : this.#places.get(row.id)
      at += 1
      if (known?.name === row.name) placed[known.at] = row
      else fresh.push(row)
    }
    const kept = placed.filter((row) => row !== undefined)
    if (fresh.length === 0 && kept.length === this.#places.size) return kept
    const all = merged(kept, fresh.sort(byName))
    this.#places = new Map(all.map(({ id, name }, at) => [id, { id, name, at }]))
    this.#came = [...rows.keys()].flatMap((id) => this.#places.get(id) ?? [])
    return all
  }
}

/** Two lists in the order of names as one. */
const merged = (kept: Row[], fresh: Row[]): Row[] => {
  const all: Row[] = []
  let at = 0
  for (const row of fresh) {
    for (let next = kept[at]; next !== undefined && byName(next, row) < 0; next = kept[at]) {
      all.push(next)
      at += 1
    }
    all.push(row)
  }
  return all.concat(kept.slice(at))
}

const FLOW = new Set<string>([
  'progress_milli', 'down_rate', 'up_rate', 'eta_seconds', 'ratio_milli', 'peers', 'seeds',
] satisfies Field[])

/** Whether these are only numbers that change as long as anything comes or goes. */
export const isFlow = (fields: ReadonlySet<string>): boolean => [...fields].every((field) => FLOW.has(field))

/** Fields whose change can move a row or let it in or out. */
export const mattersTo = (filter: Filter, sort: Sort, fields: ReadonlySet<string>): boolean => {
  if (fields.has(sort.by) || fields.has('name')) return true
  if (fields.has('stage') || fields.has('error')) return filter.group !== 'all'
  if (filter.group === 'active' && (fields.has('down_rate') || fields.has('up_rate'))) return true
  return ['category', 'tags', 'tracker'].some((field) => fields.has(field)) &&
    (filter.category !== null || filter.tag !== null || filter.text !== '')
}
