// Makes src/api/schema.ts, the types of everything the API takes and answers, from its description. Run by
// itself it writes the file; a test compares what it would write with what is there.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FROM = new URL('../../docs/api/openapi.json', import.meta.url)
const TO = new URL('../src/api/schema.ts', import.meta.url)
const METHODS = ['get', 'put', 'post', 'patch', 'delete']

const quoted = (text) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
const name = (key) => (/^[A-Za-z_]\w*$/.test(key) ? key : quoted(key))
const refName = (ref) => ref.split('/').pop()

/** The words of a pattern that only lists words. */
const words = (pattern) => /^\^\(([a-z_|]+)\)\$$/.exec(pattern ?? '')?.[1].split('|')

const PRIMITIVES = { string: 'string', integer: 'number', number: 'number', boolean: 'boolean', null: 'null' }

/** A schema as a type. */
export const typeOf = (schema, indent = '') => {
  if (schema.$ref) return refName(schema.$ref)
  const all = schema.oneOf ?? schema.anyOf
  if (all) return all.map((each) => typeOf(each, indent)).join(' | ')
  if (schema.enum) return schema.enum.map((each) => (each === null ? 'null' : quoted(each))).join(' | ')
  if (Array.isArray(schema.type)) {
    return schema.type.map((type) => typeOf({ ...schema, type }, indent)).join(' | ')
  }
  if (schema.type === 'array') {
    const item = typeOf(schema.items ?? {}, indent)
    return item.includes(' ') ? `(${item})[]` : `${item}[]`
  }
  if (schema.type === 'string' && words(schema.pattern)) return words(schema.pattern).map(quoted).join(' | ')
  if (schema.type === 'object' || schema.properties) return objectOf(schema, indent)
  return PRIMITIVES[schema.type] ?? 'unknown'
}

const objectOf = (schema, indent) => {
  const inner = `${indent}  `
  const required = new Set(schema.required ?? [])
  const members = Object.entries(schema.properties ?? {}).flatMap(([key, member]) => {
    const lines = [`${inner}${name(key)}${required.has(key) ? '' : '?'}: ${typeOf(member, inner)}`]
    if (member.description) lines.unshift(comment(member.description, inner))
    return lines
  })
  if (members.length > 0) return `{\n${members.join('\n')}\n${indent}}`
  const values = schema.additionalProperties
  return `Record<string, ${typeof values === 'object' ? typeOf(values, indent) : 'unknown'}>`
}

const comment = (text, indent = '') => {
  const lines = text.trim().split('\n')
  return lines.length === 1
    ? `${indent}/** ${lines[0]} */`
    : `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */`
}

const contentOf = (holder) => {
  const kinds = Object.entries(holder?.content ?? {})
  const json = kinds.find(([kind]) => kind === 'application/json')
  if (json) return typeOf(json[1].schema ?? {}, '    ')
  return kinds.length > 0 ? 'string' : undefined
}

const routeOf = (method, path, operation) => {
  const lines = []
  for (const place of ['path', 'query']) {
    const all = (operation.parameters ?? []).filter((each) => each.in === place)
    const member = (each) => `${name(each.name)}${each.required ? '' : '?'}: ${typeOf(each.schema)}`
    if (all.length > 0) lines.push(`    ${place}: { ${all.map(member).join('; ')} }`)
  }
  const body = contentOf(operation.requestBody)
  if (body) lines.push(`    body: ${body}`)
  lines.push(`    answer: ${contentOf(operation.responses?.[200] ?? operation.responses?.[201]) ?? 'undefined'}`)
  return `  '${method.toUpperCase()} ${path}': {\n${lines.join('\n')}\n  }`
}

/** The whole file. */
export const generate = (api) => {
  const out = ['// Made by scripts/client.mjs from docs/api/openapi.json: change that, then run `npm run client`.', '']
  for (const [key, schema] of Object.entries(api.components.schemas)) {
    if (schema.description) out.push(comment(schema.description))
    const type = typeOf(schema)
    out.push(type.startsWith('{') ? `export interface ${key} ${type}` : `export type ${key} = ${type}`, '')
  }
  out.push('/** Every request: what it takes and what it answers. */', 'export interface Routes {')
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((each) => methods[each])) out.push(routeOf(method, path, methods[method]))
  }
  return `${out.join('\n')}\n}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(TO, generate(JSON.parse(readFileSync(FROM, 'utf8'))))
}
