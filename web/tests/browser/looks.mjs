// Every screen and dialog, in both themes and on a phone: nothing that axe finds, nothing wider than the window,
// and a picture of each for people.
import { join } from 'node:path'
import { inEveryLook, login } from './browser.mjs'
import { add, create, daemon, seed, until } from './daemon.mjs'
import { tree } from './files.mjs'

const SHOWN = [
  ['Open Movies/The Long Road/the.long.road.webm', 4_000_000],
  ['Debian 13.2 netinst amd64.iso', 3_000_000],
  ['Field recordings, autumn/01 Rain on slate.wav', 1_500_000],
  ['Old maps of the northern coast/sheet 01.tif', 1_200_000],
  ['Lectures on number theory/lecture 1.bin', 700_000],
]
const BESIDE = {
  'Open Movies/The Long Road/the.long.road.en.srt': '1\n00:00:01,000 --> 00:00:03,000\nHello\n',
  'Open Movies/readme.txt': 2000,
}
/** From here on they are whole. */
const WHOLE_FROM = 3

/** A node with a bit of everything, from real seeds. */
const lively = async (binary, folder) => {
  const node = await daemon(binary, folder)
  const others = []
  await node.ask('PUT', '/categories/films', {})
  await node.ask('PUT', '/tags/free', {})
  await node.ask('PUT', '/feeds/films', { url: 'http://127.0.0.1:9/feed.xml' })
  await node.ask('PUT', '/feed-rules/roads', { wants: 'long road' })
  const ids = []
  for (const [at, [name, bytes]] of SHOWN.entries()) {
    tree(join(folder, 'from'), { [name]: bytes * 8, ...(at === 0 ? BESIDE : {}) })
    const trackers = ['--tracker', 'http://127.0.0.1:9/announce']
    const torrent = create(binary, join(folder, 'from', name.split('/')[0]), join(folder, `${at}.torrent`), trackers)
    const other = await seed(binary, torrent, join(folder, 'from'))
    others.push(other)
    const options = { tags: at % 2 ? [] : ['free'], is_stopped: at === 2, peers: [`127.0.0.1:${other.port}`] }
    if (at === 0) options.category = 'films'
    if (at < WHOLE_FROM) options.down_limit = 40_000
    ids.push(await add(node, torrent, options))
    const progress = async () => (await node.ask('GET', `/torrents/${ids[at]}`)).progress_milli
    if (at >= WHOLE_FROM) await until('a whole one', async () => (await progress()) === 1000, 60_000)
  }
  await node.ask('POST', '/torrents', { links: [`magnet:?xt=urn:btih:${'5e'.repeat(20)}&dn=A+magnet+without+peers`] })
  const begun = async () => (await node.ask('GET', `/torrents/${ids[0]}`)).progress_milli > 0
  await until('some of it', begun, 60_000)
  return {
    node, ids,
    stop: async () => {
      await node.stop()
      for (const other of others) await other.stop()
    },
  }
}

/** The address of each screen, and what is there once it has come. */
const screensOf = (ids) => [
  ['transfers', '#/', '[role=grid] [role=row]'],
  ['overview', `#/t/${ids[0]}`, '#panel canvas'],
  ['files', `#/t/${ids[0]}/files`, '[role=treegrid] [role=row]'],
  ['peers', `#/t/${ids[0]}/peers`, '#panel li'],
  ['trackers', `#/t/${ids[0]}/trackers`, '#panel li'],
  ['pieces', `#/t/${ids[0]}/pieces`, '#panel canvas'],
  ['player', `#/play/${ids[2]}/0`, '.note'],
  ['library', '#/library', '.works'],
  ['feeds', '#/feeds', 'article'],
  ['network', '#/network', '.graph canvas'],
  ['log', '#/log', '.page'],
  ['settings', '#/settings', '#section-log'],
  ['privacy', '#/privacy', '.page'],
  ['absent', '#/nowhere', '.empty'],
]

/** How each dialog is opened, from which screen. */
const dialogsOf = (ids) => [
  ['add', '#/', (page) => page.keyboard.press('n')],
  ['keys', '#/', (page) => page.keyboard.press('?')],
  ['remove', `#/t/${ids[4]}`, (page) => page.locator('.verbs .danger').click()],
  ['folder', '#/settings', (page) => page.locator('.entry .icon').first().click()],
  ['label', `#/t/${ids[0]}`, (page) => page.locator('.overview .button', { hasText: /^(Label|Einordnen)$/ }).click()],
  ['rule', '#/feeds', (page) => page.getByRole('button', { name: /^(Make a rule|Regel anlegen)$/ }).click()],
]

export const every_screen_and_dialog_is_without_barriers_in_light_dark_and_on_a_phone = async ({ browser, binary, folder }) => {
  const { node, ids, stop } = await lively(binary, folder)
  await inEveryLook(browser, async (page, look) => {
    await page.goto(`${node.url}/`)
    await page.locator('input[autocomplete=username]').waitFor()
    await look('login')
    await login(page, node)
    for (const [name, hash, sign] of screensOf(ids)) {
      await page.goto(`${node.url}/${hash}`)
      await page.locator(sign).first().waitFor()
      await look(name)
    }
    for (const [name, hash, act] of dialogsOf(ids)) {
      await page.goto(`${node.url}/${hash}`)
      await page.locator('h1').first().waitFor({ state: 'attached' })
      await act(page)
      await page.getByRole('dialog').waitFor()
      await look(`dialog-${name}`)
      await page.keyboard.press('Escape')
    }
  })
  await stop()
}
