//! From blocks in any order to runs in the order of hashing.
//!
//! Owns the blocks of one piece that were received and not handed over. Invariant: what is handed over
//! is contiguous from the hash cursor on; a block is taken once. Pure: it must not know files, threads
//! or hashes.

use std::collections::BTreeMap;

/// A block that comes next in a run.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Cell<C> {
    /// Its bytes are here.
    Memory(C),
    /// Its bytes were written already, to make room, and have to be read again.
    Stored,
}

/// Adjacent blocks to be hashed, and written as far as they are in memory.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Run<C> {
    /// Number of the first block within the piece.
    pub(crate) first: u32,
    pub(crate) cells: Vec<Cell<C>>,
    /// With it the piece is complete.
    pub(crate) is_last: bool,
}

/// The blocks of one piece. `C` is what holds a block's bytes.
#[derive(Debug)]
pub(crate) struct Assembly<C> {
    block_count: u32,
    /// First block that was not handed over.
    cursor: u32,
    /// Blocks from the cursor on.
    front: Vec<Cell<C>>,
    /// Blocks behind a gap, by number.
    ahead: BTreeMap<u32, Cell<C>>,
    held: usize,
}

impl<C> Assembly<C> {
    pub(crate) const fn new(block_count: u32) -> Self {
        Self { block_count, cursor: 0, front: Vec::new(), ahead: BTreeMap::new(), held: 0 }
    }

    /// Takes a block. One that is here already, or was, is given back.
    pub(crate) fn insert(&mut self, number: u32, block: C) -> Result<(), C> {
        // At most as many as blocks.
        let next = self.cursor + self.front.len() as u32;
        if number < next || number >= self.block_count || self.ahead.contains_key(&number) {
            return Err(block);
        }
        self.held += 1;
        if number > next {
            self.ahead.insert(number, Cell::Memory(block));
            return Ok(());
        }
        self.front.push(Cell::Memory(block));
        let mut next = next + 1;
        while let Some(entry) = self.ahead.first_entry().filter(|entry| *entry.key() == next) {
            self.front.push(entry.remove());
            next += 1;
        }
        Ok(())
    }

    /// Blocks in memory.
    pub(crate) const fn held(&self) -> usize {
        self.held
    }

    /// Blocks that could be handed over as a run.
    pub(crate) const fn run_blocks(&self) -> usize {
        self.front.len()
    }

    /// Whether every block has come.
    pub(crate) fn is_whole(&self) -> bool {
        self.cursor as usize + self.front.len() == self.block_count as usize
    }

    /// Whether everything was handed over.
    pub(crate) const fn is_done(&self) -> bool {
        self.cursor == self.block_count
    }

    /// Hands over what can be hashed now.
    pub(crate) fn take_run(&mut self) -> Option<Run<C>> {
        if self.front.is_empty() {
            return None;
        }
        let cells = std::mem::take(&mut self.front);
        let first = self.cursor;
        self.cursor += cells.len() as u32;
        self.held -= cells.iter().filter(|cell| matches!(cell, Cell::Memory(_))).count();
        Some(Run { first, cells, is_last: self.is_done() })
    }

    /// Hands over the blocks behind a gap, to be written and read again later: (number, block) in
    /// ascending order.
    pub(crate) fn spill(&mut self) -> Vec<(u32, C)> {
        let mut spilled = Vec::new();
        for (&number, cell) in &mut self.ahead {
            if let Cell::Memory(block) = std::mem::replace(cell, Cell::Stored) {
                spilled.push((number, block));
            }
        }
        self.held -= spilled.len();
        spilled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_are_contiguous_and_every_block_is_handed_over_once(
            order in Just((0_u32..40).collect::<Vec<_>>()).prop_shuffle(),
            actions in prop::collection::vec(0_u8..8, 40),
        ) {
            let mut assembly = Assembly::new(40);
            let (mut next, mut spilled) = (0, Vec::new());
            let check = |run: Option<Run<u32>>, next: &mut u32, spilled: &[u32]| {
                let Some(run) = run else { return Ok(()) };
                prop_assert_eq!(run.first, *next);
                for cell in run.cells {
                    match cell {
                        Cell::Memory(number) => {
                            prop_assert_eq!(number, *next);
                            prop_assert!(!spilled.contains(&number));
                        }
                        Cell::Stored => prop_assert!(spilled.contains(next)),
                    }
                    *next += 1;
                }
                prop_assert_eq!(run.is_last, *next == 40);
                Ok(())
            };
            for (&number, &action) in order.iter().zip(&actions) {
                prop_assert_eq!(assembly.insert(number, number), Ok(()));
                prop_assert_eq!(assembly.insert(number, number), Err(number));
                match action {
                    0 => spilled.extend(assembly.spill().into_iter().map(|(number, _)| number)),
                    1 => check(assembly.take_run(), &mut next, &spilled)?,
                    _ => {}
                }
            }
            prop_assert!(assembly.is_whole());
            check(assembly.take_run(), &mut next, &spilled)?;
            prop_assert_eq!(next, 40);
            prop_assert!(assembly.is_done());
            prop_assert_eq!(assembly.held(), 0);
        }
    }

    #[test]
    fn a_block_beyond_the_piece_is_refused() {
        assert_eq!(Assembly::new(2).insert(2, ()), Err(()));
    }
}
