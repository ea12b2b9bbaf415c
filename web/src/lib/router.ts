// Screens are told apart behind the `#`: so the app works below any path, and a reload asks for one file only.

export const TABS = ['overview', 'files', 'peers', 'trackers', 'pieces', 'payments'] as const
export type Tab = (typeof TABS)[number]

export const MONEY_PARTS = ['market', 'book', 'wallet'] as const
export type MoneyPart = (typeof MONEY_PARTS)[number]

export type Place =
  | { screen: 'transfers'; id: string | null; tab: Tab }
  | { screen: 'add'; link: string }
  | { screen: 'play'; id: string; file: number }
  | { screen: 'money'; part: MoneyPart }
  | { screen: 'library' | 'feeds' | 'settings' | 'log' | 'privacy' | 'network' | 'absent' }

const ID = /^[0-9a-f]{40}$/
const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return '?'
  }
}

/** The place of an address's end, `#` and all. */
export const placeOf = (hash: string): Place => {
  const [screen = '', ...rest] = hash.replace(/^#?\/?/, '').split('/').map(decode)
  switch (screen) {
    case '': return { screen: 'transfers', id: null, tab: 'overview' }
    case 't': {
      const [id = '', tab = 'overview'] = rest
      const known = TABS.find((each) => each === tab)
      return ID.test(id) && known ? { screen: 'transfers', id, tab: known } : { screen: 'absent' }
    }
    // A magnet may have slashes of its own.
    case 'add': return { screen: 'add', link: rest.join('/') }
    case 'play': {
      const [id = '', file = ''] = rest
      return ID.test(id) && /^\d{1,9}$/.test(file) ? { screen: 'play', id, file: Number(file) } : { screen: 'absent' }
    }
    case 'money': {
      const part = MONEY_PARTS.find((each) => each === (rest[0] ?? 'market'))
      return part ? { screen, part } : { screen: 'absent' }
    }
    case 'library': case 'feeds': case 'settings': case 'log': case 'privacy': case 'network': return { screen }
    default: return { screen: 'absent' }
  }
}

/** The address's end of a place. */
export const hashOf = (place: Place): string => {
  switch (place.screen) {
    case 'transfers': return place.id === null ? '#/' : `#/t/${place.id}${place.tab === 'overview' ? '' : `/${place.tab}`}`
    case 'add': return `#/add/${encodeURIComponent(place.link)}`
    case 'play': return `#/play/${place.id}/${place.file}`
    case 'money': return `#/money${place.part === 'market' ? '' : `/${place.part}`}`
    case 'absent': return '#/'
    default: return `#/${place.screen}`
  }
}
