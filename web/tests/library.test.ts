import { expect, test } from 'vitest'
import { History } from '../src/lib/history'
import { isWhole, playablesOf } from '../src/lib/library'

const file = (index: number, path: string, size_bytes: number, priority = 4, progress_milli = 1000) => ({ index, path, size_bytes, priority, progress_milli })

test('what can be played stands in the order of names, without samples and what is skipped', () => {
  const files = [
    file(0, 'Show/episode 10.mkv', 1000), file(1, 'Show/episode 2.mkv', 1000), file(2, 'Show/Sample/sample.mkv', 10),
    file(3, 'Show/notes.txt', 5), file(4, 'Show/episode 3.mkv', 1000, 0),
  ]
  expect(playablesOf(files).map((each) => each.name)).toEqual(['episode 2.mkv', 'episode 10.mkv'])
  // A film that only calls itself a sample is one.
  expect(playablesOf([file(0, 'sample.webm', 10)])).toHaveLength(1)
})

test('a work is whole when each of its files is', () => {
  const files = playablesOf([file(0, 'a.mp3', 1), file(1, 'b.mp3', 1, 4, 999)])
  expect(isWhole({ id: 'x', files })).toBe(false)
  expect(isWhole({ id: 'x', files: files.slice(0, 1) })).toBe(true)
})

test('a history keeps the last quarter of an hour, and one value for each second', () => {
  const history = new History()
  for (let at = 0; at < 1000; at += 1) history.put(at, at, 0)
  history.put(999, 7, 8)
  const [times, downs, ups] = history.series()
  expect([times.length, times[0], downs.at(-1), ups.at(-1)]).toEqual([900, 100, 7, 8])
})
