//! The newest blocks in memory: those that are not in the store yet, and those that are likely asked for.
//!
//! Invariant: a block leaves only after it is checkpointed, so it is found here or in the store. Must not
//! know: files.

use crate::block::Block;
use alloy_primitives::B256;
use alloy_primitives::map::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// Transactions of checkpointed blocks that stay; some 1.5 KiB each.
const TRANSACTIONS_KEPT: usize = 32_768;

/// Blocks that stay, however few transactions they have.
const BLOCKS_KEPT: usize = 1024;

#[derive(Debug)]
pub(super) struct Recent {
    /// In order, without gaps; never empty.
    blocks: VecDeque<Arc<Block>>,
    numbers: HashMap<B256, u64>,
    transactions: HashMap<B256, (u64, u32)>,
    head: Arc<Block>,
}

impl Recent {
    pub(super) fn new(head: Arc<Block>) -> Self {
        let mut recent = Self {
            blocks: VecDeque::new(),
            numbers: HashMap::default(),
            transactions: HashMap::default(),
            head: Arc::clone(&head),
        };
        recent.push(head, u64::MAX);
        recent
    }

    pub(super) fn head(&self) -> Arc<Block> {
        Arc::clone(&self.head)
    }

    /// Adds the next block; lets old ones go that are in the store, which has those up to `checkpointed`.
    pub(super) fn push(&mut self, block: Arc<Block>, checkpointed: u64) {
        self.numbers.insert(block.hash, block.number());
        let indexed = (0_u32..).zip(&block.transactions);
        self.transactions.extend(indexed.map(|(at, t)| (t.hash(), (block.number(), at))));
        self.head = Arc::clone(&block);
        self.blocks.push_back(block);
        while self.blocks.len() > 1
            && (self.transactions.len() > TRANSACTIONS_KEPT || self.blocks.len() > BLOCKS_KEPT)
            && self.blocks.front().is_some_and(|oldest| oldest.number() <= checkpointed)
        {
            if let Some(oldest) = self.blocks.pop_front() {
                self.numbers.remove(&oldest.hash);
                for transaction in &oldest.transactions {
                    self.transactions.remove(&transaction.hash());
                }
            }
        }
    }

    pub(super) fn block(&self, number: u64) -> Option<Arc<Block>> {
        let first = self.blocks.front()?.number();
        let at = usize::try_from(number.checked_sub(first)?).ok()?;
        self.blocks.get(at).cloned()
    }

    pub(super) fn number(&self, hash: B256) -> Option<u64> {
        self.numbers.get(&hash).copied()
    }

    pub(super) fn transaction(&self, hash: B256) -> Option<(u64, u32)> {
        self.transactions.get(&hash).copied()
    }

    /// The oldest block here.
    pub(super) fn first(&self) -> u64 {
        self.blocks.front().map_or(0, |block| block.number())
    }
}

/// Old blocks that were read back, the last ones asked for.
#[derive(Debug, Default)]
pub(super) struct Reread {
    blocks: VecDeque<Arc<Block>>,
    transactions: usize,
}

impl Reread {
    pub(super) fn get(&self, number: u64) -> Option<Arc<Block>> {
        self.blocks.iter().find(|block| block.number() == number).cloned()
    }

    pub(super) fn put(&mut self, block: Arc<Block>) {
        self.transactions += block.transactions.len();
        self.blocks.push_back(block);
        while self.blocks.len() > 1
            && (self.transactions > TRANSACTIONS_KEPT || self.blocks.len() > BLOCKS_KEPT)
        {
            if let Some(oldest) = self.blocks.pop_front() {
                self.transactions -= oldest.transactions.len();
            }
        }
    }
}
