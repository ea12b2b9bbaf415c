// All words on the screen, from one catalogue for each language. English is the one that the others are held to.
import { kept } from '../state/kept'
import { en } from './en'

export type Key = keyof typeof en
/** A text, or one for each plural form of `count` that its language has. */
export type Entry = string | Partial<Record<Intl.LDMLPluralRule, string>>
export type Catalogue = Record<Key, Entry>

export const LANGUAGES = { en: 'English', de: 'Deutsch' } as const
export type Language = keyof typeof LANGUAGES

const isLanguage = (value: unknown): value is Language => typeof value === 'string' && value in LANGUAGES

class Words {
  lang = $state<Language>('en')
  catalogue = $state.raw<Catalogue>(en)

  async use(lang: Language): Promise<void> {
    this.catalogue = lang === 'de' ? (await import('./de')).de : en
    this.lang = lang
    document.documentElement.lang = lang
  }

  async choose(lang: Language): Promise<void> {
    kept.put('language', lang)
    await this.use(lang)
  }

  /** The language that was chosen, else the first of the browser's that there is. */
  async begin(): Promise<void> {
    const asked = navigator.languages.map((each) => each.slice(0, 2)).find(isLanguage) ?? 'en'
    await this.use(kept('language', asked, isLanguage))
  }
}

export const words = new Words()

export type Values = Record<string, string | number>

/** An entry with its values in place. */
export const fill = (entry: Entry, lang: string, values: Values): string => {
  let text: string
  if (typeof entry === 'string') {
    text = entry
  } else {
    const rule = new Intl.PluralRules(lang).select(Number(values['count'] ?? 0))
    text = entry[rule] ?? entry.other ?? ''
  }
  return text.replace(/\{(\w+)\}/g, (all, name: string) => {
    const value = values[name]
    if (value === undefined) return all
    return typeof value === 'number' ? new Intl.NumberFormat(lang).format(value) : value
  })
}

/** A text in the language that is chosen. */
export const t = (key: Key, values: Values = {}): string => fill(words.catalogue[key], words.lang, values)

/** Whether there is such a text, for words that the daemon chooses. */
export const isKey = (key: string): key is Key => key in en
