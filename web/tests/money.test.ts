import { describe, expect, it } from 'vitest'
import { amount, bought, compare, cost, daysBetween, isSome, milliOf, minus, plus, priceAsTyped, short, typed, warningOf } from '../src/lib/money'
import { pathOf, qr } from '../src/lib/qr'

describe('amounts', () => {
  it('are read as people type them and as the API has them', () => {
    expect(typed('1.50', 6)).toBe('1.5')
    expect(typed(' 0,25 ', 6)).toBe('0.25')
    expect(typed('007', 6)).toBe('7')
    expect(typed('0.000001', 6)).toBe('0.000001')
    expect(typed('0.0000010', 6)).toBe('0.000001')
  })

  it('are refused where they are none, or finer than the token', () => {
    for (const text of ['', '.', '.5', '5.', '-1', '+1', '1e3', '0x10', '1 000', '1,000.5', '1.2.3', 'NaN', '∞', '१', '9'.repeat(81)]) {
      expect(typed(text, 6), text).toBeNull()
    }
    expect(typed('0.0000001', 6)).toBeNull()
    expect(typed('1', 0)).toBe('1')
    expect(typed('1.5', 0)).toBeNull()
  })

  it('lose no digit where a number of JavaScript would', () => {
    expect(plus('0.1', '0.2')).toBe('0.3')
    expect(plus('9007199254740993', '0.000000000000000001')).toBe('9007199254740993.000000000000000001')
    expect(minus('9007199254740993.5', '9007199254740993')).toBe('0.5')
    expect(minus('1', '2')).toBe('0')
    expect(compare('9007199254740993', '9007199254740992')).toBe(1)
    expect(compare('1.10', '1.1')).toBe(0)
    expect(isSome('0.000000000000000001')).toBe(true)
    expect([isSome('0.0'), isSome(''), isSome(null)]).toEqual([false, false, false])
  })

  it('are shown with every digit, and with a sign where some are left out', () => {
    expect(amount('1234567.25', 'en')).toBe('1,234,567.25')
    expect(amount('1234567.25', 'de')).toBe('1.234.567,25')
    expect(amount('123456789012345678901234.5', 'en')).toBe('123,456,789,012,345,678,901,234.5')
    expect(amount('0.123456789', 'en')).toBe('0.12345678…')
    expect(amount('0.000000000001', 'en')).toBe('< 0.00000001')
    expect([amount('0', 'en'), amount('2.000', 'en'), amount(null, 'en'), amount('x', 'en')]).toEqual(['0', '2', '–', '–'])
  })
})

describe('prices', () => {
  it('cost is rounded up to what the token can pay', () => {
    expect(cost('2', 1 << 30, 6)).toBe('2')
    expect(cost('2', 1 << 29, 6)).toBe('1')
    expect(cost('0.01', 1, 6)).toBe('0.000001')
    expect(cost('10', 24 << 20, 6)).toBe('0.234375')
    expect(cost('0', 1 << 30, 6)).toBe('0')
  })

  it('are told as they were typed, where that is the same price of a MiB', () => {
    // Whole smallest units a MiB, as the daemon rounds them.
    const kept = (text: string, decimals: number) => {
      const units = BigInt(text.replace('.', '') + '0'.repeat(decimals - (text.split('.')[1] ?? '').length))
      const perGib = String(((units + 1023n) / 1024n) * 1024n).padStart(decimals + 1, '0')
      return `${perGib.slice(0, -decimals)}.${perGib.slice(-decimals)}`
    }
    expect(kept('10', 6)).toBe('10.000384')
    for (const text of ['10', '0.01', '2', '0.5', '12.34', '1024', '0.001', '999']) expect(priceAsTyped(kept(text, 6), 6), text).toBe(text)
    expect(priceAsTyped(kept('3.7', 18), 18)).toBe('3.7')
    expect([priceAsTyped('0', 6), priceAsTyped('0.001024', 6), priceAsTyped('2048', 0)]).toEqual(['0', '0.001', '2000'])
    // Another price of a MiB is never told.
    for (const text of ['10.000385', '0.012345', '7.654321']) expect(kept(priceAsTyped(kept(text, 6), 6), 6)).toBe(kept(text, 6))
  })

  it('and what an amount buys is the way back', () => {
    expect(bought('0.234375', '10')).toBe(24 << 20)
    expect(bought('1', '0')).toBeNull()
  })
})

describe('budgets', () => {
  it('are warned of at four fifths and at the end', () => {
    expect(milliOf('0.4', '0.5')).toBe(800)
    expect(warningOf('0.399999', '0.5')).toBeNull()
    expect(warningOf('0.4', '0.5')).toBe('near')
    expect(warningOf('0.499999', '0.5')).toBe('near')
    expect(warningOf('0.5', '0.5')).toBe('over')
    expect(warningOf('3', '0')).toBe('over')
    expect(warningOf('3', null)).toBeNull()
    // What is left of it is less than a payment.
    expect(warningOf('0.45', '0.5', 'budget')).toBe('over')
    expect(warningOf('0.45', '0.5', 'price')).toBe('near')
  })
})

describe('what stands beside them', () => {
  it('addresses keep both ends', () => {
    expect(short('0x52908400098527886E0F7030069857D2E4169EE7')).toBe('0x529084…169EE7')
    expect(short('0x12')).toBe('0x12')
  })

  it('days without trade are there, and there are not too many', () => {
    expect(daysBetween('2026-02-27', '2026-03-01', 90)).toEqual(['2026-02-27', '2026-02-28', '2026-03-01'])
    expect(daysBetween('2020-01-01', '2026-03-01', 2)).toEqual(['2026-02-28', '2026-03-01'])
  })
})

describe('codes to scan', () => {
  // Compared with two other programs when it was written: the one reads it, the other draws the same.
  const CODE = `
#######..###..#....#..#######
#.....#..#.##..#.#....#.....#
#.###.#.#.#...###..##.#.###.#
#.###.#.##...#.####...#.###.#
#.###.#.#...#.#.....#.#.###.#
#.....#.####.####.#...#.....#
#######.#.#.#.#.#.#.#.#######
........###.#..##.#..........
#.#####..#####.#.##.#.#####..
#...##..##.#.####..#..#.#...#
###.####.#.....#.##.#####.##.
.###....#.#...#.....##.......
#.##.##.###...#####..#.#.##..
..##.#....##........#.#.#.#.#
.#.##.#.##.##.##..#.....##.#.
###..#.#..##..###.###...#..#.
#.#.###..#.#..##.##.##.#.####
#.##.#.###..#..##..#..#.#...#
#..#.####.#...###.#..#..#....
#.#.##.#..###.#.#.#..##.#..#.
#.#..##.##...#.#############.
........##.#..#....##...#.#.#
#######....#######.##.#.#..#.
#.....#.#..#..###.#.#...#..##
#.###.#.##.....####.#########
#.###.#.###.#....#...#.#.#.##
#.###.#.##.###.#..#.#.#.#..#.
#.....#..#.###.#...##...#..#.
#######.##...##.###...#.###..`.trim().split('\n')

  it('are those of other programs', () => {
    const grid = qr('0x52908400098527886E0F7030069857D2E4169EE7')
    expect(grid?.map((row) => row.map((dark) => (dark ? '#' : '.')).join(''))).toEqual(CODE)
  })

  it('grow with the text and end where it is too long', () => {
    expect(qr('a')?.length).toBe(21)
    expect(qr('a'.repeat(106))?.length).toBe(41)
    expect(qr('a'.repeat(107))).toBeNull()
    expect(pathOf([[true, false], [false, true]])).toBe('M0 0h1v1h-1zM1 1h1v1h-1z')
  })
})
