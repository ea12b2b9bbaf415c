// A film for the tests, made by the browser: encoded by its own VP8, put into a WebM that can be searched. What is
// encoded are a few seconds; they are repeated until it is as long as wanted.
import { randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

const SIZE = { width: 320, height: 180 }
const FRAMES_A_SECOND = 10
const ENCODED_SECONDS = 10
/** A film has a cluster for each second, which begins with a whole picture. */
const CLUSTER_MS = 1000

/** Frames of a moving picture with its second in it, as the browser encodes them. */
const encode = (page) => page.evaluate(async ({ size, rate, seconds }) => {
  const canvas = new OffscreenCanvas(size.width, size.height)
  const context = canvas.getContext('2d')
  const frames = []
  let wrong = null
  const encoder = new VideoEncoder({
    output: (chunk) => {
      const bytes = new Uint8Array(chunk.byteLength)
      chunk.copyTo(bytes)
      frames.push({ isKey: chunk.type === 'key', data: btoa(String.fromCharCode(...bytes)) })
    },
    error: (error) => {
      wrong = error
    },
  })
  encoder.configure({ codec: 'vp8', ...size, bitrate: 400_000, framerate: rate })
  for (let at = 0; at < rate * seconds; at += 1) {
    const turn = at / (rate * seconds)
    const sky = context.createLinearGradient(0, 0, 0, size.height)
    sky.addColorStop(0, `hsl(${220 + 20 * Math.sin(turn * 6.283)} 55% 30%)`)
    sky.addColorStop(1, '#f2a65a')
    context.fillStyle = sky
    context.fillRect(0, 0, size.width, size.height)
    context.fillStyle = '#ffe9b8'
    context.beginPath()
    context.arc(size.width * (0.2 + 0.6 * turn), 110 - 40 * Math.sin(turn * 3.1416), 22, 0, 6.3)
    context.fill()
    for (const [hill, colour] of [[118, '#51425f'], [138, '#332b44']]) {
      context.fillStyle = colour
      context.beginPath()
      context.moveTo(0, size.height)
      for (let x = 0; x <= size.width; x += 4) context.lineTo(x, hill + 14 * Math.sin(x / 34 + hill + turn * 6.283))
      context.lineTo(size.width, size.height)
      context.fill()
    }
    const frame = new VideoFrame(canvas, { timestamp: (at * 1e6) / rate })
    encoder.encode(frame, { keyFrame: at % rate === 0 })
    frame.close()
  }
  await encoder.flush()
  if (wrong) throw wrong
  return frames
}, { size: SIZE, rate: FRAMES_A_SECOND, seconds: ENCODED_SECONDS })

const number = (value) => {
  const bytes = []
  for (let rest = value; rest > 0 || bytes.length === 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return Buffer.from(bytes)
}
const wide = (value) => {
  const buffer = Buffer.alloc(8)
  buffer.writeBigUInt64BE(BigInt(value))
  return buffer
}
const float = (value) => {
  const buffer = Buffer.alloc(8)
  buffer.writeDoubleBE(value)
  return buffer
}

/** An element of EBML (RFC 8794), its length always in eight bytes so that it is known before. */
const element = (id, ...parts) => {
  const body = Buffer.concat(parts)
  const length = wide(body.length)
  length[0] |= 1
  return Buffer.concat([number(id), length, body])
}

const header = () => element(0x1a45dfa3,
  element(0x4286, number(1)), element(0x42f7, number(1)), element(0x42f2, number(4)), element(0x42f3, number(8)),
  element(0x4282, Buffer.from('webm')), element(0x4287, number(4)), element(0x4285, number(2)))

const about = (seconds) => element(0x1549a966,
  element(0x2ad7b1, number(1_000_000)), element(0x4489, float(seconds * 1000)),
  element(0x4d80, Buffer.from('test')), element(0x5741, Buffer.from('test')))

const tracks = () => element(0x1654ae6b, element(0xae,
  element(0xd7, number(1)), element(0x73c5, number(1)), element(0x83, number(1)), element(0x86, Buffer.from('V_VP8')),
  element(0xe0, element(0xb0, number(SIZE.width)), element(0xba, number(SIZE.height)))))

/** One second: its time, filling that nobody reads but no two of which are alike, its frames. */
const cluster = (ms, frames, filling) => element(0x1f43b675,
  element(0xe7, number(ms)),
  element(0xec, randomBytes(filling)),
  ...frames.map((frame, at) => {
    const head = Buffer.from([0x81, 0, 0, frame.isKey ? 0x80 : 0])
    head.writeInt16BE((at * 1000) / FRAMES_A_SECOND, 1)
    return element(0xa3, head, Buffer.from(frame.data, 'base64'))
  }))

const cues = (places) => element(0x1c53bb6b, ...places.map(([ms, place]) => element(0xbb,
  element(0xb3, number(ms)), element(0xb7, element(0xf7, number(1)), element(0xf1, wide(place))))))

/** Writes a film of so many seconds, each with so many bytes beside its frames; `page` is any of a browser on this machine. */
export const film = async (page, path, seconds, filling) => {
  const frames = await encode(page)
  const secondOf = (at) => frames.slice((at % ENCODED_SECONDS) * FRAMES_A_SECOND, ((at % ENCODED_SECONDS) + 1) * FRAMES_A_SECOND)
  // Where each cluster will be is told before them; all places have eight bytes, so the table's length is known.
  const start = Buffer.concat([about(seconds), tracks()])
  const tableLength = cues(Array.from({ length: seconds }, (_, at) => [at * CLUSTER_MS, 0])).length
  const places = []
  let place = start.length + tableLength
  for (let at = 0; at < seconds; at += 1) {
    places.push([at * CLUSTER_MS, place])
    place += cluster(at * CLUSTER_MS, secondOf(at), filling).length
  }
  const length = wide(place)
  length[0] |= 1
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(path, 'w')
  for (const part of [header(), number(0x18538067), length, start, cues(places)]) writeSync(file, part)
  for (let at = 0; at < seconds; at += 1) writeSync(file, cluster(at * CLUSTER_MS, secondOf(at), filling))
  closeSync(file)
}
