// The wallet as its screens share it: what it has, and which orders are under way.
import { api, textOf } from '../api/client'
import type { Order, Wallet } from '../api/schema'
import { every } from '../lib/poll'

const EVERY_MS = 3000

class WalletState {
  /** Null before the first answer. */
  now = $state.raw<Wallet | null>(null)
  orders = $state.raw<Order[]>([])
  wrong = $state('')

  /** Asks again and again; gives what ends it. */
  watch(): () => void {
    return every(EVERY_MS, async (signal) => {
      try {
        this.now = await api('GET /wallet', { signal })
        this.orders = this.now.exists ? (await api('GET /wallet/orders', { signal })).orders : []
        this.wrong = ''
      } catch (error) {
        if (!signal.aborted) this.wrong = textOf(error)
      }
    })
  }

  async look(): Promise<void> {
    this.now = await api('GET /wallet')
    if (this.now.exists) this.orders = (await api('GET /wallet/orders')).orders
  }
}

export const wallet = new WalletState()
