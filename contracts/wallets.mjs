// Wallets of other programs: the accounts that phrases stand for (ethers, for TRON tronweb), and keystores
// of ethers and cast.
//
// `node wallets.mjs` writes wallets.json; `--check` demands that its accounts are what the libraries give and
// that ethers opens its keystores; `--open FILE PASSWORD` has both open a keystore of ours and prints
// the address of its key.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { foundry, here, load } from './packages.mjs'

const { HDNodeWallet, Mnemonic, Wallet, encryptKeystoreJsonSync } = load('ethers')
const { TronWeb } = load('tronweb')

const FILE = join(here, 'wallets.json')
const PASSWORD = 'correct horse battery staple'
const cast = foundry('cast')

/** What `use` gives for an empty folder, which is gone afterwards. */
const inFolder = (use) => {
  const folder = mkdtempSync(join(tmpdir(), 'piecework-wallets-'))
  try {
    return use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const account = (phrase, path) => {
  const { address, privateKey } = HDNodeWallet.fromPhrase(phrase, '', path)
  if (path.startsWith("m/44'/195'")) {
    const tron = TronWeb.fromMnemonic(phrase, path)
    if (tron.privateKey !== privateKey) throw new Error(`${path}: ethers and tronweb differ`)
    return { path, privateKey, address, tron: tron.address }
  }
  const printed = execFileSync(cast, ['wallet', 'private-key', '--mnemonic', phrase, '--mnemonic-derivation-path', path])
  if (printed.toString().trim() !== privateKey) throw new Error(`${path}: ethers and cast differ`)
  return { path, privateKey, address, tron: TronWeb.address.fromPrivateKey(privateKey.slice(2)) }
}

const PATHS = ["m/44'/60'/0'/0/0", "m/44'/60'/0'/0/1", "m/44'/60'/0'/0/4294", "m/44'/195'/0'/0/0", "m/44'/195'/0'/0/7"]
const ENTROPIES = [`0x${'00'.repeat(16)}`, '0x9e885d952ad362caeb4efe34a8e91bd2', `0x${'5a'.repeat(32)}`]
const phrases = ENTROPIES.map((entropy) => {
  const { phrase } = Mnemonic.fromEntropy(entropy)
  return { phrase, accounts: PATHS.map((path) => account(phrase, path)) }
})

/** The address of the key in a keystore, as ethers and cast find it alike. */
const opened = (text, password) => {
  const { address, privateKey } = Wallet.fromEncryptedJsonSync(text, password)
  const byCast = inFolder((folder) => {
    writeFileSync(join(folder, 'keystore'), text)
    const args = ['wallet', 'decrypt-keystore', '--keystore-dir', folder, '--unsafe-password', password, 'keystore']
    return execFileSync(cast, args).toString().match(/0x[0-9a-f]{64}/)[0]
  })
  if (byCast !== privateKey) throw new Error('ethers and cast open the keystore differently')
  return address
}

const keystores = () => {
  const { privateKey, address } = phrases[1].accounts[0]
  const byEthers = encryptKeystoreJsonSync({ address, privateKey }, PASSWORD, { scrypt: { N: 4096 } })
  const byCast = inFolder((folder) => {
    const args = ['wallet', 'import', '--keystore-dir', folder, '--unsafe-password', PASSWORD, '--private-key', privateKey, 'made']
    execFileSync(cast, args)
    return readFileSync(join(folder, readdirSync(folder)[0]), 'utf8')
  })
  return Object.entries({ ethers: byEthers, cast: byCast }).map(([by, text]) => ({ by, password: PASSWORD, address, privateKey, text }))
}

const [mode, file, password] = process.argv.slice(2)
if (mode === '--open') {
  console.log(opened(readFileSync(file, 'utf8'), password))
} else if (mode === '--check') {
  const known = JSON.parse(readFileSync(FILE, 'utf8'))
  if (JSON.stringify(known.phrases) !== JSON.stringify(phrases)) throw new Error('wallets.json is not what ethers gives; run wallets.mjs')
  // cast does not read the keystores of ethers, which writes `Crypto` with a capital.
  for (const { by, text, password, address } of known.keystores) {
    if (Wallet.fromEncryptedJsonSync(text, password).address !== address) throw new Error(`the keystore of ${by} holds another key`)
  }
  console.log(`wallets: ${phrases.length} phrases, ${known.keystores.length} keystores`)
} else {
  writeFileSync(FILE, JSON.stringify({ format: 1, phrases, keystores: keystores() }, null, 2) + '\n')
}
