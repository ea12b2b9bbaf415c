//! What waits for the drive, and what does not.

use super::shop::*;
use super::*;
use crate::*;

#[test]
fn nothing_that_depends_on_a_cheque_leaves_before_it_is_on_the_drive() {
    let mut shop = Shop::open();
    shop.drive = false;
    let mut buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    assert!(matches!(shop.heard()[..], [Message::Terms(_)]));
    assert_eq!(shop.service.len(), 0);
    let first = shop.last_write;
    shop.tell(TillInput::Written(first));
    assert!(matches!(shop.heard()[..], [Message::Accepted(_), Message::Ask(_)]));
    let limit = shop.limit(buyer.peer).unwrap();
    // Links repeat themselves: what they pay for is served at once.
    shop.serve(buyer.peer, limit);
    buyer.pay(&mut shop, 1);
    assert_eq!(shop.limit(buyer.peer), Some(limit + LINK));
    // A further cheque is waited for again.
    let cheque = buyer.next_cheque(UNIT);
    shop.hear(buyer.peer, Message::Cheque(cheque));
    buyer.pay(&mut shop, 1);
    assert_eq!(shop.limit(buyer.peer), Some(limit + LINK));
    let second = shop.last_write;
    shop.tell(TillInput::Written(second));
    // Both links together were a window: it has doubled.
    assert_eq!(shop.limit(buyer.peer), Some(limit + 2 * LINK + FIRST));
}

#[test]
fn no_price_holds_for_what_was_sent_while_the_first_cheque_was_on_its_way_to_the_drive() {
    let mut shop = Shop::open();
    shop.drive = false;
    let buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    shop.serve(buyer.peer, 1 << 20);
    let first = shop.last_write;
    shop.tell(TillInput::Written(first));
    assert_eq!(shop.last_ask(buyer.peer).from, 1 << 20);
}

#[test]
fn a_first_price_waits_for_the_exact_count_and_holds_for_nothing_that_was_sent_before() {
    // However long the chain has taken, and whatever was sent meanwhile.
    let mut shop = Shop::open();
    (shop.counts, shop.chain) = (false, false);
    let buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    shop.seconds(3);
    let key = *shop.asked.last().unwrap();
    shop.tell(TillInput::Facts { key, facts: Some(facts()) });
    assert!(!shop.said.iter().any(|(_, message)| matches!(message, Message::Ask(_))));
    shop.serve(buyer.peer, 100 << 20);
    shop.tell(TillInput::Counted { peer: buyer.peer });
    let ask = shop.last_ask(buyer.peer);
    assert_eq!((ask.paid, ask.from), (true, 100 << 20));
    // Who bids no more, or is gone, when it is counted gets nothing.
    for leaves in [true, false] {
        let other = Buyer::new(11 + u8::from(leaves), 2 + u64::from(leaves));
        shop.chain = true;
        other.come(&mut shop);
        match leaves {
            true => shop.tell(TillInput::Left { peer: other.peer }),
            false => other.bid(&mut shop, 0, 0, 2),
        }
        shop.tell(TillInput::Counted { peer: other.peer });
        assert_eq!(shop.limit(other.peer), None);
    }
}

#[test]
fn the_free_lane_begins_at_once_however_slow_the_drive_is() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    let limit = shop.limit(buyer.peer).unwrap();
    shop.serve(buyer.peer, limit);
    shop.drive = false;
    let cheque = buyer.next_cheque(0);
    shop.hear(buyer.peer, Message::Cheque(cheque));
    // What this pays for waits for the cheque, and is not served any more when the buyer has left the lane.
    buyer.pay(&mut shop, 1);
    assert_eq!(shop.limit(buyer.peer), Some(limit));
    buyer.bid(&mut shop, 1000, 2 * MIB, 2);
    buyer.bid(&mut shop, 0, 0, 3);
    assert_eq!(shop.service[&buyer.peer], Service::Free);
    shop.tell(TillInput::Written(shop.last_write));
    assert_eq!(shop.service[&buyer.peer], Service::Free);
    let ask = shop.last_ask(buyer.peer);
    assert_eq!((ask.paid, ask.bid, ask.from), (false, 3, limit));
    // A grant that was never told is not told afterwards either.
    let asks = shop.said.iter().filter(|(_, it)| matches!(it, Message::Ask(ask) if ask.paid));
    assert_eq!(asks.count(), 1);
}
