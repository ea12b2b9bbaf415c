// The words of the wallet's screens, in a catalogue of their own as those of the market.
import { fill, type Entry, type Values, words } from './text.svelte'
import { walletDe } from './wallet.de'
import { walletEn } from './wallet.en'

export type WalletKey = keyof typeof walletEn
export type WalletCatalogue = Record<WalletKey, Entry>

const CATALOGUES: Record<typeof words.lang, WalletCatalogue> = { en: walletEn, de: walletDe }

/** A text in the language that is chosen. */
export const m = (key: WalletKey, values: Values = {}): string => fill(CATALOGUES[words.lang][key], words.lang, values)
