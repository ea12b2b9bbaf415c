// The library, feeds with their rules, categories and tags, and the first visit.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { login, open, picture, violations } from './browser.mjs'
import { add, create, daemon, seed, until } from './daemon.mjs'
import { tree, wave } from './files.mjs'

export const what_can_be_played_stands_in_the_library_and_goes_on_where_one_was = async ({ browser, binary, folder }) => {
  wave(join(folder, 'from', 'Concert', '01 Andante.wav'), 60)
  wave(join(folder, 'from', 'Concert', '02 Allegro.wav'), 60)
  tree(join(folder, 'from'), { 'Concert/notes.txt': 100, 'numbers.bin': 1000 })
  const node = await daemon(binary, folder)
  const ids = []
  for (const name of ['Concert', 'numbers.bin']) {
    const torrent = create(binary, join(folder, 'from', name), join(folder, `${name}.torrent`))
    const other = await seed(binary, torrent, join(folder, 'from'))
    ids.push(await add(node, torrent, { peers: [`127.0.0.1:${other.port}`] }))
  }
  const whole = async () => (await node.ask('GET', `/torrents/${ids[0]}`)).progress_milli === 1000
  await until('it to be whole', whole, 60_000)
  const { page, check } = await open(browser)
  await login(page, node)
  await page.getByRole('link', { name: 'Library' }).click()
  await page.locator('summary', { hasText: 'Concert' }).click()
  await page.getByRole('link', { name: /02 Allegro/ }).click()
  await until('it to play', () => page.evaluate(() => document.querySelector('video')?.currentTime > 0), 60_000)
  await page.evaluate(() => (document.querySelector('video').currentTime = 30))
  const at = () => page.evaluate(() => document.querySelector('video')?.currentTime ?? 0)
  await until('the place', async () => (await at()) > 30, 60_000)
  await page.getByRole('link', { name: 'Library' }).click()
  await page.getByRole('heading', { name: 'Go on' }).waitFor()
  const link = page.locator('.begun').getByRole('link', { name: /02 Allegro.*on at 00:3/ })
  await link.waitFor()
  assert.equal(await page.getByText('numbers.bin').count(), 0)
  await link.click()
  await page.getByText('Going on at').waitFor()
  check()
  await node.stop()
}

/** A feed of three titles, as sites have them. */
const site = () => {
  const item = (title, byte) => `<item><title>${title}</title><guid>${byte}</guid>` +
    `<enclosure type="application/x-bittorrent" url="magnet:?xt=urn:btih:${byte.repeat(20)}&amp;dn=${encodeURIComponent(title)}"/></item>`
  const items = [item('The Long Road S01E02 1080p', 'a1'), item('The Long Road S01E02 720p', 'a2'), item('Something else', 'a3')]
  const text = `<?xml version="1.0"?><rss version="2.0"><channel><title>Films</title>${items.join('')}</channel></rss>`
  const server = createServer((_, response) => response.writeHead(200, { 'content-type': 'application/rss+xml' }).end(text))
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

export const a_feed_is_followed_by_a_rule_that_was_tried_first = async ({ browser, binary, folder }) => {
  const server = await site()
  const node = await daemon(binary, folder)
  const { page, check } = await open(browser)
  await login(page, node)
  await page.goto(`${node.url}/#/feeds`)
  await page.getByLabel('Name', { exact: true }).fill('films')
  await page.getByLabel('Address of the feed').fill(`http://127.0.0.1:${server.address().port}/feed.xml`)
  await page.getByRole('button', { name: 'Add the feed' }).click()
  await page.getByText('3 titles').waitFor({ timeout: 60_000 })
  await page.getByRole('button', { name: 'Make a rule' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('roads')
  await dialog.getByLabel('Titles must have').fill('long road')
  await dialog.getByLabel('Titles must not have').fill('720p')
  await dialog.getByRole('button', { name: 'Try it' }).click()
  await dialog.getByText('It would take 1 title now').waitFor()
  assert.deepEqual(await violations(page), [])
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('heading', { name: 'roads' }).waitFor()
  assert.equal((await node.ask('GET', '/feed-rules')).roads.refuses, '720p')
  // A rule that makes no sense says why, and stays open.
  await page.getByRole('button', { name: 'Edit' }).click()
  await dialog.getByLabel('These are regular expressions').check()
  await dialog.getByLabel('Titles must have').fill('(long')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.locator('p[role=alert]:not([hidden])').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Remove the rule roads?' }).click()
  await dialog.getByRole('button', { name: 'Remove' }).click()
  await until('the rule to go', async () => Object.keys(await node.ask('GET', '/feed-rules')).length === 0)
  check()
  await node.stop()
  server.close()
}

export const categories_and_tags_are_made_given_and_taken_back = async ({ browser, binary, folder }) => {
  const node = await daemon(binary, folder)
  const links = ['b1', 'b2'].map((byte) => `magnet:?xt=urn:btih:${byte.repeat(20)}&dn=Item+${byte}`)
  await node.ask('POST', '/torrents', { links, options: { is_stopped: true, tags: ['old'] } })
  const { page, check } = await open(browser)
  await login(page, node)
  await page.goto(`${node.url}/#/settings`)
  await page.getByLabel('New category').fill('films')
  await page.getByRole('button', { name: 'Add the category' }).click()
  await page.getByText('films, below the usual folder').waitFor()
  await page.getByLabel('New tag').fill('free')
  await page.getByRole('button', { name: 'Add the tag' }).click()
  await page.getByRole('button', { name: 'Remove the tag free' }).waitFor()
  await page.goto(`${node.url}/#/`)
  await page.getByRole('grid').focus()
  await page.keyboard.press('Control+a')
  await page.getByRole('button', { name: 'Label' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Category').selectOption('films')
  await dialog.getByLabel('free').check()
  await dialog.getByLabel('old').uncheck()
  await dialog.getByLabel('New tags').fill('autumn, 2026')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.waitFor({ state: 'detached' })
  for (const byte of ['b1', 'b2']) {
    const torrent = await node.ask('GET', `/torrents/${byte.repeat(20)}`)
    assert.equal(torrent.category, 'films')
    assert.deepEqual([...torrent.tags].sort(), ['2026', 'autumn', 'free'])
  }
  await page.goto(`${node.url}/#/settings`)
  await page.getByRole('button', { name: 'Remove the category films' }).click()
  await until('none to have it', async () => (await node.ask('GET', `/torrents/${'b1'.repeat(20)}`)).category === null)
  check()
  await node.stop()
}

export const the_first_visit_asks_little_and_every_step_may_be_skipped = async ({ browser, binary, folder }) => {
  const node = await daemon(binary, folder)
  const { page, check } = await open(browser, { isNew: true })
  await login(page, node)
  const dialog = page.getByRole('dialog', { name: 'Welcome' })
  await dialog.getByText('1 of 5').waitFor()
  await picture(page, 'welcome-wide-light')
  await dialog.getByRole('button', { name: 'Skip', exact: true }).click()
  await dialog.getByText(join(folder, 'downloads')).waitFor()
  assert.deepEqual(await violations(page), [])
  await dialog.getByRole('button', { name: 'Skip', exact: true }).click()
  await dialog.getByLabel('Download at most').fill('2.5')
  await dialog.getByRole('button', { name: 'Next' }).click()
  await dialog.getByText('127.0.0.1').waitFor()
  assert.equal((await node.ask('GET', '/speed')).down_limit, 2.5 * (1 << 20))
  await dialog.getByRole('button', { name: 'Skip', exact: true }).click()
  assert.deepEqual(await violations(page), [])
  await dialog.getByRole('button', { name: 'Begin' }).click()
  await page.getByText('Nothing here yet').waitFor()
  await page.reload()
  await page.getByText('Nothing here yet').waitFor()
  assert.equal(await page.getByRole('dialog').count(), 0)

  // Whoever wants none of it is asked nothing more.
  const second = await open(browser, { isNew: true, size: 'phone' })
  await login(second.page, node)
  await second.page.getByRole('button', { name: 'Skip all' }).click()
  await second.page.getByText('Nothing here yet').waitFor()
  check()
  second.check()
  await node.stop()
}
