// The browser of the tests: Debian's, headless, without a picture of anything but our own pages.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Where the browser is, if anywhere. */
export const found = () => process.env.PIECEWORK_CHROMIUM ?? PLACES.find((path) => existsSync(path))

export const SIZES = { wide: { width: 1360, height: 840 }, phone: { width: 390, height: 844 } }

/** How people look at it: either theme in either size, and both languages. */
const LOOKS = [
  { theme: 'light', lang: 'en' }, { theme: 'dark', lang: 'de' },
  { theme: 'light', size: 'phone', lang: 'en' }, { theme: 'dark', size: 'phone', lang: 'de' },
]

export const launch = () =>
  chromium.launch({
    executablePath: found(),
    args: ['--no-sandbox', '--disable-gpu', '--mute-audio', '--autoplay-policy=no-user-gesture-required'],
  })

/** A page that fails its test when it says anything wrong, breaks its policy or asks somebody else. */
export const open = async (browser, { size = 'wide', theme = 'light', lang = 'en', isNew = false } = {}) => {
  const context = await browser.newContext({ viewport: SIZES[size], colorScheme: theme, locale: lang, reducedMotion: 'reduce' })
  // Who has been here before is not asked the questions of a first visit.
  if (!isNew) await context.addInitScript(() => localStorage.setItem('piecework.welcomed', 'true'))
  const page = await context.newPage()
  page.setDefaultTimeout(30_000)
  const complaints = []
  let isCalm = true
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`))
  page.on('console', (message) => {
    if (message.type() === 'error' && isCalm && !/status of 4\d\d/.test(message.text())) complaints.push(message.text())
  })
  page.on('request', (request) => {
    const { hostname, protocol } = new URL(request.url())
    if (!['127.0.0.1', 'localhost', '[::1]'].includes(hostname) && !['blob:', 'data:'].includes(protocol)) {
      complaints.push(`asked ${request.url()}`)
    }
  })
  return {
    page,
    context,
    /** Says that errors are expected from here on, as when the daemon goes away. */
    expectTrouble: (is) => {
      isCalm = !is
    },
    check: () => {
      if (complaints.length > 0) throw new Error(complaints.join('\n'))
    },
  }
}

export const login = async (page, { url, user, password }) => {
  await page.goto(`${url}/`)
  await page.locator('input[autocomplete=username]').fill(user)
  await page.locator('input[autocomplete=current-password]').fill(password)
  await page.getByRole('button', { name: /^(Log in|Anmelden)$/ }).click()
  await page.getByRole('navigation').waitFor()
}

/** What axe finds wrong with a page as it is now. */
export const violations = async (page) => {
  await page.evaluate(`window.axe || (${'() => {'}${AXE}${'}'})()`)
  const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ['violations'] }))
  return violations.map(({ id, help, nodes }) =>
    `${id}: ${help}: ${nodes.slice(0, 4).map(({ target, failureSummary }) => `${target.join(' ')} (${failureSummary?.split('\n')[1]?.trim()})`).join('; ')}`)
}

/** Keeps a picture, if pictures are wanted. */
export const picture = async (page, name) => {
  const folder = process.env.PIECEWORK_PICTURES
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`) })
}

/** What is wider than its place: the page itself, or a heading that runs into what stands beside it. */
const spills = (page) =>
  page.evaluate(() => {
    const runsOver = (it) => getComputedStyle(it).overflowX === 'visible' && it.clientWidth > 0 && it.scrollWidth > it.clientWidth + 1
    const headings = [...document.querySelectorAll('h1, h2, h3')].filter(runsOver)
    const wide = document.documentElement.scrollWidth - window.innerWidth
    return [...(wide > 0 ? [`${wide} pixels too wide`] : []), ...headings.map((it) => `“${it.textContent}” runs over`)]
  })

/**
 * Goes through screens as people see them: nothing that axe finds, nothing wider than the window, and a picture of each.
 *
 * `tour` gets a page for each look, and a function that looks at it as it is under a name.
 */
export const inEveryLook = async (browser, tour) => {
  const bad = []
  for (const looks of LOOKS) {
    const kind = `${looks.size ?? 'wide'}-${looks.theme}`
    const { page, context, check } = await open(browser, looks)
    await tour(page, async (name) => {
      bad.push(...(await violations(page)).map((each) => `${kind} ${name}: ${each}`))
      bad.push(...(await spills(page)).map((each) => `${kind} ${name}: ${each}`))
      await picture(page, `${name}-${kind}`)
    })
    check()
    await context.close()
  }
  assert.deepEqual(bad, [])
}

/** The screens of a node in every look: the name, the address, what is there once it has come, and what to press. */
export const lookAt = (browser, node, screens) =>
  inEveryLook(browser, async (page, look) => {
    await login(page, node)
    for (const [name, hash, sign, act] of screens) {
      await page.goto(`${node.url}/${hash}`)
      if (act) await act(page)
      await page.locator(sign).first().waitFor()
      await look(name)
    }
  })
