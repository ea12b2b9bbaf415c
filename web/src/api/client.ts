// Requests to the API, typed by its description. The app lives in a folder of its own address, so all paths
// are relative to that.
import type { Problem, Routes } from './schema'

export type Route = keyof Routes
export type Answer<K extends Route> = Routes[K]['answer']

type Part<K extends Route, P extends string> = Routes[K] extends Record<P, infer T> ? { [Q in P]: T } : { [Q in P]?: never }
export type Options<K extends Route> = Part<K, 'path'> & Partial<Part<K, 'query'>> & Part<K, 'body'> & { signal?: AbortSignal; once?: string }
type Needed<K extends Route> = Routes[K] extends { path: unknown } | { body: unknown } ? [Options<K>] : [Options<K>?]

/** Why a request failed: `code` is one of the API, or `offline` when nothing was answered. */
export class Failure extends Error {
  constructor(
    readonly code: Problem['code'] | 'offline' | 'odd',
    readonly detail: string,
    readonly status = 0,
  ) {
    super(detail)
  }
}

export const API = 'api/v1'

type Parts = { path?: Record<string, unknown>; query?: Record<string, unknown>; body?: unknown }

/** The address of a request, relative to the page. */
export const addressOf = (route: Route, parts: Parts = {}): string => {
  const template = route.slice(route.indexOf(' ') + 1)
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(parts.path?.[name])))
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parts.query ?? {})) {
    if (value !== undefined && value !== null) query.set(name, String(value))
  }
  const text = query.toString()
  return `${API}${path}${text ? `?${text}` : ''}`
}

let onUnauthorized: () => void = () => {}

/** What to do when a request says that nobody is logged in. */
export const whenUnauthorized = (act: () => void): void => {
  onUnauthorized = act
}

/**
 * Asks the API; `once` names a request that must not happen twice, however often it is sent.
 *
 * Fails with a `Failure`, never otherwise.
 */
export const api = async <K extends Route>(route: K, ...[options]: Needed<K>): Promise<Answer<K>> => {
  const parts = (options ?? {}) as Parts & { signal?: AbortSignal; once?: string }
  const init: RequestInit = { method: route.slice(0, route.indexOf(' ')) }
  if (parts.signal) init.signal = parts.signal
  if (parts.body instanceof FormData) {
    init.body = parts.body
  } else if (parts.body !== undefined) {
    init.body = JSON.stringify(parts.body)
    init.headers = { 'content-type': 'application/json' }
  }
  if (parts.once) init.headers = { ...init.headers, 'idempotency-key': parts.once }
  return (await read(await sent(addressOf(route, parts), init), route)) as Answer<K>
}

const sent = async (address: string, init: RequestInit): Promise<Response> => {
  try {
    return await fetch(address, init)
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw new Failure('odd', 'given up')
    throw new Failure('offline', 'no answer')
  }
}

const read = async (response: Response, route: Route): Promise<unknown> => {
  const isJson = /json/.test(response.headers.get('content-type') ?? '')
  const value: unknown = isJson ? await response.json().catch(() => undefined) : undefined
  if (response.ok) return value
  const problem = value as Problem | undefined
  const failure = new Failure(problem?.code ?? 'odd', problem?.detail ?? response.statusText, response.status)
  // A proxy before a daemon that is gone answers for it.
  if (!problem && response.status >= 502 && response.status <= 504) throw new Failure('offline', 'no answer', response.status)
  if (failure.code === 'unauthorized' && !/^POST \/session(?:\/key)?$/.test(route)) onUnauthorized()
  throw failure
}

/** What to show of anything that was thrown. */
export const textOf = (error: unknown): string => (error instanceof Failure ? error.detail : String(error))
