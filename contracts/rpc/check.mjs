// Checks with a name each; the first that fails ends the run.
import assert from 'node:assert/strict'

let count = 0

/** Runs one check and says so. */
export const check = async (name, work) => {
  try {
    await work()
  } catch (error) {
    throw new Error(`${name}: ${error.stack ?? error}`)
  }
  count += 1
  console.log(`  ok  ${name}`)
}

/** How many checks passed. */
export const passed = () => count

/** The error that a promise must end with. */
export const failure = async (promise) => {
  const [result] = await Promise.allSettled([promise])
  assert.equal(result.status, 'rejected', 'it must fail')
  return result.reason
}

/** Waits for a promise, but not for ever. */
export const soon = (promise, what) => {
  let timer
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`no ${what} in 20 s`)), 20_000) })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
