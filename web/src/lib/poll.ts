// Asking again and again, while somebody looks.
import { untrack } from 'svelte'

/** Does `act` now and `ms` after each end of it, not while the page is hidden; the answer ends it. */
export const every = (ms: number, act: (signal: AbortSignal) => Promise<void>): (() => void) => {
  const end = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const turn = async () => {
    if (document.visibilityState !== 'hidden') await act(end.signal).catch(() => {})
    if (!end.signal.aborted) timer = setTimeout(() => void turn(), ms)
  }
  // What is read on the way is no reason to begin anew.
  untrack(() => void turn())
  return () => {
    end.abort()
    clearTimeout(timer)
  }
}
