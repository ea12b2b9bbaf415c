// Settings as fields: which kind of field a setting has follows from what its values look like.
import type { Setting } from '../api/schema'

export type Kind =
  | { is: 'switch' }
  | { is: 'choice'; of: string[] }
  | { is: 'several'; of: string[] }
  | { is: 'folder'; mayBeNone: boolean }
  | { is: 'time' }
  | { is: 'text' }

const WORDS = /^[a-z0-9_]+(?:, [a-z0-9_]+)+$/

export const kindOf = ({ form }: Pick<Setting, 'form'>): Kind => {
  if (form === 'true or false') return { is: 'switch' }
  if (form === 'an absolute path') return { is: 'folder', mayBeNone: false }
  if (form === 'an absolute path, or none') return { is: 'folder', mayBeNone: true }
  if (form.startsWith('a time of the day')) return { is: 'time' }
  const several = /^a list, each (.+)$/.exec(form)?.[1]
  if (several && WORDS.test(several)) return { is: 'several', of: several.split(', ') }
  if (WORDS.test(form)) return { is: 'choice', of: form.split(', ') }
  return { is: 'text' }
}

/** The settings by their sections, in the order of the API. */
export const sectionsOf = (settings: readonly Setting[]): [string, Setting[]][] => {
  const sections = new Map<string, Setting[]>()
  for (const setting of settings) {
    const section = setting.key.split('.')[0] ?? ''
    const known = sections.get(section)
    if (known) known.push(setting)
    else sections.set(section, [setting])
  }
  return [...sections]
}
