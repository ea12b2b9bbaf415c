// The words of the money screens: a catalogue of their own, so that who looks at no money fetches none of them.
import { moneyDe } from './money.de'
import { moneyEn } from './money.en'
import { type Entry, fill, type Values, words } from './text.svelte'

export type MoneyKey = keyof typeof moneyEn
export type MoneyCatalogue = Record<MoneyKey, Entry>

const CATALOGUES: Record<typeof words.lang, MoneyCatalogue> = { en: moneyEn, de: moneyDe }

/** A text in the language that is chosen. */
export const m = (key: MoneyKey, values: Values = {}): string => fill(CATALOGUES[words.lang][key], words.lang, values)
