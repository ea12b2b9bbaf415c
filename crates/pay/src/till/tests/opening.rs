use super::shop::*;
use super::*;
use crate::*;

fn open(shop: &mut Shop, buyer: &Buyer, change: impl FnOnce(&mut Open)) {
    let mut open = buyer.opening(shop, None);
    change(&mut open);
    shop.hear(buyer.peer, Message::Open(Box::new(open)));
    shop.hear(buyer.peer, Message::Cheque(buyer.cheque));
}

fn accepted(shop: &mut Shop) -> Vec<Accepted> {
    let accepted = shop.heard().into_iter().filter_map(|message| match message {
        Message::Accepted(accepted) => Some(accepted),
        _ => None,
    });
    accepted.collect()
}

#[test]
fn terms_are_said_when_it_sells_and_only_once() {
    let mut shop = Shop::of(Till::new(config()));
    shop.tell(TillInput::Sell(false));
    shop.meet(1);
    assert_eq!(shop.heard(), []);
    shop.tell(TillInput::Sell(true));
    let heard = shop.heard();
    let [Message::Terms(terms)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((terms.ask, terms.payee, terms.free_permille), (price(1000), PAYEE, 250));
    assert_eq!((terms.window, terms.window_max), (512 << 10, 32 << 20));
    shop.tell(TillInput::Sell(false));
    shop.tell(TillInput::Sell(true));
    assert_eq!(shop.heard(), []);
}

#[test]
fn an_opening_with_a_cheque_is_accepted_when_the_chain_knows_the_account() {
    let mut shop = Shop::open();
    let buyer = Buyer::new(10, 1);
    buyer.enter(&mut shop);
    let expected = Accepted { channel: 1, window: 512 << 10, last: Some(buyer.last()), paid: 0 };
    let mut got = accepted(&mut shop);
    got[0].last.as_mut().unwrap().link = B256::ZERO;
    assert_eq!(got, [expected]);
    let key = FactsKey {
        network: network(),
        payer: buyer.owner.address(),
        payee: PAYEE,
        delegation: None,
        valid_until: 0,
        channel: 1,
    };
    assert_eq!(shop.asked, [key]);
}

#[test]
fn an_opening_signed_for_another_conversation_or_by_another_key_is_refused() {
    let mut shop = Shop::open();
    let buyer = Buyer::new(10, 1);
    let other = Buyer::new(10, 2);
    shop.meet(2);
    shop.meet(1);
    let foreign = other.opening(&shop, None).authority;
    open(&mut shop, &buyer, |open| open.authority = foreign);
    assert_eq!(shop.refusals(), [RefusedCode::BadSignature]);
    shop.meet(3);
    let thief = Buyer { peer: PeerKey(3), key: Key::new(&[99; 32]).unwrap(), ..Buyer::new(10, 3) };
    open(&mut shop, &thief, |_| ());
    assert_eq!(shop.refusals(), [RefusedCode::BadSignature]);
    assert!(shop.asked.is_empty());
}

#[test]
fn a_network_that_is_not_in_the_terms_is_refused() {
    let mut shop = Shop::open();
    let buyer = Buyer::new(10, 1);
    shop.meet(1);
    open(&mut shop, &buyer, |open| open.network = 1);
    assert_eq!(shop.refusals(), [RefusedCode::NoNetwork]);
}

#[test]
fn what_the_chain_says_against_an_account_refuses_it_with_its_number() {
    let cases = [
        (Some(Facts { owed: 1, ..facts() }), RefusedCode::Bounced),
        (Some(Facts { epoch: 0, ..facts() }), RefusedCode::Unfunded),
        (Some(Facts { bond: 0, ..facts() }), RefusedCode::Unfunded),
        (Some(Facts { fee: 400_001, ..facts() }), RefusedCode::Unfunded),
        (Some(Facts { epoch: 6, ..facts() }), RefusedCode::BadSignature),
        (Some(Facts { claimed: 1, ..facts() }), RefusedCode::StaleCheque),
        (None, RefusedCode::ChainUnavailable),
    ];
    for (facts, code) in cases {
        let mut shop = Shop::open();
        shop.facts = facts;
        Buyer::new(10, 1).come(&mut shop);
        assert_eq!(shop.refusals(), [code], "{facts:?}");
        assert_eq!(shop.service.len(), 0);
    }
}

#[test]
fn a_delegation_is_refused_that_ends_within_48_hours_lasts_too_long_or_is_revoked() {
    let refusals = |valid_until, revoked| {
        let mut shop = Shop::open();
        shop.facts = Some(Facts { revoked, ..facts() });
        Buyer::delegated(10, 1, valid_until).come(&mut shop);
        shop.refusals()
    };
    let hours = |hours: u64| WALL + hours * 3600;
    assert_eq!(refusals(hours(48), false), []);
    assert_eq!(refusals(hours(192), false), []);
    let expired = [RefusedCode::DelegationExpired];
    assert_eq!(refusals(hours(48) - 1, false), expired);
    assert_eq!(refusals(hours(192) + 1, false), expired);
    assert_eq!(refusals(hours(96), true), expired);
}

#[test]
fn a_new_delegation_is_not_too_long_for_a_seller_whose_clock_is_a_day_behind() {
    let mut shop = Shop::open();
    shop.wall = WALL - 86_400;
    shop.facts = Some(Facts { chain_time: WALL, ..facts() });
    Buyer::delegated(10, 1, WALL + 192 * 3600).come(&mut shop);
    assert_eq!(shop.refusals(), []);
}

#[test]
fn a_delegation_that_the_payer_has_not_signed_is_refused() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::delegated(10, 1, WALL + 4 * 86_400);
    buyer.delegation.as_mut().unwrap().max_amount += 1;
    buyer.come(&mut shop);
    assert_eq!(shop.refusals(), [RefusedCode::BadSignature]);
}

#[test]
fn a_cheque_that_the_vault_would_not_take_is_refused_at_receipt() {
    let changes: [&dyn Fn(&mut Cheque); 7] = [
        &|cheque| cheque.links = 1025,
        &|cheque| cheque.payee = Address::new([8; 20]),
        &|cheque| cheque.token = Address::new([8; 20]),
        &|cheque| cheque.payer = Address::new([8; 20]),
        &|cheque| cheque.links = 4097,
        &|cheque| cheque.unit = u128::MAX,
        &|cheque| cheque.epoch = 4,
    ];
    for change in changes {
        let mut shop = Shop::open();
        let mut buyer = Buyer::new(10, 1);
        let mut cheque = buyer.cheque.cheque;
        change(&mut cheque);
        buyer.cheque = signed(&buyer.key, cheque);
        buyer.come(&mut shop);
        assert_eq!(shop.refusals(), [RefusedCode::BadSignature], "{cheque:?}");
        assert_eq!(shop.service.len(), 0);
    }
}

#[test]
fn three_words_worth_nothing_end_the_listening_and_not_the_connection() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    shop.heard();
    for number in 1..=3 {
        shop.hear(buyer.peer, Message::Link { number, link: B256::new([9; 32]) });
    }
    let heard = shop.heard();
    let closed = Message::Close { channel: 1, reason: CloseReason::Broken };
    assert_eq!(heard.iter().filter(|message| **message == closed).count(), 1);
    assert_eq!(shop.service[&buyer.peer], Service::Free);
    buyer.pay(&mut shop, 1);
    assert_eq!((shop.heard(), shop.till.buyers().next().unwrap().paid), (vec![], 0));
}

#[test]
fn the_chain_is_asked_once_for_a_key_and_again_after_a_minute() {
    let mut shop = Shop::open();
    shop.chain = false;
    let buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    shop.hear(buyer.peer, Message::Open(Box::new(buyer.opening(&shop, None))));
    shop.hear(buyer.peer, Message::Cheque(buyer.cheque));
    assert_eq!(shop.asked.len(), 1);
    shop.chain = true;
    let (key, facts) = (shop.asked[0], shop.facts);
    shop.tell(TillInput::Facts { key, facts });
    shop.seconds(59);
    assert_eq!(shop.asked.len(), 1);
    shop.seconds(11);
    assert_eq!(shop.asked, [key, key]);
    // A new connection that continues the channel within the minute needs no further answer.
    shop.tell(TillInput::Left { peer: buyer.peer });
    let again = Buyer { peer: PeerKey(2), ..Buyer::new(10, 1) };
    shop.meet(2);
    let open = again.opening(&shop, Some(again.last()));
    shop.hear(again.peer, Message::Open(Box::new(open)));
    assert_eq!((accepted(&mut shop).len(), shop.asked.len()), (2, 2));
}

#[test]
fn a_lower_cheque_is_stale_and_the_same_one_is_heard_again() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    buyer.pay(&mut shop, 3);
    let (first, held) = (buyer.cheque, buyer.last());
    shop.heard();
    shop.hear(buyer.peer, Message::Cheque(first));
    assert_eq!(accepted(&mut shop)[0].last, Some(held));
    let lower = buyer.next_cheque(3 * UNIT - 1);
    shop.hear(buyer.peer, Message::Cheque(lower));
    let heard = shop.heard();
    let [Message::Refused(refused), Message::Accepted(ours)] = &heard[..] else {
        panic!("{heard:?}")
    };
    assert_eq!((refused.code, ours.last), (RefusedCode::StaleCheque, Some(held)));
    let next = buyer.next_cheque(3 * UNIT);
    shop.hear(buyer.peer, Message::Cheque(next));
    assert_eq!(shop.refusals(), []);
    buyer.pay(&mut shop, 1);
    assert_eq!(shop.till.buyers().next().unwrap().paid, 4 * UNIT);
}

#[test]
fn a_root_is_never_taken_twice_on_any_channel() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    buyer.pay(&mut shop, 1);
    let old = buyer.cheque.cheque;
    let next = buyer.next_cheque(UNIT);
    shop.hear(buyer.peer, Message::Cheque(next));
    shop.heard();
    // The first chain once more, on the same channel and on another.
    let again = signed(&buyer.key, Cheque { cumulative: UNIT, ..old });
    shop.hear(buyer.peer, Message::Cheque(again));
    assert_eq!(shop.refusals(), [RefusedCode::BadSignature]);
    let mut other = Buyer::new(10, 2);
    other.cheque = signed(&other.key, Cheque { channel: 2, ..old });
    other.come(&mut shop);
    assert_eq!(shop.refusals(), [RefusedCode::BadSignature]);
    assert_eq!(shop.limit(other.peer), None);
}

#[test]
fn a_reconnect_continues_its_channel_without_credit_until_a_cheque_with_a_new_root() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    buyer.pay(&mut shop, 2);
    shop.tell(TillInput::Left { peer: buyer.peer });
    buyer.peer = PeerKey(2);
    shop.meet(2);
    let open = buyer.opening(&shop, Some(LastCheque { number: 0, ..buyer.last() }));
    shop.heard();
    shop.hear(buyer.peer, Message::Open(Box::new(open)));
    // It had lost what it revealed; we have not.
    assert_eq!(accepted(&mut shop)[0].last, Some(buyer.last()));
    buyer.bid(&mut shop, 1000, MIB, 1);
    shop.hear(buyer.peer, Message::Cheque(buyer.cheque));
    assert_eq!(shop.limit(buyer.peer), None);
    let next = buyer.next_cheque(2 * UNIT);
    shop.hear(buyer.peer, Message::Cheque(next));
    buyer.bid(&mut shop, 1000, MIB, 2);
    assert!(shop.limit(buyer.peer).is_some());
}

#[test]
fn after_a_close_of_either_side_another_channel_is_opened_on_the_same_connection() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    buyer.pay(&mut shop, 1);
    shop.hear(buyer.peer, Message::Close { channel: 1, reason: CloseReason::Off });
    let second = Buyer { peer: buyer.peer, ..Buyer::new(10, 2) };
    open(&mut shop, &second, |_| ());
    second.bid(&mut shop, 1000, MIB, 1);
    assert_eq!(shop.till.buyers().next().unwrap().channel, 2);
    shop.seconds(1);
    assert!(shop.limit(second.peer).is_some());
    shop.tell(TillInput::Sell(false));
    shop.heard();
    shop.tell(TillInput::Sell(true));
    let third = Buyer { peer: buyer.peer, ..Buyer::new(10, 3) };
    open(&mut shop, &third, |_| ());
    third.bid(&mut shop, 1000, MIB, 1);
    assert!(shop.limit(third.peer).is_some());
    assert_eq!(shop.till.accounts().next().unwrap().uncashed, UNIT);
}

#[test]
fn a_seller_that_lost_its_records_takes_the_payers_own_word() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.revealed = 7;
    shop.meet(1);
    let open = buyer.opening(&shop, Some(buyer.last()));
    shop.heard();
    shop.hear(buyer.peer, Message::Open(Box::new(open)));
    assert_eq!(accepted(&mut shop)[0].last, Some(buyer.last()));
    assert_eq!(shop.books().0[&1], 7 * UNIT);
    let next = buyer.next_cheque(7 * UNIT);
    shop.hear(buyer.peer, Message::Cheque(next));
    assert_eq!(shop.refusals(), []);
}

#[test]
fn a_restart_keeps_channels_bars_and_the_ledger() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    buyer.pay(&mut shop, 5);
    shop.seconds(1);
    let (records, held) = (shop.records.clone(), buyer.last());
    let mut till = Till::new(config());
    till.restore(records.clone());
    let mut shop = Shop::of(till);
    shop.records = records;
    assert_eq!(shop.till.accounts().next().unwrap().uncashed, 5 * UNIT);
    buyer.peer = PeerKey(2);
    shop.meet(2);
    let open = buyer.opening(&shop, Some(held));
    shop.hear(buyer.peer, Message::Open(Box::new(open)));
    assert_eq!(accepted(&mut shop)[0].last, Some(held));
    let next = buyer.next_cheque(5 * UNIT);
    shop.hear(buyer.peer, Message::Cheque(next));
    buyer.pay(&mut shop, 1);
    shop.seconds(1);
    let (sums, sales) = shop.books();
    assert_eq!((sums[&1], sales[&1].last), (6 * UNIT, buyer.last()));
}

#[test]
fn more_connections_or_channels_of_an_account_than_fit_are_refused() {
    let mut shop = Shop::open();
    let last = u64::try_from(TRADES_MAX).unwrap();
    for number in 0..=last {
        shop.heard();
        Buyer::new(10, number).enter(&mut shop);
    }
    assert_eq!(shop.refusals(), [RefusedCode::RateLimited]);
    // Channels that are worth nothing give way to others.
    for round in 1..=2 {
        for number in 0..=last {
            shop.tell(TillInput::Left { peer: PeerKey((round - 1) * 100 + number) });
        }
        shop.heard();
        (0..last).for_each(|number| Buyer::new(10, round * 100 + number).enter(&mut shop));
        assert_eq!(shop.refusals(), []);
    }
    assert_eq!(shop.till.accounts().count(), 1);
}
