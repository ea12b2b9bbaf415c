//! An embedded EVM chain: blocks, receipts, logs and transactions in Ethereum's own formats.
//!
//! From bytes to state, each step a room of its own:
//! 1. [`transaction`]: bytes become a [`Transaction`](transaction::Transaction) with its sender recovered.
//! 2. [`execute`]: transactions change a [`state`], one after the other.
//! 3. [`block`]: what they did becomes a block; [`trie`] gives the roots.
//!
//! [`genesis`] says how a chain begins and what its blocks are held to, [`quota`] who has free gas.

pub mod block;
pub mod call;
pub mod execute;
pub mod genesis;
pub mod quota;
pub mod state;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod transaction;
pub mod trie;
