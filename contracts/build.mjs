// Writes `artifacts/NAME.json` for every contract that is deployed: its ABI, code and storage layout; and
// `test/NAME.json` for those that tests deploy.
//
// `node build.mjs --check` compiles anew and demands that the committed bytes are the same.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compile, sources } from './compile.mjs'
import { here, load } from './packages.mjs'

const DEPLOYED = ['Vault', 'Assets', 'Face', 'Token', 'Wrapped']
const TESTING = ['Taxed']
// EIP-170 and EIP-3860: what a chain takes.
const CODE_BYTES_MAX = 24576
const CREATION_BYTES_MAX = 49152

/** A storage slot without the numbers that depend on the order of compilation. */
const slot = ({ label, slot, offset, type }, types) => ({ label, slot: Number(slot), offset, type: types[type].label })

const artifact = (name, { abi, evm, storageLayout }) => {
  const [bytecode, deployedBytecode] = [evm.bytecode, evm.deployedBytecode].map((code) => `0x${code.object}`)
  if ((deployedBytecode.length - 2) / 2 > CODE_BYTES_MAX || (bytecode.length - 2) / 2 > CREATION_BYTES_MAX) {
    throw new Error(`${name} is too large to be deployed`)
  }
  const storage = storageLayout.storage.map((its) => slot(its, storageLayout.types))
  return { contract: name, solc: load('solc').version(), abi, bytecode, deployedBytecode, storage }
}

const check = process.argv.includes('--check')

/** Writes an artifact, or demands that it is there already. */
const keep = (folder, its) => {
  const name = `${folder}/${its.contract}.json`
  const [file, text] = [join(here, name), JSON.stringify(its, null, 1) + '\n']
  if (!check) writeFileSync(file, text)
  else if (readFileSync(file, 'utf8') !== text) throw new Error(`${name} is not what solc gives; run build.mjs`)
}

const contracts = compile(sources())
mkdirSync(join(here, 'artifacts'), { recursive: true })
const sizes = DEPLOYED.map((name) => {
  const its = artifact(name, contracts[`src/${name}.sol`][name])
  keep('artifacts', its)
  return `${name} ${(its.deployedBytecode.length - 2) / 2}`
})
for (const name of TESTING) {
  const path = `test/${name}.sol`
  const compiled = compile({ [path]: readFileSync(join(here, path), 'utf8') })
  keep('test', artifact(name, compiled[path][name]))
}
console.log(`artifacts: ${sizes.join(', ')} bytes`)
