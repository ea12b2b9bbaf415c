//! What is wanted of one torrent, and what may be given for it.

use crate::{Hold, Lane, PeerKey, Price, Wish};
use piecework_types::Time;
use std::collections::BTreeSet;

/// Bytes a second that a medium lane wants at least.
const MEDIUM_RATE_MIN: u64 = 1 << 20;

/// Seconds in which a medium lane wants a whole torrent, unless that is under the least rate.
const MEDIUM_SECONDS: u64 = 120;

/// One torrent.
#[derive(Debug, Default)]
pub(super) struct Torrent {
    pub(super) wish: Option<Wish>,
    /// Those that sell.
    pub(super) peers: BTreeSet<PeerKey>,
    /// Since when more comes than is wanted.
    pub(super) over_since: Option<Time>,
    /// What was last told.
    pub(super) hold: Option<Hold>,
    pub(super) is_nearly_told: bool,
    /// The most that was ever left.
    whole: u64,
}

impl Torrent {
    pub(super) fn want(&mut self, wish: Wish, spent: u128) {
        self.whole = self.whole.max(wish.left);
        self.is_nearly_told &= is_nearly(spent, wish.budget);
        self.wish = Some(wish);
    }

    /// Bytes a second that are wanted of all sellers together; 0 buys nothing.
    pub(super) fn target(&self) -> u64 {
        let Some(wish) = self.wish.filter(|wish| wish.left > 0) else { return 0 };
        let most = wish.rate_max.map_or(u64::MAX, |most| most.max(1));
        match wish.lane {
            Lane::Slow => 0,
            Lane::Medium => MEDIUM_RATE_MIN.max(self.whole / MEDIUM_SECONDS).min(most),
            Lane::Fast => u64::MAX,
            Lane::Live { rate } => rate.saturating_add(rate.saturating_mul(3) / 10).min(most),
        }
    }

    /// Bytes a second with which nobody else is looked for or outbid.
    pub(super) fn enough(&self) -> u64 {
        self.target().min(self.filling().unwrap_or(u64::MAX))
    }

    /// Whether so much is all that its buyer takes: then nobody who gives little is to blame.
    pub(super) fn is_filled_by(&self, rate: u64) -> bool {
        self.filling().is_some_and(|filling| rate >= filling)
    }

    /// The buyer's own limit is never quite used up: who wants its last part wants it for nothing.
    fn filling(&self) -> Option<u64> {
        self.wish?.rate_max.map(|most| most - most / 8)
    }

    /// The highest price that may be bid when sellers ask `median`.
    pub(super) fn cap(&self, median: Price) -> Price {
        let Some(wish) = self.wish else { return Price::default() };
        let most = match wish.lane {
            Lane::Slow => return Price::default(),
            Lane::Medium => median.percent(125),
            Lane::Fast | Lane::Live { .. } => median.percent(300),
        };
        most.min(wish.price_max)
    }

    /// What is bid first to who asks this: a fast lane is ahead of a medium one from the beginning.
    pub(super) fn first_bid(&self, ask: Price, cap: Price) -> Price {
        let ahead = match self.wish.map(|wish| wish.lane) {
            Some(Lane::Fast | Lane::Live { .. }) => ask.percent(125),
            Some(Lane::Slow | Lane::Medium) | None => ask,
        };
        ahead.min(cap).max(ask)
    }

    pub(super) fn budget(&self) -> u128 {
        self.wish.map_or(0, |wish| wish.budget)
    }

    /// Whether it is time to tell that a budget is nearly spent: once.
    pub(super) fn nears(&mut self, spent: u128) -> bool {
        let nears = self.wish.is_some_and(|wish| is_nearly(spent, wish.budget));
        nears && !std::mem::replace(&mut self.is_nearly_told, true)
    }
}

/// Whether four fifths are spent.
fn is_nearly(spent: u128, budget: u128) -> bool {
    budget > 0 && spent >= budget - budget / 5
}
