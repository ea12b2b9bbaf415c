// The page beside that of qbittorrent-nox, on real nodes with thousands of torrents that blocks arrive for:
// node web/bench/run.mjs PIECEWORK [--torrents N] [--changing N] [--only ours|theirs|player] [--keep FOLDER] [--out FILE]
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { launch, login, open } from '../tests/browser/browser.mjs'
import { create, endAll, remove, scratch, until } from '../tests/browser/daemon.mjs'
import { film } from '../tests/browser/film.mjs'
import { ours, theirs } from './nodes.mjs'
import { firstPaint, quantile, seconds, share, sleep } from './pages.mjs'
import { written } from './report.mjs'
import { make, PIECE_BYTES } from './torrents.mjs'

const OUT = fileURLToPath(new URL('../../bench/WEB.md', import.meta.url))
const WATCHED_SECONDS = 15
const PAINTS = 3
/** Peers meet thirty a second at most, and nobody sends to all who have just come. */
const PATIENCE_MS = 240_000
const FILM_SECONDS = 1200
const FILM_SECOND_BYTES = 150_000
const SEEKS = [0.8, 0.3, 0.6, 0.95, 0.15]

const { values: told, positionals: [binary] } = parseArgs({
  allowPositionals: true,
  options: {
    torrents: { type: 'string', default: '10000' }, changing: { type: 'string', default: '2000' },
    only: { type: 'string' }, keep: { type: 'string' }, out: { type: 'string', default: OUT },
  },
})
if (!binary) throw new Error('which piecework? node web/bench/run.mjs PIECEWORK')
const [total, changing] = [Number(told.torrents), Number(told.changing)]
const say = (text) => console.error(`${(performance.now() / 1000).toFixed(1)} s  ${text}`)

/** What is there once a page shows the list, said in the page. */
const SIGNS = {
  ours: '() => document.querySelector("[role=grid] [role=gridcell]") !== null',
  theirs: '() => document.querySelectorAll("#torrentsTableDiv tbody tr").length > 20',
}

/** One daemon with all torrents, blocks for some of them, and a page of it. */
const page = async (kind, browser, folder) => {
  const made = make(folder, total, changing)
  const source = await ours(binary, join(folder, 'source'), { 'torrents.save_path': made.from })
  await source.add(made.moving, { is_trusted: true, up_limit: PIECE_BYTES })
  say('the source has its torrents')
  const to = join(folder, 'to')
  mkdirSync(to)
  const roots = { 'torrents.save_path': to, 'torrents.roots': made.rest }
  const node = kind === 'ours' ? await ours(binary, join(folder, 'node'), roots) : await theirs(join(folder, 'node'), to)
  await node.add(made.resting, { save_path: made.rest, is_trusted: true })
  await node.add(made.moving, { save_path: to, is_trusted: false })
  say(`${kind} has ${total}`)
  await node.meet(made.moving, `127.0.0.1:${await source.peerPort()}`)
  let active = 0
  await until('blocks to come', async () => {
    active = Math.max(active, await node.active())
    return active >= changing * 0.95
  }, PATIENCE_MS).catch(() => say(`only ${active} of ${changing} receive blocks`))
  await sleep(3000)
  const alone = await share(node.pid, () => sleep(WATCHED_SECONDS * 1000))
  active = await node.active()
  say(`${active} receive blocks; ${alone.percent.toFixed(1)} % of a core without a page`)

  const { context, page: door } = await open(browser)
  if (kind === 'ours') await login(door, node)
  await door.close()
  const paints = []
  let shown
  for (let at = 0; at < PAINTS; at += 1) {
    if (shown) await shown.page.close()
    shown = await firstPaint(context, `${node.url}/`, SIGNS[kind])
    paints.push(shown.ms)
  }
  say(`shown after ${paints.map((ms) => ms.toFixed(0)).join(', ')} ms`)
  await sleep(2000)
  const { result: ticks, percent } = await share(node.pid, () => seconds(shown.page, WATCHED_SECONDS))
  const still = await node.active()
  await context.close()
  await node.stop()
  await source.stop()
  return {
    active, still, paint: quantile(paints, 0.5), tick: quantile(ticks, 0.95), tickMedian: quantile(ticks, 0.5),
    alone: alone.percent, open: percent,
  }
}

/** The first picture and seeks of a film that three local peers have. */
const player = async (browser, folder) => {
  const node = await ours(binary, join(folder, 'node'))
  const { page } = await open(browser)
  await login(page, node)
  const path = join(folder, 'from', 'film.webm')
  await film(page, path, FILM_SECONDS, FILM_SECOND_BYTES)
  const file = readFileSync(create(binary, path, join(folder, 'film.torrent')))
  const peers = []
  for (let at = 0; at < 3; at += 1) {
    const peer = await ours(binary, join(folder, `peer${at}`), { 'torrents.save_path': join(folder, 'from') })
    await peer.add([{ id: 'film', file }], { is_trusted: true, up_limit: 2_000_000 })
    peers.push(`127.0.0.1:${await peer.peerPort()}`)
  }
  await node.add([{ id: 'film', file }], { is_stopped: true })
  const { torrents: [{ id }] } = await node.ask('GET', '/torrents')
  await page.goto(`${node.url}/#/play/${id}/0`)
  await page.getByText('The torrent is stopped, so nothing more comes.').waitFor()
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await until('it to take part', async () => (await node.ask('GET', `/torrents/${id}`)).stage === 'downloading', 60_000)
  const frame = (from) => page.evaluate((from) => new Promise((resolve) => {
    const video = document.querySelector('video')
    const next = (_, { mediaTime }) => (mediaTime >= from ? resolve(Date.now()) : video.requestVideoFrameCallback(next))
    video.requestVideoFrameCallback(next)
  }), from)
  const shown = frame(0)
  await node.ask('POST', `/torrents/${id}/peers`, { addresses: peers })
  const pieces = async () => (await node.ask('GET', `/torrents/${id}/pieces`)).states
  await until('a piece', async () => (await pieces()).includes('2'), 60_000)
  const there = Date.now()
  const first = Math.max(0, (await shown) - there)
  say(`first frame ${first} ms after the first pieces`)
  const seeks = []
  for (const part of SEEKS) {
    const to = FILM_SECONDS * part
    const asked = Date.now()
    const seen = frame(to)
    await page.evaluate((to) => (document.querySelector('video').currentTime = to), to)
    seeks.push((await seen) - asked)
    say(`seek to ${part}: ${seeks.at(-1)} ms`)
  }
  const { progress_milli: ended } = await node.ask('GET', `/torrents/${id}`)
  return { first, seek: quantile(seeks, 0.5), worst: Math.max(...seeks), ended }
}

const folderOf = (told.keep && resolve(told.keep)) ?? (await scratch())
mkdirSync(folderOf, { recursive: true })
const kept = (name) => join(folderOf, `${name}.json`)
const browser = await launch()
for (const name of ['ours', 'theirs', 'player'].filter((each) => !told.only || each === told.only)) {
  const folder = await scratch()
  try {
    const figures = name === 'player' ? await player(browser, folder) : await page(name, browser, folder)
    writeFileSync(kept(name), JSON.stringify({ ...figures, total, changing, cpu: `${cpus().length} cores of ${cpus()[0]?.model}`, load: loadavg()[0] }))
  } finally {
    endAll()
    remove(folder)
  }
}
await browser.close()
const all = Object.fromEntries(['ours', 'theirs', 'player'].filter((name) => existsSync(kept(name))).map((name) => [name, JSON.parse(readFileSync(kept(name), 'utf8'))]))
const text = written(all)
process.stdout.write(text)
writeFileSync(told.out, text)
process.exit(0)
