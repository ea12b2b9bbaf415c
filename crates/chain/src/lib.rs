//! An embedded EVM chain: blocks, receipts, logs and transactions in Ethereum's own formats.
//!
//! From bytes to what is acknowledged, each step a room of its own:
//! 1. [`transaction`]: bytes become a [`Transaction`](transaction::Transaction) with its sender recovered, on
//!    whatever thread brought them.
//! 2. [`pool`]: it waits, if it fits the state and there is room.
//! 3. [`sealer`]: says when a block is due.
//! 4. [`execute`]: the best of the pool change a [`state`], one after the other, with revm; [`quota`]
//!    says who has free gas.
//! 5. [`block`]: what they did becomes a block; [`trie`] gives the roots.
//! 6. [`log`]: the block is appended and flushed. From here on it is acknowledged, and readers see it.
//! 7. The store (redb) follows, at most a second behind, so that an opening need not replay everything.
//!
//! [`genesis`] says how a chain begins and what its blocks are held to. [`chain`] joins all of it to files
//! and two threads: it is the face of this crate. [`call`] answers what changes nothing.
//! [`contracts`] are those that a chain may begin with; [`beginning`] tells what comes of a genesis.

pub mod beginning;
pub mod block;
pub mod call;
pub mod chain;
pub mod contracts;
pub mod execute;
pub mod genesis;
pub mod log;
pub mod pool;
pub mod quota;
mod record;
pub mod sealer;
pub mod state;
mod store;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod transaction;
pub mod trie;
