// Real programs for the tests: a daemon with an app in it, seeds for it, and files to share. All on loopback.
import { execFileSync, spawn } from 'node:child_process'
import { createWriteStream, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const READY_MS = 30_000
const running = new Set()
const ends = []

const environment = { ...process.env, PIECEWORK_NO_PORT_MAPPING: 'true', PIECEWORK_NO_DHT: 'true' }
for (const name of ['PIECEWORK_DATA_DIR', 'PIECEWORK_URL', 'PIECEWORK_KEY', 'NOTIFY_SOCKET']) delete environment[name]

/** Starts a program and waits for the line that says it is ready. */
export const start = async (binary, args, isReady, log, env = {}) => {
  const child = spawn(binary, args, { env: { ...environment, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  child.stderr.pipe(createWriteStream(log, { flags: 'a' }))
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))
  const stop = async (signal = 'SIGTERM') => {
    child.kill(signal)
    await ended
    running.delete(child)
  }
  const lines = createInterface({ input: child.stdout })
  const ready = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${args[0]} was not ready in time`)), READY_MS)
    lines.on('line', (line) => {
      const found = isReady(line)
      if (found === undefined) return
      clearTimeout(timer)
      resolve(found)
    })
    ended.then((how) => reject(new Error(`${args[0]} ended: ${how}`)))
  })
  return { ready, stop, pid: child.pid }
}

/** A folder that goes with the tests. */
export const scratch = () => mkdtemp(join(tmpdir(), 'piecework-web-'))

export const remove = (folder) => rmSync(folder, { recursive: true, force: true })

/** Has something done when a test is over, however it went. */
export const atEnd = (act) => ends.push(act)

/** Ends what a failed test left running. */
export const endAll = () => {
  for (const child of running) child.kill('SIGKILL')
  for (const act of ends.splice(0)) act()
}

/** `piecework up` in a folder; the same folder again is the same daemon started anew. */
export const daemon = async (binary, folder, { listen = '127.0.0.1:0', settings = {}, env = {} } = {}) => {
  mkdirSync(join(folder, 'downloads'), { recursive: true })
  const all = {
    'net.local_discovery': 'false', 'net.trust_peers': 'true', 'disk.free_space_min': '0',
    'torrents.save_path': join(folder, 'downloads'), ...(process.env.PIECEWORK_WEB_ROOT ? { 'api.web_root': process.env.PIECEWORK_WEB_ROOT } : {}), ...settings,
  }
  // A flag wins over changes at run time: what is nothing here is left to those.
  const set = Object.entries(all).filter(([, value]) => value !== null).flatMap(([key, value]) => ['--set', `${key}=${value}`])
  const args = ['up', '--json', '--data-dir', join(folder, 'data'), '--listen', listen, '--port', '0', ...set]
  const isReady = (line) => {
    const told = JSON.parse(line)
    return told.event === 'ready' ? told : undefined
  }
  const { ready, stop, pid } = await start(binary, args, isReady, join(folder, 'daemon.log'), env)
  const secrets = readFileSync(join(folder, 'data', 'first-login.txt'), 'utf8')
  const secret = (name) => new RegExp(`^${name} +(\\S+)`, 'm').exec(secrets)?.[1]
  const key = secret('API key')
  const ask = async (method, path, body) => {
    const headers = { authorization: `Bearer ${key}` }
    if (body !== undefined && !(body instanceof FormData)) headers['content-type'] = 'application/json'
    const sent = body === undefined || body instanceof FormData ? body : JSON.stringify(body)
    const response = await fetch(`${ready.url}/api/v1${path}`, { method, headers, body: sent })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }
  return { url: ready.url, stop, pid, ask, key, user: secret('user'), password: secret('password'), port: new URL(ready.url).port }
}

/** What a command with `--json` prints, as objects. */
export const told = (binary, args, folder, env = {}) => {
  const text = execFileSync(binary, [...args, '--json'], { env: { ...environment, ...env }, cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] })
  return text.toString().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line))
}

/** Makes a torrent of a file or folder. */
export const create = (binary, path, to, more = []) => {
  execFileSync(binary, ['create', path, '-o', to, ...more], { env: environment, stdio: 'ignore' })
  return to
}

/** `piecework seed`; gives the port and the info-hash. */
export const seed = async (binary, torrent, folder, more = []) => {
  const state = `${torrent}.state`
  const args = ['seed', torrent, '--dir', folder, '--port', '0', '--no-local-discovery', '--state', state, ...more]
  const isReady = (line) => {
    const [word, id, port] = line.split(/\s+/)
    return word === 'READY' ? { id, port: Number(port) } : undefined
  }
  const { ready, stop } = await start(binary, args, isReady, `${torrent}.log`)
  return { ...ready, stop }
}

/** Adds a torrent file to a daemon; gives its id. */
export const add = async (to, torrent, options = {}) => {
  const form = new FormData()
  form.append('options', JSON.stringify(options))
  form.append('torrents', new Blob([readFileSync(torrent)]), 'a.torrent')
  const { results } = await to.ask('POST', '/torrents', form)
  if (!results[0].id) throw new Error(`not added: ${JSON.stringify(results[0])}`)
  return results[0].id
}

/** Waits for something to be so. */
export const until = async (what, is, ms = 20_000) => {
  const end = Date.now() + ms
  for (;;) {
    const found = await is()
    if (found) return found
    if (Date.now() > end) throw new Error(`not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
