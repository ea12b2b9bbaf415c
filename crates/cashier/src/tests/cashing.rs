//! Cash-outs: sent once, answered once, found again after a crash.

use super::bench::{Bench, PAYEE, TOKEN, buyer, sale, unreachable};
use alloy_primitives::U256;
use piecework_pay::Side;
use piecework_settle::SettleError;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn balance(bench: &Bench) -> u128 {
    let books = bench.books.lock().unwrap();
    books.balance(PAYEE, TOKEN) + books.credit(PAYEE, TOKEN).to::<u128>()
}

#[test]
fn one_channel_is_paid_at_once_and_the_ledger_hears_of_it() {
    let mut bench = Bench::new();
    let payer = buyer(1);
    bench.fund(&payer, 70);
    bench.chain().fee = U256::from(10u64.pow(15));
    bench.pass(SECOND);
    bench.cash(sale(&payer, 4, 30));
    assert_eq!(bench.status().waiting[0].amount, 30);
    bench.pass(10 * SECOND);
    assert_eq!(bench.sent(), (1, 0));
    assert_eq!(bench.cashed(), [(4, Some(30))]);
    assert_eq!((balance(&bench), bench.status().waiting.len()), (30, 0));
    let [cash_out] = bench.settled()[..] else { panic!("{:?}", bench.settled()) };
    assert_eq!((cash_out.side, cash_out.counterparty), (Side::Selling, payer.address()));
    assert_eq!((cash_out.channel, cash_out.paid, cash_out.at), (4, 30, 1_000));
    assert_eq!((cash_out.fee_wei, cash_out.fee_token), (10u128.pow(15), 2_000));
}

#[test]
fn several_channels_go_in_one_transaction_and_share_its_fee() {
    let mut bench = Bench::new();
    bench.chain().fee = U256::from(100u64);
    bench.chain().is_one_transaction = true;
    let payers: Vec<_> = (1..=3).map(buyer).collect();
    bench.pass(SECOND);
    for payer in &payers {
        bench.fund(payer, 70);
        bench.cash(sale(payer, 1, 30));
    }
    bench.pass(10 * SECOND);
    assert_eq!(bench.sent(), (0, 1));
    assert_eq!(bench.cashed(), [(1, Some(30)); 3]);
    assert_eq!(balance(&bench), 90);
    let fees: Vec<_> = bench.settled().iter().map(|it| it.fee_wei).collect();
    assert_eq!(fees, [34, 33, 33], "nothing of it is lost or counted twice");
}

#[test]
fn a_cheque_that_bounces_is_answered_with_what_came_of_it() {
    let mut bench = Bench::new();
    let payer = buyer(1);
    bench.fund(&payer, 20);
    bench.cash(sale(&payer, 1, 30));
    bench.pass(10 * SECOND);
    assert_eq!(bench.cashed(), [(1, Some(20))]);
    // Again while nothing is there: no fee is paid for nothing.
    bench.cash(sale(&payer, 1, 30));
    bench.pass(10 * SECOND);
    assert_eq!((bench.cashed()[1], bench.sent().0), ((1, None), 1));
    assert!(bench.status().waiting[0].why.as_ref().unwrap().contains("nothing left"));
    // The payer has come to money: the rest is collected.
    bench.fund(&payer, 10);
    bench.cash(sale(&payer, 1, 30));
    bench.pass(10 * SECOND);
    assert_eq!((bench.cashed()[2], balance(&bench)), ((1, Some(30)), 30));
}

#[test]
fn an_invalid_cheque_among_good_ones_holds_none_of_them_up() {
    let mut bench = Bench::new();
    let (good, bad) = (buyer(1), buyer(2));
    bench.fund(&good, 70);
    bench.cash(sale(&bad, 1, 10));
    bench.cash(sale(&good, 2, 30));
    bench.pass(10 * SECOND);
    assert_eq!(bench.cashed(), [(1, None), (2, Some(30))]);
    let waiting = bench.status().waiting;
    assert_eq!((waiting.len(), waiting[0].channel), (1, 1));
    assert!(waiting[0].why.is_some());
}

#[test]
fn what_is_under_way_is_not_answered_before_it_counts_and_is_hurried_each_minute() {
    let mut bench = Bench::new();
    let payer = buyer(1);
    bench.fund(&payer, 70);
    bench.chain().is_slow = true;
    bench.cash(sale(&payer, 1, 30));
    bench.pass(190 * SECOND);
    assert_eq!(bench.cashed(), []);
    assert_eq!(bench.chain().hurried, 3);
    assert_eq!(bench.status().waiting[0].why, None);
    bench.chain().is_slow = false;
    bench.pass(5 * SECOND);
    assert_eq!((bench.cashed().as_slice(), bench.sent().0), (&[(1, Some(30))][..], 1));
}

#[test]
fn a_chain_that_falls_silent_while_something_is_under_way_costs_no_second_fee() {
    let mut bench = Bench::new();
    let payer = buyer(1);
    bench.fund(&payer, 70);
    bench.chain().is_slow = true;
    bench.cash(sale(&payer, 1, 30));
    bench.pass(5 * SECOND);
    bench.chain().trouble = Some(unreachable);
    bench.pass(600 * SECOND);
    assert_eq!(bench.cashed(), []);
    bench.chain().trouble = None;
    bench.chain().is_slow = false;
    bench.pass(310 * SECOND);
    assert_eq!((bench.cashed().as_slice(), bench.sent().0), (&[(1, Some(30))][..], 1));
}

#[test]
fn what_cannot_be_sent_is_answered_with_nothing_and_its_reason_told() {
    let mut bench = Bench::new();
    let payer = buyer(1);
    bench.fund(&payer, 70);
    bench.chain().refusal = Some(|| {
        let (have, needed, coin) = ("0".into(), "1".into(), "ETH".into());
        SettleError::Coin { account: PAYEE, coin, needed, have }
    });
    bench.cash(sale(&payer, 1, 30));
    bench.pass(5 * SECOND);
    assert_eq!(bench.cashed(), [(1, None)]);
    assert!(bench.status().waiting[0].why.as_ref().unwrap().contains("send it some"));
    assert!(bench.status().dry.is_some());
    // With the chain itself silent it is the same, and nothing is lost.
    bench.chain().refusal = None;
    bench.chain().trouble = Some(unreachable);
    bench.cash(sale(&payer, 1, 30));
    bench.pass(5 * SECOND);
    assert_eq!(bench.cashed()[1], (1, None));
    bench.chain().trouble = None;
    bench.pass(20 * SECOND);
    bench.cash(sale(&payer, 1, 30));
    bench.pass(10 * SECOND);
    assert_eq!((bench.cashed()[2], balance(&bench)), ((1, Some(30)), 30));
}

#[test]
fn what_an_earlier_run_has_cashed_is_not_cashed_again_and_is_in_the_ledger() {
    let mut bench = Bench::new();
    let payer = buyer(1);
    bench.fund(&payer, 70);
    bench.pass(310 * SECOND);
    bench.chain().is_slow = true;
    // Killed before the outcome and before anything is written down.
    bench.said().is_full = true;
    bench.cash(sale(&payer, 1, 30));
    bench.pass(3 * SECOND);
    assert_eq!((bench.cashed().len(), bench.settled().len()), (0, 0));

    let mut bench = bench.again();
    bench.cash(sale(&payer, 1, 30));
    bench.pass(10 * SECOND);
    assert_eq!((bench.cashed().as_slice(), bench.sent().0), (&[(1, Some(30))][..], 0));
    assert_eq!((bench.settled().len(), balance(&bench)), (1, 30));
}

#[test]
fn transactions_of_an_earlier_run_are_waited_for_but_not_for_ever() {
    let mut bench = Bench::new();
    let payer = buyer(1);
    bench.fund(&payer, 70);
    bench.chain().is_busy = true;
    bench.cash(sale(&payer, 1, 30));
    bench.pass(500 * SECOND);
    assert_eq!((bench.sent().0, bench.cashed().len()), (0, 0));
    bench.pass(110 * SECOND);
    assert_eq!((bench.sent().0, bench.cashed().as_slice()), (1, &[(1, Some(30))][..]));
}

#[test]
fn more_than_fit_into_one_transaction_are_cashed_all_the_same() {
    let mut bench = Bench::new();
    let payer = buyer(1);
    bench.fund(&payer, 1_000);
    for channel in 1..=130 {
        bench.cash(sale(&payer, channel, 2));
    }
    bench.pass(30 * SECOND);
    assert_eq!((bench.sent().1, balance(&bench)), (3, 260));
    assert_eq!(bench.cashed().len(), 130);
}
