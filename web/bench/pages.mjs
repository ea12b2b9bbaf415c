// What a page costs: how soon it shows the list, what a second of changes takes its main thread, what it takes the daemon.
import { cpuOf } from './nodes.mjs'

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** The value that so many parts of all are at most. */
export const quantile = (values, part) => {
  const all = [...values].sort((a, b) => a - b)
  return all[Math.min(all.length - 1, Math.floor(all.length * part))]
}

/** When the page first has what `sign` finds, in ms from the navigation's start; seen in the frame that shows it. */
export const firstPaint = async (context, url, sign) => {
  const page = await context.newPage()
  await page.addInitScript((source) => {
    const isThere = new Function(`return ${source}`)()
    const look = () => {
      if (isThere()) requestAnimationFrame(() => (window.paintedAt = performance.now()))
      else requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  }, sign.toString())
  await page.goto(url, { waitUntil: 'commit' })
  const handle = await page.waitForFunction(() => window.paintedAt, undefined, { timeout: 120_000 })
  return { page, ms: await handle.jsonValue() }
}

/** Milliseconds of the main thread in each second that the page is open. */
export const seconds = async (page, count) => {
  const client = await page.context().newCDPSession(page)
  await client.send('Performance.enable', { timeDomain: 'threadTicks' })
  const busy = async () => {
    const { metrics } = await client.send('Performance.getMetrics')
    return metrics.find(({ name }) => name === 'TaskDuration').value * 1000
  }
  const all = []
  let before = await busy()
  for (let at = 0; at < count; at += 1) {
    await sleep(1000)
    const now = await busy()
    all.push(now - before)
    before = now
  }
  return all
}

/** Hundredths of a core that a process takes while something goes on. */
export const share = async (pid, during) => {
  const [cpu, start] = [cpuOf(pid), performance.now()]
  const result = await during()
  return { result, percent: ((cpuOf(pid) - cpu) / ((performance.now() - start) / 1000)) * 100 }
}

export { sleep }
