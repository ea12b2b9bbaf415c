// The words of a wallet, and the question whether somebody has written them down.

/** Numbers of words that a phrase may have. */
export const LENGTHS = [12, 15, 18, 21, 24]

/** The words of what somebody typed or pasted: in any letters, with any blanks, with the numbers of a list. */
export const wordsIn = (text: string): string[] =>
  text.normalize('NFKD').toLowerCase().split(/[\s,;]+/).map((word) => word.replace(/^\d+[.)]?/, '')).filter((word) => word !== '')

/** The places of two words to ask for, in order; `random` gives 0 to `below` - 1. */
export const twoOf = (count: number, random: (below: number) => number): [number, number] => {
  const first = random(count)
  const second = (first + 1 + random(count - 1)) % count
  return first < second ? [first, second] : [second, first]
}

/** A number below a bound that nobody can foretell. */
export const chance = (below: number): number => {
  const [number = 0] = crypto.getRandomValues(new Uint32Array(1))
  return number % below
}

/** Whether the words that were typed are those at these places. */
export const areRight = (phrase: readonly string[], places: readonly number[], typed: readonly string[]): boolean =>
  places.every((place, at) => wordsIn(typed[at] ?? '').join(' ') === phrase[place])
