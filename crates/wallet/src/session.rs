//! Session keys: what a node pays with while its owner's key stays locked.
//!
//! A session key is drawn at random, one for each node and week, and lies on the disk without a password. A
//! thief of it spends at most what its delegation says, until the delegation ends or is revoked.

use piecework_pay::{Delegate, Domain, Key, Signature};

/// How long a node uses one session key.
pub const SESSION_SECONDS: u64 = 7 * 24 * 3600;

/// A session key with its owner's word for it.
#[derive(Debug)]
pub struct Session {
    /// Where the word counts.
    pub domain: Domain,
    /// What it says.
    pub delegate: Delegate,
    /// The owner's signature.
    pub word: Signature,
    /// The key of [`Delegate::session`].
    pub key: Key,
}

/// The week, since 1970, of a date in seconds since then: a node that finds no session of this week draws a
/// key.
#[must_use]
pub fn week(seconds: u64) -> u64 {
    seconds / SESSION_SECONDS
}
