// Starts a node of ours and lets other people's clients use it: node run.mjs NODE [viem|ethers|cast|differential ...]
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { install, load } from '../packages.mjs'
import { passed } from './check.mjs'

const LIMIT_MS = 5 * 60_000
const CLIENTS = ['viem', 'ethers', 'cast', 'differential']
// One for each client, so that none disturbs another's nonces.
const KEYS = [1, 2, 3, 4].map((number) => `0x${String(number).repeat(64)}`)

const started = (node) => new Promise((resolve, reject) => {
  node.once('error', reject)
  node.once('exit', (code) => reject(new Error(`the node ended with ${code}`)))
  createInterface({ input: node.stdout }).once('line', (line) => resolve(JSON.parse(line)))
})

const [binary, ...chosen] = process.argv.slice(2)
if (!binary) throw new Error('usage: node run.mjs NODE [viem|ethers|cast|differential ...]')
install()
const addresses = KEYS.map((key) => load('ethers').computeAddress(key))
const node = spawn(binary, addresses, { stdio: ['pipe', 'pipe', 'inherit'] })
const late = setTimeout(() => {
  console.error('not done in five minutes')
  node.kill()
  process.exit(1)
}, LIMIT_MS)
try {
  const told = { ...await started(node), keys: KEYS }
  for (const client of chosen.length > 0 ? chosen : CLIENTS) {
    const { run } = await import(`./${client}.mjs`)
    await run(told)
  }
  console.log(`rpc clients: ${passed()} checks with ${(chosen.length > 0 ? chosen : CLIENTS).join(', ')}`)
} finally {
  clearTimeout(late)
  node.stdin.end()
  node.kill()
}
