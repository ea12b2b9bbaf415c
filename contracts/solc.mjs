#!/usr/bin/env node
// npm's solc as the compiler that forge calls: its version, or standard JSON in and out. The package's
// own command line is refused by forge for its options and for what it prints.
import { readFileSync } from 'node:fs'
import { load } from './packages.mjs'

const solc = load('solc')
if (process.argv.includes('--version')) console.log(`solc\nVersion: ${solc.version()}`)
else process.stdout.write(solc.compile(readFileSync(0, 'utf8')) + '\n')
