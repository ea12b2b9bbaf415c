// The list: adding, watching, finding, stopping, removing; and what happens when the daemon goes away.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { login, open, picture, violations } from './browser.mjs'
import { add, create, daemon, seed, until } from './daemon.mjs'
import { HARD_NAMES, tree } from './files.mjs'

const rows = (page) => page.locator('[role=row][aria-rowindex]:not([aria-rowindex="1"])')

export const a_wrong_password_is_told_and_the_right_one_opens = async ({ browser, binary, folder }) => {
  const node = await daemon(binary, folder)
  const { page, check } = await open(browser)
  await page.goto(`${node.url}/`)
  await page.getByLabel('Password').fill('wrong')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByText('User or password is wrong.').waitFor()
  assert.deepEqual(await violations(page), [])
  await picture(page, 'login-light')
  await login(page, node)
  await page.getByText('Nothing here yet').waitFor()
  assert.deepEqual(await violations(page), [])
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.getByLabel('Password').waitFor()
  check()
  await node.stop()
}

export const a_torrent_is_added_watched_stopped_and_removed_with_its_files = async ({ browser, binary, folder }) => {
  tree(folder, { 'A film/film.bin': 24 << 20 })
  const torrent = create(binary, join(folder, 'A film'), join(folder, 'film.torrent'))
  const other = await seed(binary, torrent, folder)
  const node = await daemon(binary, folder)
  const { page, check } = await open(browser)
  await login(page, node)
  await page.getByRole('button', { name: 'Add a torrent' }).click()
  assert.deepEqual(await violations(page), [])
  await page.locator('input[type=file]').setInputFiles(torrent)
  await page.getByRole('dialog').getByRole('button', { name: 'Add', exact: true }).click()
  await rows(page).getByText('A film').waitFor()
  const meet = () => node.ask('POST', `/torrents/${other.id}/peers`, { addresses: [`127.0.0.1:${other.port}`] })
  await node.ask('PATCH', `/torrents/${other.id}`, { down_limit: 4 << 20 })
  await meet()
  await rows(page).getByText(/MiB\/s/).waitFor()
  await rows(page).getByText('A film').click()
  const detail = page.getByRole('complementary', { name: 'About this torrent' })
  await detail.getByRole('button', { name: 'Stop' }).click()
  await rows(page).getByText('Stopped').waitFor()
  await detail.getByRole('button', { name: 'Start' }).click()
  await node.ask('PATCH', `/torrents/${other.id}`, { down_limit: null })
  await until('it to take part', async () => (await node.ask('GET', `/torrents/${other.id}`)).stage === 'downloading')
  await meet()
  await rows(page).getByText('Seeding').waitFor()
  await rows(page).getByText('100 %').waitFor()
  const file = join(folder, 'downloads', 'A film', 'film.bin')
  assert.ok(existsSync(file))

  // With its files it goes only when the button was held.
  await detail.getByRole('button', { name: 'Remove' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Delete the downloaded files, too').check()
  assert.deepEqual(await violations(page), [])
  await picture(page, 'remove-light')
  const hold = dialog.getByRole('button', { name: 'Remove and delete' })
  await hold.click({ delay: 150 })
  assert.ok(await dialog.isVisible(), 'a press is not a hold')
  await hold.click({ delay: 1500 })
  await page.getByText('Nothing here yet').waitFor()
  await until('the file to go', () => !existsSync(file))
  check()
  await node.stop()
  await other.stop()
}

export const hard_names_are_text_and_nothing_else = async ({ browser, binary, folder }) => {
  const node = await daemon(binary, folder)
  for (const [word, name] of Object.entries(HARD_NAMES)) {
    tree(folder, { [`${word}.bin`]: 1000 })
    const torrent = create(binary, join(folder, `${word}.bin`), join(folder, `${word}.torrent`))
    await add(node, torrent, { is_stopped: true, name })
  }
  const { page, check } = await open(browser)
  await login(page, node)
  await until('four rows', async () => (await rows(page).count()) === 4)
  const names = await page.locator('.c-name bdi').allTextContents()
  assert.ok(names.includes(HARD_NAMES.markup), names.join(' | '))
  assert.ok(names.includes('invoice\ufffdgpj.exe'), names.join(' | '))
  assert.ok(names.every((name) => !/[\u0000-\u001f\u202e]/.test(name)))
  assert.equal(await page.evaluate(() => window.pwned), undefined)
  assert.equal(await page.locator('.c-name img, .c-name b').count(), 0)
  await page.getByRole('searchbox').fill('فيلم')
  await until('one row', async () => (await rows(page).count()) === 1)
  check()
  await node.stop()
}

export const magnets_are_pasted_dropped_and_opened_and_wrong_ones_say_why = async ({ browser, binary, folder }) => {
  const node = await daemon(binary, folder)
  const { page, check } = await open(browser)
  await login(page, node)
  const magnet = (byte) => `magnet:?xt=urn:btih:${byte.repeat(20)}&dn=From+a+magnet`
  const dialog = page.getByRole('dialog')
  await page.evaluate((text) => {
    const data = new DataTransfer()
    data.setData('text', text)
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }))
  }, magnet('ab'))
  assert.match(await dialog.getByRole('textbox').inputValue(), /^magnet:/)
  await dialog.getByRole('textbox').fill(`${magnet('ab')}\nnonsense`)
  await dialog.getByText('Not understood: nonsense').waitFor()
  await dialog.getByRole('textbox').fill(`${magnet('ab')} magnet:?xt=urn:btih:zz`)
  await dialog.getByRole('button', { name: 'Add 2' }).click()
  await dialog.getByRole('alert').waitFor()
  assert.match(await dialog.getByRole('textbox').inputValue(), /btih:zz$/)
  await page.keyboard.press('Escape')
  await rows(page).getByText('From a magnet').waitFor()

  await page.evaluate((text) => {
    const data = new DataTransfer()
    data.setData('text', text)
    window.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))
  }, magnet('cd'))
  await dialog.getByRole('button', { name: 'Add', exact: true }).click()
  await until('two rows', async () => (await rows(page).count()) === 2)

  await page.goto(`${node.url}/#/add/${encodeURIComponent(magnet('ef'))}`)
  await dialog.getByRole('button', { name: 'Add', exact: true }).click()
  await until('three rows', async () => (await rows(page).count()) === 3)
  check()
  await node.stop()
}

export const thousands_are_found_sorted_and_walked_by_keys = async ({ browser, binary, folder }) => {
  const node = await daemon(binary, folder)
  const links = Array.from({ length: 3000 }, (_, at) => {
    const hash = (at + 1).toString(16).padStart(40, '0')
    return `magnet:?xt=urn:btih:${hash}&dn=Item+${String(at + 1).padStart(4, '0')}`
  })
  for (let at = 0; at < links.length; at += 1000) {
    await node.ask('POST', '/torrents', { links: links.slice(at, at + 1000), options: { is_stopped: true } })
  }
  const { page, check } = await open(browser)
  await login(page, node)
  const grid = page.getByRole('grid')
  await until('all rows are counted', async () => (await grid.getAttribute('aria-rowcount')) === '3001')
  assert.ok((await rows(page).count()) < 80, 'only the rows in sight are in the page')
  await page.getByRole('columnheader', { name: 'Name' }).getByRole('button').click()
  await until('the first by name', async () => /Item 0001/.test(await rows(page).first().textContent()))
  await grid.focus()
  await page.keyboard.press('End')
  await page.keyboard.press('End')
  await until('the last row', async () => /Item 3000/.test(await page.locator('[role=row].active').textContent()))
  const id = await grid.getAttribute('aria-activedescendant')
  assert.equal(await page.locator(`[id="${id}"]`).getAttribute('aria-rowindex'), '3001')
  await page.keyboard.press('Space')
  await page.keyboard.press('Shift+ArrowUp')
  await page.getByText('2 selected').waitFor()
  assert.deepEqual(await violations(page), [])
  await page.keyboard.press('Escape')
  await page.keyboard.press('/')
  await page.keyboard.type('item 1234')
  await until('one row', async () => (await rows(page).count()) === 1)
  check()
  await node.stop()
}

export const a_daemon_that_goes_and_comes_back_is_seen_without_a_reload = async ({ browser, binary, folder }) => {
  const first = await daemon(binary, folder)
  mkdirSync(join(folder, 'x'))
  writeFileSync(join(folder, 'x', 'a.bin'), 'a')
  const torrent = create(binary, join(folder, 'x', 'a.bin'), join(folder, 'a.torrent'))
  await add(first, torrent, { is_stopped: true })
  const { page, check, expectTrouble } = await open(browser)
  await login(page, first)
  await rows(page).getByText('a.bin').waitFor()
  await page.evaluate(() => (window.stayed = true))
  expectTrouble(true)
  await first.stop('SIGKILL')
  await page.getByText('The daemon does not answer.').waitFor()
  await picture(page, 'away-light')
  const second = await daemon(binary, folder, { listen: `127.0.0.1:${first.port}` })
  // Logins end with the daemon: it asks again, in place.
  await page.getByLabel('Password').fill(first.password)
  await page.getByRole('button', { name: 'Log in' }).click()
  await rows(page).getByText('a.bin').waitFor()
  assert.equal(await page.getByText('The daemon does not answer.').count(), 0)
  assert.equal(await page.evaluate(() => window.stayed), true)
  check()
  await second.stop()
}
