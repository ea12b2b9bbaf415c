// What the tests share: sounds that every browser plays, and trees with hard names.
import { randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'

const RATE = 48_000
const BYTES_A_SECOND = RATE * 4

/** A sound as it is sampled: every second has as many bytes as the next, so that a place is a byte. */
export const wave = (path, seconds) => {
  const data = seconds * BYTES_A_SECOND
  const head = Buffer.alloc(44)
  head.write('RIFF', 0)
  head.writeUInt32LE(36 + data, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(2, 22)
  head.writeUInt32LE(RATE, 24)
  head.writeUInt32LE(BYTES_A_SECOND, 28)
  head.writeUInt16LE(4, 32)
  head.writeUInt16LE(16, 34)
  head.write('data', 36)
  head.writeUInt32LE(data, 40)
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(path, 'w')
  writeSync(file, head)
  const second = Buffer.alloc(BYTES_A_SECOND)
  for (let at = 0; at < seconds; at += 1) {
    // A tone that rises: no two seconds, so no two pieces, are alike.
    for (let frame = 0; frame < RATE; frame += 1) {
      const value = Math.round(9000 * Math.sin((2 * Math.PI * (200 + at) * frame) / RATE))
      second.writeInt16LE(value, frame * 4)
      second.writeInt16LE(value, frame * 4 + 2)
    }
    writeSync(file, second)
  }
  closeSync(file)
}

/** Files of random bytes below a folder: names and sizes. */
export const tree = (folder, files) => {
  for (const [name, bytes] of Object.entries(files)) {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, typeof bytes === 'number' ? randomBytes(bytes) : bytes)
  }
}

/** Names that strangers choose to be mistaken for something else. */
export const HARD_NAMES = {
  markup: '<img src=x onerror="window.pwned=1"><b>bold</b>',
  rtl: 'invoice\u202Egpj.exe',
  arabic: 'فيلم جديد (2026)',
  control: 'bell\u0007and\u001b[31mred',
}
