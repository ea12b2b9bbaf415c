// Vectors of `pw_pay` (docs/spec/pw_pay.md): one short conversation, byte for byte. Hashes and signatures are
// made with viem and again with ethers; keys and seals with noble's curves, hashes and ciphers and again with
// OpenSSL. They are written only if all agree to the bit.
//
// `node pay.mjs` writes docs/spec/pw_pay.json; `node pay.mjs --check` demands that it is what it was.
import { createCipheriv, createPrivateKey, createPublicKey, diffieHellman, hkdfSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { here, load } from './packages.mjs'
import { domain, types } from './types.mjs'

const viem = load('viem')
const { privateKeyToAccount } = load('viem/accounts')
const ethers = load('ethers')
const { x25519 } = load('@noble/curves/ed25519')
const { hkdf } = load('@noble/hashes/hkdf')
const { sha256 } = load('@noble/hashes/sha256')
const { chacha20poly1305 } = load('@noble/ciphers/chacha')

const FILE = join(here, '../docs/spec/pw_pay.json')

/** What two libraries must give alike. */
const agreed = (what, one, other) => {
  if (one !== other) throw new Error(`${what}: one gives ${one}, the other ${other}`)
  return one
}
const hex = (bytes) => `0x${Buffer.from(bytes).toString('hex')}`
const raw = (text) => Buffer.from(text.slice(2), 'hex')
const repeated = (byte, count) => `0x${byte.repeat(count)}`
const hash = (bytes) => agreed('hash', viem.keccak256(hex(bytes)), ethers.keccak256(hex(bytes)))

/** Bencode: numbers, buffers, lists, and dictionaries with sorted keys. */
const bencode = (value) => {
  if (typeof value === 'number' || typeof value === 'bigint') return Buffer.from(`i${value}e`)
  if (Buffer.isBuffer(value)) return Buffer.concat([Buffer.from(`${value.length}:`), value])
  if (Array.isArray(value)) return Buffer.concat([Buffer.from('l'), ...value.map(bencode), Buffer.from('e')])
  const entry = (key) => [bencode(Buffer.from(key)), bencode(value[key])]
  return Buffer.concat([Buffer.from('d'), ...Object.keys(value).sort().flatMap(entry), Buffer.from('e')])
}

/** An amount: big-endian, without leading zeros; 0 is empty. */
const amount = (number) => number === 0n ? Buffer.alloc(0) : raw(viem.toHex(BigInt(number)).replace(/^0x(?=(..)*.$)/, '0x0'))

// X25519 twice: OpenSSL wants keys in the frames of RFC 8410.
const SECRET_FRAME = Buffer.from('302e020100300506032b656e04220420', 'hex')
const PUBLIC_FRAME = Buffer.from('302a300506032b656e032100', 'hex')
const privateKey = (secret) =>
  createPrivateKey({ key: Buffer.concat([SECRET_FRAME, raw(secret)]), format: 'der', type: 'pkcs8' })
const publicKey = (key) =>
  createPublicKey({ key: Buffer.concat([PUBLIC_FRAME, raw(key)]), format: 'der', type: 'spki' })
const publicOf = (secret) => agreed('public key', hex(x25519.getPublicKey(raw(secret))),
  hex(createPublicKey(privateKey(secret)).export({ format: 'der', type: 'spki' }).subarray(-32)))
const sharedBy = (secret, other) => agreed('shared secret', hex(x25519.getSharedSecret(raw(secret), raw(other))),
  hex(diffieHellman({ privateKey: privateKey(secret), publicKey: publicKey(other) })))

const side = (secret, r, nt) => {
  const e = publicOf(secret)
  return { secret, e, hello: hex(bencode({ t: 0, v: 1, e: raw(e), r, nt })) }
}
const infoHash = repeated('c3', 20)
const initiator = side(repeated('a1', 32), 1, 0)
const responder = side(repeated('b2', 32), 3, 1)
const shared = agreed('shared secret', sharedBy(initiator.secret, responder.e), sharedBy(responder.secret, initiator.e))
const salt = viem.concat([infoHash, initiator.e, responder.e])
const keyFor = (info) => agreed('key', hex(hkdf(sha256, raw(shared), raw(salt), Buffer.from(info), 32)),
  hex(hkdfSync('sha256', raw(shared), raw(salt), Buffer.from(info), 32)))
const keys = { 'pw_pay 1 i>r': keyFor('pw_pay 1 i>r'), 'pw_pay 1 r>i': keyFor('pw_pay 1 r>i') }

const seal = (key, number, inner) => {
  const nonce = Buffer.alloc(12)
  nonce.writeBigUInt64BE(BigInt(number), 4)
  const cipher = createCipheriv('chacha20-poly1305', raw(key), nonce, { authTagLength: 16 })
  const openssl = Buffer.concat([cipher.update(inner), cipher.final(), cipher.getAuthTag()])
  return agreed('seal', hex(chacha20poly1305(raw(key), nonce).encrypt(inner)), hex(openssl))
}
const messages = []
const numbers = { initiator: 0, responder: 0 }
const say = (from, name, inner) => {
  const bytes = bencode(inner)
  const number = numbers[from]++
  const x = seal(keys[from === 'initiator' ? 'pw_pay 1 i>r' : 'pw_pay 1 r>i'], number, bytes)
  messages.push({ from, name, number, inner: hex(bytes), outer: hex(bencode({ t: 12, x: raw(x) })) })
  return bytes
}

// Who signs: keys that everybody knows and that are worth nothing.
const account = (privateKey) => {
  const address = agreed('address', privateKeyToAccount(privateKey).address, new ethers.Wallet(privateKey).address)
  return { privateKey, address }
}
const accounts = {
  payer: account(repeated('46', 32)),
  payee: account(repeated('47', 32)),
  session: account(hash(Buffer.from('piecework vector key')))
}
const its = domain(0x1a2b3c4d5e6fn, repeated('22', 20))
const TOKEN = repeated('11', 20)
const GENESIS = repeated('a5', 8)

const signed = async (primaryType, by, message) => {
  const its712 = { [primaryType]: types[primaryType] }
  const digest = agreed('digest',
    viem.hashTypedData({ domain: its, types: its712, primaryType, message }),
    ethers.TypedDataEncoder.hash(its, its712, message))
  const signature = agreed('signature',
    await privateKeyToAccount(accounts[by].privateKey).signTypedData({ domain: its, types: its712, primaryType, message }),
    await new ethers.Wallet(accounts[by].privateKey).signTypedData(its, its712, message))
  return { by, message, digest, signature }
}
const packed = (message) => {
  const fields = [types.Cheque.map((field) => field.type), types.Cheque.map((field) => message[field.name])]
  return agreed('cheque', viem.encodePacked(...fields), ethers.solidityPacked(...fields))
}

// The chain of links, from its last one to the root.
const LINKS = 1024
const chain = [raw(hash(Buffer.from('seed')))]
while (chain.length <= LINKS) chain.push(raw(hash(chain.at(-1))))
chain.reverse()

const ASK = 5000n
const G = 262144
const UNIT = (ASK * BigInt(G) + (1n << 20n) - 1n) >> 20n
const terms = say('responder', 'terms', {
  t: 1, n: [[its.chainId, raw(its.verifyingContract), raw(TOKEN), raw(GENESIS)]], ask: amount(ASK), g: G,
  w: 524288, wm: 33554432, l: LINKS, pe: raw(accounts.payee.address), fr: 250
})

const transcript = hash(Buffer.concat([raw(initiator.e), raw(responder.e), raw(infoHash), terms]))
const bind = await signed('Bind', 'session', { transcript })
const delegation = {
  owner: accounts.payer.address, session: accounts.session.address, token: TOKEN, maxAmount: 10n ** 18n,
  bondAtRisk: 10n ** 17n, validUntil: 1795604800n
}
const delegate = await signed('Delegate', 'payer', delegation)
const plain = {
  payer: accounts.payer.address, payee: accounts.payee.address, token: TOKEN, epoch: 1795000000n, cumulative: 0n,
  root: hex(chain[0]), unit: UNIT, links: LINKS, channel: 7n
}
const cheque = await signed('Cheque', 'session', plain)
const asSent = (cheque) => ({ c: raw(packed(cheque.message)), s: raw(cheque.signature) })

say('initiator', 'open', {
  t: 2, n: 0, py: raw(accounts.payer.address), sk: raw(accounts.session.address), dg: raw(delegate.signature),
  mx: amount(delegation.maxAmount), br: amount(delegation.bondAtRisk), un: delegation.validUntil, pf: 12345,
  au: raw(bind.signature)
})
say('initiator', 'chq', { t: 7, ...asSent(cheque) })
say('initiator', 'bid', { t: 4, p: amount(6250n), s: amount(50000n), r: 0, q: 1 })
say('responder', 'ok', { t: 3, ch: plain.channel, w: 524288, pd: amount(0n) })
say('responder', 'ask', { t: 5, a: amount(ASK), q: 1, ln: 1, rt: 4194304, fb: 0 })
say('initiator', 'link', { t: 6, i: 1, w: chain[1] })
say('initiator', 'link', { t: 6, i: 4, w: chain[4] })
say('responder', 'stat', { t: 8, b: 1114112, d: amount(313n) })
say('responder', 'err', { t: 11, c: 4, m: Buffer.from('link 5 does not lead to the root') })
// Four links are folded: what they were worth is now in the cheque itself.
const folded = await signed('Cheque', 'session', { ...plain, cumulative: 4n * UNIT, root: hash(Buffer.from('folded')), links: 0 })
say('initiator', 'chq', { t: 7, ...asSent(folded) })
say('initiator', 'close', { t: 10, ch: plain.channel, c: 0 })

// Forms that this conversation has not: an open of the owner itself that continues a channel, and an answer.
const own = await signed('Cheque', 'payer', plain)
const ownBind = await signed('Bind', 'payer', { transcript })
const lc = { ...asSent(own), i: 4, w: chain[4] }
const others = [
  { name: 'open', inner: hex(bencode({ t: 2, n: 0, py: raw(accounts.payer.address), lc, au: raw(ownBind.signature) })) },
  { name: 'ok', inner: hex(bencode({ t: 3, ch: 7, w: 524288, lc, pd: amount(1250n) })) },
  { name: 'ok', inner: hex(bencode({ t: 3, ch: 7, w: 524288, lc: { ...asSent(folded), i: 0 }, pd: amount(0n) })) }
]

const samples = [1, 2, 4, LINKS].map((i) => ({ i, w: hex(chain[i]) }))
const all = {
  format: 1,
  infoHash, initiator, responder, shared, salt, keys,
  accounts, domain: { ...its, token: TOKEN, genesis: GENESIS },
  bind: { transcript, ...bind }, delegate, cheques: [cheque, folded, own],
  chain: { seed: hex(chain[LINKS]), links: LINKS, root: hex(chain[0]), samples },
  messages, others
}
const text = JSON.stringify(all, (_, value) => typeof value === 'bigint' ? value.toString() : value, 2) + '\n'
if (process.argv.includes('--check')) {
  if (readFileSync(FILE, 'utf8') !== text) throw new Error('pw_pay.json is not what the libraries give; run pay.mjs')
} else {
  writeFileSync(FILE, text)
}
console.log(`pw_pay: ${messages.length} sealed messages, ${others.length} others`)
