// What a browser keeps for a person between visits: the language, the theme, the order of the list, places in
// films. Nothing of it is secret, and nothing breaks where a browser keeps nothing.
const PREFIX = 'piecework.'

/** The value that was kept, if it is of its kind. */
export const kept = <T>(name: string, otherwise: T, is: (value: unknown) => value is T): T => {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(PREFIX + name) ?? 'null')
    return is(value) ? value : otherwise
  } catch {
    return otherwise
  }
}

kept.put = (name: string, value: unknown): void => {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value))
  } catch {
    // A browser that keeps nothing, or is full: it is asked again next time.
  }
}
