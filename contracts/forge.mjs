// Runs forge on the contracts: `node forge.mjs test`, with any of forge's options behind it.
import { spawnSync } from 'node:child_process'
import { foundry, here } from './packages.mjs'

const { status, error } = spawnSync(foundry('forge'), process.argv.slice(2), { cwd: here, stdio: 'inherit' })
if (error) throw error
process.exit(status ?? 1)
