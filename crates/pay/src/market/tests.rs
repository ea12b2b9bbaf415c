#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

const MIB: u64 = 1 << 20;

fn bid(price: u128, spend: u128, rate: u64) -> MarketBid {
    MarketBid { price: Price::new(price).unwrap(), spend, rate }
}

fn shares(ask: u128, capacity: u64, bids: &[MarketBid]) -> (u128, Vec<u64>) {
    let allocation = allocate(Price::new(ask).unwrap(), capacity, bids);
    (allocation.price.per_mib(), allocation.rates)
}

#[test]
fn three_bids_for_seven_and_a_half_mib_a_second_meet_at_a_price_of_four() {
    // Above 3 the demand is 10 / 3 + 20 / 3 = 10 MiB/s; above 4 it is 2.5 + 5, which fits, and for all
    // fractions between it does not.
    let bids = [bid(5, 10, 0), bid(5, 20, 0), bid(3, 5, 0)];
    assert_eq!(shares(1, 15 * MIB / 2, &bids), (4, vec![5 * MIB / 2, 5 * MIB, 0]));
}

#[test]
fn without_bids_the_price_is_the_ask() {
    assert_eq!(shares(9, MIB, &[]), (9, vec![]));
    assert_eq!(shares(9, 0, &[bid(9, 100, 0)]), (9, vec![0]));
}

#[test]
fn a_bid_under_the_ask_gets_the_free_lane_though_all_is_idle() {
    assert_eq!(shares(9, MIB, &[bid(8, 100, 0)]), (9, vec![0]));
}

#[test]
fn a_bid_of_the_ask_gets_what_its_spend_buys_and_no_more_than_its_rate() {
    assert_eq!(shares(9, 100 * MIB, &[bid(9, 18, 0)]), (9, vec![2 * MIB]));
    assert_eq!(shares(9, 100 * MIB, &[bid(50, 18, MIB)]), (9, vec![MIB]));
}

#[test]
fn bids_of_exactly_the_price_share_what_is_left_as_they_want_it() {
    // Who bids above takes 2 MiB/s of 5; the others want 2 and 4.
    let bids = [bid(10, 8, 0), bid(4, 8, 0), bid(4, 100, 4 * MIB)];
    assert_eq!(shares(1, 5 * MIB, &bids), (4, vec![2 * MIB, MIB, 2 * MIB]));
}

#[test]
fn a_price_between_two_whole_ones_fills_all_and_is_announced_as_the_lower() {
    // At 3 both want 10 MiB/s together, at 4 they want 7.5: for 8 the price is 3.75.
    let bids = [bid(5, 10, 0), bid(5, 20, 0), bid(3, 5, 0)];
    let third = 8 * MIB / 3;
    assert_eq!(shares(1, 8 * MIB, &bids), (3, vec![third, 2 * 8 * MIB / 3, 0]));
    // One of them wants only 1 MiB/s: the other has what it leaves, as far as its spend goes.
    let bids = [bid(5, 10, MIB), bid(5, 20, 0)];
    assert_eq!(shares(1, 6 * MIB, &bids), (4, vec![MIB, 5 * MIB]));
}

#[test]
fn a_free_ask_serves_whoever_bids_and_sells_what_is_scarce() {
    assert_eq!(shares(0, 10, &[bid(1, 0, 4), bid(1, 0, 4)]), (0, vec![4, 4]));
    // Neither spends anything, and together they want too much: no price above 0 is paid by them.
    assert_eq!(shares(0, 6, &[bid(1, 0, 4), bid(1, 0, 4)]).1, [0, 0]);
}

#[test]
fn the_highest_numbers_neither_overflow_nor_exceed_the_capacity() {
    let most = bid(crate::PRICE_MAX, u128::MAX, 0);
    let (price, rates) = shares(0, u64::MAX, &[most; 300]);
    assert!(price <= crate::PRICE_MAX);
    assert!(rates.iter().map(|&rate| u128::from(rate)).sum::<u128>() <= u128::from(u64::MAX));
    assert_eq!(shares(0, u64::MAX, &[most]).1, [u64::MAX]);
}

fn any_bid() -> impl Strategy<Value = MarketBid> {
    let price = prop_oneof![1..12_u128, 1..3_000_000_u128];
    let spend = prop_oneof![0..60_u128, 0..30_000_000_u128];
    let rate = prop_oneof![Just(0), 1..20 * MIB];
    (price, spend, rate).prop_map(|(price, spend, rate)| bid(price, spend, rate))
}

fn any_bids() -> impl Strategy<Value = Vec<MarketBid>> {
    prop::collection::vec(any_bid(), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn capacity_is_never_exceeded_nor_idle_while_a_bid_wants_more(
        ask in 0..20_u128, capacity in 0..40 * MIB, bids in any_bids(),
    ) {
        let (price, rates) = shares(ask, capacity, &bids);
        let sum: u64 = rates.iter().sum();
        prop_assert!(sum <= capacity);
        let idle = capacity - sum;
        for (bid, &rate) in bids.iter().zip(&rates) {
            let wants_more = bid.price.per_mib() >= ask
                && u128::from(rate) < demand(bid, price.max(1)).min(demand(bid, price + 1));
            prop_assert!(!wants_more || idle <= bids.len() as u64, "{idle} idle at {price}: {bid:?}");
        }
    }

    #[test]
    fn nobody_pays_over_its_price_or_spend_nor_under_the_ask(
        ask in 0..20_u128, capacity in 0..40 * MIB, bids in any_bids(),
    ) {
        let (price, rates) = shares(ask, capacity, &bids);
        prop_assert!(price >= ask);
        for (bid, &rate) in bids.iter().zip(&rates).filter(|(_, rate)| **rate > 0) {
            prop_assert!(price <= bid.price.per_mib());
            prop_assert!(price * u128::from(rate) <= bid.spend * PRICE_BYTES);
            prop_assert!(bid.rate == 0 || rate <= bid.rate);
        }
    }

    #[test]
    fn nobody_is_served_before_a_higher_bid_has_what_it_wants(
        capacity in 0..40 * MIB, bids in any_bids(),
    ) {
        let (price, rates) = shares(0, capacity, &bids);
        let served = bids.iter().zip(&rates).filter(|(_, rate)| **rate > 0);
        let lowest = served.map(|(bid, _)| bid.price.per_mib()).min().unwrap_or(u128::MAX);
        for (bid, &rate) in bids.iter().zip(&rates) {
            // At the exact price, which is under the next whole one.
            let wants = demand(bid, price + 1);
            let higher = bid.price.per_mib() > lowest.max(price + 1);
            prop_assert!(!higher || u128::from(rate) + bids.len() as u128 >= wants);
        }
    }

    #[test]
    fn splitting_a_bid_gains_nothing(
        ask in 0..20_u128, capacity in 0..40 * MIB, bids in any_bids(),
        one in any_bid(), parts in 2..9_u64,
    ) {
        // Whole parts, so that they are the same bid.
        let whole = MarketBid {
            spend: one.spend * u128::from(parts), rate: one.rate * parts, ..one
        };
        let with = |bids: &[MarketBid], more: &[MarketBid]| {
            let all = [bids, more].concat();
            let rates = shares(ask, capacity, &all).1;
            rates[bids.len()..].iter().sum::<u64>()
        };
        let (together, split) = (with(&bids, &[whole]), with(&bids, &vec![one; parts as usize]));
        prop_assert!(split <= together + parts + bids.len() as u64, "{together} {split}");
    }

    #[test]
    fn who_bids_more_gets_no_less(
        ask in 0..20_u128, capacity in 0..40 * MIB, bids in any_bids(), one in any_bid(),
        more in (0..50_u128, 0..10_000_u128, 0..MIB),
    ) {
        let higher = MarketBid {
            price: Price::new(one.price.per_mib() + more.0).unwrap(),
            spend: one.spend + more.1,
            rate: if one.rate == 0 { 0 } else { one.rate + more.2 },
        };
        let with = |bid: MarketBid| {
            *shares(ask, capacity, &[&bids[..], &[bid]].concat()).1.last().unwrap()
        };
        let (before, after) = (with(one), with(higher));
        prop_assert!(after + bids.len() as u64 >= before, "{before} {after}");
    }
}
