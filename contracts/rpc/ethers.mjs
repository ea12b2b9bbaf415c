// ethers against the node: the same ground as viem.mjs, by another library's reading of the protocol.
import assert from 'node:assert/strict'
import { load } from '../packages.mjs'
import { check, failure, soon } from './check.mjs'
import { abi, bytecode } from './probe.mjs'

const ethers = load('ethers')

const contract = async (wallet, provider, socket) => {
  const factory = new ethers.ContractFactory(abi, bytecode, wallet)
  const probe = await factory.deploy(5n, { value: 2n })
  await check('ethers: deploys', async () => {
    await probe.waitForDeployment()
    assert.equal(await probe.values(0n), 5n)
    assert.equal(await provider.getBalance(probe), 2n)
    const hash = ethers.keccak256(await provider.getCode(probe))
    assert.equal(hash.length, 66)
  })
  await check('ethers: reverts arrive decoded', async () => {
    const custom = await failure(probe.refuse(9n))
    assert.equal(custom.code, 'CALL_EXCEPTION')
    assert.equal(custom.revert.name, 'TooMuch')
    assert.deepEqual([...custom.revert.args], [9n, 7n])
    const text = await failure(probe.explain.estimateGas())
    assert.equal(text.code, 'CALL_EXCEPTION')
    assert.equal(text.reason, 'because I say so')
  })
  await check('ethers: a transaction that fails has a receipt with status 0', async () => {
    const sent = await wallet.sendTransaction({ to: probe, data: probe.interface.encodeFunctionData('explain'), gasLimit: 100_000n })
    const error = await failure(sent.wait())
    assert.equal(error.code, 'CALL_EXCEPTION')
    assert.equal(error.receipt.status, 0)
  })
  await check('ethers: logs', async () => {
    const receipt = await (await probe.note(1n, 'eins')).wait()
    assert.equal(receipt.logs[0].fragment.name, 'Noted')
    const found = await probe.queryFilter(probe.filters.Noted(wallet.address), receipt.blockNumber, 'latest')
    assert.deepEqual(found.map((log) => log.args.text), ['eins'])
    const none = await probe.queryFilter(probe.filters.Noted(null, 77n), receipt.blockNumber, 'latest')
    assert.deepEqual(none, [])
    const all = await provider.send('eth_getBlockReceipts', [ethers.toQuantity(receipt.blockNumber)])
    assert.equal(all[receipt.index].transactionHash, receipt.hash)
  })
  await check('ethers: subscriptions over WebSocket', async () => {
    const block = new Promise((resolve) => socket.once('block', resolve))
    const watched = probe.connect(socket)
    const log = new Promise((resolve) => watched.on(watched.filters.Noted, (...args) => resolve(args)))
    await new Promise((resolve) => setTimeout(resolve, 300))
    const receipt = await (await probe.note(2n, 'zwei')).wait()
    assert.equal(await soon(block, 'block'), receipt.blockNumber)
    const [who, key, text] = await soon(log, 'log')
    assert.deepEqual([who, key, text], [wallet.address, 2n, 'zwei'])
    await watched.removeAllListeners()
  })
  await check('ethers: events by polling', async () => {
    const polled = new Promise((resolve) => probe.once(probe.filters.Noted, (_who, _key, text) => resolve(text)))
    await new Promise((resolve) => setTimeout(resolve, 300))
    await (await probe.note(3n, 'drei')).wait()
    assert.equal(await soon(polled, 'log'), 'drei')
  })
}

const refusals = async (node, wallet, poor, provider) => {
  const fees = await provider.getFeeData()
  const price = { maxFeePerGas: fees.maxFeePerGas ?? 0n, maxPriorityFeePerGas: fees.maxPriorityFeePerGas ?? 0n }
  const nonce = await provider.getTransactionCount(wallet.address, 'pending')
  await check('ethers: insufficient funds', async () => {
    const error = await failure(poor.sendTransaction({ to: wallet.address, value: 10n ** 30n, gasLimit: 21_000n, nonce: 0, ...price }))
    assert.equal(error.code, 'INSUFFICIENT_FUNDS')
  })
  await check('ethers: nonce too low', async () => {
    const error = await failure(wallet.sendTransaction({ to: poor.address, nonce: 0, gasLimit: 21_000n, ...price }))
    assert.equal(error.code, 'NONCE_EXPIRED')
  })
  await check('ethers: replacement underpriced', async () => {
    const fields = { to: poor.address, nonce: nonce + 9, gasLimit: 21_000n, ...price }
    await wallet.sendTransaction(fields)
    const error = await failure(wallet.sendTransaction({ ...fields, value: 1n }))
    assert.equal(error.code, 'REPLACEMENT_UNDERPRICED')
  })
  await check('ethers: an unknown method', async () => {
    const error = await failure(provider.send('eth_sign', []))
    assert.equal(error.code, 'UNSUPPORTED_OPERATION')
  })
  await check('ethers: a legacy transaction without a chain id', async () => {
    const unsigned = ethers.Transaction.from({ type: 0, to: poor.address, nonce, gasLimit: 21_000n, gasPrice: price.maxFeePerGas, chainId: 0 })
    const signed = await wallet.signTransaction(unsigned).catch(() => null)
    const raw = signed ?? (() => {
      unsigned.signature = wallet.signingKey.sign(unsigned.unsignedHash)
      return unsigned.serialized
    })()
    const error = await failure(provider.send('eth_sendRawTransaction', [raw]))
    assert.match(error.message, /chain id|replay-protected/)
  })
}

/** Runs all of it. */
export const run = async (node) => {
  const provider = new ethers.JsonRpcProvider(node.http, undefined, { polling: false, cacheTimeout: -1 })
  provider.pollingInterval = 100
  const socket = new ethers.WebSocketProvider(node.ws)
  const wallet = new ethers.Wallet(node.keys[1], provider)
  const poor = new ethers.Wallet(`0x${'78'.repeat(32)}`, provider)
  await check('ethers: transfers coin', async () => {
    const network = await provider.getNetwork()
    assert.equal(network.chainId, BigInt(node.chainId))
    const sent = await wallet.sendTransaction({ to: poor.address, value: 77n })
    const receipt = await sent.wait()
    assert.equal(receipt.status, 1)
    assert.equal(await provider.getBalance(poor.address), 77n)
    const block = await provider.getBlock(receipt.blockNumber, true)
    assert.equal(block.getPrefetchedTransaction(receipt.index).hash, receipt.hash)
    assert.equal((await provider.getTransaction(receipt.hash)).blockHash, receipt.blockHash)
    assert.equal((await socket.getBlock('latest')).hash, block.hash)
  })
  await contract(wallet, provider, socket)
  await refusals(node, wallet, poor, provider)
  await socket.destroy()
  provider.destroy()
}
