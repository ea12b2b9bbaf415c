// Compiles the contracts with npm's solc, in this process.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { here, load } from './packages.mjs'
import { settings } from './settings.mjs'

/** The sources as `{ 'src/Name.sol': text }`. */
export const sources = () => Object.fromEntries(readdirSync(join(here, 'src')).sort()
  .map((file) => [`src/${file}`, readFileSync(join(here, 'src', file), 'utf8')]))

/** solc's output for `texts`; throws on errors, and on warnings unless they are allowed. */
export const compile = (texts, { warnings = false } = {}) => {
  const content = Object.entries(texts).map(([path, text]) => [path, { content: text }])
  const input = { language: 'Solidity', sources: Object.fromEntries(content), settings }
  const output = JSON.parse(load('solc').compile(JSON.stringify(input)))
  const complaints = (output.errors ?? []).filter(({ severity }) => severity === 'error' || !warnings)
  if (complaints.length > 0) throw new Error(complaints.map((its) => its.formattedMessage).join('\n'))
  return output.contracts
}
