// QR codes for addresses (ISO/IEC 18004): bytes, error correction M, versions 1 to 6, which hold 106 bytes.

/** By version: code words in all, those for correction of a block, blocks. */
const VERSIONS = [[26, 10, 1], [44, 16, 1], [70, 26, 1], [100, 18, 2], [134, 24, 2], [172, 16, 4]] as const
/** The two bits of level M. */
const LEVEL = 0

/** Powers of 2 in the field of 256 elements, and their logarithms. */
const POWERS = new Uint8Array(255)
const LOGS = new Uint8Array(256)
for (let at = 0, value = 1; at < 255; at += 1) {
  POWERS[at] = value
  LOGS[value] = at
  value = (value << 1) ^ (value & 128 ? 0x11d : 0)
}
const times = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : POWERS[((LOGS[a] ?? 0) + (LOGS[b] ?? 0)) % 255] ?? 0)

/** The words that correct `data`: the rest after division by the generator of that degree. */
const correction = (data: readonly number[], degree: number): number[] => {
  let generator = [1]
  for (let at = 0; at < degree; at += 1) {
    const next = new Array<number>(generator.length + 1).fill(0)
    generator.forEach((factor, place) => {
      next[place] = (next[place] ?? 0) ^ factor
      next[place + 1] = (next[place + 1] ?? 0) ^ times(factor, POWERS[at] ?? 0)
    })
    generator = next
  }
  const rest = [...data, ...new Array<number>(degree).fill(0)]
  for (let at = 0; at < data.length; at += 1) {
    const lead = rest[at] ?? 0
    generator.forEach((factor, place) => (rest[at + place] = (rest[at + place] ?? 0) ^ times(factor, lead)))
  }
  return rest.slice(data.length)
}

/** The code words in the order in which they are drawn. */
const wordsOf = (bytes: Uint8Array, version: number): number[] => {
  const [all = 0, degree = 0, blocks = 1] = VERSIONS[version - 1] ?? []
  const room = all - degree * blocks
  const data = [4 << 4 | bytes.length >> 4]
  bytes.forEach((byte, at) => data.push((at === 0 ? bytes.length << 4 & 255 : (bytes[at - 1] ?? 0) << 4 & 255) | byte >> 4))
  data.push((bytes.at(-1) ?? 0) << 4 & 255)
  for (let pad = 0xec; data.length < room; pad ^= 0xfd) data.push(pad)
  const length = room / blocks
  const parts = Array.from({ length: blocks }, (_, at) => data.slice(at * length, (at + 1) * length))
  const fixes = parts.map((part) => correction(part, degree))
  const woven = (rows: number[][]) => (rows[0] ?? []).flatMap((_, at) => rows.map((row) => row[at] ?? 0))
  return [...woven(parts), ...woven(fixes)]
}

const MASKS: ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => (x * y) % 2 + (x * y) % 3 === 0,
  (x, y) => ((x * y) % 2 + (x * y) % 3) % 2 === 0,
  (x, y) => ((x + y) % 2 + (x * y) % 3) % 2 === 0,
]

/** Null where nothing is drawn yet. */
type Grid = (boolean | null)[][]

const frame = (version: number): Grid => {
  const size = version * 4 + 17
  const grid: Grid = Array.from({ length: size }, () => new Array<boolean | null>(size).fill(null))
  const set = (x: number, y: number, dark: boolean) => {
    const row = grid[y]
    if (row && x >= 0 && x < size) row[x] = dark
  }
  for (let at = 0; at < size; at += 1) {
    set(6, at, at % 2 === 0)
    set(at, 6, at % 2 === 0)
  }
  const square = (cx: number, cy: number, reach: number, light: number[]) => {
    for (let dy = -reach; dy <= reach; dy += 1) {
      for (let dx = -reach; dx <= reach; dx += 1) set(cx + dx, cy + dy, !light.includes(Math.max(Math.abs(dx), Math.abs(dy))))
    }
  }
  for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]] as const) square(x, y, 4, [2, 4])
  if (version > 1) square(size - 7, size - 7, 2, [1])
  return grid
}

/** The level and the mask, twice, and the one module that is always dark. */
const sign = (grid: Grid, mask: number): void => {
  const size = grid.length
  const data = LEVEL << 3 | mask
  let rest = data << 10
  for (let at = 14; at >= 10; at -= 1) if (rest >> at & 1) rest ^= 0x537 << (at - 10)
  const bits = (data << 10 | rest) ^ 0x5412
  const set = (x: number, y: number, bit: number) => {
    const row = grid[y]
    if (row) row[x] = (bits >> bit & 1) === 1
  }
  for (let at = 0; at < 15; at += 1) {
    // Upwards beside the timing, past it, then to the left.
    if (at < 6) set(8, at, at)
    else if (at < 8) set(8, at + 1, at)
    else if (at === 8) set(7, 8, at)
    else set(14 - at, 8, at)
    if (at < 8) set(size - 1 - at, 8, at)
    else set(8, size - 15 + at, at)
  }
  const row = grid[size - 8]
  if (row) row[8] = true
}

/** How hard a drawing is to read: long runs, squares, what looks like a corner, and an uneven number of dark ones. */
const penalty = (grid: boolean[][]): number => {
  const size = grid.length
  const text = (cells: boolean[]) => cells.map((dark) => (dark ? '1' : '0')).join('')
  const lines = [...grid.map(text), ...grid.map((_, x) => text(grid.map((row) => row[x] ?? false)))]
  let sum = 0
  for (const line of lines) {
    for (const run of line.match(/0{5,}|1{5,}/g) ?? []) sum += run.length - 2
    sum += 40 * (line.match(/(?=10111010000|00001011101)/g)?.length ?? 0)
  }
  let dark = 0
  grid.forEach((row, y) => row.forEach((cell, x) => {
    dark += Number(cell)
    const [right, below, across] = [row[x + 1], grid[y + 1]?.[x], grid[y + 1]?.[x + 1]]
    if (cell === right && cell === below && cell === across) sum += 3
  }))
  return sum + 10 * Math.floor(Math.abs((dark * 20) / (size * size) - 10))
}

const masked = (version: number, words: readonly number[], mask: number): boolean[][] => {
  const grid = frame(version)
  sign(grid, mask)
  const size = grid.length
  let bit = 0
  for (let right = size - 1; right > 0; right -= right === 8 ? 3 : 2) {
    const isUp = ((right > 6 ? size - 1 - right : size - 2 - right) >> 1) % 2 === 0
    for (let step = 0; step < size; step += 1) {
      const y = isUp ? size - 1 - step : step
      for (const x of [right, right - 1]) {
        const row = grid[y]
        if (!row || row[x] !== null) continue
        row[x] = ((words[bit >> 3] ?? 0) >> (7 - bit % 8) & 1) === 1 !== (MASKS[mask]?.(x, y) ?? false)
        bit += 1
      }
    }
  }
  return grid.map((row) => row.map((cell) => cell ?? false))
}

/** The modules of a code, dark ones true; null where the text is too long. */
export const qr = (text: string): boolean[][] | null => {
  const bytes = new TextEncoder().encode(text)
  const version = VERSIONS.findIndex(([all, degree, blocks]) => bytes.length + 2 <= all - degree * blocks) + 1
  if (version === 0) return null
  const words = wordsOf(bytes, version)
  const drawings = MASKS.map((_, mask) => masked(version, words, mask))
  return drawings.reduce((best, each) => (penalty(each) < penalty(best) ? each : best))
}

/** The dark modules as a path, each a square of 1. */
export const pathOf = (grid: readonly boolean[][]): string =>
  grid.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join('')
