// Money from the button to the receipt, against a real seller and a real chain.
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { login, open, picture, violations } from './browser.mjs'
import { add, create, daemon, start, told, until } from './daemon.mjs'
import { tree } from './files.mjs'

const PASSWORD = 'correct horse battery staple'
/** What a debug build on a busy machine may take. */
const LONG_MS = 240_000

/** A wallet in a home of its own, and a daemon beside it. */
const trader = (binary, folder, name) => {
  const home = join(folder, name)
  mkdirSync(home, { recursive: true })
  writeFileSync(join(home, 'password'), `${PASSWORD}\n`)
  const env = { HOME: home, PIECEWORK_DATA_DIR: join(home, 'data') }
  const ask = (...args) => told(binary, args, home, env)
  ask('wallet', 'new', '--yes', '--password-file', 'password')
  const signed = (...args) => ask(...args, '--yes', '--password-file', 'password')
  return { home, env, ask, signed, up: () => daemon(binary, home, { env }) }
}

/** A seller with a chain of its own, and a buyer whose node may spend 50 of what lies in its vault. */
const traders = async (binary, folder) => {
  const seller = trader(binary, folder, 'seller')
  const buyer = trader(binary, folder, 'buyer')
  seller.ask('chain', 'init', '--token', 'TOK')
  const isReady = (line) => (JSON.parse(line).event === 'ready' ? true : undefined)
  const chain = await start(binary, ['chain', 'run', '--rpc', '127.0.0.1:0', '--json'], isReady, join(folder, 'chain.log'), seller.env)
  const file = join(folder, 'network.json')
  seller.ask('chain', 'share', '-o', file)
  buyer.ask('chain', 'join', file, '--yes')
  seller.signed('token', 'send', '1000', 'TOK', buyer.ask('wallet', 'show')[0].address)
  buyer.signed('vault', 'deposit', '100')
  buyer.signed('vault', 'bond', '500')
  buyer.signed('vault', 'delegate', '50', '--bond-at-risk', '500')
  return { seller, buyer, chain }
}

/** Gives the password of the page once more. */
const confirm = async (page, password) => {
  const dialog = page.getByRole('dialog', { name: 'Your password, please' })
  await dialog.getByLabel('Password').fill('wrong')
  await dialog.getByRole('button', { name: 'Allow spending' }).click()
  await dialog.getByText('the password is wrong').waitFor()
  assert.deepEqual(await violations(page), [])
  await dialog.getByLabel('Password').fill(password)
  await dialog.getByRole('button', { name: 'Allow spending' }).click()
  await dialog.waitFor({ state: 'detached' })
}

const LOOKS = [{ theme: 'light', lang: 'en' }, { theme: 'dark', lang: 'de' }, { theme: 'light', size: 'phone', lang: 'en' }]

/** Each screen as people see it, in both themes and on a phone: nothing that axe finds, nothing too wide. */
const lookAt = async (browser, node, screens) => {
  const bad = []
  for (const looks of LOOKS) {
    const kind = `${looks.size ?? 'wide'}-${looks.theme}`
    const { page, context, check } = await open(browser, looks)
    await login(page, node)
    for (const [name, hash, sign, act] of screens) {
      await page.goto(`${node.url}/${hash}`)
      if (act) await act(page)
      await page.locator(sign).first().waitFor()
      bad.push(...(await violations(page)).map((each) => `${kind} ${name}: ${each}`))
      const spill = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      if (spill > 0) bad.push(`${kind} ${name}: ${spill} pixels too wide`)
      await picture(page, `${name}-${kind}`)
    }
    check()
    await context.close()
  }
  assert.deepEqual(bad, [])
}

export const a_lane_is_bought_from_button_to_receipt_and_the_seller_sees_it = async ({ browser, binary, folder }) => {
  const { seller, buyer, chain } = await traders(binary, folder)
  const [sells, buys] = [await seller.up(), await buyer.up()]
  tree(join(seller.home, 'downloads'), { 'film.bin': 32 << 20 })
  const torrent = create(binary, join(seller.home, 'downloads', 'film.bin'), join(folder, 'film.torrent'))
  await add(sells, torrent, { is_trusted: true })

  // Selling needs a limit, and says so where one looks.
  const shop = await open(browser)
  await login(shop.page, sells)
  await shop.page.goto(`${sells.url}/#/money`)
  await shop.page.getByLabel(/^Least price/).fill('2')
  await shop.page.getByRole('button', { name: 'Start selling' }).click()
  await shop.page.getByText('Say first what your line can send').waitFor()
  await shop.page.getByLabel('Upload limit').fill('2')
  await shop.page.getByRole('button', { name: 'Start selling' }).click()
  await confirm(shop.page, sells.password)
  await shop.page.getByRole('button', { name: 'Stop selling' }).waitFor()
  assert.deepEqual(await violations(shop.page), [])

  // From the button ...
  const { page, check } = await open(browser)
  await login(page, buys)
  const { port } = await sells.ask('GET', '/node')
  const id = await add(buys, torrent)
  await page.goto(`${buys.url}/#/t/${id}`)
  await page.getByRole('button', { name: 'Faster' }).click()
  const dialog = page.getByRole('dialog', { name: 'Faster, for money' })
  await dialog.getByLabel(/^Budget/).fill('0,0000001')
  await dialog.getByText('at most 6 behind it').waitFor()
  await dialog.getByLabel(/^Budget/).fill('5')
  await dialog.getByLabel(/^Highest price/).fill('10')
  await dialog.getByText('It costs at most').waitFor()
  assert.equal(await dialog.getByText('test money').first().isVisible(), true)
  assert.deepEqual(await violations(page), [])
  await picture(page, 'faster-light')
  await dialog.getByRole('button', { name: 'Buy' }).click()
  await confirm(page, buys.password)
  await dialog.waitFor({ state: 'detached' })
  await page.getByRole('tab', { name: 'Payments', selected: true }).waitFor()
  const lane = await buys.ask('GET', `/torrents/${id}/lane`)
  assert.deepEqual([lane.lane, lane.budget], ['fast', '5'])

  // ... with the switch in view ...
  const bar = page.getByRole('region', { name: 'Buying is on' })
  await bar.waitFor()
  await buys.ask('POST', `/torrents/${id}/peers`, { addresses: [`127.0.0.1:${port}`] })
  await until('something to be paid', async () => (await buys.ask('GET', `/torrents/${id}/lane`)).spent !== '0', LONG_MS)
  await page.getByText('So far').waitFor()
  await picture(page, 'payments-light')
  await until('it to be whole', async () => (await buys.ask('GET', `/torrents/${id}`)).stage === 'seeding', LONG_MS)

  // ... to the receipt: that of the page is that of the ledger.
  const receipt = page.getByRole('region', { name: 'Receipt' })
  await receipt.waitFor()
  const spent = async () => (await buys.ask('GET', `/spending?torrent=${id}`)).totals[0]
  // The last payment comes after the last piece, so both are asked until they agree.
  const total = await until('the receipt to say what the ledger says', async () => {
    const line = await spent()
    return line?.bytes > 0 && (await receipt.textContent()).includes(line.amount) ? line : undefined
  }, LONG_MS)
  assert.equal(total.is_test_money, true)
  assert.ok(Number(total.amount) <= 5)
  assert.deepEqual(await violations(page), [])
  await picture(page, 'receipt-light')

  const other = '5e'.repeat(20)
  await buys.ask('POST', '/torrents', { links: [`magnet:?xt=urn:btih:${other}&dn=Another`], options: { is_stopped: true } })
  await lookAt(browser, buys, [
    ['money-buying', '#/money', 'article progress, article [role=progressbar]'],
    ['money-spent', '#/money/book', '.chart canvas'],
    ['money-receipt', `#/t/${id}/payments`, '.receipt'],
    ['money-faster', `#/t/${other}`, 'dialog .before', (look) => look.getByRole('button', { name: /^(Faster|Schneller)$/ }).click()],
  ])

  // One press ends it, and asks for nothing.
  await bar.getByRole('button', { name: 'Stop buying' }).click()
  await bar.waitFor({ state: 'detached' })
  assert.equal((await buys.ask('GET', '/market')).buying.is_on, false)

  // The seller sees the same money, and has it as a file.
  await shop.page.goto(`${sells.url}/#/money/book`)
  const earned = shop.page.getByRole('region', { name: 'Earned' }).first()
  await until('the seller to see what the buyer has spent', async () => {
    const [paid, got] = [await spent(), (await sells.ask('GET', '/earnings')).totals[0]]
    return got?.amount === paid.amount && (await earned.textContent()).includes(paid.amount)
  }, LONG_MS)
  const file = await shop.page.getByRole('link', { name: 'CSV' }).getAttribute('href')
  const rows = await shop.page.evaluate(async (address) => (await fetch(address)).text(), file)
  assert.match(rows, /^day,torrent,name,peer/)
  assert.deepEqual(await violations(shop.page), [])
  await picture(shop.page, 'earnings-light')

  await lookAt(browser, sells, [['money-selling', '#/money', '#selling-title'], ['money-earned', '#/money/book', '.chart canvas']])

  // Who may only look sees the figures and no verb.
  const { key } = await sells.ask('POST', '/keys', { name: 'looks', scopes: ['read'] })
  const guest = await open(browser)
  await guest.context.setExtraHTTPHeaders({ authorization: `Bearer ${key}` })
  await guest.page.goto(`${sells.url}/#/money`)
  await guest.page.getByText('You ask').waitFor()
  await guest.page.getByText('You may look at this, and change nothing.').waitFor()
  assert.equal(await guest.page.getByRole('main').getByRole('button').count(), 0)
  check()
  shop.check()
  await sells.stop()
  await buys.stop()
  await chain.stop()
}

export const a_node_without_a_wallet_says_what_money_needs_and_works_without = async ({ browser, binary, folder }) => {
  const env = { HOME: folder }
  const node = await daemon(binary, folder, { env })
  tree(folder, { 'a.bin': 100_000 })
  const torrent = create(binary, join(folder, 'a.bin'), join(folder, 'a.torrent'))
  const id = await add(node, torrent, { is_stopped: true })
  const { page, check } = await open(browser)
  await login(page, node)
  await page.goto(`${node.url}/#/money`)
  await page.getByText('Nothing is bought or sold here').waitFor()
  assert.deepEqual(await violations(page), [])
  await page.goto(`${node.url}/#/money/book`)
  await page.getByText('Nothing was earned in this time.', { exact: false }).waitFor()
  await page.goto(`${node.url}/#/t/${id}`)
  await page.getByRole('button', { name: 'Faster' }).click()
  await page.getByText('This node cannot pay for a faster lane yet.', { exact: false }).waitFor()
  assert.deepEqual(await violations(page), [])
  assert.equal(await page.getByRole('region', { name: 'Buying is on' }).count(), 0)
  check()
  await node.stop()
}

/** Goes through the dialog of a new wallet as somebody with a pen does. */
const make = async (page, node) => {
  await page.getByRole('button', { name: 'Create a wallet' }).click()
  await confirm(page, node.password)
  const dialog = page.getByRole('dialog', { name: 'Create a wallet' })
  await dialog.locator('ol li').nth(11).waitFor()
  const phrase = await dialog.locator('ol li').allTextContents()
  assert.deepEqual(await violations(page), [])
  await dialog.getByRole('button', { name: 'I have written them down' }).click()
  const asked = dialog.getByLabel(/^Word \d+/)
  const labels = await dialog.locator('label', { hasText: /^Word \d+/ }).allTextContents()
  const words = labels.map((label) => phrase[Number(/\d+/.exec(label)[0]) - 1])
  assert.equal(words.length, 2)
  await asked.nth(0).fill(words[1] === words[0] ? 'another' : words[1])
  await asked.nth(1).fill(words[1])
  await dialog.getByRole('button', { name: 'Next' }).click()
  await dialog.getByText('That is not what was shown.', { exact: false }).waitFor()
  await asked.nth(0).fill(words[0])
  await dialog.getByRole('button', { name: 'Next' }).click()
  await dialog.getByLabel('The wallet’s password').fill(PASSWORD)
  await dialog.getByLabel('Once more').fill(PASSWORD)
  assert.deepEqual(await violations(page), [])
  await dialog.getByRole('button', { name: 'Create', exact: true }).click()
  await dialog.waitFor({ state: 'detached' })
}

export const a_wallet_is_made_with_two_of_its_words_received_to_and_locked = async ({ browser, binary, folder }) => {
  const seller = trader(binary, folder, 'seller')
  seller.ask('chain', 'init', '--token', 'TOK')
  const isReady = (line) => (JSON.parse(line).event === 'ready' ? true : undefined)
  const chain = await start(binary, ['chain', 'run', '--rpc', '127.0.0.1:0', '--json'], isReady, join(folder, 'chain.log'), seller.env)
  const home = join(folder, 'new')
  mkdirSync(home, { recursive: true })
  const env = { HOME: home, PIECEWORK_DATA_DIR: join(home, 'data') }
  seller.ask('chain', 'share', '-o', join(folder, 'network.json'))
  told(binary, ['chain', 'join', join(folder, 'network.json'), '--yes'], home, env)
  const node = await daemon(binary, home, { env })
  const { page, check } = await open(browser)
  await login(page, node)
  await page.goto(`${node.url}/#/money/wallet`)
  await make(page, node)

  await page.getByRole('button', { name: 'Receive', exact: true }).click()
  const receive = page.getByRole('dialog')
  await receive.getByLabel('The address as a code to scan').waitFor()
  const address = /0x[0-9a-fA-F]{40}/.exec(await receive.textContent())[0]
  assert.equal(address, told(binary, ['wallet', 'show'], home, env)[0].address)
  assert.deepEqual(await violations(page), [])
  await page.keyboard.press('Escape')
  // What is sent to it is seen without a reload.
  seller.signed('token', 'send', '12.5', 'TOK', address)
  await page.getByText('12.5').first().waitFor({ timeout: LONG_MS })
  await lookAt(browser, node, [['wallet', '#/money/wallet', '#wallet-title']])
  const lock = page.getByRole('button', { name: 'Lock', exact: true })
  if (await lock.count()) await lock.click()
  await page.getByRole('button', { name: 'Unlock', exact: true }).waitFor()
  check()
  await node.stop()
  await chain.stop()
}
