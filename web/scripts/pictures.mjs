// Makes the pictures of the README from those that the browser tests keep: node scripts/pictures.mjs FOLDER
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { launch } from '../tests/browser/browser.mjs'

const TO = fileURLToPath(new URL('../../docs/pictures', import.meta.url))
const PICTURES = { 'pieces-wide-light': 'transfers', 'play-wide-dark': 'player' }
const QUALITY = 0.82

const [folder] = process.argv.slice(2)
if (!folder) throw new Error('which folder? PIECEWORK_PICTURES of the tests')
const browser = await launch()
const page = await browser.newPage()
for (const [from, to] of Object.entries(PICTURES)) {
  const address = `data:image/png;base64,${readFileSync(join(folder, `${from}.png`)).toString('base64')}`
  const packed = await page.evaluate(async ([address, quality]) => {
    const image = new Image()
    image.src = address
    await image.decode()
    const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height })
    canvas.getContext('2d').drawImage(image, 0, 0)
    return canvas.toDataURL('image/webp', quality)
  }, [address, QUALITY])
  writeFileSync(join(TO, `${to}.webp`), Buffer.from(packed.split(',')[1], 'base64'))
}
await browser.close()
