// Money from the button to the receipt, against a real seller and a real chain.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { login, lookAt, open, picture, violations } from './browser.mjs'
import { add, create, daemon, until } from './daemon.mjs'
import { tree } from './files.mjs'
import { confirm, LONG_MS, traders } from './traders.mjs'

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
  await dialog.getByLabel(/^Budget/).fill('0.02')
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
  assert.deepEqual([lane.lane, lane.budget], ['fast', '0.02'])

  // ... with the switch in view ...
  const bar = page.getByRole('region', { name: 'Buying is on' })
  await bar.waitFor()
  await buys.ask('POST', `/torrents/${id}/peers`, { addresses: [`127.0.0.1:${port}`] })
  await until('something to be paid', async () => (await buys.ask('GET', `/torrents/${id}/lane`)).spent !== '0', LONG_MS)
  await page.getByText('So far').waitFor()
  await picture(page, 'payments-light')

  // ... to the end of a budget that is less than a third of the price, and to a larger one ...
  await page.getByText(/^The budget is used up/).waitFor({ timeout: LONG_MS })
  assert.equal(await page.getByText(/Four fifths/).count(), 0)
  assert.deepEqual(await violations(page), [])
  await picture(page, 'budget-used-light')
  await page.getByRole('button', { name: 'Change' }).click()
  assert.equal(await dialog.getByLabel(/^Budget/).inputValue(), '0.02')
  await dialog.getByLabel(/^Budget/).fill('5')
  await dialog.getByRole('button', { name: 'Buy' }).click()
  await dialog.waitFor({ state: 'detached' })
  await page.getByText(/^The budget is used up/).waitFor({ state: 'detached' })
  assert.ok(Number((await buys.ask('GET', `/torrents/${id}/lane`)).spent) <= 5)
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

  // What is complete has cost what the receipt says, and its highest price is the one that was typed.
  await page.goto(`${buys.url}/#/money`)
  const bought = page.getByRole('article', { name: 'Buy faster downloads' }).getByRole('listitem')
  await until('what was bought to cost what the ledger says', async () => {
    const { amount } = await spent()
    const texts = await bought.allTextContents()
    return texts.some((text) => text.replace(/\s+/g, ' ').includes(`${amount} TOK of 5 TOK`)) || undefined
  }, LONG_MS)
  await page.goto(`${buys.url}/#/t/${id}/payments`)
  await page.getByRole('button', { name: 'Change' }).click()
  assert.equal(await dialog.getByLabel(/^Highest price/).inputValue(), '10')
  await page.keyboard.press('Escape')

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
