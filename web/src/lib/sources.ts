// What people give: magnets, bare info-hashes, addresses of torrent files, in any text around them.

const HASH = /^(?:[0-9a-f]{40}|[0-9a-f]{64}|[a-z2-7]{32})$/i

/** Whether one word can be added. */
export const isSource = (word: string): boolean =>
  /^magnet:\?/i.test(word) || /^https?:\/\/\S+$/i.test(word) || HASH.test(word)

export type Sources = { links: string[]; others: string[] }

/** The words of a text that can be added, each once, and those that cannot. */
export const sourcesIn = (text: string): Sources => {
  const words = [...new Set(text.split(/\s+/).filter((word) => word !== ''))]
  return { links: words.filter(isSource), others: words.filter((word) => !isSource(word)) }
}

/** What was pasted somewhere outside of a field: only what can be nothing else counts. */
export const pasted = (text: string): string[] =>
  sourcesIn(text).links.filter((link) => !/^https?:/i.test(link) || /\.torrent(?:$|[?#])/i.test(link))

/** The name that a magnet gives itself. */
export const nameOf = (link: string): string => {
  if (!/^magnet:\?/i.test(link)) return link
  const params = new URLSearchParams(link.slice(link.indexOf('?')))
  return params.get('dn') || params.get('xt') || link
}

/** The files that are torrent files by their name. */
export const torrentFiles = (files: Iterable<File>): File[] =>
  [...files].filter((file) => /\.torrent$/i.test(file.name) || file.type === 'application/x-bittorrent')
