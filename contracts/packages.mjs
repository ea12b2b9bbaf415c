// The npm packages that build and check the contracts, kept in the user's cache folder so that the
// repository stays free of them. Run by itself it installs them, unless the lockfile's are there.
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the contracts in the repository. */
export const here = dirname(fileURLToPath(import.meta.url))

const xdg = process.env.XDG_CACHE_HOME ?? ''
const cache = join(isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'piecework', 'contracts')
const STAMP = join(cache, 'installed-lock.json')
const LOCK = 'package-lock.json'

/** Loads an installed package by name. */
export const load = createRequire(join(cache, 'package.json'))

/** The native program of one of Foundry's packages: forge, cast or anvil. */
export const foundry = (name) => join(cache, 'node_modules/@foundry-rs', `${name}-linux-amd64`, 'bin', name)

/** Installs exactly what the lockfile names. */
export const install = () => {
  const wanted = readFileSync(join(here, LOCK), 'utf8')
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return 'installed already'
  mkdirSync(cache, { recursive: true })
  for (const file of ['package.json', LOCK, '.npmrc']) copyFileSync(join(here, file), join(cache, file))
  execFileSync('npm', ['ci'], { cwd: cache, stdio: ['ignore', 'inherit', 'inherit'] })
  writeFileSync(STAMP, wanted)
  return 'installed'
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(`npm packages: ${install()}`)
