// What a graph is drawn from: the last minutes of two rates, in memory alone.

/** A quarter of an hour, looked at once a second. */
const SAMPLES_MAX = 900

export type Series = [at: number[], down: number[], up: number[]]

/** Rates as they were, the oldest first. */
export class History {
  #series: Series = [[], [], []]

  /** Takes rates at a time in unix seconds. Two in one second are one. */
  put(at: number, down: number, up: number): void {
    const [times, downs, ups] = this.#series
    const last = times.length - 1
    if (last >= 0 && at <= (times[last] ?? 0)) {
      downs[last] = down
      ups[last] = up
      return
    }
    times.push(at)
    downs.push(down)
    ups.push(up)
    if (times.length > SAMPLES_MAX) for (const each of this.#series) each.shift()
  }

  clear(): void {
    this.#series = [[], [], []]
  }

  /** A copy, as a graph keeps what it is given. */
  series(): Series {
    const [times, downs, ups] = this.#series
    return [[...times], [...downs], [...ups]]
  }
}
