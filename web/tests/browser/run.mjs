// The app in a real browser, against real daemons: node run.mjs PIECEWORK [WORD of a test's name]
import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { found, launch } from './browser.mjs'
import { endAll, remove, scratch } from './daemon.mjs'
import * as looks from './looks.mjs'
import * as money from './money.mjs'
import * as play from './play.mjs'
import * as reader from './reader.mjs'
import * as screens from './screens.mjs'
import * as shelves from './shelves.mjs'
import * as transfers from './transfers.mjs'
import * as trouble from './trouble.mjs'
import * as wallet from './wallet.mjs'

const TEST_MS = 600_000

const [binary, word = ''] = process.argv.slice(2)
if (!binary) throw new Error('which piecework? node run.mjs PIECEWORK')
if (!found()) {
  console.log('no browser: install Debian\'s chromium')
  process.exit(2)
}
process.env.PIECEWORK_PICTURES ??= join(tmpdir(), 'piecework-web-pictures')
mkdirSync(process.env.PIECEWORK_PICTURES, { recursive: true })

const tests = [transfers, screens, shelves, trouble, reader, looks, money, wallet, play].flatMap((module) => Object.entries(module)).filter(([name]) => name.includes(word))
/** Whether it passes. */
const passes = async (browser, name, test) => {
  const folder = await scratch()
  const start = Date.now()
  let timer
  try {
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`it took longer than ${TEST_MS / 1000} s`)), TEST_MS)
    })
    await Promise.race([test({ browser, binary: resolve(binary), folder }), late])
    console.log(`ok      ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`)
    return true
  } catch (error) {
    console.log(`FAILED  ${name}\n${error.stack ?? error}`)
    return false
  } finally {
    clearTimeout(timer)
    endAll()
    remove(folder)
    for (const context of browser.contexts()) await context.close()
  }
}

const [flaky, failed] = [[], []]
const browser = await launch()
for (const [name, test] of tests) {
  if (await passes(browser, name, test)) continue
  // As any other test with real programs: once more, and both results are told.
  const list = (await passes(browser, name, test)) ? flaky : failed
  list.push(name)
}
await browser.close()
if (flaky.length > 0) console.log(`at the second try: ${flaky.join(', ')}`)
const passed = tests.length - failed.length
console.log(`browser tests: ${passed} passed, ${failed.length} failed; pictures in ${process.env.PIECEWORK_PICTURES}`)
process.exit(failed.length === 0 && tests.length > 0 ? 0 : 1)
