// The torrents of the bench: small whole ones at rest, and larger ones that come block by block from a local node.
import { createHash } from 'node:crypto'
import { linkSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bencode } from '../tests/browser/bencode.mjs'

/** One piece of this size is what a whole one has; so large are all blocks. */
export const PIECE_BYTES = 16 * 1024
/** Enough for ten minutes at a block a second. */
const CHANGING_BYTES = 600 * PIECE_BYTES

const sha1 = (data) => createHash('sha1').update(data).digest()

const torrentOf = (name, length, piece) => {
  const pieces = Buffer.concat(Array(length / PIECE_BYTES).fill(sha1(piece)))
  const info = { length, name, 'piece length': PIECE_BYTES, pieces }
  return { name, file: bencode({ info }), id: sha1(bencode(info)).toString('hex') }
}

/** All of them; the payload of the whole ones is in `rest`, that of the changing ones in `from`: one file each, linked. */
export const make = (folder, total, changing) => {
  const [rest, from] = ['rest', 'from'].map((name) => join(folder, name))
  for (const each of [rest, from]) mkdirSync(each, { recursive: true })
  const whole = Buffer.alloc(PIECE_BYTES, 0x5a)
  const zeros = Buffer.alloc(PIECE_BYTES)
  const names = Array.from({ length: total }, (_, at) => `A torrent with a name of common length ${String(at).padStart(5, '0')}.bin`)
  writeFileSync(join(folder, 'whole'), whole)
  writeFileSync(join(folder, 'zeros'), '')
  truncateSync(join(folder, 'zeros'), CHANGING_BYTES)
  const moving = names.slice(0, changing).map((name) => {
    linkSync(join(folder, 'zeros'), join(from, name))
    return torrentOf(name, CHANGING_BYTES, zeros)
  })
  const resting = names.slice(changing).map((name) => {
    linkSync(join(folder, 'whole'), join(rest, name))
    return torrentOf(name, PIECE_BYTES, whole)
  })
  return { rest, from, moving, resting }
}
