//! What is answered, and what is passed over.

use super::shop::*;
use super::*;
use crate::*;

/// Opening, cheque and bid in one flight.
fn flight(shop: &mut Shop, buyer: &Buyer, open: Open, bid: u32) {
    shop.hear(buyer.peer, Message::Open(Box::new(open)));
    shop.hear(buyer.peer, Message::Cheque(buyer.cheque));
    buyer.bid(shop, 1000, MIB, bid);
}

/// Names of what was said since it was last asked, with codes of refusals and lanes of asks.
fn told(shop: &mut Shop) -> Vec<String> {
    let name = |message: Message| match message {
        Message::Terms(_) => "terms".to_owned(),
        Message::Accepted(_) => "ok".to_owned(),
        Message::Ask(ask) => if ask.paid { "paid" } else { "free" }.to_owned(),
        Message::Stat { .. } => "stat".to_owned(),
        Message::Close { .. } => "close".to_owned(),
        Message::Refused(refused) => format!("{:?}", refused.code),
        other => panic!("{other:?}"),
    };
    shop.heard().into_iter().map(name).collect()
}

fn unsigned(open: &Open) -> Open {
    let authority = Key::new(&[99; 32]).unwrap().sign(&B256::ZERO);
    Open { authority, ..open.clone() }
}

#[test]
fn behind_a_refused_opening_cheque_and_bid_are_passed_over_and_the_next_one_is_heard() {
    let mut shop = Shop::open();
    let buyer = Buyer::new(10, 1);
    shop.meet(1);
    let open = buyer.opening(&shop, None);
    told(&mut shop);
    flight(&mut shop, &buyer, unsigned(&open), 1);
    assert_eq!(told(&mut shop), ["BadSignature"]);
    flight(&mut shop, &buyer, open, 2);
    assert_eq!(told(&mut shop), ["ok", "paid"]);
}

#[test]
fn a_cheque_that_is_refused_answers_its_opening_and_the_bid_is_passed_over() {
    for (knows_last, answers) in [(false, vec!["BadSignature"]), (true, vec!["ok", "BadSignature"])]
    {
        let mut shop = Shop::open();
        let mut buyer = Buyer::new(10, 1);
        shop.meet(1);
        let open = buyer.opening(&shop, knows_last.then(|| buyer.last()));
        told(&mut shop);
        let good = buyer.next_cheque(0);
        let mut bad = Buyer::new(10, 1);
        bad.cheque = signed(&bad.key, Cheque { links: 1025, ..good.cheque });
        flight(&mut shop, &bad, open.clone(), 1);
        assert_eq!(told(&mut shop), answers);
        // It may open again, with the same channel and another root.
        buyer.next_cheque(0);
        flight(&mut shop, &buyer, open, 2);
        assert_eq!(told(&mut shop), ["ok", "paid"]);
    }
}

#[test]
fn after_a_stale_first_cheque_the_opening_stands_and_a_higher_one_is_heard() {
    let mut shop = Shop::open();
    shop.facts = Some(Facts { claimed: 500, paid: 500, ..facts() });
    let mut buyer = Buyer::new(10, 1);
    shop.meet(1);
    let open = buyer.opening(&shop, None);
    told(&mut shop);
    flight(&mut shop, &buyer, open, 1);
    assert_eq!(told(&mut shop), ["StaleCheque"]);
    let next = buyer.next_cheque(500);
    shop.hear(buyer.peer, Message::Cheque(next));
    buyer.bid(&mut shop, 1000, MIB, 2);
    assert_eq!(told(&mut shop), ["ok", "paid"]);
    // What the vault has taken before was not paid here.
    assert_eq!(shop.till.buyers().next().unwrap().paid, 0);
}

#[test]
fn a_channel_that_is_known_has_one_answer_to_its_cheque() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    buyer.pay(&mut shop, 2);
    let first = buyer.cheque.cheque;
    shop.tell(TillInput::Left { peer: buyer.peer });
    buyer.peer = PeerKey(2);
    shop.meet(2);
    let open = buyer.opening(&shop, None);
    told(&mut shop);
    buyer.next_cheque(UNIT);
    flight(&mut shop, &buyer, open.clone(), 1);
    assert_eq!(told(&mut shop), ["StaleCheque", "ok"]);
    let next = buyer.next_cheque(2 * UNIT);
    shop.hear(buyer.peer, Message::Cheque(next));
    buyer.bid(&mut shop, 1000, MIB, 2);
    assert_eq!(told(&mut shop), ["paid"]);
    // The same with a cheque that goes on, and with one whose root was seen.
    for (number, root, answers) in
        [(3, first.root, vec!["BadSignature"]), (4, keccak256([4]), vec!["ok", "paid"])]
    {
        shop.tell(TillInput::Left { peer: buyer.peer });
        buyer.peer = shop.meet(number);
        let open = buyer.opening(&shop, None);
        told(&mut shop);
        buyer.cheque = signed(&buyer.key, Cheque { cumulative: 2 * UNIT, root, ..first });
        flight(&mut shop, &buyer, open, 1);
        assert_eq!(told(&mut shop), answers);
    }
}

#[test]
fn a_second_opening_is_refused_and_the_open_trade_goes_on() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.enter(&mut shop);
    let open = buyer.opening(&shop, None);
    buyer.bid(&mut shop, 1000, MIB, 1);
    told(&mut shop);
    let other = Buyer { peer: buyer.peer, ..Buyer::new(10, 2) };
    flight(&mut shop, &other, open, 2);
    assert_eq!(told(&mut shop), ["RateLimited"]);
    buyer.pay(&mut shop, 2);
    let next = buyer.next_cheque(2 * UNIT);
    shop.hear(buyer.peer, Message::Cheque(next));
    buyer.pay(&mut shop, 1);
    let view = shop.till.buyers().next().unwrap();
    assert_eq!((view.channel, view.paid, view.is_paid), (1, 3 * UNIT, true));
}

#[test]
fn a_bid_of_nothing_is_below_an_ask_of_nothing() {
    let mut shop = Shop::of(Till::new(TillConfig { floor: price(0), ..config() }));
    let buyer = Buyer::new(10, 1);
    buyer.enter(&mut shop);
    for (bid, per_mib, paid) in [(1, 0, false), (2, 1, true), (3, 0, false)] {
        buyer.bid(&mut shop, per_mib, MIB, bid);
        let ask = shop.last_ask(buyer.peer);
        assert_eq!((ask.bid, ask.paid), (bid, paid), "{per_mib}");
    }
    assert_eq!(shop.service[&buyer.peer], Service::Free);
}

#[test]
fn a_buyer_that_has_no_such_money_leaves_its_place_and_one_that_pays_no_more_the_paid_lane() {
    let refused = |code| Message::Refused(Refused { code, text: String::new() });
    for code in [RefusedCode::AskOverBid, RefusedCode::Disagree] {
        let mut shop = Shop::open();
        let buyer = Buyer::new(10, 1);
        buyer.come(&mut shop);
        assert!(shop.limit(buyer.peer).is_some());
        shop.hear(buyer.peer, refused(code));
        assert_eq!(shop.service[&buyer.peer], Service::Free);
        assert!(!shop.last_ask(buyer.peer).paid);
    }
    let mut shop = Shop::open();
    let buyer = Buyer::new(10, 1);
    shop.meet(1);
    let open = buyer.opening(&shop, None);
    told(&mut shop);
    shop.hear(buyer.peer, refused(RefusedCode::NoNetwork));
    flight(&mut shop, &buyer, open, 1);
    assert_eq!((told(&mut shop), shop.asked.len()), (vec![], 0));
}

#[test]
fn an_opening_before_the_terms_is_passed_over() {
    let mut shop = Shop::open();
    shop.meet(7);
    let buyer = Buyer { peer: PeerKey(7), ..Buyer::new(10, 1) };
    let open = buyer.opening(&shop, None);
    let mut shop = Shop::of(Till::new(config()));
    shop.tell(TillInput::Sell(false));
    // Before hello, and after it while nothing is sold.
    shop.hear(PeerKey(7), Message::Open(Box::new(open.clone())));
    shop.meet(7);
    shop.hear(PeerKey(7), Message::Open(Box::new(open)));
    assert_eq!((told(&mut shop), shop.asked.len()), (vec![], 0));
}

#[test]
fn an_opening_while_nothing_is_sold_is_closed_and_the_terms_are_said_when_something_is() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    shop.meet(1);
    let open = buyer.opening(&shop, None);
    told(&mut shop);
    shop.tell(TillInput::Sell(false));
    flight(&mut shop, &buyer, open, 1);
    let closed = Message::Close { channel: 1, reason: CloseReason::Off };
    assert_eq!(shop.heard(), [closed]);
    shop.tell(TillInput::Sell(true));
    let open = buyer.opening(&shop, None);
    assert_eq!(told(&mut shop), ["terms"]);
    buyer.next_cheque(0);
    flight(&mut shop, &buyer, open, 2);
    assert_eq!(told(&mut shop), ["ok", "paid"]);
}

#[test]
fn an_opening_that_crosses_other_terms_is_answered_with_them_and_is_no_fault() {
    let mut shop = Shop::open();
    let buyer = Buyer::new(10, 1);
    buyer.enter(&mut shop);
    let second = Buyer { peer: buyer.peer, ..Buyer::new(10, 2) };
    let crossing = second.opening(&shop, None);
    told(&mut shop);
    shop.tell(TillInput::Sell(false));
    shop.tell(TillInput::Floor(price(2000)));
    shop.tell(TillInput::Sell(true));
    let renewed = shop.heard().pop().unwrap();
    assert!(matches!(&renewed, Message::Terms(terms) if terms.ask == price(2000)));
    for _ in 0..4 {
        flight(&mut shop, &second, crossing.clone(), 1);
        assert_eq!(shop.said, [(buyer.peer, renewed.clone())]);
        shop.heard();
    }
    shop.said.push((buyer.peer, renewed));
    let open = second.opening(&shop, None);
    told(&mut shop);
    shop.hear(second.peer, Message::Open(Box::new(open)));
    shop.hear(second.peer, Message::Cheque(second.cheque));
    second.bid(&mut shop, 2000, MIB, 2);
    shop.seconds(10);
    let told = told(&mut shop);
    assert!(told.starts_with(&["ok".to_owned()]) && told.contains(&"paid".to_owned()), "{told:?}");
    // From now on only the new ones hold.
    shop.hear(second.peer, Message::Close { channel: 2, reason: CloseReason::Done });
    shop.heard();
    flight(&mut shop, &second, crossing, 3);
    assert_eq!(self::told(&mut shop), ["BadSignature"]);
}

#[test]
fn an_ask_takes_the_place_of_one_that_has_not_begun() {
    let mut shop = Shop::open();
    let buyer = Buyer::new(10, 1);
    buyer.enter(&mut shop);
    buyer.bid(&mut shop, 3000, MIB, 1);
    let limit = shop.limit(buyer.peer).unwrap();
    shop.serve(buyer.peer, 100 * KIB);
    shop.tell(TillInput::Floor(price(2000)));
    shop.seconds(10);
    let dear = shop.last_ask(buyer.peer);
    assert_eq!((dear.price, dear.from, dear.paid), (price(2000), limit, true));
    buyer.bid(&mut shop, 0, 0, 2);
    let free = shop.last_ask(buyer.peer);
    assert_eq!((free.paid, free.from), (false, 100 * KIB));
    shop.serve(buyer.peer, limit + 100 * MIB);
    assert_eq!(shop.till.buyers().next().unwrap().owed, price(1000).of(100 * KIB));
}
