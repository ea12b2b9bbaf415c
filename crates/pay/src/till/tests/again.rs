//! The next meeting with a buyer whose connection has broken, or seems to live.

use super::shop::*;
use super::*;
use crate::*;

/// Opens on another connection, with the last cheque of the channel and a new one over `cumulative`.
fn comes_again(shop: &mut Shop, buyer: &mut Buyer, peer: u64, cumulative: u128) {
    buyer.peer = shop.meet(peer);
    let open = buyer.opening(shop, Some(buyer.last()));
    shop.heard();
    let next = buyer.next_cheque(cumulative);
    shop.hear(buyer.peer, Message::Open(Box::new(open)));
    shop.hear(buyer.peer, Message::Cheque(next));
    buyer.bid(shop, 1000, MIB, 1);
}

/// It takes a whole window, and its connection breaks before it has paid any of it.
fn leaves_a_window(shop: &mut Shop, buyer: &Buyer) {
    let limit = shop.limit(buyer.peer).unwrap();
    shop.serve(buyer.peer, limit);
    shop.tell(TillInput::Left { peer: buyer.peer });
}

fn stats(shop: &mut Shop) -> Vec<(u64, u128)> {
    let stats = shop.heard().into_iter().filter_map(|message| match message {
        Message::Stat { bytes, due } => Some((bytes, due)),
        _ => None,
    });
    stats.collect()
}

fn defaults(shop: &Shop) -> u32 {
    shop.till.accounts().map(|account| account.defaults).sum()
}

/// A buyer that has left two windows: with that it is in arrears.
fn in_arrears(shop: &mut Shop) -> Buyer {
    let mut buyer = Buyer::new(10, 1);
    buyer.come(shop);
    leaves_a_window(shop, &buyer);
    comes_again(shop, &mut buyer, 2, 0);
    assert_eq!(stats(shop), [(0, 2 * UNIT)]);
    leaves_a_window(shop, &buyer);
    buyer
}

#[test]
fn what_a_broken_connection_left_is_paid_by_the_first_cheque_of_the_next() {
    let mut shop = Shop::open();
    let mut buyer = in_arrears(&mut shop);
    comes_again(&mut shop, &mut buyer, 3, 4 * UNIT);
    assert_eq!(stats(&mut shop), []);
    let limit = shop.limit(buyer.peer).unwrap();
    // It was for the last ones: this one has the same window as any.
    assert_eq!((limit, shop.till.buyers().next().unwrap().paid), (FIRST, 0));
    shop.seconds(120);
    assert_eq!(defaults(&shop), 0);
    assert_eq!(shop.books().0[&1], 4 * UNIT);
}

#[test]
fn who_has_forgotten_what_it_left_is_told_and_pays_it_then() {
    let mut shop = Shop::open();
    let mut buyer = in_arrears(&mut shop);
    comes_again(&mut shop, &mut buyer, 3, 0);
    assert_eq!(shop.limit(buyer.peer), None);
    assert_eq!(stats(&mut shop), [(0, 4 * UNIT)]);
    let next = buyer.next_cheque(3 * UNIT);
    shop.hear(buyer.peer, Message::Cheque(next));
    // What is left is no more than connections may leave that break.
    assert!(shop.limit(buyer.peer).is_some());
    shop.seconds(60);
    assert_eq!(defaults(&shop), 0);
}

#[test]
fn links_pay_what_was_left_too_and_what_is_paid_ahead_when_the_paid_lane_ends() {
    let mut shop = Shop::open();
    let mut buyer = in_arrears(&mut shop);
    comes_again(&mut shop, &mut buyer, 3, 2 * UNIT);
    assert!(shop.limit(buyer.peer).is_some());
    buyer.pay(&mut shop, 2);
    shop.tell(TillInput::Left { peer: buyer.peer });
    comes_again(&mut shop, &mut buyer, 4, 4 * UNIT);
    assert_eq!(stats(&mut shop), []);
    assert!(shop.limit(buyer.peer).is_some());
}

#[test]
fn who_comes_again_and_does_not_pay_what_it_left_is_barred_all_the_same() {
    let mut shop = Shop::open();
    let mut buyer = in_arrears(&mut shop);
    comes_again(&mut shop, &mut buyer, 3, 0);
    shop.seconds(60);
    assert_eq!((defaults(&shop), shop.limit(buyer.peer)), (1, None));
}

#[test]
fn a_channel_whose_last_connection_seems_to_live_goes_on_with_its_last_cheque_alone() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    let first = buyer.peer;
    // Without it somebody else has drawn the same number, or the payer uses it twice.
    shop.meet(2);
    let second = Buyer { peer: PeerKey(2), ..Buyer::new(10, 1) };
    let open = second.opening(&shop, None);
    shop.heard();
    shop.hear(second.peer, Message::Open(Box::new(open)));
    shop.hear(second.peer, Message::Cheque(second.cheque));
    assert_eq!(shop.refusals(), [RefusedCode::BadSignature]);
    let limit = shop.limit(first).unwrap();
    shop.serve(first, limit);
    buyer.pay(&mut shop, 1);
    comes_again(&mut shop, &mut buyer, 3, UNIT);
    let said = std::mem::take(&mut shop.said);
    let closed = Message::Close { channel: 1, reason: CloseReason::Done };
    assert!(said.contains(&(first, closed)), "{said:?}");
    assert_eq!(shop.service[&first], Service::Free);
    assert!(shop.limit(buyer.peer).is_some());
    assert_eq!(shop.till.buyers().count(), 1);
    // What the first one left is known, and its links are worth nothing any more.
    assert!(said.contains(&(buyer.peer, Message::Stat { bytes: 0, due: UNIT })), "{said:?}");
    shop.hear(first, Message::Link { number: 2, link: second.links.link(2).unwrap() });
    assert_eq!((shop.heard(), shop.till.buyers().next().unwrap().paid), (vec![], 0));
}

#[test]
fn a_channel_in_use_is_not_taken_over_by_another_key() {
    let mut shop = Shop::open();
    let buyer = Buyer::delegated(10, 1, WALL + 4 * 86_400);
    buyer.come(&mut shop);
    let before = shop.limit(buyer.peer);
    assert!(before.is_some());
    let own = Buyer::new(10, 1);
    let stranger = Buyer { key: Key::new(&[99; 32]).unwrap(), ..Buyer::new(10, 1) };
    for (number, thief) in [(2, own), (3, stranger)] {
        let thief = Buyer { peer: shop.meet(number), ..thief };
        let open = thief.opening(&shop, Some(thief.last()));
        shop.heard();
        shop.hear(thief.peer, Message::Open(Box::new(open)));
        assert_eq!(shop.refusals(), [RefusedCode::BadSignature], "{number}");
        assert_eq!(shop.limit(buyer.peer), before);
    }
}
