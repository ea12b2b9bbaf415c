// The one stream of events that a page has, and how it comes back: closed while nobody looks, opened again
// after the revision that was last heard of, tried again with growing pauses while the daemon is away.
import type { Category, News, Node } from './schema'

export type Delta<R> = {
  revision: number
  torrents: Record<string, R>
  gone: string[]
  categories: Record<string, Category>
  gone_categories: string[]
  tags: string[]
  gone_tags: string[]
}

export type Heard<R> = {
  delta: (delta: Delta<R>, isFull: boolean) => void
  news: (news: News) => void
  node: (node: Node) => void
  state: (state: LiveState) => void
}

/** `connecting`: the first time. `away`: there was an answer once, and there is none now. */
export type LiveState = 'connecting' | 'live' | 'away' | 'asleep'

/** What the browser has to give; tests give something else. */
export type Means = {
  open: (address: string) => EventSource
  /** Whether somebody is logged in; fails when nothing answers. */
  check: () => Promise<boolean>
  later: (act: () => void, ms: number) => number
  cancel: (timer: number) => void
}

const PAUSES_MS = [500, 1000, 2000, 4000, 8000]

/** The stream and its state. */
export class Live<R> {
  #source: EventSource | null = null
  #timer: number | null = null
  #failures = 0
  #revision: number | null = null
  #isWanted = false

  constructor(
    private readonly address: string,
    private readonly heard: Heard<R>,
    private readonly means: Means,
  ) {}

  /** Opens the stream, unless it is open. */
  start(): void {
    this.#isWanted = true
    if (this.#source) return
    this.#cancel()
    this.#open()
  }

  /** Closes it; what was heard is kept. */
  stop(): void {
    this.#isWanted = false
    this.#cancel()
    this.#close()
    this.heard.state('asleep')
  }

  /** Forgets what was heard, as somebody else may log in. */
  reset(): void {
    this.stop()
    this.#revision = null
    this.#failures = 0
  }

  #open(): void {
    const since = this.#revision === null ? '' : `&since=${this.#revision}`
    const source = this.means.open(this.address + since)
    this.#source = source
    source.onopen = () => {
      this.#failures = 0
      this.heard.state('live')
    }
    source.onerror = () => this.#failed()
    const on = <T>(name: string, act: (data: T) => void) =>
      source.addEventListener(name, (event) => act(JSON.parse((event as MessageEvent<string>).data) as T))
    const take = (isFull: boolean) => (delta: Delta<R>) => {
      this.#revision = delta.revision
      this.heard.delta(delta, isFull)
    }
    on('full', take(true))
    on('delta', take(false))
    on('news', this.heard.news)
    on('node', this.heard.node)
  }

  /** A browser does not tell why a stream ended, so the API is asked. */
  #failed(): void {
    this.#close()
    if (!this.#isWanted) return
    this.heard.state(this.#failures === 0 && this.#revision === null ? 'connecting' : 'away')
    const pause = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)] ?? 0
    this.#failures += 1
    this.#timer = this.means.later(() => {
      this.#timer = null
      this.means.check().then(
        (isIn) => {
          if (this.#isWanted && isIn && !this.#source && this.#timer === null) this.#open()
        },
        () => {
          if (this.#isWanted && !this.#source && this.#timer === null) this.#failed()
        },
      )
    }, pause)
  }

  #close(): void {
    this.#source?.close()
    this.#source = null
  }

  #cancel(): void {
    if (this.#timer !== null) this.means.cancel(this.#timer)
    this.#timer = null
  }
}
