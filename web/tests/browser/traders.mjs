// Who has money in the tests: wallets in homes of their own, on one chain that the first of them has.
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { violations } from './browser.mjs'
import { atEnd, daemon, start, told } from './daemon.mjs'

/** Of every wallet. */
export const PASSWORD = 'correct horse battery staple'
/** What a debug build on a busy machine may take. */
export const LONG_MS = 240_000

/** A home for a wallet, and a daemon beside it. */
export const trader = (binary, folder, name) => {
  const home = join(folder, name)
  mkdirSync(home, { recursive: true })
  writeFileSync(join(home, 'password'), `${PASSWORD}\n`)
  const env = { HOME: home, PIECEWORK_DATA_DIR: join(home, 'data') }
  const ask = (...args) => told(binary, args, home, env)
  // A process of its own holds the key of an unlocked wallet.
  atEnd(() => {
    try {
      ask('wallet', 'lock')
    } catch {
      // No wallet was made.
    }
  })
  const signed = (...args) => ask(...args, '--yes', '--password-file', 'password')
  return { home, env, ask, signed, up: () => daemon(binary, home, { env }) }
}

/** A trader with a chain of its own, all of whose tokens it has; others join by `file`. */
export const minter = async (binary, folder) => {
  const seller = trader(binary, folder, 'seller')
  seller.signed('wallet', 'new')
  seller.ask('chain', 'init', '--token', 'TOK')
  const isReady = (line) => (JSON.parse(line).event === 'ready' ? true : undefined)
  const args = ['chain', 'run', '--rpc', '127.0.0.1:0', '--json']
  const chain = await start(binary, args, isReady, join(folder, 'chain.log'), seller.env)
  const file = join(folder, 'network.json')
  seller.ask('chain', 'share', '-o', file)
  return { seller, chain, file }
}

/** A minter, and somebody who has 1000 TOK of it in a wallet that is locked. */
export const holders = async (binary, folder) => {
  const { seller, chain, file } = await minter(binary, folder)
  const buyer = trader(binary, folder, 'buyer')
  buyer.signed('wallet', 'new')
  buyer.ask('chain', 'join', file, '--yes')
  const address = buyer.ask('wallet', 'show')[0].address
  seller.signed('token', 'send', '1000', 'TOK', address)
  return { seller, buyer: { ...buyer, address }, chain }
}

/** The same, and the buyer's node may spend 50 of what lies in its vault. */
export const traders = async (binary, folder) => {
  const all = await holders(binary, folder)
  all.buyer.signed('vault', 'deposit', '100')
  all.buyer.signed('vault', 'bond', '500')
  all.buyer.signed('vault', 'delegate', '50', '--bond-at-risk', '500')
  return all
}

/** Gives the password of the page once more. */
export const confirm = async (page, password) => {
  const dialog = page.getByRole('dialog', { name: 'Your password, please' })
  await dialog.getByLabel('Password').fill('wrong')
  await dialog.getByRole('button', { name: 'Allow spending' }).click()
  await dialog.getByText('the password is wrong').waitFor()
  assert.deepEqual(await violations(page), [])
  await dialog.getByLabel('Password').fill(password)
  await dialog.getByRole('button', { name: 'Allow spending' }).click()
  await dialog.waitFor({ state: 'detached' })
}
