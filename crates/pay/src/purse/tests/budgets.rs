//! Budgets, the day, the account, the delegation.

use super::desk::*;
use crate::purse::*;
use crate::*;

/// What one seller delivers and is paid for, a link at a time, until it is told to stop.
fn delivers(desk: &mut Desk, peer: u64, links: u64) {
    for link in 1..=links {
        if desk.bid(peer).is_none_or(|bid| bid.price == Price::default()) {
            return;
        }
        desk.came(peer, link * LINK, link * LINK);
    }
}

fn day_of(day_max: u128) -> PurseConfig {
    PurseConfig { payers: vec![payer()], day_max }
}

#[test]
fn a_budget_is_told_of_at_four_fifths_and_never_passed() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.put(PurseInput::Want(Wish { budget: 1_000, ..wish(Lane::Fast) }));
    delivers(&mut desk, 1, 31);
    assert!(!desk.told.contains(&PurseOutput::NearlySpent(TORRENT)));
    delivers(&mut desk, 1, 32);
    assert!(desk.told.contains(&PurseOutput::NearlySpent(TORRENT)));
    delivers(&mut desk, 1, 1_000);
    desk.passes(20);
    assert!((900..=1_000).contains(&desk.claimable()), "{}", desk.claimable());
    assert_eq!((desk.holds(), desk.view().reserved), (vec![Some(Hold::Budget)], 0));
    // More budget: it goes on.
    desk.put(PurseInput::Want(Wish { budget: 2_000, ..wish(Lane::Fast) }));
    assert_eq!(desk.holds().last(), Some(&None));
    let times = desk.told.iter().filter(|it| **it == PurseOutput::NearlySpent(TORRENT));
    assert_eq!(times.count(), 1);
}

#[test]
fn a_budget_that_is_lowered_is_not_passed_by_links_that_were_promised() {
    let mut desk = Desk::paid(Lane::Fast);
    delivers(&mut desk, 1, 4);
    desk.put(PurseInput::Want(Wish { budget: 110, ..wish(Lane::Fast) }));
    desk.came(1, 40 * LINK, 40 * LINK);
    desk.passes(20);
    assert_eq!(desk.claimable(), 110);
}

#[test]
fn links_of_live_cheques_are_set_aside_so_that_no_other_seller_gets_them() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.put(PurseInput::Want(Wish { budget: 4_000, ..wish(Lane::Fast) }));
    for peer in 1..=8 {
        desk.meets(peer, 100);
    }
    let promised = (1..=8).filter(|peer| !desk.names(*peer).is_empty()).map(|peer| {
        let cheque = desk.cheque(peer);
        cheque.worth(cheque.links).unwrap()
    });
    let promised: Vec<_> = promised.collect();
    assert_eq!(promised, [1_000, 800, 800, 800, 600]);
    assert_eq!(promised.iter().sum::<u128>(), desk.view().reserved);
    assert!(desk.view().reserved <= 4_000);
    desk.put(PurseInput::Left { peer: PeerKey(1) });
    // What is given back is set aside for the next.
    assert!(!desk.names(6).is_empty() && desk.view().reserved <= 4_000);
}

#[test]
fn a_day_has_its_own_limit_and_the_next_one_a_new_one() {
    let mut desk = Desk::with(day_of(1_000));
    desk.put(PurseInput::Buy(true));
    desk.put(PurseInput::Want(wish(Lane::Fast)));
    desk.meets(1, 100);
    desk.gives(1, 100, 0);
    delivers(&mut desk, 1, 100);
    desk.passes(20);
    let first = desk.claimable();
    assert!((900..=1_000).contains(&first), "{first}");
    assert_eq!(desk.holds().last(), Some(&Some(Hold::Day)));
    assert_eq!(desk.purse.spent_today(), first);
    desk.wall += 24 * 3600;
    desk.funds(Some(facts()));
    desk.passes(1);
    assert_eq!((desk.holds().last(), desk.purse.spent_today()), (Some(&None), 0));
    // A clock that goes back does not make the day new.
    desk.wall -= 24 * 3600;
    desk.passes(1);
    assert!(desk.purse.spent_today() >= first);
}

#[test]
fn a_days_limit_that_is_raised_counts_at_once() {
    let mut desk = Desk::with(day_of(1_000));
    desk.put(PurseInput::Buy(true));
    desk.put(PurseInput::Want(wish(Lane::Fast)));
    desk.meets(1, 100);
    desk.gives(1, 100, 0);
    delivers(&mut desk, 1, 100);
    desk.passes(20);
    assert_eq!(desk.holds().last(), Some(&Some(Hold::Day)));
    desk.put(PurseInput::DayMax(100_000));
    desk.passes(20);
    assert_eq!(desk.holds().last(), Some(&None));
}

#[test]
fn a_days_limit_outlives_a_restart() {
    let mut desk = Desk::paid(Lane::Fast);
    delivers(&mut desk, 1, 10);
    desk.crashes(day_of(1_000), [2; 32]);
    assert_eq!((desk.purse.spent_today(), desk.claimable()), (250, 250));
}

#[test]
fn no_more_is_promised_than_the_account_has_free() {
    for (facts, promised) in [
        (Facts { free: 3_000, ..facts() }, 3_000),
        (Facts { free: 3_000, exit: 2_000, ..facts() }, 1_000),
        (Facts { free: 3_000, owed: 2_500, ..facts() }, 500),
    ] {
        let mut desk = Desk::new();
        desk.funds(Some(facts));
        desk.put(PurseInput::Buy(true));
        desk.put(PurseInput::Want(wish(Lane::Fast)));
        for peer in 1..=32 {
            desk.meets(peer, 100);
            desk.gives(peer, 100, 0);
            delivers(&mut desk, peer, 200);
        }
        let claimable = desk.claimable();
        assert!(claimable + 200 >= promised && claimable <= promised, "{claimable} {promised}");
        assert_eq!(desk.holds().last(), Some(&Some(Hold::Funds)));
    }
}

#[test]
fn what_was_cashed_is_promised_again_when_the_account_is_filled_up() {
    let mut desk = Desk::new();
    desk.funds(Some(Facts { free: 1_000, ..facts() }));
    desk.put(PurseInput::Buy(true));
    desk.put(PurseInput::Want(wish(Lane::Fast)));
    desk.meets(1, 100);
    desk.gives(1, 100, 0);
    delivers(&mut desk, 1, 100);
    desk.passes(20);
    let spent = desk.claimable();
    assert_eq!(desk.holds().last(), Some(&Some(Hold::Funds)));
    desk.funds(Some(Facts { free: 1_000 - spent, spent, ..facts() }));
    assert_eq!(desk.holds().last(), Some(&Some(Hold::Funds)));
    desk.funds(Some(Facts { free: 2_000 - spent, spent, ..facts() }));
    assert_eq!(desk.holds().last(), Some(&None));
}

#[test]
fn a_delegation_bounds_what_is_promised_and_near_its_end_nothing_is_opened() {
    let with = |word: Delegation, quiet_until| {
        let payers = vec![Payer { delegation: Some(word), quiet_until, ..payer() }];
        let mut desk = Desk::with(PurseConfig { payers, day_max: 1_000_000 });
        desk.put(PurseInput::Buy(true));
        desk.put(PurseInput::Want(wish(Lane::Fast)));
        desk.meets(1, 100);
        (desk.names(1).len(), desk.view().hold)
    };
    assert_eq!(with(delegation(), 0), (3, None));
    // 63 for a window and 32 for a link, at the price that is bid.
    let (little, enough) = (94, 95);
    let max_amount = |max_amount| Delegation { max_amount, ..delegation() };
    assert_eq!(with(max_amount(little), 0), (0, Some(Hold::Funds)));
    assert_eq!(with(max_amount(enough), 0), (3, None));
    let until = |valid_until| Delegation { valid_until, ..delegation() };
    assert_eq!(with(until(WALL + DELEGATION_SECONDS_MIN), 0), (3, None));
    assert_eq!(with(until(WALL + DELEGATION_SECONDS_MIN - 1), 0), (0, Some(Hold::Funds)));
    // Brought back from a backup: it waits.
    assert_eq!(with(delegation(), WALL + 1), (0, Some(Hold::Funds)));
}

#[test]
fn nothing_is_opened_while_the_chain_has_not_answered_for_ten_minutes() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.passes(601);
    desk.meets(1, 100);
    assert_eq!((desk.names(1), desk.view().hold), (vec![], Some(Hold::Chain)));
    desk.funds(None);
    assert_eq!(desk.view().hold, Some(Hold::Chain));
    desk.funds(Some(facts()));
    assert_eq!((desk.names(1).len(), desk.view().hold), (3, None));
}

#[test]
fn a_revoked_delegation_and_an_account_that_was_never_funded_buy_nothing() {
    for facts in [Facts { revoked: true, ..facts() }, Facts { epoch: 0, ..facts() }] {
        let mut desk = Desk::buying(Lane::Fast);
        desk.funds(Some(facts));
        desk.meets(1, 100);
        assert_eq!((desk.names(1), desk.view().hold), (vec![], Some(Hold::Funds)));
    }
}

#[test]
fn another_delegation_takes_the_place_of_one_that_ends() {
    let mut desk = Desk::paid(Lane::Fast);
    delivers(&mut desk, 1, 4);
    let word = Delegation { max_amount: 77_777, ..delegation() };
    desk.purse.renew(desk.now, Payer { delegation: Some(word), ..payer() });
    desk.drain();
    desk.sync();
    assert_eq!((desk.names(1).last(), desk.claimable()), (Some(&"close"), 100));
    desk.funds(Some(facts()));
    desk.offers(Desk::meeting(2), terms(1, 100));
    let Some((_, Message::Open(open))) = desk.said.iter().find(|(peer, _)| *peer == 2) else {
        panic!("{:?}", desk.said)
    };
    // What was signed under the old one stays with it.
    assert_eq!((open.delegation, open.last), (Some(word), None));
}
