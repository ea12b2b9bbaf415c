// All torrents as the daemon tells of them. The rows lie outside of what the library watches: a page shows
// forty of ten thousand, and a number that grows says when to look again.
import { SvelteSet } from 'svelte/reactivity'
import type { Delta } from '../api/live'
import {
  Arranger, type Change, countGroups, type Filter, type Group, isFlow, mattersTo, NO_FILTER, type Row, rowOf, type Sort,
} from '../lib/rows'
import { kept } from './kept'

/** The page shows changes at most so often, and those of numbers that never rest at most so often. */
const SHOW_EVERY_MS = 250
const SHOW_FLOW_EVERY_MS = 1000

const isSort = (value: unknown): value is Sort =>
  typeof value === 'object' && value !== null && 'by' in value && 'down' in value

class Torrents {
  #rows = new Map<string, Row>()
  readonly #arranger = new Arranger()
  #changed = new Set<string>()
  #isMoved = false
  #timer: ReturnType<typeof setTimeout> | null = null
  #shownAt = 0

  /** Grows when something that is shown may be different. */
  version = $state(0)
  /** The first events have come. */
  isKnown = $state(false)
  filter = $state.raw<Filter>(NO_FILTER)
  sort = $state.raw<Sort>(kept('sort', { by: 'added_at', down: true }, isSort))
  /** The ids of those that the filter lets through, in order. */
  order = $state.raw<string[]>([])
  counts = $state.raw<Record<Group, number>>(countGroups([]))
  categories = $state.raw<string[]>([])
  tags = $state.raw<string[]>([])
  readonly selected = new SvelteSet<string>()

  get total(): number {
    return this.counts.all
  }

  /** A torrent as it is now; reading it again is for whoever reads `version`. */
  row(id: string): Row | undefined {
    return this.#rows.get(id)
  }

  /** The ids of all, what was added last first. */
  newest(): string[] {
    const rows = [...this.#rows.values()].sort((a, b) => b.added_at - a.added_at || (a.id < b.id ? -1 : 1))
    return rows.map((row) => row.id)
  }

  take(delta: Delta<Change>, isFull: boolean): void {
    if (isFull) {
      this.#rows.clear()
      this.categories = []
      this.tags = []
      this.#isMoved = true
    }
    for (const id of delta.gone) {
      this.#isMoved = this.#rows.delete(id) || this.#isMoved
    }
    for (const [id, change] of Object.entries(delta.torrents)) {
      const row = this.#rows.get(id)
      this.#rows.set(id, row ? { ...row, ...change, id } : rowOf(id, change))
      if (!row) this.#isMoved = true
      for (const field in change) this.#changed.add(field)
    }
    this.#label(delta)
    this.#showSoon()
  }

  /** Forgets everything, as somebody else may log in. */
  clear(): void {
    this.#rows.clear()
    this.isKnown = false
    this.selected.clear()
    this.#isMoved = true
    this.#show()
    this.isKnown = false
  }

  show(filter: Partial<Filter>): void {
    this.filter = { ...this.filter, ...filter }
    this.#arrange()
  }

  sortBy(by: Sort['by']): void {
    // Names begin at A, all else with the most.
    const down = this.sort.by === by ? !this.sort.down : by !== 'name' && by !== 'eta_seconds' && by !== 'queue'
    this.sort = { by, down }
    kept.put('sort', this.sort)
    this.#arrange()
  }

  /** The rows of the list from one place to another. */
  window(from: number, to: number): Row[] {
    const rows: Row[] = []
    for (const id of this.order.slice(from, to)) {
      const row = this.#rows.get(id)
      if (row) rows.push(row)
    }
    return rows
  }

  #label(delta: Delta<Change>): void {
    const merged = (known: string[], more: string[], gone: string[]) => {
      if (more.length === 0 && gone.length === 0) return known
      const all = new Set(known.filter((each) => !gone.includes(each)))
      for (const each of more) all.add(each)
      return [...all].sort((a, b) => a.localeCompare(b))
    }
    this.categories = merged(this.categories, Object.keys(delta.categories), delta.gone_categories)
    this.tags = merged(this.tags, delta.tags, delta.gone_tags)
  }

  #showSoon(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    const every = this.#isMoved || !isFlow(this.#changed) ? SHOW_EVERY_MS : SHOW_FLOW_EVERY_MS
    const wait = Math.max(0, every - (performance.now() - this.#shownAt))
    this.#timer = setTimeout(() => this.#show(), wait)
  }

  #show(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#shownAt = performance.now()
    if (this.#isMoved || mattersTo(this.filter, this.sort, this.#changed)) this.#arrange()
    for (const id of this.selected) if (!this.#rows.has(id)) this.selected.delete(id)
    this.#changed.clear()
    this.#isMoved = false
    this.counts = countGroups(this.#rows.values())
    this.isKnown = true
    this.version += 1
  }

  #arrange(): void {
    this.order = this.#arranger.arrange(this.#rows, this.filter, this.sort)
  }
}

export const torrents = new Torrents()
