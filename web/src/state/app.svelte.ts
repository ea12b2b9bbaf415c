// What all screens share: who is logged in, where one is, whether the daemon answers, what it tells of itself.
import { api, API, Failure, textOf, whenUnauthorized } from '../api/client'
import { Live, type LiveState } from '../api/live'
import type { News, Node, Session } from '../api/schema'
import { History } from '../lib/history'
import { type Change, FIELDS } from '../lib/rows'
import { hashOf, type Place, placeOf } from '../lib/router'
import { kept } from './kept'
import { torrents } from './torrents.svelte'

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]
const isTheme = (value: unknown): value is Theme => THEMES.some((theme) => theme === value)

/** News that the page keeps. */
const NEWS_MAX = 1000
/** Toasts at once. */
const TOASTS_MAX = 4
const TOAST_MS = 6000

export type Toast = { number: number; level: News['level']; text: string }

class App {
  /** Nothing before it is known whether somebody is logged in. */
  session = $state.raw<Session | null>(null)
  /** `asking` until the first answer, `out` when a password is wanted. */
  door = $state<'asking' | 'in' | 'out'>('asking')
  live = $state<LiveState>('connecting')
  place = $state.raw<Place>(placeOf(location.hash))
  node = $state.raw<Node | null>(null)
  news = $state.raw<News[]>([])
  toasts = $state.raw<Toast[]>([])
  theme = $state<Theme>(kept('theme', 'system', isTheme))
  /** The rates of the node while this page has been open. */
  readonly rates = new History()
  #toast = 0

  readonly stream = new Live<Change>(
    `${API}/events?fields=${FIELDS.join(',')}`,
    {
      delta: (delta, isFull) => torrents.take(delta, isFull),
      news: (news) => this.#hear(news),
      node: (node) => {
        this.node = node
        this.rates.put(Math.floor(Date.now() / 1000), node.down_rate, node.up_rate)
      },
      state: (state) => (this.live = state),
    },
    {
      open: (address) => new EventSource(address),
      check: async () => {
        try {
          await api('GET /session')
          return true
        } catch (error) {
          if (error instanceof Failure && error.code !== 'offline') return false
          throw error
        }
      },
      later: (act, ms) => window.setTimeout(act, ms),
      cancel: (timer) => window.clearTimeout(timer),
    },
  )

  /** Whether changes are answered. */
  get mayControl(): boolean {
    return this.session?.scopes.includes('control') ?? false
  }

  /** Whether what costs money is answered now, without the password once more. */
  get maySpend(): boolean {
    return this.session?.scopes.includes('spend') ?? false
  }

  /** Asks who is logged in and begins to listen. */
  async begin(): Promise<void> {
    whenUnauthorized(() => this.#out())
    window.addEventListener('hashchange', () => (this.place = placeOf(location.hash)))
    window.addEventListener('online', () => this.#wake())
    document.addEventListener('visibilitychange', () => this.#wake())
    this.show(this.theme)
    await this.enter()
  }

  async enter(): Promise<void> {
    try {
      this.session = await api('GET /session')
    } catch (error) {
      if (error instanceof Failure && error.code === 'offline') {
        this.live = 'away'
        window.setTimeout(() => void this.enter(), 2000)
      } else {
        this.#out()
      }
      return
    }
    this.door = 'in'
    this.stream.start()
    await Promise.allSettled([
      api('GET /node').then((node) => (this.node = node)),
      api('GET /news', { query: {} }).then((news) => (this.news = news)),
    ])
  }

  async leave(): Promise<void> {
    await api('DELETE /session').catch(() => {})
    this.#out()
    torrents.clear()
    this.news = []
    this.node = null
  }

  go(place: Place): void {
    location.hash = hashOf(place)
  }

  show(theme: Theme): void {
    this.theme = theme
    kept.put('theme', theme)
    document.documentElement.dataset['theme'] = theme
  }

  tell(level: News['level'], text: string): void {
    this.#toast += 1
    const number = this.#toast
    this.toasts = [...this.toasts, { number, level, text }].slice(-TOASTS_MAX)
    // What went wrong stays until it is read.
    if (level !== 'error') window.setTimeout(() => this.dismiss(number), TOAST_MS)
  }

  dismiss(number: number): void {
    this.toasts = this.toasts.filter((toast) => toast.number !== number)
  }

  /** Does something and shows why it failed, if it did. */
  async attempt(act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act()
      return true
    } catch (error) {
      this.tell('error', textOf(error))
      return false
    }
  }

  #hear(news: News): void {
    this.news = [...this.news, news].slice(-NEWS_MAX)
    if (news.level !== 'info') this.tell(news.level, news.text)
  }

  #out(): void {
    this.door = 'out'
    this.session = null
    this.stream.reset()
  }

  /** Nobody looks at a page that is hidden: it costs the daemon nothing then. */
  #wake(): void {
    if (this.door !== 'in') return
    if (document.visibilityState === 'hidden') this.stream.stop()
    else this.stream.start()
  }
}

export const app = new App()
