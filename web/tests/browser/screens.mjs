// Settings and files: what people change there reaches the daemon, and what is wrong is told.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { login, open, violations } from './browser.mjs'
import { add, create, daemon, until } from './daemon.mjs'
import { tree, wave } from './files.mjs'

export const settings_are_changed_refused_with_a_reason_and_keys_are_made = async ({ browser, binary, folder }) => {
  const node = await daemon(binary, folder)
  const { page, check } = await open(browser)
  await login(page, node)
  await page.goto(`${node.url}/#/settings`)
  const field = page.getByLabel('Downloads at once')
  await field.fill('3')
  await field.press('Enter')
  await page.getByText('Saved').waitFor()
  assert.equal((await node.ask('GET', '/settings')).find((each) => each.key === 'queue.downloads_max').value, '3')
  await field.fill('many')
  await field.press('Enter')
  await page.locator('p[role=alert]:not([hidden])', { hasText: /downloads_max|whole number/ }).waitFor()
  await page.getByLabel('What it is for').fill('a display')
  await page.getByRole('button', { name: 'Make a key' }).click()
  const secret = await page.getByRole('dialog').locator('code').textContent()
  assert.match(secret, /^pw_/)
  const answer = await fetch(`${node.url}/api/v1/session`, { headers: { authorization: `Bearer ${secret}` } })
  assert.deepEqual((await answer.json()).scopes, ['read'])
  assert.deepEqual(await violations(page), [])
  await page.getByRole('button', { name: 'I have noted it' }).click()
  await page.getByLabel('Language').selectOption('de')
  await page.getByRole('heading', { name: 'Einstellungen' }).waitFor()
  await page.getByLabel('Farben').selectOption('dark')
  assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), 'dark')
  await page.reload()
  await page.getByRole('heading', { name: 'Einstellungen' }).waitFor()
  check()
  await node.stop()
}

export const a_tree_of_files_is_opened_and_its_priorities_are_set = async ({ browser, binary, folder }) => {
  tree(join(folder, 'Box'), { 'one/a.bin': 5000, 'one/b.bin': 6000, 'two/deep/c.bin': 7000, 'd.bin': 8000 })
  wave(join(folder, 'Box', 'song.wav'), 1)
  const torrent = create(binary, join(folder, 'Box'), join(folder, 'box.torrent'))
  const node = await daemon(binary, folder)
  const id = await add(node, torrent, { is_stopped: true })
  const { page, check } = await open(browser)
  await login(page, node)
  await page.goto(`${node.url}/#/t/${id}/files`)
  const grid = page.getByRole('treegrid')
  await grid.getByRole('row').first().waitFor()
  // The only folder at the top is open at once.
  assert.equal(await grid.getByRole('row').count(), 5)
  await grid.focus()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowRight')
  await until('the folder to open', async () => (await grid.getByRole('row').count()) === 7)
  await page.getByLabel('Priority of one').selectOption('0')
  await until('both to be skipped', async () => {
    const files = await node.ask('GET', `/torrents/${id}/files`)
    return files.filter((file) => /\bone\//.test(file.path)).every((file) => file.priority === 0)
  })
  await page.getByRole('link', { name: 'Play song.wav' }).waitFor()
  check()
  await node.stop()
}
