// What the library shows: of each torrent what can be seen or heard, and how far one is with it.
import type { File } from '../api/schema'
import { isPlayable } from './media'

export type Playable = Pick<File, 'index' | 'path' | 'size_bytes' | 'progress_milli'> & { name: string }
export type Work = { id: string; files: Playable[] }

/** Files smaller than this beside ones that are larger by far are samples and extras. */
const SAMPLE_PART = 20

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })

/** What can be played, in the order of names, without what is only a sample of the rest. */
export const playablesOf = (files: readonly File[]): Playable[] => {
  const all = files.filter((file) => isPlayable(file.path) && file.priority > 0)
  const largest = all.reduce((most, file) => Math.max(most, file.size_bytes), 0)
  const isSample = (file: File) => /\bsample\b/i.test(file.path) && file.size_bytes * SAMPLE_PART < largest
  return all
    .filter((file) => !isSample(file))
    .map(({ index, path, size_bytes, progress_milli }) => ({
      index, path, size_bytes, progress_milli, name: path.slice(path.lastIndexOf('/') + 1),
    }))
    .sort((a, b) => collator.compare(a.path, b.path))
}

/** Whether all of a work is there. */
export const isWhole = (work: Work): boolean => work.files.every((file) => file.progress_milli === 1000)
