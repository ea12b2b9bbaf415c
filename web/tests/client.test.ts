import { expect, test } from 'vitest'
import description from '../../docs/api/openapi.json?raw'
// @ts-expect-error a script without types
import { generate, typeOf } from '../scripts/client.mjs'
import there from '../src/api/schema.ts?raw'
import { addressOf } from '../src/api/client'

test('the types are those of the description', () => {
  expect(generate(JSON.parse(description)) === there, 'run: npm --prefix web run client').toBe(true)
})

test('a schema becomes the type of what it describes', () => {
  const types: [unknown, string][] = [
    [{ type: 'integer' }, 'number'],
    [{ type: ['string', 'null'] }, 'string | null'],
    [{ type: 'array', items: { type: ['integer', 'null'] } }, '(number | null)[]'],
    [{ $ref: '#/components/schemas/Peer' }, 'Peer'],
    [{ type: 'string', pattern: '^(up|down)$' }, "'up' | 'down'"],
    [{ type: 'string', pattern: '^[0-9a-f]{40}$' }, 'string'],
    [{ type: 'object', additionalProperties: { type: 'boolean' } }, 'Record<string, boolean>'],
    [{ type: 'object', required: ['a'], properties: { a: { enum: ['x'] }, 'b c': {} } }, "{\n  a: 'x'\n  'b c'?: unknown\n}"],
  ]
  for (const [schema, type] of types) expect(typeOf(schema)).toBe(type)
})

test('an address has its parts in place, whatever is in them', () => {
  const path = { id: 'a/b', index: 3 }
  expect(addressOf('GET /torrents/{id}/files/{index}/stream', { path })).toBe('api/v1/torrents/a%2Fb/files/3/stream')
  expect(addressOf('GET /folders', { query: { path: '/x y&z' } })).toBe('api/v1/folders?path=%2Fx+y%26z')
  expect(addressOf('GET /folders', { query: { path: undefined } })).toBe('api/v1/folders')
})
