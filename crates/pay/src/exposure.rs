//! How much an account may owe us in all, from what the chain says of it: `U`.
//!
//! It counts everything that is not in the vault's books yet: what was revealed and not cashed, what was
//! served and not paid, and what may still be served on credit, over all channels and connections.

use crate::{DELEGATION_SECONDS_MAX, Delegate, Facts};
use std::time::Duration;

/// A bond answers for so many sellers at once: a cheat among so many gains no more than it loses.
const BOND_SHARES: u128 = 256;
/// Of what is free, so many hundredths.
const FREE_PERCENT: u128 = 5;
/// An account that may owe less than so many times what cashing costs is not worth it.
const FEES_MIN: u128 = 25;
/// A lock counts until so long before its end, in seconds: to cash takes time.
const LOCK_SECONDS: u64 = 24 * 3600;
/// A delegation must live for so long, in seconds.
const DELEGATION_SECONDS_MIN: u64 = 48 * 3600;
/// After so long without an answer of the chain no window is larger than the first.
pub const FACTS_AGE: Duration = Duration::from_secs(10 * 60);
/// After so long there is no credit.
pub const FACTS_AGE_MAX: Duration = Duration::from_secs(20 * 60);

/// What the chain says comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exposure {
    /// So much at most, in the token's smallest unit.
    Limit {
        /// `U`.
        amount: u128,
        /// Whether no window may be larger than the first: the deposit is not final yet, or a cheque of
        /// the account has bounced once.
        first_window_only: bool,
    },
    /// Less than cashing is worth: the free lane.
    Little,
    /// Nothing, and it is told so.
    Refused(Unworthy),
}

/// Why an account has no credit whatever it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unworthy {
    /// It was never funded.
    Unfunded,
    /// Cheques of it are not paid.
    Owes,
    /// The delegation is revoked, used up, too near its end, or longer than the vault takes.
    Delegation,
}

/// What may be owed by an account that signs itself, or by one whose delegation is given.
///
/// A bounce that was paid later is no reason to refuse: the bond has burned for it, and counts no more. But
/// as the vault never forgets it, such an account is trusted with a first window only. `wall` is in seconds
/// since 1970; what of it and the chain's time is later counts, so that a slow clock opens nothing,
/// nor takes a new delegation for one that is too long.
#[must_use]
pub fn exposure(facts: &Facts, delegate: Option<&Delegate>, wall: u64) -> Exposure {
    let now = wall.max(facts.chain_time);
    if facts.owed > 0 {
        return Exposure::Refused(Unworthy::Owes);
    }
    if facts.epoch == 0 {
        return Exposure::Refused(Unworthy::Unfunded);
    }
    if let Some(delegate) = delegate {
        let soon = now.saturating_add(DELEGATION_SECONDS_MIN);
        let is_long = delegate.valid_until > now.saturating_add(DELEGATION_SECONDS_MAX);
        let is_spent = facts.spent >= delegate.max_amount;
        if facts.revoked || delegate.valid_until < soon || is_long || is_spent {
            return Exposure::Refused(Unworthy::Delegation);
        }
    }
    let bond = if facts.bond_exits { 0 } else { facts.bond };
    let at_risk = delegate.map_or(bond, |delegate| bond.min(delegate.bond_at_risk));
    let free = facts.free.saturating_sub(facts.exit);
    let trusted = (at_risk / BOND_SHARES).min(free.saturating_mul(FREE_PERCENT) / 100);
    let amount = trusted.saturating_add(lock(facts, now));
    let amount = delegate.map_or(amount, |it| amount.min(it.max_amount - facts.spent));
    if amount < facts.fee.saturating_mul(FEES_MIN) || amount == 0 {
        return Exposure::Little;
    }
    Exposure::Limit { amount, first_window_only: !facts.is_final || facts.bounces > 0 }
}

/// What of a lock counts.
fn lock(facts: &Facts, now: u64) -> u128 {
    let ends_soon = facts.lock_until <= now.saturating_add(LOCK_SECONDS);
    if ends_soon { 0 } else { facts.lock }
}

#[cfg(test)]
mod tests;
