// What costs money wants the password once more; after that a login may spend for a while.
import { api, Failure, textOf } from '../api/client'
import { t } from '../text/text.svelte'
import { app } from './app.svelte'

class Spend {
  /** The question is open; it is told whether it was answered. */
  question = $state.raw<((isAnswered: boolean) => void) | null>(null)

  /**
   * Does something that spends, and asks for the password where it is needed.
   *
   * Fails as `act` does; gives false where nobody answered the question.
   */
  async run(act: () => Promise<unknown>): Promise<boolean> {
    if (!app.maySpend && !(await this.#ask())) return false
    try {
      await act()
    } catch (error) {
      // The time for it was over.
      if (!(error instanceof Failure && error.code === 'scope')) throw error
      if (!(await this.#ask())) return false
      await act()
    }
    return true
  }

  /** The same, and shows why it failed, if it did. */
  async attempt(act: () => Promise<unknown>): Promise<boolean> {
    try {
      return await this.run(act)
    } catch (error) {
      app.tell('error', textOf(error))
      return false
    }
  }

  /** Fails with the API's words where the password is wrong. */
  async confirm(password: string): Promise<void> {
    await api('PUT /session/spend', { body: { password } })
    app.session = await api('GET /session')
    this.#answer(true)
  }

  cancel(): void {
    this.#answer(false)
  }

  async #ask(): Promise<boolean> {
    if (app.session?.is_key) {
      app.tell('error', t('key_spends_not'))
      return false
    }
    this.cancel()
    return new Promise((resolve) => (this.question = resolve))
  }

  #answer(is: boolean): void {
    this.question?.(is)
    this.question = null
  }
}

export const spend = new Spend()
