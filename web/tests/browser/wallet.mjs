// A wallet on the page: made, sent from, its vault, and the key that the node spends with. What the page says is held
// to what the commands say of the same chain.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { login, lookAt, open, picture, violations } from './browser.mjs'
import { told, until } from './daemon.mjs'
import { confirm, holders, LONG_MS, minter, PASSWORD, trader } from './traders.mjs'

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
  const { seller, chain, file } = await minter(binary, folder)
  const owner = trader(binary, folder, 'new')
  owner.ask('chain', 'join', file, '--yes')
  const node = await owner.up()
  const { page, check } = await open(browser)
  await login(page, node)
  await page.goto(`${node.url}/#/money/wallet`)
  await page.getByRole('button', { name: 'Restore a wallet' }).click()
  await page.getByLabel('Your words, in their order').fill('1. Abandon 2. ability')
  await page.getByText('2 words').waitFor()
  assert.deepEqual(await violations(page), [])
  await page.keyboard.press('Escape')
  await make(page, node)

  await page.getByRole('button', { name: 'Receive', exact: true }).click()
  const receive = page.getByRole('dialog')
  await receive.getByLabel('The address as a code to scan').waitFor()
  const address = /0x[0-9a-fA-F]{40}/.exec(await receive.textContent())[0]
  assert.equal(address, owner.ask('wallet', 'show')[0].address)
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

export const a_network_is_joined_from_its_file_and_the_wallet_signs_for_it_at_once = async ({ browser, binary, folder }) => {
  const { chain, file } = await minter(binary, folder)
  const owner = trader(binary, folder, 'new')
  const node = await owner.up()
  const { page, check } = await open(browser)
  await login(page, node)
  await page.goto(`${node.url}/#/money/wallet`)
  await make(page, node)
  await page.getByRole('heading', { name: 'On no network yet' }).waitFor()
  assert.equal(await page.getByRole('button', { name: 'Send', exact: true }).count(), 0)
  await lookAt(browser, node, [['no-network', '#/money/wallet', '#wallet-title']])
  await page.getByRole('button', { name: 'Join a network' }).click()
  const dialog = page.getByRole('dialog', { name: 'Join a network' })
  await dialog.getByLabel('Network file').fill('{"format": 1}')
  await dialog.getByRole('button', { name: 'Next' }).click()
  await dialog.getByText('the network file cannot be read', { exact: false }).waitFor()
  assert.deepEqual(await violations(page), [])
  await dialog.locator('input[type=file]').setInputFiles(file)
  await dialog.getByRole('button', { name: 'Next' }).click()
  await dialog.getByText('Is it the one you mean?', { exact: false }).waitFor({ timeout: LONG_MS })
  const network = JSON.parse(readFileSync(file, 'utf8'))
  for (const fact of [network.chain_id, network.genesis, 'TOK', new URL(network.rpc[0]).host]) {
    await dialog.getByText(String(fact), { exact: false }).first().waitFor()
  }
  assert.deepEqual(await violations(page), [])
  await picture(page, 'join')
  await dialog.getByRole('button', { name: 'Join', exact: true }).click()
  await dialog.waitFor({ state: 'detached', timeout: LONG_MS })
  await page.getByRole('button', { name: 'Send', exact: true }).waitFor({ timeout: LONG_MS })
  await page.locator('#vault-title').waitFor({ timeout: LONG_MS })
  // The commands have joined it as well, and another network is refused.
  assert.equal(owner.ask('chain', 'status')[0].chain_id, network.chain_id)
  const token = JSON.stringify({ file: JSON.stringify({ ...network, chain_id: network.chain_id + 1 }) })
  const refused = await page.evaluate(async (body) => {
    const headers = { 'content-type': 'application/json' }
    return (await fetch('api/v1/wallet/network', { method: 'POST', headers, body })).status
  }, token)
  assert.equal(refused, 409)
  check()
  await node.stop()
  await chain.stop()
}

/** The wallet's screen of somebody who has 1000 TOK. */
const visit = async (browser, binary, folder) => {
  const { seller, buyer, chain } = await holders(binary, folder)
  const node = await buyer.up()
  const { page, check } = await open(browser)
  await login(page, node)
  await page.goto(`${node.url}/#/money/wallet`)
  const stop = async () => {
    check()
    await node.stop()
    await chain.stop()
  }
  return { seller, buyer, node, page, stop }
}

/** Presses a button that has to be held, for as long as it takes. */
const hold = async (page, button, done) => {
  await button.hover()
  await page.mouse.down()
  await done()
  await page.mouse.up()
}

/** Opens a verb, fills its form in and looks at what it would do; gives the dialog. */
const preview = async (page, verb, amount) => {
  await page.getByRole('button', { name: verb, exact: true }).click()
  const dialog = page.getByRole('dialog', { name: verb })
  if (amount !== undefined) await dialog.getByLabel('Amount, TOK').fill(amount)
  assert.deepEqual(await violations(page), [])
  await dialog.getByRole('button', { name: 'See what it costs' }).click()
  return dialog
}

/** Carries out what is shown, and waits until the chain has it. */
const carryOut = async (page, dialog, act) => {
  await dialog.getByText('Fees at most').waitFor()
  assert.deepEqual(await violations(page), [])
  const orders = page.getByRole('article', { name: 'Orders' }).getByRole('listitem')
  const before = await orders.count()
  await hold(page, dialog.getByRole('button', { name: act, exact: true }), () => dialog.waitFor({ state: 'detached', timeout: LONG_MS }))
  await until('another order', async () => (await orders.count()) > before, LONG_MS)
  await orders.first().getByText('done').waitFor({ timeout: LONG_MS })
}

export const tokens_are_sent_after_a_preview_and_not_on_a_wrong_password_or_address = async ({ browser, binary, folder }) => {
  const { seller, buyer, node, page, stop } = await visit(browser, binary, folder)
  const to = seller.ask('wallet', 'show')[0].address
  const amount = (who) => who.ask('token', 'balance').find(({ symbol }) => symbol === 'TOK').amount
  const had = amount(seller)
  const account = page.getByRole('article', { name: 'Wallet' })
  await account.getByText('1,000', { exact: true }).waitFor()

  // An address with a typing error is told apart, and what was typed stays.
  await account.getByRole('button', { name: 'Send', exact: true }).click()
  const dialog = page.getByRole('dialog', { name: 'Send' })
  const look = dialog.getByRole('button', { name: 'See what it costs' })
  await dialog.getByLabel('To', { exact: true }).fill(to.slice(0, -1) + (to.endsWith('7') ? '8' : '7'))
  await dialog.getByLabel('Amount, TOK').fill('12,5')
  await look.click()
  await confirm(page, node.password)
  await dialog.getByRole('alert').getByText('the address has a wrong letter').waitFor()
  assert.deepEqual(await violations(page), [])
  assert.equal(await dialog.getByLabel('Amount, TOK').inputValue(), '12,5')

  // More than there is, and what is no amount.
  await dialog.getByLabel('To', { exact: true }).fill(to)
  await dialog.getByLabel('Amount, TOK').fill('1000,5')
  await look.click()
  await dialog.getByRole('alert').getByText('there are 1000 TOK').waitFor()
  await dialog.getByLabel('Amount, TOK').fill('12.5.')
  await dialog.getByText('An amount is digits').waitFor()
  assert.ok(await look.isDisabled())

  // What it would do and cost stands there before a password is asked for.
  await dialog.getByLabel('Amount, TOK').fill('12,5')
  await look.click()
  await dialog.getByText(`send 12.5 TOK to ${to}`).waitFor()
  await dialog.getByText('Fees at most').waitFor()
  await picture(page, 'send-light')
  const send = dialog.getByRole('button', { name: 'Send', exact: true })
  assert.ok(await send.isDisabled())
  const password = dialog.getByLabel('The wallet’s password')
  await password.fill('battery')
  await hold(page, send, () => dialog.getByRole('alert').getByText('wrong password').waitFor({ timeout: LONG_MS }))
  assert.deepEqual(await violations(page), [])
  assert.deepEqual([amount(buyer), (await node.ask('GET', '/wallet/orders')).orders], ['1000', []])

  // The right one sends it, once.
  await password.fill(PASSWORD)
  await carryOut(page, dialog, 'Send')
  await account.getByText('987.5', { exact: true }).waitFor({ timeout: LONG_MS })
  assert.deepEqual([amount(buyer), Number(amount(seller)) - Number(had)], ['987.5', 12.5])
  const [order] = (await node.ask('GET', '/wallet/orders')).orders
  const receipt = page.getByRole('article', { name: 'Orders' })
  assert.equal(await receipt.getByTitle(order.steps[0].transaction).count(), 1)
  const past = page.getByRole('article', { name: 'Came and went' }).getByRole('listitem').filter({ hasText: 'Went' })
  await past.waitFor({ timeout: LONG_MS })
  assert.match(await past.textContent(), /12\.5\s+TOK/)
  assert.equal(await past.getByTitle(to).count(), 1)
  assert.deepEqual(await violations(page), [])
  await lookAt(browser, node, [['wallet-sent', '#/money/wallet', '#history-title']])
  await stop()
}

/** The figures of the vault as the page has them, by their names. */
const figures = async (page) => {
  const parts = page.getByRole('article', { name: 'Vault' }).locator('dl > div')
  return Object.fromEntries(await parts.evaluateAll((all) =>
    all.map((each) => [each.querySelector('dt').textContent, each.querySelector('.number').textContent.replaceAll(',', '')])))
}

/** Waits until the page says this of the vault, and has the command say the same. */
const agreed = async (page, owner, wanted) => {
  await until(`the page to say ${JSON.stringify(wanted)}`, async () => {
    const shown = await figures(page)
    const now = { free: shown['Free in the vault'], bond: shown.Bond, credit: shown['Credit: earned and cashed'] }
    return JSON.stringify(now) === JSON.stringify(wanted)
  }, LONG_MS)
  const { free, bond, credit } = vault(owner)
  assert.deepEqual({ free, bond, credit }, wanted)
}

/** What the command says of it. */
const vault = (owner) => owner.ask('vault', 'status').find(({ event }) => event === 'account')

/** Unlocks the wallet on its own, after one wrong password. */
const unlock = async (page, node) => {
  await page.getByRole('button', { name: 'Unlock', exact: true }).click()
  const dialog = page.getByRole('dialog', { name: 'Unlock the wallet' })
  await dialog.getByLabel('The wallet’s password').fill('battery')
  await dialog.getByLabel('For how long').selectOption({ label: '60 minutes' })
  await dialog.getByRole('button', { name: 'Unlock', exact: true }).click()
  await confirm(page, node.password)
  await dialog.getByRole('alert').getByText('wrong password').waitFor({ timeout: LONG_MS })
  assert.deepEqual(await violations(page), [])
  await dialog.getByLabel('The wallet’s password').fill(PASSWORD)
  await dialog.getByRole('button', { name: 'Unlock', exact: true }).click()
  await dialog.waitFor({ state: 'detached', timeout: LONG_MS })
}

export const the_vault_has_what_the_page_says_after_each_of_its_verbs = async ({ browser, binary, folder }) => {
  const { seller, buyer, node, page, stop } = await visit(browser, binary, folder)
  await unlock(page, node)
  const act = async (verb, amount) => carryOut(page, await preview(page, verb, amount), verb)

  await act('Deposit', '100.25')
  await agreed(page, buyer, { free: '100.25', bond: '0', credit: '0' })
  await act('Add to the bond', '500')
  await agreed(page, buyer, { free: '100.25', bond: '500', credit: '0' })
  const balance = page.getByRole('article', { name: 'Wallet' })
  await balance.getByText('399.75', { exact: true }).waitFor({ timeout: LONG_MS })

  // What is asked back waits a day; another sum takes its place, and nothing cancels it.
  const waits = page.getByText('can be taken out from')
  await act('Take out', '30')
  await waits.filter({ hasText: '30 TOK' }).waitFor({ timeout: LONG_MS })
  assert.equal(vault(buyer).exit_amount, '30')
  await act('Take out', '40,5')
  await waits.filter({ hasText: '40.5 TOK' }).waitFor({ timeout: LONG_MS })
  assert.equal(vault(buyer).exit_amount, '40.5')
  await act('Take out', '0')
  await waits.waitFor({ state: 'detached', timeout: LONG_MS })
  assert.equal(vault(buyer).exit_amount, '0')

  // Two cheques that are cashed together are credited; a part goes into the vault, the rest to the wallet.
  seller.signed('vault', 'deposit', '10')
  seller.signed('vault', 'bond', '10')
  for (const [name, sum] of [['one.json', '1.5'], ['two.json', '4']]) seller.signed('vault', 'cheque', buyer.address, sum, '-o', name)
  seller.signed('vault', 'cash', 'one.json', 'two.json')
  await agreed(page, buyer, { free: '100.25', bond: '500', credit: '5.5' })
  await page.getByRole('button', { name: 'Deposit', exact: true }).click()
  const dialog = page.getByRole('dialog', { name: 'Deposit' })
  await dialog.getByLabel('Take it from the credit').check()
  await dialog.getByText('There is 5.5 TOK').waitFor()
  await dialog.getByLabel('Amount, TOK').fill('1')
  await dialog.getByRole('button', { name: 'See what it costs' }).click()
  await carryOut(page, dialog, 'Deposit')
  await agreed(page, buyer, { free: '101.25', bond: '500', credit: '4.5' })
  await act('Take the credit')
  await agreed(page, buyer, { free: '101.25', bond: '500', credit: '0' })
  await balance.getByText('404.25', { exact: true }).waitFor({ timeout: LONG_MS })

  // The bond is asked back whole, once.
  await act('Take the bond back')
  await page.getByText('The bond can be taken back from').waitFor({ timeout: LONG_MS })
  assert.ok(vault(buyer).bond_exit_at > Date.now() / 1000)
  assert.equal(await page.getByRole('button', { name: 'Take the bond back' }).count(), 0)
  await lookAt(browser, node, [['vault', '#/money/wallet', '#vault-title']])
  await stop()
}

export const a_session_key_is_given_for_a_sum_shown_and_taken_back = async ({ browser, binary, folder }) => {
  const { buyer, node, page, stop } = await visit(browser, binary, folder)
  buyer.signed('vault', 'deposit', '100')
  buyer.signed('vault', 'bond', '500')
  const key = async () => (await node.ask('GET', '/wallet')).session_key
  const part = page.getByRole('article', { name: 'Vault' })
  await part.getByText('Nothing: nothing can be bought before you allow it.').waitFor({ timeout: LONG_MS })
  await part.getByText('100', { exact: true }).waitFor({ timeout: LONG_MS })

  // No more than there is in the vault, and not without the wallet's password.
  await part.getByRole('button', { name: 'Allow the node' }).click()
  const dialog = page.getByRole('dialog', { name: 'What the node may spend by itself' })
  const allow = dialog.getByRole('button', { name: 'Allow the node' })
  await dialog.getByText('Free in the vault: 100 TOK').waitFor()
  await dialog.getByLabel('At most, TOK').fill('100,5')
  await dialog.getByLabel('The wallet’s password').fill('battery')
  await allow.click()
  await confirm(page, node.password)
  await dialog.getByRole('alert').getByText('wrong password').waitFor({ timeout: LONG_MS })
  assert.deepEqual(await violations(page), [])
  await dialog.getByLabel('The wallet’s password').fill(PASSWORD)
  await allow.click()
  await dialog.getByRole('alert').getByText('100 TOK are free in the vault').waitFor({ timeout: LONG_MS })
  assert.equal(await key(), null)
  await dialog.getByLabel('At most, TOK').fill('50')
  await allow.click()
  await dialog.waitFor({ state: 'detached', timeout: LONG_MS })
  await part.getByText(/Spent\s+0\s+TOK\s+of\s+50\s+TOK/).waitFor({ timeout: LONG_MS })
  assert.equal((await key()).max.whole, '50')
  assert.equal((await figures(page)).Promised, '50')
  await lookAt(browser, node, [['session-key', '#/money/wallet', '.trust']])

  // Buying says what it may spend, and taking the key back ends buying at once.
  await page.goto(`${node.url}/#/money`)
  const buying = page.getByRole('article', { name: 'Buy faster downloads' })
  await buying.getByText(/50\s+TOK\s+test money until \w+ \d+, \d{4}/).waitFor()
  await buying.getByRole('button', { name: 'Turn on' }).click()
  const bar = page.getByRole('region', { name: 'Buying is on' })
  await bar.waitFor()
  await page.goto(`${node.url}/#/money/wallet`)
  await carryOut(page, await preview(page, 'Revoke'), 'Revoke')
  await part.getByText('Revoked; it counts on the chain from').waitFor({ timeout: LONG_MS })
  await bar.waitFor({ state: 'detached' })
  assert.equal((await node.ask('GET', '/market')).buying.is_on, false)
  assert.ok((await key()).revoked_at > Date.now() / 1000)
  assert.equal(await part.getByRole('button', { name: 'Revoke' }).count(), 0)
  await page.goto(`${node.url}/#/money`)
  await buying.getByText('Nothing: nothing can be bought before you allow it.').waitFor()
  const other = '5e'.repeat(20)
  await node.ask('POST', '/torrents', { links: [`magnet:?xt=urn:btih:${other}&dn=Another`], options: { is_stopped: true } })
  await page.goto(`${node.url}/#/t/${other}`)
  await page.getByRole('button', { name: 'Faster' }).click()
  await page.getByText('Nothing yet: nothing can be bought before you allow it.').waitFor()
  assert.deepEqual(await violations(page), [])
  await stop()
}
