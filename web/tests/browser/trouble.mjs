// What strangers and broken places do to the page: huge torrents, dead trackers, full disks, second tabs.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bencode } from './bencode.mjs'
import { login, open, picture, violations } from './browser.mjs'
import { add, create, daemon, seed, until } from './daemon.mjs'
import { HARD_NAMES, tree } from './files.mjs'

const FILES = 30_000
const rows = (page) => page.locator('[role=grid] [role=row][aria-rowindex]:not([aria-rowindex="1"])')

/** A torrent that nobody has: thirty thousand files in folders of a hundred, some with the names that strangers choose. */
const huge = (path) => {
  const hard = Object.values(HARD_NAMES).map((name) => ({ length: 10, path: ['hard', name] }))
  const files = Array.from({ length: FILES - hard.length }, (_, at) => ({
    length: 100, path: [`folder ${String(Math.floor(at / 100)).padStart(3, '0')}`, `file ${String(at).padStart(5, '0')}.bin`],
  }))
  const info = { files: [...files, ...hard], name: 'Huge', 'piece length': 1 << 22, pieces: createHash('sha1').update('x').digest() }
  writeFileSync(path, bencode({ info }))
  return path
}

export const thirty_thousand_files_are_shown_walked_and_chosen = async ({ browser, binary, folder }) => {
  const node = await daemon(binary, folder)
  const id = await add(node, huge(join(folder, 'huge.torrent')), { is_stopped: true })
  const { page, check } = await open(browser)
  page.setDefaultTimeout(120_000)
  await login(page, node)
  await page.goto(`${node.url}/#/t/${id}/files`)
  const grid = page.getByRole('treegrid')
  await grid.getByText('folder 000').waitFor()
  assert.ok(Number(await grid.getAttribute('aria-rowcount')) >= FILES / 100, 'all folders are counted')
  assert.ok((await grid.getByRole('row').count()) < 100, 'only the lines in sight are in the page')
  await page.getByLabel('Priority of Huge', { exact: true }).selectOption('0')
  const skipped = async () => (await node.ask('GET', `/torrents/${id}/files`)).every((file) => file.priority === 0)
  await until('all to be skipped', skipped, 120_000)
  await page.getByLabel('Priority of folder 000', { exact: true }).selectOption('7')
  const wanted = async () => (await node.ask('GET', `/torrents/${id}/files`)).filter((file) => file.priority === 7).length
  await until('a hundred to be wanted', async () => (await wanted()) === 100, 120_000)
  // The folder with the hard names: text, and nothing else.
  await grid.focus()
  await page.keyboard.press('End')
  await until('the last line', async () => (await grid.getByText('hard', { exact: true }).count()) === 1, 60_000)
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('End')
  await grid.getByText('onerror').waitFor()
  const names = await grid.locator('bdi').allTextContents()
  assert.ok(names.every((name) => !/[\u0000-\u001f\u202e]/.test(name)), names.join(' | '))
  assert.equal(await grid.locator('img, b').count(), 0)
  assert.equal(await page.evaluate(() => window.pwned), undefined)
  assert.deepEqual(await violations(page), [])
  check()
  await node.stop()
}

export const a_dead_tracker_says_why_where_one_looks = async ({ browser, binary, folder }) => {
  tree(folder, { 'a.bin': 100_000 })
  const torrent = create(binary, join(folder, 'a.bin'), join(folder, 'a.torrent'), ['--tracker', 'http://127.0.0.1:9/announce'])
  const node = await daemon(binary, folder)
  const id = await add(node, torrent)
  const { page, check } = await open(browser)
  await login(page, node)
  await page.goto(`${node.url}/#/t/${id}/trackers`)
  const panel = page.getByRole('tabpanel')
  await panel.getByText('fails', { exact: true }).waitFor({ timeout: 120_000 })
  await panel.getByText(/cannot reach|refused/i).waitFor()
  await page.getByRole('button', { name: 'Remove the tracker 127.0.0.1' }).click()
  await panel.getByText('It has no trackers.').waitFor()
  check()
  await node.stop()
}

export const a_full_disk_is_said_in_the_list_and_healed_without_a_reload = async ({ browser, binary, folder }) => {
  tree(join(folder, 'from'), { 'a.bin': 4_000_000 })
  const torrent = create(binary, join(folder, 'from', 'a.bin'), join(folder, 'a.torrent'))
  const other = await seed(binary, torrent, join(folder, 'from'))
  const node = await daemon(binary, folder, { settings: { 'disk.free_space_min': null } })
  await node.ask('PATCH', '/settings', { 'disk.free_space_min': '900000Gi' })
  const { page, check } = await open(browser)
  await login(page, node)
  const id = await add(node, torrent, { down_limit: 50_000, peers: [`127.0.0.1:${other.port}`] })
  await rows(page).getByText('Disk full').waitFor({ timeout: 120_000 })
  await page.getByRole('button', { name: /Trouble 1/ }).click()
  await rows(page).getByText('a.bin').click()
  await page.getByRole('tabpanel').getByRole('alert').waitFor()
  await picture(page, 'full-wide-light')
  assert.deepEqual(await violations(page), [])
  await node.ask('PATCH', '/settings', { 'disk.free_space_min': '0' })
  await node.ask('PATCH', `/torrents/${id}`, { down_limit: null })
  const begun = async () => ['downloading', 'seeding'].includes((await node.ask('GET', `/torrents/${id}`)).stage)
  await until('it to go on', begun, 120_000)
  await node.ask('POST', `/torrents/${id}/peers`, { addresses: [`127.0.0.1:${other.port}`] })
  await page.getByRole('button', { name: 'Show all' }).click()
  await rows(page).getByText('Seeding').waitFor({ timeout: 120_000 })
  check()
  await node.stop()
  await other.stop()
}

export const two_tabs_show_the_same_and_a_log_out_of_one_ends_the_other = async ({ browser, binary, folder }) => {
  const node = await daemon(binary, folder)
  const { page, context, check } = await open(browser)
  await login(page, node)
  const second = await context.newPage()
  await second.goto(`${node.url}/`)
  await second.getByText('Nothing here yet').waitFor()
  await node.ask('POST', '/torrents', { links: [`magnet:?xt=urn:btih:${'ab'.repeat(20)}&dn=In+both`] })
  for (const each of [page, second]) await rows(each).getByText('In both').waitFor()
  await rows(page).getByText('In both').click()
  await page.getByRole('complementary').getByRole('button', { name: 'Stop' }).click()
  await rows(second).getByText('Stopped').waitFor()
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.getByLabel('Password', { exact: true }).waitFor()
  await second.getByRole('link', { name: 'Settings' }).click()
  await second.getByLabel('Password', { exact: true }).waitFor()
  check()
  await node.stop()
}
