// Test vectors for everything that is signed, for chains of links and for addresses: made with viem,
// made again with ethers (addresses with tronweb too), and written only if the libraries agree to the bit.
//
// `node vectors.mjs` writes vectors.json; `node vectors.mjs --check` demands that it is what it was.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { here, load } from './packages.mjs'
import { domain, types, typeString } from './types.mjs'

const viem = load('viem')
const { privateKeyToAccount } = load('viem/accounts')
const ethers = load('ethers')
const { utils: tron } = load('tronweb')

const FILE = join(here, 'vectors.json')
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const U64_MAX = 2n ** 64n - 1n
const U128_MAX = 2n ** 128n - 1n

/** What both libraries must give alike. */
const agreed = (what, one, other) => {
  if (one !== other) throw new Error(`${what}: viem gives ${one}, ethers ${other}`)
  return one
}

const repeated = (byte, count) => `0x${byte.repeat(count)}`
const named = (text) => agreed(text, viem.keccak256(viem.toBytes(text)), ethers.id(text))

// Well-known and worthless: the smallest key, the largest, two patterns, and a hash.
const SECRETS = [
  viem.toHex(1n, { size: 32 }), viem.toHex(ORDER - 1n), repeated('46', 32), repeated('47', 32),
  named('piecework vector key')
]

const key = (privateKey) => {
  const account = privateKeyToAccount(privateKey)
  const address = agreed('address', account.address, new ethers.Wallet(privateKey).address)
  const tronAddress = tron.crypto.pkToAddress(privateKey.slice(2))
  if (tron.address.toHex(tronAddress) !== `41${address.slice(2).toLowerCase()}`) throw new Error('tronweb disagrees')
  return { privateKey, publicKey: account.publicKey, address, tron: tronAddress }
}
const keys = SECRETS.map(key)
const [, , PAYER, PAYEE, SESSION] = keys.keys()
const address = (index) => keys[index].address

const domains = [
  domain(0x1a2b3c4d5e6fn, repeated('22', 20)),
  domain(728126428n, repeated('23', 20))
].map((its) => ({ ...its, separator: agreed('separator', viem.domainSeparator({ domain: its }), ethers.TypedDataEncoder.hashDomain(its)) }))

/** Digest and signature of `message`, with the same signature in its refused high-s form. */
const signed = async (primaryType, inDomain, signer, message) => {
  const { separator, ...its } = domains[inDomain]
  const its712 = { [primaryType]: types[primaryType] }
  const structHash = agreed('struct hash',
    viem.hashStruct({ data: message, primaryType, types: its712 }),
    ethers.TypedDataEncoder.hashStruct(primaryType, its712, message))
  const digest = agreed('digest',
    viem.hashTypedData({ domain: its, types: its712, primaryType, message }),
    ethers.TypedDataEncoder.hash(its, its712, message))
  const { privateKey } = keys[signer]
  const signature = agreed('signature',
    await privateKeyToAccount(privateKey).signTypedData({ domain: its, types: its712, primaryType, message }),
    await new ethers.Wallet(privateKey).signTypedData(its, its712, message))
  agreed('signer', address(signer), ethers.verifyTypedData(its, its712, message, signature))
  return { domain: inDomain, signer, message, structHash, digest, signature, highS: malleated(signature) }
}

const malleated = (signature) => {
  const [r, s, v] = [signature.slice(2, 66), BigInt(`0x${signature.slice(66, 130)}`), signature.slice(130)]
  return `0x${r}${(ORDER - s).toString(16).padStart(64, '0')}${v === '1b' ? '1c' : '1b'}`
}

/** A chain whose last link is `seed`: hashing link i i times gives the root. */
const chain = (seed, links) => {
  const preimages = [seed]
  while (preimages.length <= links) {
    const last = preimages.at(-1)
    preimages.push(agreed('link', viem.keccak256(last), ethers.keccak256(last)))
  }
  preimages.reverse()
  const indexes = [...new Set([1, 2, links - 1, links])].filter((i) => i >= 1 && i <= links)
  return { seed, links, root: preimages[0], samples: indexes.map((i) => ({ i, w: preimages[i] })) }
}
const chains = [chain(named('seed'), 1024), chain(named('longest'), 4096), chain(named('short'), 3), chain(repeated('00', 32), 1)]

/** The 144 bytes of a cheque in the message `chq`, and where the vault keeps what is paid on its channel. */
const cheque = async (inDomain, signer, message, ofChain) => {
  const vector = await signed('Cheque', inDomain, signer, message)
  const fields = types.Cheque.map((field) => field.type)
  const values = types.Cheque.map((field) => message[field.name])
  const place = ['payer', 'payee', 'token', 'epoch', 'channel']
  const placeTypes = place.map((name) => types.Cheque.find((field) => field.name === name).type)
  const placeValues = place.map((name) => message[name])
  const channelKey = agreed('channel key',
    viem.keccak256(viem.encodeAbiParameters(placeTypes.map((type) => ({ type })), placeValues)),
    ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(placeTypes, placeValues)))
  const packed = agreed('packed', viem.encodePacked(fields, values), ethers.solidityPacked(fields, values))
  return { ...vector, chain: ofChain, packed, channelKey }
}

const TOKEN = repeated('11', 20)
const plain = {
  payer: address(PAYER), payee: address(PAYEE), token: TOKEN, epoch: 1795000000n, cumulative: 5000000n,
  root: chains[0].root, unit: 1250n, links: 1024, channel: 7n
}
const least = {
  ...plain, token: repeated('00', 20), epoch: 1n, cumulative: 0n, root: repeated('00', 32), unit: 0n, links: 0, channel: 0n
}
const most = {
  payer: address(1), payee: address(0), token: repeated('ff', 20), epoch: U64_MAX, cumulative: U128_MAX,
  root: repeated('ff', 32), unit: 0n, links: 4096, channel: U64_MAX
}
const cheques = [
  await cheque(0, PAYER, plain, 0),
  await cheque(1, PAYER, plain, 0),
  await cheque(0, SESSION, plain, 0),
  await cheque(0, PAYER, { ...plain, root: chains[1].root, links: 4096, channel: 8n }, 1),
  await cheque(0, PAYER, { ...plain, root: chains[2].root, links: 3, unit: 1n }, 2),
  await cheque(0, PAYER, least, null),
  await cheque(0, 1, most, null)
]

const delegate = {
  owner: address(PAYER), session: address(SESSION), token: TOKEN, maxAmount: 10n ** 18n, bondAtRisk: 10n ** 17n,
  validUntil: 1795604800n
}
const delegates = [
  await signed('Delegate', 0, PAYER, delegate),
  await signed('Delegate', 1, PAYER, delegate),
  await signed('Delegate', 0, 1, {
    owner: address(1), session: address(0), token: repeated('ff', 20), maxAmount: U128_MAX, bondAtRisk: U128_MAX,
    validUntil: U64_MAX
  })
]

const lock = { payer: address(PAYER), payee: address(PAYEE), token: TOKEN, nonce: 0n }
const closeLocks = [
  await signed('CloseLock', 0, PAYEE, lock),
  await signed('CloseLock', 0, PAYEE, { ...lock, nonce: U64_MAX })
]

const bind = async (inDomain, initiator, responder, infoHash, terms) => {
  const transcript = agreed('transcript',
    viem.keccak256(viem.concat([initiator, responder, infoHash, terms])),
    ethers.keccak256(ethers.concat([initiator, responder, infoHash, terms])))
  const vector = await signed('Bind', inDomain, SESSION, { transcript })
  return { ...vector, initiator, responder, infoHash, terms }
}
const binds = [
  await bind(0, repeated('a1', 32), repeated('b2', 32), repeated('c3', 20), viem.toHex('d1:ti1ee')),
  await bind(1, repeated('00', 32), repeated('ff', 32), repeated('01', 20), '0x')
]

const typeStrings = Object.fromEntries(Object.keys(types).map((name) =>
  [name, { type: typeString(name), hash: named(typeString(name)) }]))
const all = { format: 1, types: typeStrings, keys, domains, chains, cheques, delegates, closeLocks, binds }
// Decimal strings: most of these numbers are beyond what JSON's readers keep exactly.
const text = JSON.stringify(all, (_, value) => typeof value === 'bigint' ? value.toString() : value, 2) + '\n'

if (process.argv.includes('--check')) {
  if (readFileSync(FILE, 'utf8') !== text) throw new Error('vectors.json is not what viem and ethers give; run vectors.mjs')
} else {
  writeFileSync(FILE, text)
}
const count = cheques.length + delegates.length + closeLocks.length + binds.length
console.log(`vectors: ${count} signatures, ${chains.length} chains of links, ${keys.length} addresses`)
