import { expect, test } from 'vitest'
import { type Delta, Live, type LiveState } from '../src/api/live'

class Source {
  static all: Source[] = []
  onopen: (() => void) | null = null
  onerror: (() => void) | null = null
  isClosed = false
  #heard = new Map<string, (event: { data: string }) => void>()
  constructor(readonly address: string) {
    Source.all.push(this)
  }
  addEventListener(name: string, act: (event: { data: string }) => void) {
    this.#heard.set(name, act)
  }
  close() {
    this.isClosed = true
  }
  say(name: string, data: unknown) {
    this.#heard.get(name)?.({ data: JSON.stringify(data) })
  }
}

const delta = (revision: number): Delta<{ name?: string }> =>
  ({ revision, torrents: {}, gone: [], categories: {}, gone_categories: [], tags: [], gone_tags: [] })

const setup = () => {
  Source.all = []
  const told: LiveState[] = []
  const heard: [number, boolean][] = []
  const timers: { act: () => void; ms: number }[] = []
  const world = { answer: async (): Promise<boolean> => true }
  const live = new Live<{ name?: string }>('events?fields=name', {
    delta: (delta, isFull) => heard.push([delta.revision, isFull]),
    news: () => {},
    node: () => {},
    state: (state) => told.push(state),
  }, {
    open: (address) => new Source(address) as unknown as EventSource,
    check: () => world.answer(),
    later: (act, ms) => timers.push({ act, ms }),
    cancel: () => timers.splice(0),
  })
  const last = () => Source.all[Source.all.length - 1] as Source
  const pass = async () => {
    const timer = timers.shift()
    timer?.act()
    await Promise.resolve()
    await Promise.resolve()
    return timer?.ms
  }
  return { live, told, heard, timers, world, last, pass }
}

test('a stream that ends is opened again after what was last heard', async () => {
  const { live, told, heard, last, pass } = setup()
  live.start()
  expect(last().address).toBe('events?fields=name')
  last().onopen?.()
  last().say('full', delta(7))
  last().say('delta', delta(9))
  expect(heard).toEqual([[7, true], [9, false]])
  last().onerror?.()
  expect(last().isClosed).toBe(true)
  await pass()
  expect(last().address).toBe('events?fields=name&since=9')
  last().onopen?.()
  expect(told).toEqual(['live', 'away', 'live'])
})

test('pauses grow while nothing answers and are short again after an answer', async () => {
  const { live, world, last, pass, timers } = setup()
  live.start()
  last().onopen?.()
  last().say('full', delta(1))
  world.answer = () => Promise.reject(new Error('away'))
  last().onerror?.()
  const pauses: (number | undefined)[] = []
  for (let turn = 0; turn < 7; turn += 1) pauses.push(await pass())
  expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 8000, 8000])
  world.answer = async () => true
  await pass()
  last().onopen?.()
  last().onerror?.()
  expect(timers.map(({ ms }) => ms)).toEqual([500])
})

test('who is not logged in is not tried again, nor is a page that is hidden', async () => {
  const { live, world, last, pass, told } = setup()
  live.start()
  last().onopen?.()
  world.answer = async () => false
  last().onerror?.()
  await pass()
  expect(Source.all.length).toBe(1)
  live.stop()
  expect(told[told.length - 1]).toBe('asleep')
  live.start()
  expect(Source.all.length).toBe(2)
  live.start()
  expect(Source.all.length).toBe(2)
})

test('somebody else hears all from the beginning', () => {
  const { live, last } = setup()
  live.start()
  last().say('full', delta(5))
  live.reset()
  live.start()
  expect(last().address).toBe('events?fields=name')
})
