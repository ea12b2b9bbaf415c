// Pieces as a picture: a square for each, or, where there are more than fit, for a few of them together.

/** Squares that are drawn at most. */
export const CELLS_MAX = 12_000
const GAP = 1

export type Layout = { cells: number; columns: number; rows: number; side: number; width: number; height: number }

/** How the squares of so many pieces fit into a width, in pixels of the page. */
export const layout = (count: number, available: number): Layout => {
  const width = Math.max(1, available - 32)
  const cells = Math.min(count, CELLS_MAX)
  // Few pieces have large squares, many have small ones.
  const side = Math.max(3, Math.min(12, Math.floor(Math.sqrt((width * 320) / Math.max(1, cells))) - GAP))
  const columns = Math.max(1, Math.floor(width / (side + GAP)))
  const rows = Math.ceil(cells / columns)
  return { cells, columns, rows, side, width, height: Math.max(1, rows * (side + GAP)) }
}

export type Tally = { there: number; coming: number; missing: number }

export const tally = (states: string): Tally => {
  const all = { there: 0, coming: 0, missing: 0 }
  for (const state of states) {
    if (state === '2') all.there += 1
    else if (state === '1') all.coming += 1
    else all.missing += 1
  }
  return all
}

export type Cell = { there: number; coming: boolean }

/** What one square stands for: the part of its pieces that is there, and whether one of them is coming. */
export const cellOf = (states: string, at: number, cells: number): Cell => {
  const from = Math.floor((at * states.length) / cells)
  const to = Math.max(from + 1, Math.floor(((at + 1) * states.length) / cells))
  const { there, coming } = tally(states.slice(from, to))
  return { there: there / (to - from), coming: coming > 0 }
}

/** Draws them, in the colours of the theme. */
export const paint = (canvas: HTMLCanvasElement, states: string, to: Layout): void => {
  const context = canvas.getContext('2d')
  if (!context) return
  const scale = window.devicePixelRatio || 1
  canvas.width = Math.round(to.width * scale)
  canvas.height = Math.round(to.height * scale)
  canvas.style.height = `${to.height}px`
  context.scale(scale, scale)
  const probe = getComputedStyle(canvas)
  const colour = (name: string) => {
    canvas.style.color = `var(${name})`
    return probe.color
  }
  const [there, coming, missing] = [colour('--accent'), colour('--coming'), colour('--track')]
  for (let at = 0; at < to.cells; at += 1) {
    const cell = cellOf(states, at, to.cells)
    const x = (at % to.columns) * (to.side + GAP)
    const y = Math.floor(at / to.columns) * (to.side + GAP)
    context.globalAlpha = 1
    context.fillStyle = cell.coming ? coming : missing
    context.fillRect(x, y, to.side, to.side)
    if (cell.there > 0) {
      context.globalAlpha = cell.there
      context.fillStyle = there
      context.fillRect(x, y, to.side, to.side)
    }
  }
}
