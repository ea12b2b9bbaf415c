// What a player remembers, and where a file lies among the pieces.
import type { File } from '../api/schema'
import type { kept } from '../state/kept'

/** The pieces of a file, both ends included. */
export type Extent = { first: number; last: number }

/** Where a file lies; nothing where padding, which the list leaves out, makes that unknown. */
export const extentOf = (files: readonly Pick<File, 'index' | 'size_bytes'>[], index: number, piece: number): Extent | null => {
  let offset = 0
  for (const [at, file] of files.entries()) {
    if (file.index !== at) return null
    if (file.index === index) {
      if (file.size_bytes === 0 || piece === 0) return null
      return { first: Math.floor(offset / piece), last: Math.floor((offset + file.size_bytes - 1) / piece) }
    }
    offset += file.size_bytes
  }
  return null
}

/** Places that are kept; the oldest go. */
const PLACES_MAX = 200
/** Nobody wants to be brought back to the first seconds. */
const LEAST_SECONDS = 15
/** What is nearly over begins anew. */
const END_PART = 0.95
const SAVE_EVERY_MS = 5000

type Kept = Pick<typeof kept, 'put'> & (<T>(name: string, otherwise: T, is: (value: unknown) => value is T) => T)
type Entry = [name: string, seconds: number]

const isEntries = (value: unknown): value is Entry[] =>
  Array.isArray(value) && value.every((each) => Array.isArray(each) && typeof each[0] === 'string' && typeof each[1] === 'number')

/** Where somebody was in each film. */
export class Places {
  #savedAt = 0

  constructor(
    private readonly kept: Kept,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Where to go on, if anywhere. */
  of(id: string, index: number, length: number): number | null {
    const seconds = this.#all().find(([name]) => name === `${id}/${index}`)?.[1]
    return seconds !== undefined && seconds < length * END_PART ? seconds : null
  }

  /** All places, the last one first. */
  all(): { id: string; index: number; seconds: number }[] {
    return this.#all().toReversed().map(([name, seconds]) => {
      const [id = '', index = ''] = name.split('/')
      return { id, index: Number(index), seconds }
    })
  }

  put(id: string, index: number, seconds: number, length: number): void {
    if (!Number.isFinite(length) || length <= 0) return
    this.#savedAt = this.now()
    const name = `${id}/${index}`
    const others = this.#all().filter(([each]) => each !== name)
    const isKept = seconds >= LEAST_SECONDS && seconds < length * END_PART
    const all = isKept ? [...others, [name, Math.floor(seconds)] as Entry] : others
    this.kept.put('places', all.slice(-PLACES_MAX))
  }

  /** Whether it is time to save again. */
  isDue(): boolean {
    return this.now() - this.#savedAt >= SAVE_EVERY_MS
  }

  #all(): Entry[] {
    return this.kept<Entry[]>('places', [], isEntries)
  }
}
