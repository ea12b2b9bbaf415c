// viem against the node: deploy, transfer, logs, filters, subscriptions, and which of its errors ours become.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { here, load } from '../packages.mjs'
import { check, failure, soon } from './check.mjs'
import { abi, bytecode } from './probe.mjs'

const viem = load('viem')
const { privateKeyToAccount } = load('viem/accounts')

/** The error of that class inside another. */
const inside = (error, kind) => {
  const found = error.walk((cause) => cause instanceof kind)
  assert.ok(found, `${kind.name} expected in: ${error.message}`)
  return found
}

const refusals = async (node, client, accounts) => {
  const [rich, poor] = accounts
  const raw = (serializedTransaction) => client.sendRawTransaction({ serializedTransaction })
  const fees = await client.estimateFeesPerGas()
  const sign = (account, fields) => account.signTransaction({
    type: 'eip1559', chainId: node.chainId, gas: 21_000n, to: poor.address, value: 0n,
    maxFeePerGas: fees.maxFeePerGas, maxPriorityFeePerGas: fees.maxPriorityFeePerGas, ...fields
  })
  const nonce = await client.getTransactionCount({ address: rich.address })
  await check('viem: nonce too low', async () => {
    const error = await failure(raw(await sign(rich, { nonce: 0, value: 5n })))
    assert.match(error.details, /^nonce too low/)
    const wallet = viem.createWalletClient({ account: rich, transport: viem.http(node.http) })
    const chain = viem.defineChain({ id: node.chainId, name: 'ours', nativeCurrency: { name: 'c', symbol: 'C', decimals: 18 }, rpcUrls: { default: { http: [node.http] } } })
    inside(await failure(wallet.sendTransaction({ chain, to: poor.address, nonce: 0, gas: 21_000n, ...fees })), viem.NonceTooLowError)
  })
  await check('viem: insufficient funds', async () => {
    const wallet = viem.createWalletClient({ account: poor, transport: viem.http(node.http) })
    const error = await failure(wallet.sendTransaction({ chain: null, to: rich.address, value: 10n ** 30n, gas: 21_000n, nonce: 0, ...fees }))
    inside(error, viem.InsufficientFundsError)
  })
  await check('viem: intrinsic gas too low', async () => {
    const wallet = viem.createWalletClient({ account: rich, transport: viem.http(node.http) })
    const error = await failure(wallet.sendTransaction({ chain: null, to: poor.address, gas: 20_000n, nonce, ...fees }))
    inside(error, viem.IntrinsicGasTooLowError)
  })
  await check('viem: more gas than a block has, another chain id, already known', async () => {
    const much = await failure(raw(await sign(rich, { nonce, gas: 10n ** 10n })))
    assert.match(much.details, /exceeds block gas limit/)
    const foreign = await failure(raw(await sign(rich, { nonce, chainId: 1 })))
    assert.match(foreign.details, /invalid chain id/)
    // Behind a gap, so that it stays in the pool.
    const waiting = await sign(rich, { nonce: nonce + 5 })
    const hash = await raw(waiting)
    assert.match((await failure(raw(waiting))).details, /already known/)
    const seen = await client.getTransaction({ hash })
    assert.equal(seen.blockNumber, null)
    assert.equal(seen.from.toLowerCase(), rich.address.toLowerCase())
    const underpriced = await failure(raw(await sign(rich, { nonce: nonce + 5, value: 1n })))
    assert.match(underpriced.details, /replacement transaction underpriced/)
  })
  await check('viem: an unknown method', async () => {
    inside(await failure(client.request({ method: 'debug_traceTransaction', params: [] })), viem.MethodNotFoundRpcError)
  })
  await check('viem: invalid parameters', async () => {
    inside(await failure(client.request({ method: 'eth_getBalance', params: ['0x12', 'latest'] })), viem.InvalidParamsRpcError)
  })
}

const contract = async (node, client, wallet, socket) => {
  let address
  await check('viem: deploys', async () => {
    const hash = await wallet.deployContract({ abi, bytecode, args: [41n], value: 3n })
    const receipt = await client.waitForTransactionReceipt({ hash, pollingInterval: 50 })
    assert.equal(receipt.status, 'success')
    address = receipt.contractAddress
    assert.equal(await client.getBalance({ address }), 3n)
    assert.ok((await client.getCode({ address })).length > 100)
    assert.equal(await client.readContract({ address, abi, functionName: 'values', args: [0n] }), 41n)
    const slot = viem.keccak256(viem.encodeAbiParameters([{ type: 'uint256' }, { type: 'uint256' }], [0n, 0n]))
    assert.equal(BigInt(await client.getStorageAt({ address, slot })), 41n)
  })
  await check('viem: reverts arrive decoded', async () => {
    const custom = await failure(client.simulateContract({ address, abi, functionName: 'refuse', args: [9n], account: wallet.account }))
    const reverted = inside(custom, viem.ContractFunctionRevertedError)
    assert.equal(reverted.data.errorName, 'TooMuch')
    assert.deepEqual(reverted.data.args, [9n, 7n])
    const text = await failure(client.readContract({ address, abi, functionName: 'explain' }))
    assert.equal(inside(text, viem.ContractFunctionRevertedError).reason, 'because I say so')
    const estimate = await failure(client.estimateContractGas({ address, abi, functionName: 'explain', account: wallet.account }))
    assert.match(estimate.message, /because I say so/)
    const endless = await failure(client.readContract({ address, abi, functionName: 'burn' }))
    assert.match(endless.message, /gas/i)
  })
  await check('viem: a call sees a time that is not in the past', async () => {
    const time = await client.readContract({ address, abi, functionName: 'blockTime', blockTag: 'pending' })
    assert.ok(time >= (await client.getBlock()).timestamp)
    assert.ok(Math.abs(Number(time) - Date.now() / 1000) < 10)
  })
  const note = async (key, text) => {
    const hash = await wallet.writeContract({ address, abi, functionName: 'note', args: [key, text] })
    return client.waitForTransactionReceipt({ hash, pollingInterval: 50 })
  }
  await check('viem: logs by range, by block, by topic', async () => {
    const first = await note(1n, 'one')
    const second = await note(2n, 'two')
    const range = { address, fromBlock: first.blockNumber, toBlock: second.blockNumber }
    const all = await client.getContractEvents({ abi, ...range })
    assert.deepEqual(all.map((log) => log.args.text), ['one', 'two'])
    const some = await client.getContractEvents({ abi, eventName: 'Noted', args: { key: 2n }, ...range })
    assert.deepEqual(some.map((log) => log.args.text), ['two'])
    const block = await client.getLogs({ blockHash: first.blockHash })
    assert.equal(block[0].transactionHash, first.transactionHash)
    assert.deepEqual(await client.getContractEvents({ abi, ...range, address: wallet.account.address }), [])
  })
  await check('viem: filters', async () => {
    const filter = await client.createContractEventFilter({ address, abi, eventName: 'Noted' })
    const blocks = await client.createBlockFilter()
    const pending = await client.createPendingTransactionFilter()
    assert.deepEqual(await client.getFilterChanges({ filter }), [])
    const receipt = await note(3n, 'three')
    assert.deepEqual((await client.getFilterChanges({ filter })).map((log) => log.args.text), ['three'])
    assert.deepEqual(await client.getFilterChanges({ filter }), [])
    assert.deepEqual(await client.getFilterChanges({ filter: blocks }), [receipt.blockHash])
    assert.deepEqual(await client.getFilterChanges({ filter: pending }), [receipt.transactionHash])
    assert.ok((await client.getFilterLogs({ filter })).length >= 1)
    assert.equal(await client.uninstallFilter({ filter }), true)
    assert.match((await failure(client.getFilterChanges({ filter }))).message, /filter not found/)
  })
  await check('viem: subscriptions over WebSocket', async () => {
    let stop = []
    const head = new Promise((resolve) => { stop.push(socket.watchBlocks({ onBlock: resolve })) })
    const log = new Promise((resolve) => { stop.push(socket.watchContractEvent({ address, abi, eventName: 'Noted', onLogs: resolve })) })
    await new Promise((resolve) => setTimeout(resolve, 300))
    const receipt = await note(4n, 'four')
    assert.equal((await soon(head, 'head')).hash, receipt.blockHash)
    assert.equal((await soon(log, 'log'))[0].args.text, 'four')
    stop.forEach((unwatch) => unwatch())
  })
  return address
}

/** A token of `Assets`, which viem knows as any other of ERC-20. */
const token = async (client, wallet, receiver) => {
  const { abi: assets, bytecode } = JSON.parse(readFileSync(join(here, 'artifacts', 'Assets.json'), 'utf8'))
  const done = (hash) => client.waitForTransactionReceipt({ hash, pollingInterval: 50 })
  await check('viem: a token of Assets through its face', async () => {
    const { contractAddress } = await done(await wallet.deployContract({ abi: assets, bytecode }))
    const issue = await done(await wallet.writeContract({
      address: contractAddress, abi: assets, functionName: 'issue', args: ['Gem', 'GEM', 2, 1234n]
    }))
    const [issued] = viem.parseEventLogs({ abi: assets, eventName: 'Issued', logs: issue.logs })
    const id = issued.args.id
    const address = await client.readContract({ address: contractAddress, abi: assets, functionName: 'faceOf', args: [id] })
    const read = (functionName, ...args) => client.readContract({ address, abi: viem.erc20Abi, functionName, args })
    const told = await Promise.all(['name', 'symbol', 'decimals', 'totalSupply'].map((name) => read(name)))
    assert.deepEqual(told, ['Gem', 'GEM', 2, 1234n])
    assert.equal(await read('balanceOf', wallet.account.address), 1234n)
    const moved = await done(await wallet.writeContract({
      address, abi: viem.erc20Abi, functionName: 'transfer', args: [receiver.address, 34n]
    }))
    assert.deepEqual([await read('balanceOf', wallet.account.address), await read('balanceOf', receiver.address)], [1200n, 34n])
    const range = { fromBlock: issue.blockNumber, toBlock: moved.blockNumber }
    const logs = await client.getContractEvents({ address, abi: viem.erc20Abi, eventName: 'Transfer', ...range })
    const { zeroAddress: nobody } = viem
    assert.deepEqual(logs.map(({ args }) => args), [
      { from: nobody, to: wallet.account.address, value: 1234n },
      { from: wallet.account.address, to: receiver.address, value: 34n }
    ])
    const mine = await client.getContractEvents({
      address, abi: viem.erc20Abi, eventName: 'Transfer', args: { to: receiver.address }, ...range
    })
    assert.deepEqual(mine.map((log) => log.transactionHash), [moved.transactionHash])
  })
}

/** Runs all of it. */
export const run = async (node) => {
  const accounts = [...node.keys, `0x${'77'.repeat(32)}`].map((key) => privateKeyToAccount(key))
  const rich = accounts[0]
  const poor = accounts.at(-1)
  const chain = viem.defineChain({
    id: node.chainId, name: 'ours', nativeCurrency: { name: 'coin', symbol: 'COIN', decimals: 18 },
    rpcUrls: { default: { http: [node.http], webSocket: [node.ws] } }
  })
  const client = viem.createPublicClient({ chain, transport: viem.http(node.http) })
  const wallet = viem.createWalletClient({ chain, account: rich, transport: viem.http(node.http) })
  const socket = viem.createPublicClient({ chain, transport: viem.webSocket(node.ws) })
  await check('viem: who and where', async () => {
    assert.equal(await client.getChainId(), node.chainId)
    assert.match(await client.request({ method: 'web3_clientVersion' }), /^piecework\//)
    assert.deepEqual(await wallet.getAddresses(), [rich.address])
    assert.deepEqual(await client.request({ method: 'eth_accounts' }), [])
    assert.equal(await client.request({ method: 'eth_syncing' }), false)
  })
  await check('viem: transfers coin', async () => {
    const hash = await wallet.sendTransaction({ to: poor.address, value: 1000n })
    const receipt = await client.waitForTransactionReceipt({ hash, pollingInterval: 50 })
    assert.equal(receipt.status, 'success')
    assert.equal(receipt.gasUsed, 21_000n)
    assert.equal(await client.getBalance({ address: poor.address }), 1000n)
    const [seen, block] = await Promise.all([
      client.getTransaction({ hash }), client.getBlock({ blockHash: receipt.blockHash, includeTransactions: true })
    ])
    assert.equal(block.transactions[receipt.transactionIndex].hash, hash)
    assert.equal(seen.blockHash, receipt.blockHash)
    assert.equal(seen.value, 1000n)
    const byIndex = await client.getTransaction({ blockHash: receipt.blockHash, index: receipt.transactionIndex })
    assert.equal(byIndex.hash, hash)
    assert.equal(await client.getBlockTransactionCount({ blockHash: receipt.blockHash }), block.transactions.length)
  })
  await check('viem: tags and old state', async () => {
    for (const blockTag of ['latest', 'safe', 'finalized', 'pending', 'earliest']) {
      assert.ok((await client.getBlock({ blockTag })).gasLimit > 0n, blockTag)
      assert.ok(typeof await client.getBalance({ address: poor.address, blockTag }) === 'bigint', blockTag)
    }
    assert.equal(await client.getBalance({ address: poor.address, blockTag: 'earliest' }), 0n)
    assert.equal((await client.getBlock({ blockTag: 'earliest' })).number, 0n)
    await failure(client.getBlock({ blockNumber: 10n ** 9n }))
  })
  await check('viem: fees', async () => {
    const history = await client.getFeeHistory({ blockCount: 4, rewardPercentiles: [25, 75] })
    assert.equal(history.baseFeePerGas.length, history.gasUsedRatio.length + 1)
    assert.equal(history.reward.length, history.gasUsedRatio.length)
    assert.ok(await client.getGasPrice() >= 0n)
    assert.ok(await client.estimateMaxPriorityFeePerGas() >= 0n)
    assert.equal(await client.estimateGas({ account: rich, to: poor.address, value: 1n }), 21_000n)
  })
  await contract(node, client, wallet, socket)
  await token(client, wallet, poor)
  await refusals(node, client, [rich, poor])
  const transport = await socket.transport.getRpcClient()
  transport.close()
}
