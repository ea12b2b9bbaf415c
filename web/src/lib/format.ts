// Numbers as people read them, in the language that is chosen. What was never known is a dash.
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const
const DASH = '–'

/** Formats are kept: to make one takes a hundred times as long as to use it. */
const keeping = <A extends string | number, T>(make: (lang: string, how: A) => T): ((lang: string, how: A) => T) => {
  const kept = new Map<string, T>()
  return (lang, how) => {
    const key = `${lang} ${how}`
    let format = kept.get(key)
    if (format === undefined) kept.set(key, (format = make(lang, how)))
    return format
  }
}

const number = keeping((lang, digits: number) =>
  new Intl.NumberFormat(lang, { minimumFractionDigits: digits, maximumFractionDigits: digits }))

const MOMENTS = {
  date: { dateStyle: 'medium', timeStyle: 'short' }, time: { timeStyle: 'short' }, day: { dateStyle: 'medium' },
} as const
const moment = keeping((lang, how: keyof typeof MOMENTS) => new Intl.DateTimeFormat(lang, MOMENTS[how]))

/** Three digits are enough to compare by. */
export const bytes = (value: number | null | undefined, lang: string): string => {
  if (value === null || value === undefined) return DASH
  let unit = 0
  let rest = value
  while (rest >= 1000 && unit < UNITS.length - 1) {
    rest /= 1024
    unit += 1
  }
  const digits = unit === 0 || rest >= 100 ? 0 : rest >= 10 ? 1 : 2
  return `${number(lang, digits).format(rest)} ${UNITS[unit]}`
}

/** A rate; nothing is a dash, so that what moves stands out. */
export const rate = (value: number | null | undefined, lang: string): string =>
  value ? `${bytes(value, lang)}/s` : DASH

/** Thousandths as a percentage that never says 100 before all is there. */
export const percent = (milli: number, lang: string): string => {
  const digits = milli > 0 && milli < 1000 ? 1 : 0
  return `${number(lang, digits).format(milli / 10)} %`
}

export const ratio = (milli: number | null | undefined, lang: string): string =>
  milli === null || milli === undefined ? DASH : number(lang, 2).format(milli / 1000)

const STEPS: [number, 'd' | 'h' | 'm' | 's'][] = [[86_400, 'd'], [3600, 'h'], [60, 'm'], [1, 's']]

/** The two largest units of a time. */
export const duration = (seconds: number | null | undefined): string => {
  if (seconds === null || seconds === undefined) return '∞'
  let rest = Math.max(0, Math.round(seconds))
  const at = STEPS.findIndex(([length]) => rest >= length)
  if (at < 0) return '0 s'
  const parts: string[] = []
  for (const [length, unit] of STEPS.slice(at, at + 2)) {
    const count = Math.floor(rest / length)
    rest -= count * length
    if (count > 0) parts.push(`${count} ${unit}`)
  }
  return parts.join(' ')
}

export const date = (unix: number | null | undefined, lang: string): string =>
  unix ? moment(lang, 'date').format(unix * 1000) : DASH

/** A time of a day that goes without saying. */
export const time = (unix: number, lang: string): string => moment(lang, 'time').format(unix * 1000)

export const day = (unix: number | null | undefined, lang: string): string =>
  unix ? moment(lang, 'day').format(unix * 1000) : DASH

export const count = (value: number, lang: string): string => number(lang, 0).format(value)

/** A place in a film. */
export const clock = (seconds: number): string => {
  const whole = Math.max(0, Math.floor(seconds))
  const part = (value: number) => String(value).padStart(2, '0')
  const hours = Math.floor(whole / 3600)
  const rest = `${part(Math.floor((whole % 3600) / 60))}:${part(whole % 60)}`
  return hours > 0 ? `${hours}:${rest}` : rest
}
