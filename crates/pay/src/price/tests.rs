#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn price(per_mib: u128) -> Price {
    Price::new(per_mib).unwrap()
}

const MIB: u64 = 1 << 20;

#[test]
fn a_price_is_for_a_mib_and_part_of_a_unit_costs_a_unit() {
    assert_eq!(price(7).of(MIB), 7);
    assert_eq!((price(7).of(0), price(7).of(1), price(7).of(MIB + 1)), (0, 1, 8));
    assert_eq!(price(0).of(u64::MAX), 0);
}

#[test]
fn at_their_bounds_prices_and_bills_still_fit() {
    assert_eq!(Price::new(PRICE_MAX + 1), Err(PayFault::HighPrice { got: PRICE_MAX + 1 }));
    let highest = price(PRICE_MAX);
    assert_eq!(highest.of(u64::MAX), 1 << 107);
    assert_eq!(highest.percent(u32::MAX), highest);
    let mut bill = Bill::new(highest);
    bill.reach(u64::MAX);
    bill.set_price(u64::MAX, highest);
    assert_eq!((bill.bytes(), bill.due()), (BILL_BYTES_MAX, 1 << 107));
    // An amount over every bill pays for all of it.
    assert!(bill.covered(u128::MAX) >= BILL_BYTES_MAX);
}

#[test]
fn a_percentage_is_rounded_up() {
    assert_eq!((price(5).percent(105), price(100).percent(95)), (price(6), price(95)));
}

#[test]
fn a_new_price_holds_from_its_offset_and_never_before() {
    let mut bill = Bill::new(price(1));
    bill.set_price(2 * MIB, price(10));
    assert!(bill.is_changing());
    bill.reach(2 * MIB);
    assert_eq!((bill.due(), bill.price(), bill.is_changing()), (2, price(10), false));
    bill.reach(3 * MIB);
    assert_eq!(bill.due(), 12);
    // An offset that has passed is the present one.
    bill.set_price(0, price(100));
    assert_eq!(bill.due(), 12);
    bill.reach(4 * MIB);
    assert_eq!(bill.due(), 112);
}

#[test]
fn a_later_word_takes_back_what_was_set_for_its_offset_or_later() {
    let mut bill = Bill::new(price(1));
    bill.set_price(2 * MIB, price(10));
    bill.set_price(3 * MIB, price(100));
    bill.set_price(2 * MIB, price(5));
    bill.reach(4 * MIB);
    assert_eq!(bill.due(), 2 + 10);
}

#[test]
fn an_amount_that_covers_only_part_of_an_earlier_price_covers_that_part() {
    let mut bill = Bill::new(price(4));
    bill.reach(2 * MIB);
    bill.set_price(0, price(1));
    bill.reach(3 * MIB);
    assert_eq!((bill.covered(4), bill.covered(8), bill.covered(9)), (MIB, 2 * MIB, 3 * MIB));
}

#[test]
fn free_bytes_are_covered_by_nothing_at_all() {
    let mut bill = Bill::default();
    assert_eq!(bill.covered(0), u64::MAX);
    bill.set_price(MIB, price(2));
    assert_eq!((bill.covered(0), bill.covered(2)), (MIB, 2 * MIB));
    bill.set_price(2 * MIB, price(0));
    assert_eq!((bill.covered(1), bill.covered(2)), (MIB + MIB / 2, u64::MAX));
}

#[test]
fn credit_is_counted_in_bytes_that_have_a_price() {
    let mut bill = Bill::default();
    bill.set_price(MIB, price(4));
    bill.set_price(3 * MIB, price(0));
    bill.set_price(4 * MIB, price(1));
    assert_eq!((bill.priced(0, 5 * MIB), bill.cost(5 * MIB)), (3 * MIB, 9));
    // One of two MiB of the first price is paid; what is free in between is no credit.
    assert_eq!((bill.limit(4, MIB), bill.limit(4, 2 * MIB)), (3 * MIB, 5 * MIB));
    assert_eq!((bill.limit(0, 0), bill.limit(8, MIB)), (MIB, 5 * MIB));
    bill.set_price(4 * MIB, price(0));
    assert_eq!((bill.limit(4, MIB), bill.limit(4, MIB + 1)), (3 * MIB, u64::MAX));
}

/// Words of price, each after some bytes, ahead by some.
fn words() -> impl Strategy<Value = Vec<(u64, u64, u128)>> {
    prop::collection::vec((0..4 * MIB, 0..4 * MIB, 0..5_000_000_u128), 0..24)
}

proptest! {
    #[test]
    fn the_sum_is_the_same_however_bytes_are_batched(
        words in words(), cuts in prop::collection::vec(0..MIB, 0..40),
    ) {
        let (mut whole, mut cut) = (Bill::new(price(9)), Bill::new(price(9)));
        let mut exact = 0_u128;
        for &(step, ahead, per_mib) in &words {
            let (from, to) = (whole.bytes(), whole.bytes() + step);
            // A word waits while another has not begun, as a seller's do.
            if !whole.is_changing() {
                whole.set_price(from + ahead, price(per_mib));
                cut.set_price(from + ahead, price(per_mib));
            }
            let mut at = from;
            for piece in &cuts {
                at = (at + piece).min(to);
                cut.reach(at);
            }
            let begins = whole.stretches.last().unwrap().from.clamp(from, to);
            let old = whole.price().per_mib();
            whole.reach(to);
            cut.reach(to);
            exact += old * u128::from(begins - from)
                + whole.price().per_mib() * u128::from(to - begins);
            prop_assert_eq!(whole.due(), exact.div_ceil(PRICE_BYTES));
            prop_assert_eq!(cut.due(), whole.due());
        }
    }

    #[test]
    fn two_sides_that_count_at_different_times_come_to_one_sum(words in words()) {
        // The seller has counted what the buyer has not yet got. An offset lies ahead of both.
        let (mut seller, mut buyer) = (Bill::new(price(9)), Bill::new(price(9)));
        let mut sent = 0;
        for &(step, ahead, per_mib) in &words {
            buyer.reach(sent);
            sent += step;
            seller.reach(sent);
            seller.set_price(sent + ahead, price(per_mib));
            buyer.set_price(sent + ahead, price(per_mib));
            prop_assert!(seller.stretches.len() <= BILL_PRICES_MAX);
        }
        buyer.reach(sent);
        prop_assert_eq!(buyer.due(), seller.due());
    }

    #[test]
    fn what_is_covered_is_what_is_due_turned_round(words in words(), amount in 0..100_000_000_u128) {
        let mut bill = Bill::new(price(9));
        for &(step, ahead, per_mib) in words.iter().take(BILL_PRICES_MAX - 1) {
            bill.reach(bill.bytes() + step);
            bill.set_price(bill.bytes() + ahead, price(per_mib));
        }
        // What is due covers all bytes, and one unit less does not: unless the last bytes are free.
        prop_assert!(bill.covered(bill.due()) >= bill.bytes());
        if bill.due() > 0 && bill.price().per_mib() > 0 {
            prop_assert!(bill.covered(bill.due() - 1) <= bill.bytes());
        }
        // What an amount covers costs no more than it, and one byte more costs more.
        let covered = bill.covered(amount);
        if covered > bill.bytes() && covered < BILL_BYTES_MAX {
            let mut more = bill.clone();
            more.reach(covered);
            prop_assert!(more.due() <= amount);
            more.reach(covered + 1);
            prop_assert!(more.due() > amount || more.price().per_mib() == 0);
        }
    }

    #[test]
    fn no_word_changes_what_is_due(words in words()) {
        let mut bill = Bill::new(price(9));
        for &(step, back, per_mib) in &words {
            bill.reach(bill.bytes() + step);
            let due = bill.due();
            bill.set_price(bill.bytes().saturating_sub(back), price(per_mib));
            prop_assert_eq!(bill.due(), due);
        }
    }

    #[test]
    fn a_bill_of_many_prices_never_says_that_more_is_covered_than_is(words in words()) {
        let mut bill = Bill::new(price(9));
        let mut dues = vec![(0, 0)];
        for &(step, _, per_mib) in &words {
            bill.reach(bill.bytes() + step);
            dues.push((bill.bytes(), bill.due()));
            bill.set_price(0, price(per_mib));
        }
        for &(bytes, due) in &dues {
            // One unit under the cost of these bytes does not cover them.
            prop_assert!(due == 0 || bill.covered(due - 1) <= bytes);
        }
    }
}
