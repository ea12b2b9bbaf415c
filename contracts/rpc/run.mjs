// Starts a chain of ours and lets other people's clients use it:
// node run.mjs PIECEWORK [viem|ethers|cast|differential ...]
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { install, load } from '../packages.mjs'
import { passed } from './check.mjs'

const LIMIT_MS = 5 * 60_000
const CLIENTS = ['viem', 'ethers', 'cast', 'differential']
// One for each client, so that none disturbs another's nonces.
const KEYS = [1, 2, 3, 4].map((number) => `0x${String(number).repeat(64)}`)

// A million coins.
const RICH = `0x${(10n ** 24n).toString(16)}`

/** Makes a chain on which these addresses are rich, and starts it. */
const begin = (binary, addresses, folder) => {
  const alloc = Object.fromEntries(addresses.map((address) => [address, { balance: RICH }]))
  const genesis = join(folder, 'genesis.json')
  writeFileSync(genesis, JSON.stringify({ alloc }))
  execFileSync(binary, ['--state', folder, 'chain', 'init', '--bare', '--alloc', genesis])
  const run = ['--state', folder, '--json', 'chain', 'run', '--rpc', '127.0.0.1:0']
  return spawn(binary, run, { stdio: ['ignore', 'pipe', 'inherit'] })
}

const started = (node) => new Promise((resolve, reject) => {
  node.once('error', reject)
  node.once('exit', (code) => reject(new Error(`the node ended with ${code}`)))
  createInterface({ input: node.stdout }).once('line', (line) => resolve(JSON.parse(line)))
})

const [binary, ...chosen] = process.argv.slice(2)
if (!binary) throw new Error('usage: node run.mjs PIECEWORK [viem|ethers|cast|differential ...]')
install()
const addresses = KEYS.map((key) => load('ethers').computeAddress(key))
const folder = mkdtempSync(join(tmpdir(), 'piecework-rpc-'))
const node = begin(binary, addresses, folder)
const late = setTimeout(() => {
  console.error('not done in five minutes')
  node.kill()
  process.exit(1)
}, LIMIT_MS)
try {
  const { rpc: http, chain_id: chainId } = await started(node)
  const told = { http, ws: http.replace('http:', 'ws:'), chainId, keys: KEYS }
  for (const client of chosen.length > 0 ? chosen : CLIENTS) {
    const { run } = await import(`./${client}.mjs`)
    await run(told)
  }
  console.log(`rpc clients: ${passed()} checks with ${(chosen.length > 0 ? chosen : CLIENTS).join(', ')}`)
} finally {
  clearTimeout(late)
  node.kill()
  rmSync(folder, { recursive: true, force: true })
}
