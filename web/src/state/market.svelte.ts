// The market as all screens share it: whether anything is bought, what it costs, and how it is stopped.
import { untrack } from 'svelte'
import { api } from '../api/client'
import type { Bought, Market } from '../api/schema'
import { isSome, priceAsTyped } from '../lib/money'
import { every } from '../lib/poll'
import { t } from '../text/text.svelte'
import { app } from './app.svelte'
import { torrents } from './torrents.svelte'

/** While something is bought, figures are asked for so often. */
const BUSY_MS = 2000
/** Else the page only wants to know when that begins. */
const CALM_MS = 10_000

class MarketState {
  /** Null before the first answer. */
  now = $state.raw<Market | null>(null)
  #wanted = $state(0)
  /** What was bought, of torrents that were not complete yet. */
  #open = new Map<string, Bought>()

  /** The node has a wallet and a network. */
  readonly isOpen = $derived(this.now !== null && !this.now.problem)
  /** Money may leave at any moment. */
  readonly isSpending = $derived(this.now?.buying?.is_on ?? false)
  readonly #isBusy = $derived(this.isSpending || this.#wanted > 0)
  readonly isTest = $derived(this.now?.network?.is_test_money ?? true)
  readonly symbol = $derived(this.now?.token?.symbol ?? '')
  readonly decimals = $derived(this.now?.token?.decimals ?? 18)

  /** A price of a GiB as somebody would have typed it. */
  priceOf(price: string): string {
    return priceAsTyped(price, this.decimals)
  }

  /** Asks again and again, for as long as somebody is logged in; gives what ends it. */
  watch(): () => void {
    return every(this.#isBusy ? BUSY_MS : CALM_MS, (signal) => this.look(signal))
  }

  /** A screen that shows figures wants them often; gives what ends it. */
  want(): () => void {
    // It is no reason of whoever wants them to begin anew.
    untrack(() => (this.#wanted += 1))
    return () => untrack(() => (this.#wanted -= 1))
  }

  async look(signal?: AbortSignal): Promise<void> {
    this.take(await api('GET /market', signal ? { signal } : {}))
  }

  take(market: Market): void {
    this.now = market
    this.#tellOfReceipts(market.buying?.torrents ?? [])
  }

  forget(): void {
    this.now = null
    this.#open.clear()
  }

  /** Buys nothing more, of nobody. To stop wants no password. */
  async stop(): Promise<void> {
    if (await app.attempt(async () => this.take(await api('PATCH /market', { body: { buys: false } })))) {
      app.tell('info', t('buying_stopped'))
    }
  }

  /** A torrent that became complete while it was paid for has a receipt. */
  #tellOfReceipts(bought: Bought[]): void {
    for (const each of bought) {
      if (!each.torrent) continue
      const isComplete = torrents.row(each.torrent)?.progress_milli === 1000
      if (!isComplete) {
        if (isSome(each.spent)) this.#open.set(each.torrent, each)
        continue
      }
      if (this.#open.delete(each.torrent)) {
        app.tell('info', t('receipt_there', { name: each.name }))
      }
    }
  }
}

export const market = new MarketState()
