// Torrent files of things that need not be there.

export const bencode = (value) => {
  if (Buffer.isBuffer(value)) return Buffer.concat([Buffer.from(`${value.length}:`), value])
  if (typeof value === 'string') return bencode(Buffer.from(value))
  if (typeof value === 'number') return Buffer.from(`i${value}e`)
  if (Array.isArray(value)) return Buffer.concat([Buffer.from('l'), ...value.map(bencode), Buffer.from('e')])
  const entries = Object.keys(value).sort().flatMap((key) => [bencode(key), bencode(value[key])])
  return Buffer.concat([Buffer.from('d'), ...entries, Buffer.from('e')])
}
