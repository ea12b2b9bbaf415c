// Publishes a mutable item of the DHT that points to a torrent (BEP 44, 46), with npm's bittorrent-dht.
//
// Arguments: the library's index.js, the address to bind, HOST:PORT of a node, the sequence number, the
// v1 info-hash. The publisher is the same in every run. Prints one JSON object: `key`, and `stored`, the
// number of nodes that took the item.
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { pathToFileURL } from 'node:url'

const [library, address, router, sequence, infoHash] = process.argv.slice(-5)
const { Client } = await import(pathToFileURL(library))

// RFC 8410: what goes before the 32 bytes of a seed and of a public key.
const SEED_PREFIX = '302e020100300506032b657004220420'
const KEY_PREFIX = '302a300506032b6570032100'
const seed = Buffer.alloc(32, 'piecework')
const signer = createPrivateKey({
  key: Buffer.concat([Buffer.from(SEED_PREFIX, 'hex'), seed]), format: 'der', type: 'pkcs8'
})
const key = createPublicKey(signer).export({ format: 'der', type: 'spki' }).subarray(-32)
const publicKey = (raw) => createPublicKey({
  key: Buffer.concat([Buffer.from(KEY_PREFIX, 'hex'), raw]), format: 'der', type: 'spki'
})

const dht = new Client({
  bootstrap: [router],
  verify: (signature, value, raw) => verify(null, value, publicKey(raw), signature)
})
dht.on('error', (error) => { throw error })
dht.on('ready', () => {
  const item = {
    k: key,
    seq: Number(sequence),
    v: { ih: Buffer.from(infoHash, 'hex') },
    sign: (value) => sign(null, value, signer)
  }
  dht.put(item, (error, _, stored) => {
    if (error) throw error
    console.log(JSON.stringify({ key: key.toString('hex'), stored }))
    dht.destroy()
  })
})
dht.listen(0, address)
