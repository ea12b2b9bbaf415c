//! Who gets how much of the paid capacity, and at which price. Everybody pays the same.
//!
//! The price is the lowest at which the demand of those who bid *above* it fits, but never under the ask. A
//! bid wants what its spend buys at that price, at most its rate. Bids of exactly the price share what is
//! left in proportion to what they want; those below get the free lane. Weight comes from spend, never from
//! who bids: two bids of half weigh what one does.
//!
//! That price is a fraction as a rule. Shares are those of the exact one; what is announced is the whole
//! number below, so that the last fraction is the bidders' and no spend is exceeded. Shares are rounded down:
//! of the capacity less than one byte a second and bid is left.

use crate::Price;
use crate::price::PRICE_BYTES;
use alloy_primitives::U256;

/// Spend above this, in the token's smallest unit a second, counts as this: it would buy more at the lowest
/// price than any uplink carries.
pub const SPEND_MAX: u128 = 1 << 90;

/// Bids in one allocation at most, so that no sum of demands overflows 128 bits. Those behind get nothing.
pub const BIDS_MAX: usize = 1 << 16;

/// What a bid without bound wants of a free price: as much as the highest spend buys.
const RATE_UNBOUND: u128 = SPEND_MAX * PRICE_BYTES;

const _: () = assert!(RATE_UNBOUND.checked_mul(BIDS_MAX as u128).is_some(), "sums fit");

/// What somebody would pay at most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MarketBid {
    /// A MiB.
    pub price: Price,
    /// The token's smallest unit a second.
    pub spend: u128,
    /// Bytes a second that are of use; 0 without bound.
    pub rate: u64,
}

/// One price and the rates at it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Allocation {
    /// What everybody who is served pays, a MiB.
    pub price: Price,
    /// Bytes a second of each bid, in their order. 0: the free lane.
    pub rates: Vec<u64>,
}

/// Shares out `capacity`, in bytes a second. It takes time O(n log n).
#[must_use]
pub fn allocate(ask: Price, capacity: u64, bids: &[MarketBid]) -> Allocation {
    let mut allocation = Allocation { price: ask, rates: vec![0; bids.len()] };
    let bids = &bids[..bids.len().min(BIDS_MAX)];
    let level = fitting_price(ask.per_mib(), capacity, bids);
    let mut left = u128::from(capacity);
    for (bid, rate) in bids.iter().zip(&mut allocation.rates) {
        if bid.price.per_mib() > level {
            *rate = narrow(demand(bid, level));
            left = left.saturating_sub(u128::from(*rate));
        }
    }
    let at_level = |bid: &&MarketBid| bid.price.per_mib() == level;
    let wanted: u128 = bids.iter().filter(at_level).map(|bid| demand(bid, level)).sum();
    if wanted < left && level > ask.per_mib() {
        // All of them fit at this price and something is left, but one lower they did not: the exact price
        // lies between the two.
        fill(capacity, bids, level, &mut allocation.rates);
        allocation.price = lowered(level);
        return allocation;
    }
    for (bid, rate) in bids.iter().zip(&mut allocation.rates) {
        if at_level(&bid) {
            let wants = demand(bid, level);
            *rate = narrow(if wanted > left { part(left, wants, wanted) } else { wants });
        }
    }
    allocation.price = Price::new(level).unwrap_or(ask);
    allocation
}

impl MarketBid {
    /// What it wants at this price: what its spend buys, in bytes a second, at most its rate.
    #[must_use]
    pub fn demand(&self, price: Price) -> u64 {
        narrow(demand(self, price.per_mib()))
    }
}

/// What a bid wants at this price, in bytes a second.
fn demand(bid: &MarketBid, price: u128) -> u128 {
    let useful = if bid.rate == 0 { RATE_UNBOUND } else { u128::from(bid.rate) };
    let bought = (bid.spend.min(SPEND_MAX) * PRICE_BYTES).checked_div(price);
    bought.map_or(useful, |bought| bought.min(useful))
}

/// The lowest whole price from the ask on at which the demand of those above it fits.
fn fitting_price(ask: u128, capacity: u64, bids: &[MarketBid]) -> u128 {
    let fits = |price: u128| {
        let above = bids.iter().filter(|bid| bid.price.per_mib() > price);
        above.map(|bid| demand(bid, price)).sum::<u128>() <= u128::from(capacity)
    };
    // Nobody is above the highest bid, so that it fits there.
    let highest = bids.iter().map(|bid| bid.price.per_mib()).max().unwrap_or(ask);
    let (mut low, mut high) = (ask, highest.max(ask));
    while low < high {
        let middle = low + (high - low) / 2;
        if fits(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// Shares all of the capacity among the bids from `level` on: each what it spends weighs, at most its rate.
fn fill(capacity: u64, bids: &[MarketBid], level: u128, rates: &mut [u64]) {
    let mut order: Vec<usize> =
        (0..bids.len()).filter(|&at| bids[at].price.per_mib() >= level).collect();
    let spend = |at: usize| bids[at].spend.min(SPEND_MAX);
    let useful = |at: usize| demand(&bids[at], 0);
    // Who has the most spend for its rate reaches its rate first.
    order.sort_by(|&a, &b| {
        let weight = |spend: u128, rate: u128| U256::from(spend) * U256::from(rate);
        weight(spend(b), useful(a)).cmp(&weight(spend(a), useful(b)))
    });
    let mut left = u128::from(capacity);
    let mut spends: u128 = order.iter().map(|&at| spend(at)).sum();
    for &at in &order {
        let share = if spends == 0 { 0 } else { part(left, spend(at), spends) };
        if share < useful(at) {
            // From here on everybody is bound by its spend: shares of one sum.
            rates[at] = narrow(share);
            continue;
        }
        rates[at] = narrow(useful(at));
        left = left.saturating_sub(useful(at));
        spends -= spend(at);
    }
}

/// `whole * share / all`, rounded down.
fn part(whole: u128, share: u128, all: u128) -> u128 {
    let product = U256::from(whole) * U256::from(share) / U256::from(all);
    u128::try_from(product).unwrap_or(u128::MAX)
}

fn lowered(price: u128) -> Price {
    Price::new(price.saturating_sub(1)).unwrap_or_default()
}

fn narrow(rate: u128) -> u64 {
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
