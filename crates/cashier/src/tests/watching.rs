//! What happens on the chain without being asked for.

use super::bench::{Bench, PAYEE, TOKEN, buyer, key_of, network, sale};
use alloy_primitives::B256;
use piecework_pay::{Side, Typed};
use piecework_settle::Claim;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn who_leaves_is_told_of_and_strangers_are_not() {
    let mut bench = Bench::new();
    let (ours, stranger) = (buyer(1), buyer(2));
    bench.fund(&ours, 70);
    bench.fund(&stranger, 70);
    bench.ask(key_of(&ours, 1));
    bench.pass(15 * SECOND);
    let who = ours.address();
    {
        let mut books = bench.books.lock().unwrap();
        books.request_exit(stranger.address(), TOKEN, 5).unwrap();
        books.request_exit(who, TOKEN, 5).unwrap();
        books.request_exit(who, TOKEN, 0).unwrap();
        books.request_bond_exit(who, TOKEN).unwrap();
        books.revoke(who, B256::repeat_byte(1)).unwrap();
        books.revoke_all(who, TOKEN).unwrap();
    }
    bench.pass(10 * SECOND);
    assert_eq!(bench.said().exiting, [who; 4], "all but the request that was taken back");
}

#[test]
fn what_sellers_cash_of_us_is_in_the_ledger_as_spent() {
    let mut bench = Bench::new();
    let us = buyer(200);
    bench.fund(&us, 70);
    bench.pass(15 * SECOND);
    let last = sale(&us, 3, 25).last;
    let mut claim = Claim {
        cheque: last.signed.cheque,
        count: 0,
        link: B256::ZERO,
        signature: last.signed.signature,
        delegation: None,
    };
    // Made out to somebody else: we are the buyer alone.
    claim.cheque.payee = buyer(7).address();
    let separator = network().domain().separator();
    claim.signature = us.sign(&claim.cheque.digest(&separator));
    bench.books.lock().unwrap().cash(&claim).unwrap();
    bench.pass(10 * SECOND);
    let [cash_out] = bench.settled()[..] else { panic!("{:?}", bench.settled()) };
    assert_eq!((cash_out.side, cash_out.counterparty), (Side::Buying, buyer(7).address()));
    assert_eq!((cash_out.channel, cash_out.paid, cash_out.fee_wei), (3, 25, 0));
}

#[test]
fn a_cash_out_that_cannot_be_written_is_told_again_until_it_is() {
    let mut bench = Bench::new();
    let payer = buyer(1);
    bench.fund(&payer, 70);
    bench.pass(5 * SECOND);
    bench.said().is_full = true;
    bench.cash(sale(&payer, 1, 30));
    bench.pass(60 * SECOND);
    assert_eq!((bench.settled().len(), bench.cashed().len()), (0, 1));
    bench.said().is_full = false;
    bench.pass(10 * SECOND);
    assert_eq!(bench.settled().len(), 1);
    bench.pass(60 * SECOND);
    assert_eq!(bench.settled().len(), 1);
}

#[test]
fn what_happened_while_no_node_ran_is_told_to_the_next_one_and_nothing_twice() {
    let mut bench = Bench::new();
    let payer = buyer(1);
    bench.fund(&payer, 70);
    bench.pass(SECOND);
    bench.cash(sale(&payer, 1, 30));
    bench.pass(20 * SECOND);
    assert_eq!(bench.settled().len(), 1);
    // Somebody else cashes a cheque for us: anyone may.
    let last = sale(&payer, 1, 40).last;
    let (cheque, signature) = (last.signed.cheque, last.signed.signature);
    let claim = Claim { cheque, count: 0, link: B256::ZERO, signature, delegation: None };
    bench.books.lock().unwrap().cash(&claim).unwrap();

    let mut bench = bench.again();
    bench.pass(20 * SECOND);
    let [cash_out] = bench.settled()[..] else { panic!("{:?}", bench.settled()) };
    assert_eq!((cash_out.paid, cash_out.counterparty), (40, payer.address()));
    assert_eq!(bench.books.lock().unwrap().balance(PAYEE, TOKEN), 40);
}
