import { expect, test } from 'vitest'
import type { File } from '../src/api/schema'
import { bytes, clock, duration, percent, rate, ratio } from '../src/lib/format'
import { isPlayable, labelOf, subtitlesOf, toVtt } from '../src/lib/media'
import { cellOf, CELLS_MAX, layout, tally } from '../src/lib/pieces'
import { plain } from '../src/lib/plain'
import { extentOf, Places } from '../src/lib/player'
import { hashOf, type Place, placeOf } from '../src/lib/router'
import { kindOf, sectionsOf } from '../src/lib/settings'
import { isSource, nameOf, pasted, sourcesIn } from '../src/lib/sources'
import { linesOf, openAtFirst, progressOf, treeOf } from '../src/lib/tree'
import { fill } from '../src/text/text.svelte'
import { de } from '../src/text/de'
import { en } from '../src/text/en'

test('numbers have three digits and the marks of their language', () => {
  expect(bytes(999, 'en')).toBe('999 B')
  expect(bytes(1000, 'en')).toBe('0.98 KiB')
  expect(bytes(1536 * 1024, 'de')).toBe('1,50 MiB')
  expect(bytes(5e15, 'en')).toBe('4.44 PiB')
  expect(bytes(null, 'en')).toBe('–')
  expect(rate(0, 'en')).toBe('–')
  expect(rate(2048, 'en')).toBe('2.00 KiB/s')
  expect(ratio(1500, 'de')).toBe('1,50')
})

test('a percentage is never 100 before all is there', () => {
  expect([0, 1, 999, 1000].map((milli) => percent(milli, 'en'))).toEqual(['0 %', '0.1 %', '99.9 %', '100 %'])
})

test('times have their two largest units', () => {
  expect([0, 59, 60, 3661, 90_000, null].map((each) => duration(each))).toEqual(['0 s', '59 s', '1 m', '1 h 1 m', '1 d 1 h', '∞'])
  expect([0, 61.9, 3661].map(clock)).toEqual(['00:00', '01:01', '1:01:01'])
})

test('what can be added is told from what cannot', () => {
  const magnet = `magnet:?xt=urn:btih:${'a'.repeat(40)}&dn=A+film`
  expect(sourcesIn(` ${magnet}\n${magnet} nonsense https://x.example/a.torrent`)).toEqual({
    links: [magnet, 'https://x.example/a.torrent'], others: ['nonsense'],
  })
  expect(['a'.repeat(40), 'A'.repeat(64), 'b2'.repeat(16), 'a'.repeat(39), 'javascript:alert(1)'].map(isSource))
    .toEqual([true, true, true, false, false])
  // An address that was pasted somewhere is most likely meant for something else.
  expect(pasted(`https://x.example/page ${magnet} https://x.example/b.torrent?k=1`)).toEqual([magnet, 'https://x.example/b.torrent?k=1'])
  expect(nameOf(magnet)).toBe('A film')
})

test('each place has an address that leads back to it', () => {
  const id = 'c'.repeat(40)
  const places: Place[] = [
    { screen: 'transfers', id: null, tab: 'overview' }, { screen: 'transfers', id, tab: 'overview' },
    { screen: 'transfers', id, tab: 'pieces' }, { screen: 'add', link: 'magnet:?xt=urn:btih:a/b&tr=http%3A%2F%2Fx' },
    { screen: 'play', id, file: 12 }, { screen: 'settings' }, { screen: 'privacy' },
  ]
  for (const place of places) expect(placeOf(hashOf(place))).toEqual(place)
  for (const hash of ['#/t/xyz', '#/play/1/2', `#/t/${id}/nothing`, '#/%E0%A4%A', `#/play/${id}/-1`]) {
    expect(placeOf(hash), hash).toEqual({ screen: 'absent' })
  }
})

const file = (index: number, path: string, size_bytes: number, priority = 4, progress_milli = 0): File =>
  ({ index, path, size_bytes, priority, progress_milli })

test('files become a tree whose folders know what is below them', () => {
  const root = treeOf([file(0, 'A/x/1', 10, 4, 1000), file(1, 'A/x/2', 30, 0), file(3, 'A/3', 60, 4, 500)])
  expect([...openAtFirst(root)]).toEqual(['A/'])
  expect(linesOf(root, openAtFirst(root)).map((each) => each.path)).toEqual(['A/', 'A/x/', 'A/3'])
  const [top, x] = linesOf(root, new Set(['A/']))
  expect(top).toMatchObject({ size: 100, done: 40, priority: null, indices: [0, 1, 3], depth: 0 })
  expect(x).toMatchObject({ size: 40, done: 10, priority: null, depth: 1 })
  expect(progressOf(root)).toBe(400)
  expect(progressOf(treeOf([file(0, 'empty', 0)]))).toBe(1000)
})

test('thirty thousand files are a tree in the time of a blink', () => {
  const files = Array.from({ length: 30_000 }, (_, at) => file(at, `Top/${at % 300}/${at}`, 1))
  const root = treeOf(files)
  expect(linesOf(root, new Set(['Top/'])).length).toBe(301)
  expect(root.size).toBe(30_000)
})

test('subtitles belong to the film whose name they begin with', () => {
  const files = ['a/Film.mkv', 'a/Film.de.srt', 'a/Other.srt', 'a/Film.vtt'].map((path) => ({ path }))
  const [film] = files
  if (!film) throw new Error('there is one')
  expect(subtitlesOf(film, files).map(({ path }) => path)).toEqual(['a/Film.de.srt', 'a/Film.vtt'])
  expect(subtitlesOf(film, [film, { path: 'subs/english.srt' }]).length).toBe(1)
  expect(labelOf('Film.mkv', 'a/Film.de.srt')).toBe('de')
  expect(isPlayable('a.MKV') && isPlayable('b.flac') && !isPlayable('c.nfo')).toBe(true)
})

test('SubRip becomes WebVTT and WebVTT stays', () => {
  const srt = '\ufeff1\r\n00:00:01,5 --> 0:00:02,250\r\n<i>Hi</i>\r\n'
  expect(toVtt(srt)).toBe('WEBVTT\n\n1\n00:00:01.500 --> 00:00:02.250\n<i>Hi</i>\n')
  expect(toVtt('WEBVTT\n\n')).toBe('WEBVTT\n\n')
})

test('a file lies where its bytes are, and nowhere where padding is left out', () => {
  const files = [file(0, 'a', 100), file(1, 'b', 50), file(2, 'c', 1)]
  expect(extentOf(files, 1, 40)).toEqual({ first: 2, last: 3 })
  expect(extentOf(files, 2, 50)).toEqual({ first: 3, last: 3 })
  expect(extentOf([file(0, 'a', 1), file(2, 'b', 1)], 2, 16)).toBe(null)
  expect(extentOf([file(0, 'a', 0)], 0, 16)).toBe(null)
})

test('places are remembered between the beginning and the end', () => {
  let stored: unknown = null
  let now = 0
  const kept = Object.assign(
    <T>(_: string, otherwise: T, is: (value: unknown) => value is T): T => (is(stored) ? stored : otherwise),
    { put: (_: string, value: unknown) => void (stored = value) },
  )
  const places = new Places(kept, () => now)
  places.put('f', 0, 14, 1000)
  expect(places.of('f', 0, 1000)).toBe(null)
  places.put('f', 0, 500.7, 1000)
  expect(places.of('f', 0, 1000)).toBe(500)
  expect(places.isDue()).toBe(false)
  now = 5000
  expect(places.isDue()).toBe(true)
  places.put('f', 0, 990, 1000)
  expect(places.of('f', 0, 1000)).toBe(null)
  for (let at = 0; at < 300; at += 1) places.put('g', at, 100, 1000)
  expect((stored as unknown[]).length).toBe(200)
  stored = [['f', 'nonsense']]
  expect(places.of('f', 0, 1000)).toBe(null)
})

test('many pieces share squares and nothing is lost between them', () => {
  expect(tally('22210')).toEqual({ there: 3, coming: 1, missing: 1 })
  const { cells } = layout(100_000, 460)
  expect(cells).toBe(CELLS_MAX)
  const states = '2'.repeat(1000) + '0'.repeat(500)
  const all = Array.from({ length: 7 }, (_, at) => cellOf(states, at, 7))
  expect(all.filter((cell) => cell.there === 1).length).toBe(4)
  expect(all[4]?.there).toBeGreaterThan(0)
  expect(cellOf('1', 0, 1)).toEqual({ there: 0, coming: true })
})

test('a name shows what it would hide', () => {
  expect(plain('invoice\u202egpj.exe')).toBe('invoice\ufffdgpj.exe')
  expect(plain('bell\u0007\u200b')).toBe('bell\ufffd\ufffd')
  expect(plain('فيلم <b>')).toBe('فيلم <b>')
})

test('each form of a setting has its field', () => {
  const kind = (form: string) => kindOf({ form })
  expect(kind('true or false')).toEqual({ is: 'switch' })
  expect(kind('prefer, require, off')).toEqual({ is: 'choice', of: ['prefer', 'require', 'off'] })
  expect(kind('a list, each mon, tue, wed')).toEqual({ is: 'several', of: ['mon', 'tue', 'wed'] })
  expect(kind('an absolute path, or none')).toEqual({ is: 'folder', mayBeNone: true })
  expect(kind('a whole number from 1 to 9, or none')).toEqual({ is: 'text' })
  expect(kind('a list, each HOST:PORT')).toEqual({ is: 'text' })
  const setting = (key: string) => ({ key, value: '', default: '', origin: '', form: '', about: '', needs_restart: false })
  expect(sectionsOf([setting('a.x'), setting('b.x'), setting('a.y')]).map(([name, all]) => [name, all.length])).toEqual([['a', 2], ['b', 1]])
})

test('a text has its values, and the plural of its language', () => {
  expect(fill({ one: '{count} file', other: '{count} files' }, 'en', { count: 1 })).toBe('1 file')
  expect(fill({ one: '{count} file', other: '{count} files' }, 'de', { count: 12_345 })).toBe('12.345 files')
  expect(fill('{name} and {other}', 'en', { name: '{other}' })).toBe('{other} and {other}')
})

test('both languages have the same texts with the same values', () => {
  const values = (entry: unknown) => [...new Set(JSON.stringify(entry).match(/\{\w+\}/g) ?? [])].sort()
  expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort())
  for (const [key, entry] of Object.entries(en)) expect(values(de[key as keyof typeof en]), key).toEqual(values(entry))
})
