// The same random transactions on our chain and on anvil, one after the other: both must do the same with each.
// Quota off, base fee 0, hardfork prague, the same block gas limit. What depends on when a block is made is left out.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { foundry, here, load } from '../packages.mjs'
import { check } from './check.mjs'
import { abi, bytecode } from './probe.mjs'

const ethers = load('ethers')
const COUNT = Number(process.env.PIECEWORK_DIFFERENTIAL ?? 250)
const SEED = Number(process.env.PIECEWORK_SEED ?? randomInt(2 ** 31))
const ACTORS = 4
const GAS = 3_000_000n
const RICH = 10n ** 24n

/** Numbers from a seed (mulberry32). */
const numbers = (seed) => {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (end) => Math.floor(next() * end)
  return { below, pick: (list) => list[below(list.length)], bytes: (length) => ethers.hexlify(Uint8Array.from({ length }, () => below(256))) }
}

/** One node, asked over HTTP. */
class Node {
  constructor (name, url) {
    Object.assign(this, { name, url, id: 0 })
  }

  async ask (method, ...params) {
    this.id += 1
    const body = JSON.stringify({ jsonrpc: '2.0', id: this.id, method, params })
    const answer = await (await fetch(this.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })).json()
    if (answer.error) throw Object.assign(new Error(`${this.name}: ${answer.error.message}`), { code: answer.error.code })
    return answer.result
  }

  /** What became of a transaction; `refused` if the node would not take it. */
  async outcome (raw) {
    let hash
    try {
      hash = await this.ask('eth_sendRawTransaction', raw)
    } catch (error) {
      if (error.code === undefined) throw error
      return { refused: true }
    }
    for (let tries = 0; tries < 300; tries += 1) {
      const receipt = await this.ask('eth_getTransactionReceipt', hash)
      if (receipt) return told(receipt)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    // anvil takes some into its pool that no block of it ever takes: too little gas for their calldata.
    if (this.name !== 'anvil') throw new Error(`${this.name}: no receipt of ${hash}`)
    await this.ask('anvil_dropTransaction', hash)
    return { refused: true }
  }
}

const told = (receipt) => ({
  status: receipt.status,
  gasUsed: receipt.gasUsed,
  effectiveGasPrice: receipt.effectiveGasPrice,
  contractAddress: receipt.contractAddress?.toLowerCase() ?? null,
  type: receipt.type,
  from: receipt.from.toLowerCase(),
  to: receipt.to?.toLowerCase() ?? null,
  logsBloom: receipt.logsBloom,
  logs: receipt.logs.map(({ address, topics, data }) => ({ address: address.toLowerCase(), topics, data }))
})

const freePort = () => new Promise((resolve, reject) => {
  const server = createServer()
  server.once('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address()
    server.close(() => resolve(port))
  })
})

const anvil = async (chainId) => {
  const port = await freePort()
  const options = ['--host', '127.0.0.1', '--port', String(port), '--silent', '--accounts', '1', '--hardfork', 'prague']
  options.push('--chain-id', String(chainId), '--gas-limit', '300000000', '--block-base-fee-per-gas', '0')
  const child = spawn(foundry('anvil'), options, { stdio: 'ignore' })
  const node = new Node('anvil', `http://127.0.0.1:${port}`)
  for (let tries = 0; tries < 200; tries += 1) {
    try {
      await node.ask('eth_chainId')
      return { child, node }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  child.kill()
  throw new Error('anvil does not answer')
}

const artifact = (name) => JSON.parse(readFileSync(join(here, 'artifacts', `${name}.json`), 'utf8'))
const probe = new ethers.Interface(abi)
const [tokenCode, assetsCode] = ['Token', 'Assets'].map((name) => artifact(name))
const token = new ethers.Interface(tokenCode.abi)
const assets = new ethers.Interface(assetsCode.abi)

/** Creation code that puts random words into storage, logs some, and ends in one of the ways there are. */
const randomCode = (random) => {
  const push = (byte) => `60${byte.toString(16).padStart(2, '0')}`
  let code = ''
  for (let n = random.below(5); n > 0; n -= 1) code += push(random.below(256)) + push(random.below(8)) + '55'
  if (random.below(2)) code += push(32) + push(0) + 'a0'
  const [stop, invalid, self] = ['00', 'fe', 'ff']
  const give = push(random.below(40)) + push(0) + 'f3'
  const refuse = push(random.below(40)) + push(0) + 'fd'
  return `0x${code}${random.pick([stop, give, give, refuse, invalid, `30${self}`, random.bytes(12).slice(2)])}`
}

/** What a random transaction does, of what there is by now. */
const deed = (random, world) => {
  const actor = () => random.pick(world.actors).address
  const anybody = () => random.pick([actor(), ethers.getAddress(random.bytes(20)), `0x${'0'.repeat(39)}${1 + random.below(9)}`])
  const value = BigInt(random.pick([0, 0, 1, 1000]))
  const call = (to, face, name, ...args) => ({ to, data: face.encodeFunctionData(name, args), value: 0n })
  const of = (kind) => random.pick(world.made[kind] ?? [])
  const kinds = [
    () => ({ to: anybody(), data: random.pick(['0x', random.bytes(random.below(64))]), value }),
    () => ({ data: bytecode + ethers.AbiCoder.defaultAbiCoder().encode(['uint256'], [random.below(9)]).slice(2), value, makes: 'probe' }),
    () => ({ data: randomCode(random), value, makes: 'random' }),
    () => ({ data: tokenCode.bytecode + token.encodeDeploy(['T', 'T', 6, 1000n, actor()]).slice(2), value: 0n, makes: 'token' }),
    () => ({ data: assetsCode.bytecode, value: 0n, makes: 'assets', gas: 6_000_000n }),
    () => of('probe') && call(of('probe'), probe, 'note', random.below(5), 'x'.repeat(random.below(70))),
    () => of('probe') && call(of('probe'), probe, random.pick(['explain', 'burn'])),
    () => of('probe') && call(of('probe'), probe, 'refuse', random.below(9)),
    () => of('token') && call(of('token'), token, 'transfer', anybody(), random.below(600)),
    () => of('token') && call(of('token'), token, 'transferFrom', actor(), anybody(), random.below(600)),
    () => of('token') && call(of('token'), token, 'approve', actor(), random.below(600)),
    () => of('assets') && call(of('assets'), assets, 'issue', 'Gem', 'GEM', random.below(20), random.below(1000)),
    () => of('assets') && call(of('assets'), assets, 'transfer', anybody(), 1 + random.below(2), random.below(500)),
    () => of('random') && ({ to: of('random'), data: random.bytes(random.below(40)), value })
  ]
  for (;;) {
    const chosen = random.pick(kinds)()
    if (chosen) return chosen
  }
}

const dress = (random, chosen, nonce, chainId) => {
  const { to, data, value, gas = GAS } = chosen
  const price = BigInt(random.pick([0, 1, 1_000_000_000]))
  const gasLimit = random.pick([gas, gas, gas, gas, BigInt(21_000 + random.below(90_000)), 20_999n])
  const accessList = [{ address: to ?? ethers.ZeroAddress, storageKeys: [ethers.zeroPadValue('0x01', 32)] }]
  const forms = [
    { type: 0, gasPrice: price },
    { type: 1, gasPrice: price, accessList },
    { type: 2, maxFeePerGas: price + 5n, maxPriorityFeePerGas: price, accessList: random.below(2) ? accessList : [] }
  ]
  return { chainId, nonce, to, data, value, gasLimit, ...random.pick(forms) }
}

/** State that both must agree on in the end. */
const state = async (node, world) => {
  const all = []
  for (const address of world.touched) {
    const entry = { address }
    for (const method of ['eth_getBalance', 'eth_getTransactionCount', 'eth_getCode']) entry[method] = await node.ask(method, address, 'latest')
    for (let slot = 0; slot < 8; slot += 1) entry[slot] = await node.ask('eth_getStorageAt', address, ethers.toQuantity(slot), 'latest')
    for (const owner of world.actors) {
      const key = ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(['address', 'uint256'], [owner.address, 3]))
      entry[owner.address] = await node.ask('eth_getStorageAt', address, key, 'latest')
    }
    all.push(entry)
  }
  return all
}

/** Runs them. `told` says where our node is and which key is rich there. */
export const run = async ({ http, chainId, keys }) => {
  const rich = new ethers.Wallet(keys.at(-1))
  const random = numbers(SEED)
  const { child, node: theirs } = await anvil(chainId)
  try {
    const ours = new Node('ours', http)
    await theirs.ask('anvil_setBalance', rich.address, await ours.ask('eth_getBalance', rich.address, 'latest'))
    const actors = Array.from({ length: ACTORS }, (_, n) => new ethers.Wallet(ethers.id(`actor ${n} of ${SEED}`)))
    const nonces = new Map([rich, ...actors].map((wallet) => [wallet, 0]))
    const world = { actors, made: {}, touched: new Set(actors.map(({ address }) => address)) }
    const both = async (wallet, transaction) => {
      const raw = await wallet.signTransaction(transaction)
      const [a, b] = await Promise.all([ours.outcome(raw), theirs.outcome(raw)])
      assert.deepEqual(a, b, JSON.stringify(transaction, (_, its) => typeof its === 'bigint' ? `${its}` : its))
      if (!a.refused) nonces.set(wallet, nonces.get(wallet) + 1)
      return a
    }
    for (const { address } of actors) {
      const gift = { chainId, type: 2, nonce: nonces.get(rich), to: address, value: RICH / 10n, gasLimit: 21_000n, maxFeePerGas: 0n, maxPriorityFeePerGas: 0n }
      await both(rich, gift)
    }
    const seen = { refused: 0, '0x0': 0, '0x1': 0 }
    await check(`anvil: ${COUNT} random transactions end alike (seed ${SEED})`, async () => {
      for (let n = 0; n < COUNT; n += 1) {
        const wallet = random.pick(actors)
        const chosen = deed(random, world)
        // Now and then a nonce that is used up: both refuse it.
        const nonce = Math.max(0, nonces.get(wallet) - (random.below(25) === 0 ? 1 : 0))
        const done = await both(wallet, dress(random, chosen, nonce, chainId))
        seen[done.refused ? 'refused' : done.status] += 1
        if (chosen.to) world.touched.add(chosen.to)
        if (done.contractAddress) world.touched.add(done.contractAddress)
        if (done.status === '0x1' && chosen.makes) (world.made[chosen.makes] ??= []).push(done.contractAddress)
      }
      // A run in which nothing fails, or nothing succeeds, shows little.
      for (const [end, count] of Object.entries(seen)) assert.ok(count > 0, `none was ${end}: ${JSON.stringify(seen)}`)
    })
    await check(`anvil: balances, nonces, code and storage of ${world.touched.size} accounts agree`, async () => {
      const [a, b] = await Promise.all([state(ours, world), state(theirs, world)])
      assert.deepEqual(a, b)
    })
  } finally {
    child.kill()
  }
}
