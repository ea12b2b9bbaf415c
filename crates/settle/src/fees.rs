//! What gas costs: with a base fee that blocks set (EIP-1559), or without one.

use alloy_primitives::U256;

/// The price of gas that no chain asks, wei: a thousand coins for a plain transfer. Who asks it lies.
pub(crate) const PRICE_MAX: u128 = 50_000_000_000_000_000;

/// What is paid for a unit of gas, wei.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fees {
    /// The block's base fee and a tip, at most `most` together (EIP-1559).
    Market {
        /// Both together at most.
        most: u128,
        /// Of that for whoever makes the block.
        tip: u128,
    },
    /// One price, on chains without a base fee.
    Legacy {
        /// The price.
        price: u128,
    },
}

impl Fees {
    /// Fees that still suffice when the base fee has doubled, which takes six full blocks.
    pub(crate) fn market(base: u128, tip: u128) -> Self {
        Self::Market { most: base.saturating_mul(2).saturating_add(tip), tip }
    }

    /// A unit of gas at most, wei.
    #[must_use]
    pub fn most(&self) -> u128 {
        match self {
            Self::Market { most, .. } => *most,
            Self::Legacy { price } => *price,
        }
    }

    /// A unit of gas as it will probably be, wei: the block's price now, and the tip.
    #[must_use]
    pub fn likely(&self) -> u128 {
        match *self {
            Self::Market { most, tip } => (most.saturating_sub(tip) / 2).saturating_add(tip),
            Self::Legacy { price } => price,
        }
    }

    /// So much gas at most, wei.
    #[must_use]
    pub fn of(&self, gas: u64) -> U256 {
        U256::from(self.most()) * U256::from(gas)
    }

    /// Fees that replace these in a pool: an eighth more, where a tenth is asked for by most programs.
    pub(crate) fn raised(&self) -> Self {
        let more = |fee: u128| fee.saturating_add(fee / 8).saturating_add(1);
        match *self {
            Self::Market { most, tip } => Self::Market { most: more(most), tip: more(tip) },
            Self::Legacy { price } => Self::Legacy { price: more(price) },
        }
    }

    /// The highest that [`Self::of`] may become by raising: what a person agreed to.
    pub(crate) fn with_room(&self, gas: u64) -> U256 {
        self.of(gas) * U256::from(3) / U256::from(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raised_fees_replace_by_at_least_a_tenth_and_stay_in_the_room_three_times() {
        let fees = Fees::market(1_000_000_000, 1_000_000);
        let thrice = fees.raised().raised().raised();
        assert!(fees.raised().most() * 10 >= fees.most() * 11);
        assert!(thrice.of(21_000) <= fees.with_room(21_000));
        assert!(thrice.raised().of(21_000) > fees.with_room(21_000));
    }

    #[test]
    fn what_gas_will_probably_cost_is_the_base_fee_and_the_tip() {
        assert_eq!(Fees::market(1_000, 30).likely(), 1_030);
        assert_eq!(Fees::Legacy { price: 7 }.likely(), 7);
    }

    #[test]
    fn no_price_overflows_what_it_is_multiplied_to() {
        let fees = Fees::market(u128::MAX, u128::MAX);
        assert_eq!(fees.raised().most(), u128::MAX);
        assert!(fees.with_room(u64::MAX) > fees.of(u64::MAX));
    }
}
