//! When a channel is cashed by itself.
//!
//! At once: when an account is at its exposure, when a buyer is done, when an account or its bond leaves or
//! a delegation is revoked. A day before a delegation, or a lock, ends. After three days, or twenty hours
//! when we are often away. Else when it is worth it, and each payer once in ten minutes; but what a lock
//! covers is safe, and waits for the one cheque that its buyer folds at the end.

use super::account::{Account, Shelf};
use super::{AccountKey, Till};
use crate::Facts;
use std::time::Duration;

/// How often channels are looked through.
pub(super) const SWEEP: Duration = Duration::from_secs(60);

/// A channel is worth cashing at so many times what that costs.
const WORTH_FEES: u128 = 25;
/// When it is over, or has waited long, at so many times.
const OLD_FEES: u128 = 3;
/// Between two times of one payer, and after one that failed.
const APART: Duration = Duration::from_secs(10 * 60);
/// After a cheque that was not paid whole.
const BOUNCED: Duration = Duration::from_secs(3600);

const HOUR: u64 = 3600;
/// Before a delegation or a lock ends, in seconds.
const AHEAD_SECONDS: u64 = 24 * HOUR;
/// Nothing waits longer, in seconds.
const WAIT_SECONDS: u64 = 72 * HOUR;
/// Nor this long, if we were up for less than [`UPTIME_PERMILLE`] of the last week.
const WAIT_SECONDS_AWAY: u64 = 20 * HOUR;
const UPTIME_PERMILLE: u16 = 950;

impl Till {
    /// Gives a channel away to be cashed.
    fn cash(&mut self, account: AccountKey, channel: u64) {
        let Some(payer) = self.accounts.get_mut(&account) else { return };
        let Some(shelf) = payer.sales.get_mut(&channel) else { return };
        if shelf.cashing.is_some() || shelf.cash_from > self.now || shelf.uncashed() == 0 {
            return;
        }
        shelf.cashing = Some(shelf.value());
        payer.cashed_at = Some(self.now);
        let sale = Box::new(shelf.sale.clone());
        self.outbox.push(crate::TillOutput::Cash(sale));
    }

    /// The same, or as soon as an earlier cash-out of the channel has ended.
    fn cash_at_once(&mut self, account: AccountKey, channel: u64) {
        let payer = self.accounts.get_mut(&account);
        let shelf = payer.and_then(|payer| payer.sales.get_mut(&channel));
        if let Some(shelf) = shelf.filter(|shelf| shelf.cashing.is_some()) {
            shelf.cash_again = true;
        }
        self.cash(account, channel);
    }

    /// Cashes every channel of an account that is worth more than that costs.
    pub(super) fn cash_all(&mut self, account: AccountKey) {
        self.cash_worth(account, 1);
    }

    pub(super) fn exiting(&mut self, account: AccountKey) {
        self.cash_worth(account, 1);
    }

    fn cash_worth(&mut self, account: AccountKey, fees: u128) {
        let Some(payer) = self.accounts.get(&account) else { return };
        let worth = payer.sales.iter().filter(|(_, shelf)| is_worth(shelf, fees));
        for channel in worth.map(|(channel, _)| *channel).collect::<Vec<_>>() {
            self.cash_at_once(account, channel);
        }
    }

    /// A buyer is done with a channel.
    pub(super) fn cash_closed(&mut self, (account, channel): (AccountKey, u64)) {
        let payer = self.accounts.get(&account);
        let shelf = payer.and_then(|payer| payer.sales.get(&channel));
        if shelf.is_some_and(|shelf| is_worth(shelf, OLD_FEES)) {
            self.cash_at_once(account, channel);
        }
    }

    /// The chain says that an account, its bond or its delegation is about to go, and did not before.
    pub(super) fn watch_exit(&mut self, account: AccountKey, before: Option<Facts>, facts: &Facts) {
        let leaves = |facts: &Facts| facts.exit > 0 || facts.bond_exits || facts.revoked;
        if leaves(facts) && !before.is_some_and(|before| leaves(&before)) {
            self.exiting(account);
        }
    }

    /// Every minute: what is worth it, and what must not wait longer.
    pub(super) fn sweep(&mut self) {
        let mut due = Vec::new();
        for (key, payer) in &self.accounts {
            let is_apart = payer.cashed_at.is_none_or(|at| self.now.since(at) >= APART);
            for (channel, shelf) in payer.sales.iter().filter(|(_, shelf)| shelf.uncashed() > 0) {
                let is_worth = shelf.facts.is_some() && is_worth(shelf, WORTH_FEES);
                let is_ripe = is_apart && is_worth && !self.is_locked(payer, shelf);
                if is_ripe || self.is_urgent(shelf) {
                    due.push((*key, *channel));
                }
            }
        }
        for (account, channel) in due {
            self.cash(account, channel);
        }
    }

    /// Whether a buyer that is still there has locked at least what waits.
    fn is_locked(&self, payer: &Account, shelf: &Shelf) -> bool {
        let soon = self.wall.saturating_add(AHEAD_SECONDS);
        let covers = |facts: &Facts| facts.lock_until > soon && facts.lock >= payer.uncashed();
        shelf.peer.is_some() && shelf.facts.is_some_and(|(facts, _)| covers(&facts))
    }

    fn is_urgent(&self, shelf: &Shelf) -> bool {
        let is_away = self.uptime_permille < UPTIME_PERMILLE;
        let wait = if is_away { WAIT_SECONDS_AWAY } else { WAIT_SECONDS };
        let soon = self.wall.saturating_add(AHEAD_SECONDS);
        let since = shelf.sale.since;
        let is_old = since > 0 && self.wall.saturating_sub(since) >= wait;
        let ends = shelf.sale.delegation.is_some_and(|word| word.valid_until <= soon);
        let lock =
            shelf.facts.filter(|(facts, _)| facts.lock > 0).map(|(facts, _)| facts.lock_until);
        let unlocks = lock.is_some_and(|until| until <= soon && until > self.wall);
        (is_old && is_worth(shelf, OLD_FEES)) || ((ends || unlocks) && is_worth(shelf, 1))
    }

    /// A channel was cashed, or that failed.
    pub(super) fn cashed(&mut self, account: AccountKey, channel: u64, paid: Option<u128>) {
        let (now, wall) = (self.now, self.wall);
        let Some(payer) = self.accounts.get_mut(&account) else { return };
        let Some(shelf) = payer.sales.get_mut(&channel) else { return };
        let claimed = shelf.cashing.take();
        let is_wanted = std::mem::take(&mut shelf.cash_again);
        let Some(paid) = paid else {
            shelf.cash_from = now + APART;
            return;
        };
        shelf.sale.paid = shelf.sale.paid.max(paid);
        shelf.sale.since = 0;
        shelf.note_value(wall);
        let has_bounced = claimed.is_some_and(|claimed| shelf.sale.paid < claimed);
        let again = is_wanted && is_worth(shelf, 1);
        let key = shelf.facts_key();
        if has_bounced {
            shelf.cash_from = now + BOUNCED;
            payer.owes = true;
        }
        self.write_channel((account, channel), false);
        for peer in self.trades_of(&account) {
            self.review(peer);
        }
        if has_bounced {
            self.ask_chain(key, None);
        } else if again {
            self.cash(account, channel);
        }
    }
}

/// Whether what is uncashed is more than so many times what cashing costs, as far as is known.
fn is_worth(shelf: &Shelf, fees: u128) -> bool {
    let fee = shelf.facts.map_or(0, |(facts, _)| facts.fee);
    let uncashed = shelf.uncashed();
    uncashed > 0 && uncashed >= fee.saturating_mul(fees)
}
