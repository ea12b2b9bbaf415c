// Which files a person can watch or hear, by their names; what a browser can make of them it says itself.

const VIDEO = new Set(['mp4', 'm4v', 'webm', 'mkv', 'mov', 'ogv', 'avi', 'ts', 'm2ts', 'mpg', 'mpeg', 'wmv', 'flv', '3gp'])
const AUDIO = new Set(['mp3', 'm4a', 'm4b', 'ogg', 'oga', 'opus', 'flac', 'wav', 'aac', 'wma', 'aiff'])
const TEXT = new Set(['srt', 'vtt'])

const suffix = (name: string): string => name.slice(name.lastIndexOf('.') + 1).toLowerCase()

export const isVideo = (name: string): boolean => VIDEO.has(suffix(name))
export const isAudio = (name: string): boolean => AUDIO.has(suffix(name))
export const isPlayable = (name: string): boolean => isVideo(name) || isAudio(name)
export const isSubtitle = (name: string): boolean => TEXT.has(suffix(name))

const stem = (path: string): string => path.slice(path.lastIndexOf('/') + 1).replace(/\.[^.]*$/, '').toLowerCase()

/** The subtitles that belong to a film: those whose names begin with its own, all if it is the only film. */
export const subtitlesOf = <T extends { path: string }>(film: T, files: readonly T[]): T[] => {
  const all = files.filter((file) => isSubtitle(file.path))
  const own = all.filter((file) => stem(file.path).startsWith(stem(film.path)))
  const films = files.filter((file) => isVideo(file.path))
  return own.length > 0 || films.length > 1 ? own : all
}

/** What a subtitle is called: its language or whatever stands behind the film's name. */
export const labelOf = (film: string, subtitle: string): string => {
  const rest = stem(subtitle).startsWith(stem(film)) ? stem(subtitle).slice(stem(film).length) : stem(subtitle)
  return rest.replace(/^[._\s-]+/, '') || stem(subtitle)
}

/** SubRip as WebVTT, which browsers read. Other lines than times are text, and stay what they are. */
export const toVtt = (text: string): string => {
  const lines = text.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n')
  if (/^WEBVTT/.test(lines)) return lines
  const time = /^(\d{1,2}):(\d{2}):(\d{2})[,.](\d{1,3})\s*-->\s*(\d{1,2}):(\d{2}):(\d{2})[,.](\d{1,3}).*$/gm
  const part = (text: string) => text.padStart(2, '0')
  const vtt = lines.replace(time, (_all, a, b, c, d, e, f, g, h) =>
    `${part(a)}:${b}:${c}.${d.padEnd(3, '0')} --> ${part(e)}:${f}:${g}.${h.padEnd(3, '0')}`)
  return `WEBVTT\n\n${vtt}`
}
