// The page with the figures.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const DIST = fileURLToPath(new URL('../../crates/web/dist', import.meta.url))
const gzipped = (path) => gzipSync(readFileSync(join(DIST, path)), { level: 9 }).length / 1000

/** What is fetched before anything is shown, and what the player adds, as the build weighs them. */
const weights = () => {
  const page = readFileSync(join(DIST, 'index.html'), 'utf8')
  const named = [...page.matchAll(/"\.\/(assets\/[^"]+)"/g)].map((match) => match[1])
  const players = readdirSync(join(DIST, 'assets')).filter((name) => /^Player.*\.(js|css)$/.test(name))
  const sum = (paths) => paths.reduce((all, path) => all + gzipped(path), 0)
  return { shell: sum(['index.html', ...named]), player: sum(players.map((name) => `assets/${name}`)) }
}

const number = (value, digits = 0) => (value === undefined ? 'not measured' : value.toFixed(digits))

/** The whole page, of what was measured. */
export const written = ({ ours, theirs, player }) => {
  const weight = weights()
  const rows = [
    ['first paint of the list', 'ms', ours?.paint, theirs?.paint, 1500, 0],
    ['a second of changes, main thread, p95', 'ms', ours?.tick, theirs?.tick, 50, 1],
    ['the same, median', 'ms', ours?.tickMedian, theirs?.tickMedian, undefined, 1],
    ['the daemon without a page', '% of a core', ours?.alone, theirs?.alone, undefined, 1],
    ['what the open page adds to it', '% of a core', ours && ours.open - ours.alone, theirs && theirs.open - theirs.alone, 10, 1],
    ['torrents that receive blocks before, and at the end', '', ours && `${ours.active}, ${ours.still}`, theirs && `${theirs.active}, ${theirs.still}`, undefined, 0],
    ['shell', 'kB, gzip', weight.shell, undefined, 90, 1],
    ['player, besides', 'kB, gzip', weight.player, undefined, 130, 1],
    ['first frame after the first pieces', 'ms', player?.first, undefined, 1000, 0],
    ['seek to what is not there, median of five', 'ms', player?.seek, undefined, 1000, 0],
    ['the same, worst', 'ms', player?.worst, undefined, undefined, 0],
  ]
  const line = ([what, unit, own, other, most, digits]) => {
    const met = most === undefined || own === undefined ? '' : own <= most ? 'met' : 'MISSED'
    const shown = (value) => (typeof value === 'string' ? value : value === undefined ? '' : number(value, digits))
    return `| ${what} | ${unit} | ${shown(own)} | ${shown(other)} | ${most === undefined ? '' : `at most ${most}`} | ${met} |`
  }
  const any = ours ?? theirs ?? player
  const note = (each, name) => (each ? `${name}: ${each.total} torrents, ${each.changing} of them to change, load average at the end ${each.load.toFixed(2)}.` : '')
  const film = player ? `The film: load average at the end ${player.load.toFixed(2)}, ${player.ended} thousandths of it there then.` : ''
  return `# The web app beside qBittorrent's

Written by \`node web/bench/run.mjs\`; do not edit. Each daemon keeps the same small torrents; some of them receive a block a second
each, from another node on this machine. Pages are looked at in headless Chromium. First paint counts from the navigation until the
frame that has rows of the list, a median of three. A second of changes is all that the page's main thread does in one second of
fifteen. What the page adds is the daemon's CPU time with the page open less that before, fifteen seconds each. The film is 180 MB,
held by three local peers that send 2 MB/s each.

A load average above the number of cores says that others worked on the machine: times are longer then, and a gate that is MISSED
is not proven to be.

${any ? any.cpu : ''}. ${[note(ours, 'Ours'), note(theirs, 'qbittorrent-nox'), film].filter((it) => it).join(' ')}

| what | unit | piecework | qbittorrent-nox | gate | |
|---|---|---|---|---|---|
${rows.map(line).join('\n')}
`
}
