// cast, Foundry's tool for the command line, against the node.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { foundry } from '../packages.mjs'
import { check } from './check.mjs'
import { bytecode } from './probe.mjs'

/** Runs all of it. */
export const run = async (node) => {
  const cast = async (...args) => {
    const [verb, ...rest] = args
    const { stdout } = await promisify(execFile)(foundry('cast'), [verb, '--rpc-url', node.http, ...rest])
    return stdout.trim()
  }
  const key = node.keys[2]
  const receiver = `0x${'00'.repeat(19)}99`
  await check('cast: chain id, block, fees', async () => {
    assert.equal(Number(await cast('chain-id')), node.chainId)
    assert.ok(Number(await cast('block-number')) >= 0)
    assert.match(await cast('block', 'latest'), /stateRoot/)
    assert.ok(Number(await cast('gas-price')) >= 0)
    assert.match(await cast('client'), /^piecework\//)
  })
  await check('cast: sends coin', async () => {
    const receipt = JSON.parse(await cast('send', '--json', '--private-key', key, receiver, '--value', '12345'))
    assert.equal(receipt.status, '0x1')
    assert.equal(await cast('balance', receiver), '12345')
    assert.match(await cast('tx', receipt.transactionHash), /12345/)
    assert.equal(JSON.parse(await cast('receipt', '--json', receipt.transactionHash)).blockHash, receipt.blockHash)
  })
  await check('cast: deploys, calls, sends, reads logs', async () => {
    const argument = '00'.repeat(31) + '09'
    const created = JSON.parse(await cast('send', '--json', '--private-key', key, '--create', bytecode + argument))
    const probe = created.contractAddress
    assert.match(await cast('call', probe, 'values(uint256)(uint256)', '0'), /^9$/)
    assert.match(await cast('code', probe), /^0x60/)
    const sent = JSON.parse(await cast('send', '--json', '--private-key', key, probe, 'note(uint256,string)', '4', 'cast'))
    const logs = JSON.parse(await cast('logs', '--json', '--address', probe, '--from-block', String(Number(sent.blockNumber))))
    assert.equal(logs.length, 1)
    assert.equal(logs[0].transactionHash, sent.transactionHash)
    assert.ok(Number(await cast('estimate', probe, 'note(uint256,string)', '4', 'cast')) > 21_000)
    await assert.rejects(cast('call', probe, 'explain()'), /because I say so/)
  })
  await check('cast: nonces', async () => {
    const address = (await promisify(execFile)(foundry('cast'), ['wallet', 'address', key])).stdout.trim()
    assert.equal(await cast('nonce', address), '3')
  })
}
