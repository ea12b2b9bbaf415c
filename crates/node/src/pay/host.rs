//! What payments need from outside the node, and what they are told at their start.

use crate::event::TorrentKey;
use piecework_pay::{
    FactsKey, Hold, Lane, Network, Price, PurseConfig, Record, Sale, TillConfig, TorrentKey as Name,
};
use std::io;
use std::net::SocketAddr;

/// What payments need from outside the node: the drive, the chain, the time of day. Called on the thread of
/// payments, for which everything waits meanwhile; so nothing but [`Self::write`] and [`Self::paid_time`] may
/// take longer than a moment.
pub trait PayHost: Send {
    /// Writes all of it in one transaction; on the drive when it returns. On an error nothing that depends on
    /// it leaves; it is tried again each second, with what has come meanwhile.
    ///
    /// # Errors
    /// A line for people, which is told once ([`PayNews::WriteFailed`]).
    fn write(&mut self, records: &[Record]) -> Result<(), String>;

    /// Asks the chain; answered by [`PayHandle::facts`](super::PayHandle::facts). Does not wait.
    fn ask_facts(&mut self, key: FactsKey);

    /// Asks for our own account as payer; answered by [`PayHandle::funds`](super::PayHandle::funds). Asked at
    /// the start and each minute while something is bought. Does not wait.
    fn ask_funds(&mut self, network: Network);

    /// Has this channel cashed; answered by [`PayHandle::cashed`](super::PayHandle::cashed). Does not wait.
    fn cash(&mut self, sale: Sale);

    /// Adds to how long a torrent has had a paid lane; about once a minute, and at the end. Nothing depends
    /// on it: what cannot be written down is lost.
    fn paid_time(&mut self, torrent: Name, time: PaidTime);

    /// What people should hear.
    fn tell(&mut self, news: PayNews);

    /// Seconds since 1970.
    fn wall(&self) -> u64;
}

/// Seconds in which a torrent had a paid lane, and what came in them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PaidTime {
    /// Seconds in which at least one peer was paid.
    pub seconds: u64,
    /// Bytes of those that were paid.
    pub paid_bytes: u64,
    /// Bytes of all others, in the same seconds.
    pub free_bytes: u64,
}

/// What an engine pays and is paid with.
#[derive(Debug)]
pub struct PayConfig {
    /// How it sells, if it may.
    pub till: Option<TillConfig>,
    /// What it buys with, if it may.
    pub purse: Option<PurseConfig>,
    /// What earlier runs have written.
    pub records: Vec<Record>,
    /// Whether it wants the imbalance billed only, between two that download from each other.
    pub offsets: bool,
}

/// What is wanted of one torrent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PayWish {
    /// How fast.
    pub lane: Lane,
    /// What it may cost in all, in the token's smallest unit.
    pub budget: u128,
    /// The highest price.
    pub price_max: Price,
}

/// What people should hear of payments.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PayNews {
    /// Four fifths of a torrent's budget are spent.
    NearlySpent {
        /// Which.
        torrent: TorrentKey,
    },
    /// Nothing more is bought for a torrent, or, with none, it goes on.
    Held {
        /// Which.
        torrent: TorrentKey,
        /// Why.
        hold: Option<Hold>,
    },
    /// A peer broke the rules of payments. It stays a peer.
    Faulted {
        /// Of which torrent.
        torrent: TorrentKey,
        /// Who.
        address: SocketAddr,
        /// How, in words.
        reason: String,
        /// Whether payments are not spoken of with it any more.
        is_off: bool,
    },
    /// Nothing can be written: payments stand still until it can. Told once.
    WriteFailed(String),
    /// It can again.
    WritesAgain,
    /// Selling stands still, or, with false, goes on: the node's upload has no limit any more, so that there
    /// is nothing that could be shared out.
    Unlimited(bool),
}

/// Why payments cannot start.
#[derive(Debug, thiserror::Error)]
pub enum PayError {
    /// They run already.
    #[error("payments run already: stop them before they start anew")]
    Running,
    /// The system gives no thread or no randomness.
    #[error("cannot start payments: {0}; check the limit on threads (ulimit -u)")]
    System(#[from] io::Error),
}
