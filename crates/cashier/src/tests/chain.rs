//! Questions, and a chain that does not answer them.

use super::bench::{Bench, FEES, buyer, key_of, network, unreachable};
use crate::desk::Ask;
use crate::status::ChainState;
use alloy_primitives::{Address, U256};
use piecework_pay::{FactsKey, Network};
use piecework_settle::{Means, SettleError};
use std::time::Duration;

#[test]
fn what_the_chain_says_of_a_payer_is_answered_with_the_fee_in_the_token() {
    let mut bench = Bench::new();
    let (coin, cheque_fee) = (U256::from(10u64.pow(18)), U256::from(10u64.pow(15)));
    bench.chain().means = Some(Means { coin, cheque_fee });
    let payer = buyer(1);
    bench.fund(&payer, 70);
    bench.ask(key_of(&payer, 1));
    let said = bench.said();
    let [(key, Some(facts))] = said.facts.as_slice() else { panic!("{}", said.facts.len()) };
    assert_eq!(*key, key_of(&payer, 1));
    assert_eq!((facts.free, facts.bond, facts.epoch, facts.is_final), (70, 70, 1_000, true));
    assert_eq!((facts.chain_time, facts.fee), (1_000, 2_000), "the chain's time, not the wall's");
    let status = bench.status();
    assert_eq!((status.chain, status.answered_at), (ChainState::Good, Some(5_000)));
    assert_eq!((status.cheque_fee_token, status.is_unpriced, status.dry), (2_000, false, None));
}

#[test]
fn questions_that_come_together_take_few_exchanges_and_each_is_answered_once() {
    let mut bench = Bench::new();
    bench.round();
    let before = bench.asked();
    let keys: Vec<_> = (1..=60).map(|number| key_of(&buyer(number), 1)).collect();
    for key in keys.iter().chain(&keys) {
        bench.take(Ask::Facts(*key));
    }
    bench.round();
    assert_eq!(bench.asked() - before, 2 * 3, "the time and the answers of 24 at a time");
    assert_eq!(bench.said().facts.len(), 60);
    assert!(bench.said().facts.iter().all(|(_, facts)| facts.is_some_and(|it| it.epoch == 0)));
}

#[test]
fn a_silent_chain_is_left_alone_longer_each_time_and_comes_back_by_itself() {
    let mut bench = Bench::new();
    bench.chain().trouble = Some(unreachable);
    let key = key_of(&buyer(1), 1);
    bench.ask(key);
    bench.take(Ask::Funds(network()));
    bench.round();
    assert_eq!(bench.said().facts, [(key, None)]);
    assert_eq!(bench.said().funds, [None]);
    let ChainState::Down { why, since } = bench.status().chain else { panic!() };
    assert!(why.contains("http://there") && why.contains("cannot be reached"), "{why}");
    assert_eq!(since, 5_000);
    let asked = bench.asked();
    for _ in 0..100 {
        bench.ask(key);
    }
    assert_eq!((bench.asked(), bench.said().facts.len()), (asked, 101));
    bench.pass(Duration::from_secs(3600));
    let asked = bench.asked() - asked;
    assert!((10..=18).contains(&asked), "5, 10, 20, .. 300 s: {asked}");
    let ChainState::Down { since: 5_000, .. } = bench.status().chain else { panic!() };

    bench.chain().trouble = None;
    bench.pass(Duration::from_secs(300));
    bench.ask(key);
    assert!(bench.said().facts.last().unwrap().1.is_some());
    assert_eq!(bench.status().chain, ChainState::Good);
}

#[test]
fn a_chain_that_was_put_back_is_not_believed_until_it_is_itself_again() {
    let mut bench = Bench::new();
    let (payer, key) = (buyer(1), key_of(&buyer(1), 1));
    bench.fund(&payer, 70);
    bench.ask(key);
    bench.chain().trouble = Some(|| SettleError::Behind { height: 9 });
    bench.ask(key);
    assert_eq!(bench.said().facts[1], (key, None));
    let ChainState::Down { why, .. } = bench.status().chain else { panic!() };
    assert!(why.contains("put back to an older copy"), "{why}");
    bench.chain().trouble = None;
    bench.pass(Duration::from_secs(10));
    bench.ask(key);
    assert_eq!(bench.said().facts[2].1.unwrap().free, 70);
}

#[test]
fn of_another_chain_or_token_nothing_is_known() {
    let mut bench = Bench::new();
    bench.fund(&buyer(1), 70);
    let foreign = Network { token: Address::repeat_byte(8), ..network() };
    let key = FactsKey { network: foreign, ..key_of(&buyer(1), 1) };
    bench.ask(key);
    bench.take(Ask::Funds(foreign));
    bench.round();
    assert_eq!(bench.said().facts, [(key, None)]);
    assert_eq!(bench.said().funds, [None]);
}

#[test]
fn our_own_account_is_looked_up_as_that_of_a_payer() {
    let mut bench = Bench::new();
    bench.fund(&buyer(200), 33);
    bench.take(Ask::Funds(network()));
    bench.round();
    assert_eq!(bench.said().funds[0].unwrap().free, 33);
}

#[test]
fn an_account_without_coin_for_fees_is_named_until_it_has_some() {
    let mut bench = Bench::new();
    let (coin, cheque_fee) = (U256::from(5u64), U256::from(10u64.pow(15)));
    bench.chain().means = Some(Means { coin, cheque_fee });
    bench.round();
    let dry = bench.status().dry.unwrap();
    assert!(
        dry.contains(&FEES.to_string()) && dry.contains("0.001") && dry.contains("ETH"),
        "{dry}"
    );
    bench.chain().means = Some(Means { coin: cheque_fee, cheque_fee });
    bench.pass(Duration::from_secs(60));
    assert_eq!(bench.status().dry, None);
    assert_eq!(bench.status().coin_left, Some(10u128.pow(15)));
}
