use super::shop::*;
use crate::*;

const HOUR: u64 = 3600;

/// A buyer that has paid so many links, and nothing was cashed.
fn paid(links: u32, change: impl FnOnce(&mut Facts)) -> (Shop, Buyer) {
    let mut shop = Shop::open();
    let mut facts = facts();
    change(&mut facts);
    shop.facts = Some(facts);
    let mut buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    buyer.pay(&mut shop, links);
    assert_eq!(shop.cashed, []);
    (shop, buyer)
}

fn outcome(shop: &mut Shop, buyer: &Buyer, paid: Option<u128>) {
    let payer = buyer.owner.address();
    shop.tell(TillInput::Cashed { payer, network: network(), channel: buyer.channel, paid });
}

#[test]
fn a_channel_is_cashed_when_it_is_worth_25_fees_and_its_payer_once_in_ten_minutes() {
    let (mut shop, mut buyer) = paid(9, |_| ());
    shop.seconds(300);
    assert_eq!(shop.cashed, []);
    buyer.pay(&mut shop, 1);
    shop.seconds(60);
    assert_eq!(shop.cashed.iter().map(|sale| sale.last).collect::<Vec<_>>(), [buyer.last()]);
    outcome(&mut shop, &buyer, Some(10 * UNIT));
    buyer.pay(&mut shop, 10);
    shop.seconds(530);
    assert_eq!(shop.cashed.len(), 1);
    shop.seconds(80);
    assert_eq!(shop.cashed.len(), 2);
    let account = shop.till.accounts().next().unwrap();
    assert_eq!((account.cashed, account.uncashed), (10 * UNIT, 10 * UNIT));
}

#[test]
fn what_a_lock_covers_waits_for_the_end_while_its_buyer_is_there() {
    let locked = |facts: &mut Facts| (facts.lock, facts.lock_until) = (12 * UNIT, WALL + 99 * HOUR);
    let (mut shop, mut buyer) = paid(12, locked);
    shop.seconds(1200);
    assert_eq!(shop.cashed, []);
    let fold = buyer.next_cheque(12 * UNIT);
    shop.hear(buyer.peer, Message::Cheque(fold));
    shop.hear(buyer.peer, Message::Close { channel: buyer.channel, reason: CloseReason::Done });
    assert_eq!(shop.cashed.iter().map(|sale| sale.last.signed).collect::<Vec<_>>(), [fold]);

    let (mut shop, mut buyer) = paid(12, locked);
    buyer.pay(&mut shop, 1);
    shop.seconds(60);
    assert_eq!(shop.cashed.len(), 1, "more is paid than the lock covers");

    let (mut shop, buyer) = paid(12, locked);
    shop.tell(TillInput::Left { peer: buyer.peer });
    shop.seconds(60);
    assert_eq!(shop.cashed.len(), 1, "the buyer has gone without a word");
}

#[test]
fn what_comes_while_a_channel_is_cashed_is_cashed_after_it_when_the_buyer_is_done() {
    let (mut shop, mut buyer) = paid(10, |_| ());
    shop.seconds(60);
    assert_eq!(shop.cashed.len(), 1);
    buyer.pay(&mut shop, 5);
    let closed = Message::Close { channel: buyer.channel, reason: CloseReason::Done };
    shop.hear(buyer.peer, closed);
    assert_eq!(shop.cashed.len(), 1, "one at a time");
    outcome(&mut shop, &buyer, Some(10 * UNIT));
    assert_eq!(shop.cashed.len(), 2);
    assert_eq!(shop.cashed[1].last, buyer.last());
    outcome(&mut shop, &buyer, Some(15 * UNIT));
    shop.seconds(1200);
    assert_eq!(shop.cashed.len(), 2);
}

#[test]
fn what_fails_is_tried_again_after_ten_minutes() {
    let (mut shop, buyer) = paid(10, |_| ());
    shop.seconds(60);
    outcome(&mut shop, &buyer, None);
    shop.seconds(500);
    assert_eq!(shop.cashed.len(), 1);
    shop.seconds(200);
    assert_eq!(shop.cashed.len(), 2);
}

#[test]
fn nothing_waits_longer_than_three_days_or_twenty_hours_of_who_is_often_away() {
    for (permille, hours) in [(1000, 72), (949, 20)] {
        let (mut shop, buyer) = paid(2, |_| ());
        shop.tell(TillInput::Uptime { permille });
        shop.tell(TillInput::Left { peer: buyer.peer });
        shop.seconds(hours * HOUR - 120);
        assert_eq!(shop.cashed.len(), 0);
        shop.seconds(240);
        assert_eq!(shop.cashed.len(), 1);
    }
}

#[test]
fn a_restart_does_not_make_it_wait_anew() {
    let (mut shop, buyer) = paid(2, |_| ());
    shop.seconds(1);
    shop.tell(TillInput::Left { peer: buyer.peer });
    let mut till = Till::new(config());
    till.restore(shop.records.clone());
    let mut shop = Shop::of(till);
    shop.wall = WALL + 72 * HOUR + 60;
    shop.seconds(120);
    assert_eq!(shop.cashed.len(), 1);
}

#[test]
fn a_day_before_its_delegation_or_lock_ends_a_channel_is_cashed() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::delegated(10, 1, WALL + 49 * HOUR);
    buyer.come(&mut shop);
    buyer.pay(&mut shop, 1);
    shop.tell(TillInput::Left { peer: buyer.peer });
    shop.seconds(25 * HOUR - 120);
    assert_eq!(shop.cashed.len(), 0);
    shop.seconds(240);
    assert_eq!(shop.cashed.len(), 1);

    let until = WALL + 30 * HOUR;
    let (mut shop, buyer) = paid(1, |facts| (facts.lock, facts.lock_until) = (9999, until));
    shop.tell(TillInput::Left { peer: buyer.peer });
    shop.seconds(6 * HOUR - 120);
    assert_eq!(shop.cashed.len(), 0);
    shop.seconds(240);
    assert_eq!(shop.cashed.len(), 1);
}

#[test]
fn an_account_or_a_bond_that_leaves_and_a_delegation_that_is_revoked_are_cashed_at_once() {
    let leaves: [fn(&mut Facts); 3] =
        [|facts| facts.exit = 1, |facts| facts.bond_exits = true, |facts| facts.revoked = true];
    for leave in leaves {
        let (mut shop, _buyer) = paid(1, |_| ());
        leave(shop.facts.as_mut().unwrap());
        shop.seconds(71);
        assert_eq!(shop.cashed.len(), 1);
    }
    let (mut shop, buyer) = paid(1, |_| ());
    let payer = buyer.owner.address();
    shop.tell(TillInput::Exiting { network: network(), payer });
    assert_eq!(shop.cashed.len(), 1);
}

#[test]
fn what_is_worth_less_than_cashing_it_waits() {
    let (mut shop, buyer) = paid(1, |facts| facts.fee = UNIT + 1);
    let payer = buyer.owner.address();
    shop.tell(TillInput::Exiting { network: network(), payer });
    shop.seconds(80 * HOUR);
    assert_eq!(shop.cashed, []);
}

#[test]
fn a_buyer_that_folds_and_closes_is_cashed_at_once_with_one_cheque() {
    let (mut shop, mut buyer) = paid(4, |_| ());
    let fold = buyer.next_cheque(4 * UNIT);
    shop.hear(buyer.peer, Message::Cheque(fold));
    shop.hear(buyer.peer, Message::Close { channel: 1, reason: CloseReason::Done });
    assert_eq!(shop.cashed.len(), 1);
    assert_eq!((shop.cashed[0].last.signed, shop.cashed[0].last.number), (fold, 0));
    assert_eq!(shop.service[&buyer.peer], Service::Free);
}

#[test]
fn a_cheque_that_is_not_paid_whole_ends_all_credit_of_the_account_until_nothing_is_owed() {
    let (mut shop, buyer) = paid(10, |_| ());
    shop.seconds(60);
    shop.heard();
    shop.facts = Some(Facts { owed: 5 * UNIT, bounces: 1, ..facts() });
    outcome(&mut shop, &buyer, Some(5 * UNIT));
    assert_eq!(shop.refusals(), [RefusedCode::Bounced]);
    assert_eq!(shop.service[&buyer.peer], Service::Free);
    shop.seconds(200);
    assert_eq!(shop.service[&buyer.peer], Service::Free);
    shop.facts = Some(Facts { bounces: 1, ..facts() });
    shop.seconds(100);
    assert!(shop.limit(buyer.peer).is_some());
}
