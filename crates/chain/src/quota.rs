//! Free gas: who held a balance overnight may use some gas a day at no charge, after TRON's bandwidth.
//!
//! Owns: the rule, and its record in the storage of [`QUOTA_ADDRESS`], so that it is part of the state root
//! and of every checkpoint. Invariant: a record follows from the blocks alone. Must not know: the pool, real
//! time.

use crate::state::Changes;
use crate::state::{StateGone, StateRead};
use alloy_primitives::{Address, U256, address};
use alloy_rlp::{RlpDecodable, RlpEncodable};

/// Whose storage has the records, one slot an account. It has no code, so no contract reaches them.
pub const QUOTA_ADDRESS: Address = address!("0x00000000000000000000000000000000000f4ee6");

/// The part of a block's gas that may be free: one in this many.
pub const QUOTA_BLOCK_DIVISOR: u64 = 4;

const DAY_SECONDS: u64 = 86_400;

/// What a genesis says about free gas.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, RlpDecodable, RlpEncodable)]
pub struct Quota {
    /// Gas an account may use in a UTC day; zero: no free gas.
    pub gas_per_day: u64,
    /// Coin it must have held since the day before, at the end of each block.
    pub balance_min: U256,
}

/// What is remembered of an account, packed into one slot.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Record {
    /// The day since when it holds enough; `None` while it does not.
    held_since: Option<u32>,
    /// The day that `gas` belongs to.
    day: u32,
    gas: u64,
}

/// The UTC day of a timestamp in seconds.
fn day_of(timestamp: u64) -> u32 {
    u32::try_from(timestamp / DAY_SECONDS).unwrap_or(u32::MAX)
}

impl Quota {
    /// Whether there is any.
    pub fn is_on(&self) -> bool {
        self.gas_per_day > 0
    }

    /// Free gas that `sender` has left at `timestamp`.
    ///
    /// # Errors
    /// When the state is no longer kept.
    pub fn left<S: StateRead>(
        &self,
        state: &S,
        sender: Address,
        timestamp: u64,
    ) -> Result<u64, StateGone> {
        if !self.is_on() {
            return Ok(0);
        }
        let balance = state.account(sender)?.unwrap_or_default().balance;
        let record = Record::read(state, sender)?;
        let today = day_of(timestamp);
        let held = record.held_since.is_some_and(|since| since < today);
        if !held || balance < self.balance_min {
            return Ok(0);
        }
        Ok(self.gas_per_day.saturating_sub(record.used(today)))
    }

    /// The slot and the word that say `sender` used `gas` more.
    ///
    /// # Errors
    /// When the state is no longer kept.
    pub(crate) fn charge<S: StateRead>(
        state: &S,
        sender: Address,
        timestamp: u64,
        gas: u64,
    ) -> Result<(U256, U256), StateGone> {
        let mut record = Record::read(state, sender)?;
        let today = day_of(timestamp);
        record.gas = record.used(today).saturating_add(gas);
        record.day = today;
        Ok((slot_of(sender), record.packed()))
    }

    /// After a block: notes who began to hold enough in it, and who ceased to.
    ///
    /// # Errors
    /// When the state is no longer kept.
    pub(crate) fn note_holders<S: StateRead>(
        &self,
        state: &S,
        changes: &Changes,
        timestamp: u64,
    ) -> Result<Vec<(U256, U256)>, StateGone> {
        let mut notes = Vec::new();
        if !self.is_on() {
            return Ok(notes);
        }
        for (address, account) in &changes.accounts {
            let holds = account.is_some_and(|account| account.balance >= self.balance_min);
            let mut record = Record::read(state, *address)?;
            if holds == record.held_since.is_some() {
                continue;
            }
            record.held_since = holds.then(|| day_of(timestamp));
            notes.push((slot_of(*address), record.packed()));
        }
        Ok(notes)
    }
}

impl Record {
    fn read<S: StateRead>(state: &S, address: Address) -> Result<Self, StateGone> {
        let [gas, days, ..] = *state.storage(QUOTA_ADDRESS, slot_of(address))?.as_limbs();
        let (since, day) = ((days >> 32) as u32, days as u32);
        Ok(Self { held_since: since.checked_sub(1), day, gas })
    }

    fn packed(self) -> U256 {
        let since = self.held_since.map_or(0, |since| since.saturating_add(1));
        U256::from_limbs([self.gas, (u64::from(since) << 32) | u64::from(self.day), 0, 0])
    }

    fn used(&self, today: u32) -> u64 {
        if self.day == today { self.gas } else { 0 }
    }
}

fn slot_of(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}
