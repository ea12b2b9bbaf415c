// The files of a torrent as a tree, and the lines of it that are shown: thirty thousand of them are built once
// and only walked where folders are open.
import type { File } from '../api/schema'

export type Node = {
  /** Its path; a folder's ends in a slash. */
  path: string
  name: string
  depth: number
  size: number
  /** Bytes that are there. */
  done: number
  /** The priority of all files below, or nothing where they differ. */
  priority: number | null
  /** Numbers of all files below. */
  indices: number[]
  folders: Node[] | null
  files: Node[]
}

const folder = (path: string, name: string, depth: number): Node =>
  ({ path, name, depth, size: 0, done: 0, priority: null, indices: [], folders: [], files: [] })

/** The root, which has no name of its own. */
export const treeOf = (files: readonly File[]): Node => {
  const root = folder('', '', -1)
  const folders = new Map<string, Node>([['', root]])
  for (const file of files) {
    const parts = file.path.split('/')
    const name = parts.pop() ?? file.path
    let parent = root
    let path = ''
    const above = [root]
    for (const part of parts) {
      path += `${part}/`
      let next = folders.get(path)
      if (!next) {
        next = folder(path, part, parent.depth + 1)
        folders.set(path, next)
        parent.folders?.push(next)
      }
      parent = next
      above.push(next)
    }
    const done = Math.floor((file.size_bytes * file.progress_milli) / 1000)
    for (const node of above) {
      node.priority = node.indices.length === 0 || node.priority === file.priority ? file.priority : null
      node.size += file.size_bytes
      node.done += done
      node.indices.push(file.index)
    }
    parent.files.push({
      path: file.path, name, depth: parent.depth + 1, size: file.size_bytes, done,
      priority: file.priority, indices: [file.index], folders: null, files: [],
    })
  }
  return root
}

/** The lines to show: below each folder that is open its folders, then its files. */
export const linesOf = (root: Node, open: ReadonlySet<string>): Node[] => {
  const lines: Node[] = []
  const walk = (node: Node) => {
    for (const below of node.folders ?? []) {
      lines.push(below)
      if (open.has(below.path)) walk(below)
    }
    for (const file of node.files) lines.push(file)
  }
  walk(root)
  return lines
}

/** A torrent with one folder at its root shows what is in it at once. */
export const openAtFirst = (root: Node): Set<string> => {
  const open = new Set<string>()
  let node: Node | undefined = root
  while (node && node.folders?.length === 1 && node.files.length === 0) {
    node = node.folders[0]
    if (node) open.add(node.path)
  }
  return open
}

/** Thousandths of a node that are there, never all before all is. */
export const progressOf = (node: Node): number =>
  node.size === 0 ? 1000 : Math.floor((node.done * 1000) / node.size)
