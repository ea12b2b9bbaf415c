// Amounts are whole tokens as decimal text, at the API and here. They are reckoned with as integers of the
// smallest unit; none of them ever is a number of JavaScript, which would lose digits.

/** Digits behind the point that are reckoned with: more than any token or price has. */
const SCALE = 30
const ONE = 10n ** BigInt(SCALE)
const GIB = 1n << 30n
/** Longer than any amount that makes sense. */
const CHARS_MAX = 80
const DECIMAL = /^(\d+)(?:[.,](\d+))?$/

/** An amount that was scaled up by 10 to the 30th; null where the text is none. */
const scaled = (text: string): bigint | null => {
  const found = text.length <= CHARS_MAX ? DECIMAL.exec(text.trim()) : null
  if (!found) return null
  const [, whole = '', part = ''] = found
  if (part.length > SCALE) return null
  return BigInt(whole) * ONE + BigInt(part.padEnd(SCALE, '0'))
}

const textOf = (value: bigint): string => {
  const part = (value % ONE).toString().padStart(SCALE, '0').replace(/0+$/, '')
  return part === '' ? `${value / ONE}` : `${value / ONE}.${part}`
}

/** What somebody typed, as the API has it: a comma or a point, no more digits than the token has. */
export const typed = (text: string, decimals: number): string | null => {
  const value = scaled(text)
  if (value === null || value % 10n ** BigInt(SCALE - decimals) !== 0n) return null
  return textOf(value)
}

/** Whether an amount is more than nothing. What is no amount is not. */
export const isSome = (text: string | null | undefined): boolean => (scaled(text ?? '') ?? 0n) > 0n

/** Negative, zero or positive, as the first is less, the same or more. What is no amount counts as nothing. */
export const compare = (a: string, b: string): number => {
  const difference = (scaled(a) ?? 0n) - (scaled(b) ?? 0n)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

export const plus = (a: string, b: string): string => textOf((scaled(a) ?? 0n) + (scaled(b) ?? 0n))

/** The first less the second, and nothing where that would be less than nothing. */
export const minus = (a: string, b: string): string => {
  const rest = (scaled(a) ?? 0n) - (scaled(b) ?? 0n)
  return textOf(rest < 0n ? 0n : rest)
}

/** How much of an amount another one is, in thousandths, rounded down; a thousand of nothing. */
export const milliOf = (part: string, all: string): number => {
  const [a, b] = [scaled(part) ?? 0n, scaled(all) ?? 0n]
  if (b === 0n) return 1000
  const milli = (a * 1000n) / b
  return milli > 1_000_000n ? 1_000_000 : Number(milli)
}

/** What so many bytes cost at a price of a GiB, rounded up to the token's smallest unit. */
export const cost = (pricePerGib: string, bytes: number, decimals: number): string => {
  const unit = 10n ** BigInt(SCALE - decimals)
  const exact = (scaled(pricePerGib) ?? 0n) * BigInt(Math.max(0, Math.round(bytes)))
  const whole = (exact + GIB * unit - 1n) / (GIB * unit)
  return textOf(whole * unit)
}

/**
 * A price of a GiB as somebody would have typed it. What is typed is rounded up to whole smallest units a MiB, so many
 * prices of a GiB are the same one: of these it is that with the fewest digits.
 */
export const priceAsTyped = (pricePerGib: string, decimals: number): string => {
  const price = scaled(pricePerGib) ?? 0n
  const below = price - 1024n * 10n ** BigInt(SCALE - decimals)
  let found = price
  for (let unit = 10n; unit <= price; unit *= 10n) {
    const round = price - (price % unit)
    if (round <= below) break
    found = round
  }
  return textOf(found)
}

/** How many bytes an amount buys at a price of a GiB; null where the price is nothing. */
export const bought = (amount: string, pricePerGib: string): number | null => {
  const price = scaled(pricePerGib) ?? 0n
  return price === 0n ? null : Number(((scaled(amount) ?? 0n) * GIB) / price)
}

const parts = new Map<string, { group: Intl.NumberFormat; point: string }>()

const formOf = (lang: string) => {
  let form = parts.get(lang)
  if (!form) {
    const point = new Intl.NumberFormat(lang).formatToParts(1.5).find((part) => part.type === 'decimal')?.value ?? '.'
    form = { group: new Intl.NumberFormat(lang), point }
    parts.set(lang, form)
  }
  return form
}

/**
 * An amount for people: every digit of it, unless there are more than `digits` behind the point. Then the rest
 * is cut off and a sign says so, as a sum must not look rounder than it is.
 */
export const amount = (text: string | null | undefined, lang: string, digits = 8): string => {
  const value = text === null || text === undefined ? null : scaled(text)
  if (value === null) return '–'
  const { group, point } = formOf(lang)
  const part = textOf(value).split('.')[1] ?? ''
  const shown = part.slice(0, digits)
  const whole = group.format(value / ONE)
  if (part.length > digits && value / ONE === 0n && /^0*$/.test(shown)) return `< ${0n}${point}${'0'.repeat(digits - 1)}1`
  return `${whole}${shown === '' ? '' : point + shown}${part.length > digits ? '…' : ''}`
}

/** A height in a drawing, where digits do not matter. Never to be reckoned with. */
export const height = (text: string): number => Number.parseFloat(text)

/** The first and last characters of an address: enough to know it again, never enough to pay to. */
export const short = (address: string): string => (address.length <= 14 ? address : `${address.slice(0, 8)}…${address.slice(-6)}`)

export type Warning = 'near' | 'over'

/** Whether a budget is nearly or wholly used up: told at four fifths, and at the end. */
export const warningOf = (spent: string, budget: string | null | undefined, hold?: string | null): Warning | null => {
  if (!budget) return null
  // It ends where the next payment does not fit into it, which is hardly ever its last unit.
  if (hold === 'budget') return 'over'
  const milli = milliOf(spent, budget)
  return milli >= 1000 ? 'over' : milli >= 800 ? 'near' : null
}

/** All days from the first to the last, so that a day without trade is a gap of that width. Days are UTC. */
export const daysBetween = (first: string, last: string, most: number): string[] => {
  const days: string[] = []
  const end = Date.parse(`${last}T00:00:00Z`)
  for (let at = end; days.length < most && at >= Date.parse(`${first}T00:00:00Z`); at -= 86_400_000) {
    days.push(new Date(at).toISOString().slice(0, 10))
  }
  return days.reverse()
}
