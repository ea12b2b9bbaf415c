// Somebody who may only look: with a key that reads, as a proxy adds it.
import assert from 'node:assert/strict'
import { open, violations } from './browser.mjs'
import { daemon } from './daemon.mjs'

const rows = (page) => page.locator('[role=grid] [role=row][aria-rowindex]:not([aria-rowindex="1"])')

export const who_may_only_look_sees_no_verbs_and_is_shut_out_with_the_key = async ({ browser, binary, folder }) => {
  const node = await daemon(binary, folder)
  await node.ask('POST', '/torrents', { links: [`magnet:?xt=urn:btih:${'cd'.repeat(20)}&dn=Look+at+me`], options: { is_stopped: true } })
  const { id, key } = await node.ask('POST', '/keys', { name: 'a display', scopes: ['read'] })
  const { page, context, check } = await open(browser)
  await context.setExtraHTTPHeaders({ authorization: `Bearer ${key}` })
  await page.goto(`${node.url}/`)
  await rows(page).getByText('Look at me').waitFor()
  for (const verb of ['Add', 'Start', 'Stop', 'Check', 'Remove', 'Label']) {
    assert.equal(await page.getByRole('button', { name: verb, exact: true }).count(), 0, verb)
  }
  await page.getByRole('grid').focus()
  await page.keyboard.press('Control+a')
  await page.getByText('1 selected').waitFor()
  await page.keyboard.press('Delete')
  await page.keyboard.press('Escape')
  await page.keyboard.press('n')
  assert.equal(await page.getByRole('dialog').count(), 0)
  assert.deepEqual(await violations(page), [])
  await rows(page).getByText('Look at me').click()
  await page.getByRole('tabpanel').waitFor()
  for (const verb of ['Start', 'Check', 'Remove', 'Label']) {
    assert.equal(await page.getByRole('button', { name: verb, exact: true }).count(), 0, verb)
  }
  await page.getByRole('link', { name: 'Settings' }).click()
  assert.ok(await page.getByLabel('Downloads at once').isDisabled())
  await page.getByRole('link', { name: 'Feeds' }).click()
  await page.getByRole('heading', { name: 'Feeds' }).waitFor()
  assert.equal(await page.getByRole('button', { name: 'Add the feed' }).count(), 0)
  assert.equal(await page.getByRole('button', { name: 'Make a rule' }).count(), 0)
  // Who holds the password deletes the key: the page asks who is there.
  await node.ask('DELETE', `/keys/${id}`)
  await page.getByRole('link', { name: 'Settings' }).click()
  await page.getByLabel('Password', { exact: true }).waitFor({ timeout: 60_000 })
  check()
  await node.stop()
}
