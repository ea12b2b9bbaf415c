// Builds the app into crates/web/dist and packs each file with gzip and Brotli, once, so that the daemon never
// has to. Then says what the shell and the player weigh, and fails when they weigh too much.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { extname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { build } from 'vite'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DIST = fileURLToPath(new URL('../../crates/web/dist', import.meta.url))
/** What a browser fetches before it shows anything, gzipped bytes. */
const SHELL_BYTES_MAX = 90_000
/** What the player adds, gzipped bytes. */
const PLAYER_BYTES_MAX = 130_000
const PACKED = new Set(['.html', '.js', '.css', '.svg', '.webmanifest'])

for (const name of readdirSync(DIST)) {
  if (name !== '.gitignore') rmSync(join(DIST, name), { recursive: true })
}
await build({ root: ROOT, logLevel: 'warn' })

const files = readdirSync(DIST, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name !== '.gitignore')
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
const weights = new Map()
for (const file of files) {
  const plain = readFileSync(file)
  const gzip = gzipSync(plain, { level: 9 })
  weights.set(relative(DIST, file), gzip.length)
  if (!PACKED.has(extname(file))) continue
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length }
  const brotli = brotliCompressSync(plain, { params })
  if (gzip.length < plain.length) writeFileSync(`${file}.gz`, gzip)
  if (brotli.length < plain.length) writeFileSync(`${file}.br`, brotli)
}

const page = readFileSync(join(DIST, 'index.html'), 'utf8')
const sum = (names) => names.reduce((all, name) => all + (weights.get(name) ?? 0), 0)
const named = [...page.matchAll(/"\.\/(assets\/[^"]+)"/g)].map((match) => match[1])
const shell = sum(['index.html', ...named])
const player = sum([...weights.keys()].filter((name) => /assets\/Player/.test(name)))
const total = files.reduce((all, file) => all + statSync(file).size, 0)
if (named.length < 2) throw new Error('the page names no script or no style')
if (shell > SHELL_BYTES_MAX) throw new Error(`the shell has ${shell} bytes gzipped, at most ${SHELL_BYTES_MAX}`)
if (player > PLAYER_BYTES_MAX) throw new Error(`the player has ${player} bytes gzipped, at most ${PLAYER_BYTES_MAX}`)
console.log(`web app: shell ${shell} bytes gzipped, player ${player}, all files ${total} bytes`)
