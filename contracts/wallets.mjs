// Wallets of other programs: the accounts that phrases stand for (ethers, for TRON tronweb), and keystores
// of ethers and cast.
//
// `node wallets.mjs` writes wallets.json; `--check` demands that its accounts are what the libraries give and
// that ethers opens its keystores; `--against PIECEWORK` does that too, and has that program make a wallet
// which ethers and cast open, and bring back theirs.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { foundry, here, install, load } from './packages.mjs'

install()

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

/** What a wallet command of `program` prints, with secrets from files in `folder`. */
const piecework = (program, folder, ...args) => {
  writeFileSync(join(folder, 'password'), PASSWORD)
  const options = ['--json', '--state', join(folder, 'state'), '--password-file', join(folder, 'password')]
  const printed = execFileSync(program, ['wallet', ...args, ...options], { stdio: ['ignore', 'pipe', 'ignore'] })
  return JSON.parse(printed.toString())
}

const demand = (what, one, other) => {
  if (one !== other) throw new Error(`${what}: ${one} and ${other}`)
}

/** Our wallet in other programs. */
const ours = (program, words) => inFolder((folder) => {
  const made = piecework(program, folder, 'new', '--yes', '--words', words)
  demand('address from the words', HDNodeWallet.fromPhrase(made.phrase).address, made.address)
  demand('address of the keystore', opened(readFileSync(made.keystore, 'utf8'), PASSWORD), made.address)
  const { private_key: privateKey } = piecework(program, folder, 'export', '--private-key')
  demand('exported key', new Wallet(privateKey).address, made.address)
  demand('TRON address', TronWeb.address.fromPrivateKey(privateKey.slice(2)), made.tron)
})

/** Other programs' wallets in ours, made anew. */
const theirs = (program) => {
  for (const { by, text, address } of keystores()) {
    inFolder((folder) => {
      writeFileSync(join(folder, 'keystore'), text)
      const restored = piecework(program, folder, 'restore', '--keystore', join(folder, 'keystore'))
      demand(`keystore of ${by}`, restored.address, address)
    })
  }
  const { mnemonic: { phrase }, address } = HDNodeWallet.createRandom()
  inFolder((folder) => {
    writeFileSync(join(folder, 'words'), phrase)
    demand('words of ethers', piecework(program, folder, 'restore', '--phrase-file', join(folder, 'words')).address, address)
  })
}

/** The committed file against the libraries of today. */
const check = () => {
  const known = JSON.parse(readFileSync(FILE, 'utf8'))
  if (JSON.stringify(known.phrases) !== JSON.stringify(phrases)) throw new Error('wallets.json is not what ethers gives; run wallets.mjs')
  // cast does not read the keystores of ethers, which writes `Crypto` with a capital.
  for (const { by, text, password, address } of known.keystores) {
    demand(`keystore of ${by}`, Wallet.fromEncryptedJsonSync(text, password).address, address)
  }
  console.log(`wallets: ${phrases.length} phrases, ${known.keystores.length} keystores`)
}

const [mode, program] = process.argv.slice(2)
if (mode === '--against') {
  check()
  for (const words of ['12', '24']) ours(program, words)
  theirs(program)
  console.log('wallets: ethers and cast open ours, ours opens theirs, and the same words give the same address')
} else if (mode === '--check') {
  check()
} else {
  writeFileSync(FILE, JSON.stringify({ format: 1, phrases, keystores: keystores() }, null, 2) + '\n')
}
