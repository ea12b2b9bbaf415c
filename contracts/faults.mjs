// Shows that the tests of the vault can fail: puts one fault at a time into a copy of it and demands that
// the test named with the fault finds it. The tests are compiled once; each faulty vault reaches them as
// code, through the environment. Writes the table FAULTS.md, or with `--check` demands that it is the same.
import { execFile } from 'node:child_process'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { compile, sources } from './compile.mjs'
import { foundry, here } from './packages.mjs'
import { settings } from './settings.mjs'

const FAULTS_MIN = 20
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024
/** A fault in the order of operations is found within a few runs, or not at all. */
const FEW = { FOUNDRY_INVARIANT_RUNS: '6', FOUNDRY_FUZZ_RUNS: '32' }

// Ways of compiling do not change what code means; this one takes a second.
Object.assign(settings, { viaIR: false, optimizer: { enabled: false } })
const texts = Object.fromEntries(Object.entries(sources())
  .filter(([path]) => /\/(Vault|IVault|Signatures|Transfers)\.sol$/.test(path)))

/** `what`, then `rule:`, `file:` and `test:`, then lines to take out (`-`) and to put in (`+`); `@@` parts two places. */
const parse = (file) => {
  const [what, ...lines] = readFileSync(join(here, 'faults', file), 'utf8').trimEnd().split('\n')
  const [rule, source, test] = ['rule', 'file', 'test'].map((key, n) => {
    if (!lines[n].startsWith(`${key}: `)) throw new Error(`${file}: line ${n + 2} is not '${key}: ...'`)
    return lines[n].slice(key.length + 2)
  })
  const places = lines.slice(3).join('\n').split('\n@@\n').map((place) => {
    const marked = (mark) => place.split('\n').filter((line) => line[0] === mark).map((line) => `${line.slice(1)}\n`).join('')
    return { out: marked('-'), put: marked('+') }
  })
  return { name: basename(file, '.txt'), what, rule, path: `src/${source}`, test, places }
}

/** The creation code of a vault with the fault in it. */
const faulty = ({ name, path, places }) => {
  let text = texts[path]
  for (const { out, put } of places) {
    if (text.split(out).length !== 2) throw new Error(`${name}: what it replaces is not in ${path} exactly once`)
    text = text.replace(out, () => put)
  }
  return code({ ...texts, [path]: text })
}

const code = (its) => `0x${compile(its, { warnings: true })['src/Vault.sol'].Vault.evm.bytecode.object}`

/** Runs tests against a vault: `{ name: reason or null }`, null for one that passed. */
const forge = async (vault, match) => {
  const env = { ...process.env, ...FEW, VAULT_CODE: vault }
  const options = { cwd: here, env, maxBuffer: OUTPUT_BYTES_MAX }
  const run = promisify(execFile)(foundry('forge'), ['test', '--json', ...match], options)
  const { stdout, stderr } = await run.catch((error) => error)
  const line = (stdout ?? '').split('\n').find((text) => text.startsWith('{'))
  if (line === undefined) throw new Error(`forge says nothing: ${stderr}`)
  const suites = Object.values(JSON.parse(line))
  const results = suites.flatMap(({ test_results }) => Object.entries(test_results))
  return new Map(results.map(([name, its]) =>
    [name.replace(/\(.*/, ''), its.status === 'Success' ? null : its.reason ?? 'failed']))
}

const killed = async (fault) => {
  const results = await forge(faulty(fault), ['--match-test', `^${fault.test}\\b`])
  if (!results.has(fault.test)) throw new Error(`${fault.name}: there is no test ${fault.test}`)
  return results.get(fault.test) !== null
}

const row = ({ name, rule, what, test }) => `| ${name} | ${rule} | ${what} | \`${test}\` |`

const table = (faults) => `# Faults that the tests of the vault find

Each fault of \`faults/\` was put into a copy of the vault by \`faults.mjs\`, and the test beside it failed. The
numbers are those of the rules in [the specification](../docs/spec/vault.md).

| fault | rule | what it does | found by |
|-------|------|--------------|----------|
${faults.map(row).join('\n')}
`

const faults = readdirSync(join(here, 'faults')).sort().map(parse)
if (faults.length < FAULTS_MIN) throw new Error(`only ${faults.length} faults`)
// Without a fault nothing fails, or a failure would show nothing. Gas and hashes at other addresses need the vault as it is deployed.
const control = await forge(code(texts), ['--no-match-contract', 'Gas|Assets|Erc20'])
const failing = [...control].filter(([, reason]) => reason !== null)
if (failing.length > 0) throw new Error(`without a fault fails ${failing.join('; ')}`)
const alive = []
const queue = [...faults]
const worker = async () => {
  for (let fault = queue.shift(); fault !== undefined; fault = queue.shift()) {
    if (!await killed(fault)) alive.push(fault.name)
  }
}
await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, worker))
if (alive.length > 0) throw new Error(`not found: ${alive.join(', ')}`)
const [file, text] = [join(here, 'FAULTS.md'), table(faults)]
if (!process.argv.includes('--check')) writeFileSync(file, text)
else if (readFileSync(file, 'utf8') !== text) throw new Error('FAULTS.md is not the table of these faults; run faults.mjs')
console.log(`faults: ${faults.length} of ${faults.length} found`)
