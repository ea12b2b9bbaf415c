// The two daemons under test, driven alike: started, filled, asked for what changes, and measured.
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { daemon, until } from '../tests/browser/daemon.mjs'

const A_REQUEST = 200
const TICKS = Number(execFileSync('getconf', ['CLK_TCK']).toString())

/** Seconds of a processor that a process has used. */
export const cpuOf = (pid) => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

const chunks = (all, size) => Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size))

const ALONE = { 'queue.on': 'false', 'net.peers_max': '10000', 'net.exchange': 'false', 'log.level': 'warn' }

/** Ours. */
export const ours = async (binary, folder, settings = {}) => {
  const node = await daemon(binary, folder, { settings: { ...ALONE, ...settings } })
  return {
    ...node,
    add: async (torrents, options) => {
      for (const some of chunks(torrents, A_REQUEST)) {
        const form = new FormData()
        form.append('options', JSON.stringify(options))
        for (const each of some) form.append('torrents', new Blob([each.file]), `${each.id}.torrent`)
        const { results } = await node.ask('POST', '/torrents', form)
        const bad = results.find((each) => !each.id)
        if (bad) throw new Error(JSON.stringify(bad))
      }
    },
    meet: async (torrents, address) => {
      for (const some of chunks(torrents, 50)) {
        await Promise.all(some.map(({ id }) => node.ask('POST', `/torrents/${id}/peers`, { addresses: [address] })))
      }
    },
    active: async () => {
      const { torrents } = await node.ask('GET', '/torrents?fields=down_rate&limit=100000')
      return torrents.filter((each) => each.down_rate > 0).length
    },
    peerPort: async () => (await node.ask('GET', '/node')).port,
  }
}

const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address()
    server.close(() => resolve(port))
  })
})

/** Debian's qbittorrent-nox, which asks nobody on this machine for a password. */
export const theirs = async (folder, savePath) => {
  const port = await freePort()
  mkdirSync(join(folder, 'qBittorrent/config'), { recursive: true })
  writeFileSync(join(folder, 'qBittorrent/config/qBittorrent.conf'), [
    '[LegalNotice]', 'Accepted=true', '[Preferences]', 'WebUI\\Address=127.0.0.1', `WebUI\\Port=${port}`, 'WebUI\\LocalHostAuth=false',
    '[BitTorrent]', 'Session\\Port=0', 'Session\\DHTEnabled=false', 'Session\\LSDEnabled=false', 'Session\\PeXEnabled=false',
    'Session\\Interface=lo', 'Session\\QueueingSystemEnabled=false', `Session\\DefaultSavePath=${savePath}`, 'Session\\MaxConnections=-1',
    'Session\\MaxConnectionsPerTorrent=-1', 'Session\\MultiConnectionsPerIp=true', '',
  ].join('\n'))
  const child = spawn('qbittorrent-nox', [`--profile=${folder}`], { env: { ...process.env, HOME: folder }, stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  const post = async (path, body) => {
    const response = await fetch(`${url}/api/v2${path}`, { method: 'POST', body })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return response
  }
  await until('qBittorrent to answer', () => fetch(`${url}/api/v2/app/version`).then((it) => it.ok, () => false), 60_000)
  return {
    url,
    pid: child.pid,
    stop: async () => {
      child.kill('SIGKILL')
      await new Promise((resolve) => child.once('exit', resolve))
    },
    add: async (torrents, { save_path: path, is_trusted: isTrusted }) => {
      for (const some of chunks(torrents, A_REQUEST)) {
        const form = new FormData()
        form.append('savepath', path)
        form.append('skip_checking', String(isTrusted))
        for (const each of some) form.append('torrents', new Blob([each.file]), `${each.id}.torrent`)
        await post('/torrents/add', form)
      }
    },
    meet: async (torrents, address) => {
      for (const some of chunks(torrents, A_REQUEST)) {
        await post('/torrents/addPeers', new URLSearchParams({ hashes: some.map(({ id }) => id).join('|'), peers: address }))
      }
    },
    active: async () => {
      const list = await (await post('/torrents/info', new URLSearchParams())).json()
      return list.filter((each) => each.dlspeed > 0).length
    },
  }
}
