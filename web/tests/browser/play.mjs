// What a player is for: it plays what is not there yet, from any place.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { login, open, picture } from './browser.mjs'
import { add, create, daemon, seed, until } from './daemon.mjs'
import { tree } from './files.mjs'
import { film } from './film.mjs'

const SECONDS = 1200
/** Bytes of each second; what is there and what is not is told apart by pieces, so it has many of them. */
const SECOND_BYTES = 150_000
/** Hardly faster than it plays: a busy machine that shows the first picture late has not fetched much by then. */
const RATE_START = 1.5 * SECOND_BYTES
/** Five times as fast as it plays. */
const RATE = 5 * SECOND_BYTES

/** The number of a file's pieces that are there, from one to another part of it. */
const there = async (node, id, from, to) => {
  const { states } = await node.ask('GET', `/torrents/${id}/pieces`)
  const part = states.slice(Math.floor(states.length * from), Math.ceil(states.length * to))
  return { there: [...part].filter((state) => state === '2').length, all: part.length }
}

export const a_film_plays_from_the_start_and_from_a_place_far_ahead_while_the_rest_is_missing = async ({ browser, binary, folder }) => {
  const node = await daemon(binary, folder)
  const { page, check } = await open(browser, { theme: 'dark' })
  await login(page, node)
  await film(page, join(folder, 'from', 'The Long Road.webm'), SECONDS, SECOND_BYTES)
  const torrent = create(binary, join(folder, 'from', 'The Long Road.webm'), join(folder, 'film.torrent'))
  const other = await seed(binary, torrent, join(folder, 'from'))
  const id = await add(node, torrent, { is_stopped: true, down_limit: RATE_START })
  const progress = async () => (await node.ask('GET', `/torrents/${id}`)).progress_milli
  await page.goto(`${node.url}/#/play/${id}/0`)
  await page.getByText('The torrent is stopped, so nothing more comes.').waitFor()
  assert.equal(await progress(), 0)
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await until('it to take part', async () => (await node.ask('GET', `/torrents/${id}`)).stage === 'downloading', 60_000)
  await node.ask('POST', `/torrents/${id}/peers`, { addresses: [`127.0.0.1:${other.port}`] })
  const at = () => page.evaluate(() => document.querySelector('video')?.currentTime ?? 0)
  await until('it to play', async () => (await at()) > 0, 120_000)
  const begun = await progress()
  assert.ok(begun < 50, `it plays at ${begun} thousandths`)
  assert.equal(await page.evaluate(() => document.querySelector('video').videoHeight), 180)

  await node.ask('PATCH', `/torrents/${id}`, { down_limit: RATE })
  const target = SECONDS * 0.8
  const asked = Date.now()
  await page.evaluate((to) => (document.querySelector('video').currentTime = to), target)
  await until('it to play behind the place', async () => (await at()) > target + 0.2, 120_000)
  const seek = Date.now() - asked
  await until('ten seconds of it', async () => (await at()) > target + 10, 120_000)
  await picture(page, 'play-wide-dark')
  // What lies between the start and the place was not fetched before what was watched, nor was what comes long after.
  const ended = await progress()
  const [between, after] = [await there(node, id, 0.3, 0.75), await there(node, id, 0.95, 1)]
  assert.ok(ended < 500, `${ended} thousandths are there`)
  assert.ok(between.there < between.all / 2, `${between.there} of ${between.all} pieces before the place are there`)
  assert.equal(await page.evaluate(() => document.querySelector('video').error), null)
  console.log(`        played at ${begun} ‰, on after a seek in ${seek} ms, ${ended} ‰ there at the end, ` +
    `${between.there} of ${between.all} pieces before the place, ${after.there} of ${after.all} at its end`)

  // The place is remembered.
  await page.goto(`${node.url}/#/t/${id}`)
  await page.getByRole('tab', { name: 'Files' }).waitFor()
  await page.goto(`${node.url}/#/play/${id}/0`)
  await page.getByText('Going on at').waitFor()
  assert.ok((await at()) >= target)
  check()
  await node.stop()
  await other.stop()
}

export const what_a_browser_cannot_play_is_offered_to_others = async ({ browser, binary, folder }) => {
  tree(join(folder, 'from'), { 'film.avi': 300_000 })
  const torrent = create(binary, join(folder, 'from', 'film.avi'), join(folder, 'film.torrent'))
  const other = await seed(binary, torrent, join(folder, 'from'))
  const node = await daemon(binary, folder)
  const id = await add(node, torrent, { peers: [`127.0.0.1:${other.port}`] })
  const { page } = await open(browser)
  await login(page, node)
  await page.goto(`${node.url}/#/play/${id}/0`)
  await page.getByText('This browser cannot play the format.').waitFor()
  const href = await page.getByRole('link', { name: 'Open in a player' }).first().getAttribute('href')
  const list = await page.evaluate(async (address) => (await fetch(address)).text(), href)
  const line = list.split('\n').find((each) => each.startsWith('http'))
  const answer = await fetch(line, { headers: { range: 'bytes=0-9' } })
  assert.equal(answer.status, 206)
  await node.stop()
  await other.stop()
}
