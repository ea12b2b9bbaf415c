//! Whether the node sells and buys, and of what.

use super::host::PayNews;
use super::thread::Driver;
use crate::shard::Command;
use piecework_pay::{FREE_PERMILLE_MIN, PaymentsInput, PurseInput, TillInput};
use piecework_types::Time;
use std::sync::Arc;
use std::time::Duration;

/// How long the extension is still spoken once neither side is on: for last words.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What is on.
#[derive(Debug)]
pub(super) struct Lanes {
    /// What the user has said.
    sells: bool,
    /// Whether the till sells: it cannot share out an uplink without a limit.
    is_selling: bool,
    /// People were told that it does not for want of a limit.
    stood_still: bool,
    is_buying: bool,
    /// The node's upload limit, as the till knows it.
    limit: Option<u64>,
    /// Whether peers are told of the extension.
    carries: bool,
    /// When they are no longer.
    quiet_at: Time,
}

impl Default for Lanes {
    fn default() -> Self {
        let (sells, is_selling, is_buying, carries) = (false, false, false, false);
        let (stood_still, limit, quiet_at) = (false, None, Time::NEVER);
        Self { sells, is_selling, stood_still, is_buying, limit, carries, quiet_at }
    }
}

impl Lanes {
    pub(super) const fn is_selling(&self) -> bool {
        self.is_selling
    }

    pub(super) const fn is_buying(&self) -> bool {
        self.is_buying
    }

    pub(super) const fn carries(&self) -> bool {
        self.carries
    }

    pub(super) const fn quiet_at(&self) -> Time {
        self.quiet_at
    }

    pub(super) fn capacity(&self) -> u64 {
        self.limit.unwrap_or(0)
    }
}

impl Driver {
    pub(super) fn sell(&mut self, sells: bool) {
        self.lanes.sells = sells && self.payments.till().is_some();
        self.look_at_limit();
        self.apply_selling();
    }

    pub(super) fn buy(&mut self, buys: bool) {
        let buys = buys && self.payments.purse().is_some();
        if buys != std::mem::replace(&mut self.lanes.is_buying, buys) {
            self.input(PaymentsInput::Purse(PurseInput::Buy(buys)));
        }
    }

    /// What can be sold follows the node's upload limit.
    pub(super) fn look_at_limit(&mut self) {
        let limit = self.shared.limits.up.limit();
        if limit == self.lanes.limit {
            return;
        }
        self.lanes.limit = limit;
        let bytes_per_second = limit.unwrap_or(0);
        self.input(PaymentsInput::Till(TillInput::Capacity { bytes_per_second }));
        let was_selling = self.lanes.is_selling;
        self.apply_selling();
        let stands_still = was_selling && !self.lanes.is_selling;
        if stands_still || (self.lanes.is_selling && self.lanes.stood_still) {
            self.lanes.stood_still = stands_still;
            self.host.tell(PayNews::Unlimited(stands_still));
        }
    }

    fn apply_selling(&mut self) {
        let sells = self.lanes.sells && self.lanes.limit.is_some();
        if sells == std::mem::replace(&mut self.lanes.is_selling, sells) {
            return;
        }
        self.reserve();
        self.input(PaymentsInput::Till(TillInput::Sell(sells)));
    }

    /// Keeps of the upload limit what is for those who pay.
    fn reserve(&self) {
        let reserved = if self.lanes.is_selling { 1000 - self.free_permille } else { 0 };
        self.shared.limits.up.set_reserved(reserved, self.now);
    }

    pub(super) fn set_free_permille(&mut self, permille: u16) {
        self.free_permille = permille.clamp(FREE_PERMILLE_MIN, 1000);
        self.reserve();
    }

    /// The extension is mentioned while something is on, and for a moment after that.
    pub(super) fn keep_lanes(&mut self) {
        let is_on = self.lanes.is_selling || self.lanes.is_buying;
        match (self.lanes.carries, is_on) {
            (false, true) => {
                self.lanes.carries = true;
                self.tell_shards(|| Command::CarryPay(Some(Arc::clone(&self.inbox))));
            }
            (true, true) => self.lanes.quiet_at = Time::NEVER,
            (true, false) if self.lanes.quiet_at == Time::NEVER => {
                self.lanes.quiet_at = self.now + LAST_WORDS;
            }
            (true, false) if self.lanes.quiet_at <= self.now => {
                (self.lanes.carries, self.lanes.quiet_at) = (false, Time::NEVER);
                self.tell_shards(|| Command::CarryPay(None));
            }
            (true | false, false) => {}
        }
    }
}
