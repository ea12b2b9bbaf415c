//! The next transaction of each sender that has one that can go, best first.
//!
//! Invariant: at most one candidate a sender. Must not know: transactions.

use alloy_primitives::Address;
use alloy_primitives::map::HashMap;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// One that can go; the greatest goes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Candidate {
    /// What it pays the sealer for a unit of gas.
    pub(super) tip: u128,
    /// Earlier is better.
    pub(super) arrival: Reverse<u64>,
    pub(super) sender: Address,
    pub(super) nonce: u64,
}

/// The candidates.
#[derive(Debug, Default)]
pub(super) struct Ready {
    ordered: BTreeSet<Candidate>,
    by_sender: HashMap<Address, Candidate>,
}

impl Ready {
    /// Puts a sender's candidate in place of the one it had.
    pub(super) fn set(&mut self, sender: Address, candidate: Option<Candidate>) {
        let old = match candidate {
            Some(candidate) => self.by_sender.insert(sender, candidate),
            None => self.by_sender.remove(&sender),
        };
        if old == candidate {
            return;
        }
        if let Some(old) = old {
            self.ordered.remove(&old);
        }
        self.ordered.extend(candidate);
    }

    /// Best first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.ordered.iter().rev()
    }

    pub(super) fn len(&self) -> usize {
        self.ordered.len()
    }
}
