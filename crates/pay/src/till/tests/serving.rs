use super::shop::*;
use super::*;
use crate::*;
use std::time::Duration;

fn window(shop: &Shop, peer: PeerKey) -> u64 {
    shop.till.buyers().find(|buyer| buyer.peer == peer).unwrap().window
}

#[test]
fn a_bid_of_the_ask_gets_what_is_idle_at_once_and_pays_from_the_announced_byte_on() {
    let mut shop = Shop::open();
    let buyer = Buyer::new(10, 1);
    buyer.enter(&mut shop);
    assert_eq!(shop.service.len(), 0);
    let from = 64 * KIB;
    shop.serve(buyer.peer, from);
    buyer.bid(&mut shop, 3000, 2 * MIB, 7);
    let ask = Ask { price: price(1000), bid: 7, paid: true, rate: 2 * MIB, from };
    assert_eq!(shop.last_ask(buyer.peer), ask);
    let paid = Service::Paid { rate: 2 * MIB, most: 2 * MIB, limit: from + FIRST };
    assert_eq!(shop.service[&buyer.peer], paid);
    // Bytes before it cost nothing.
    shop.serve(buyer.peer, from + MIB);
    assert_eq!(shop.till.buyers().next().unwrap().owed, 1000);
}

#[test]
fn a_bid_may_have_what_its_spend_buys_beyond_its_share_while_nobody_else_wants_it() {
    let mut shop = Shop::open();
    let buyers = [Buyer::new(10, 1), Buyer::new(11, 2)];
    for (buyer, spend) in buyers.iter().zip([1 << 60, 7000]) {
        buyer.enter(&mut shop);
        let bid = Bid { price: price(1000), spend, rate: 90 * MIB, number: 1 };
        shop.hear(buyer.peer, Message::Bid(bid));
    }
    shop.seconds(20);
    let service = |buyer: &Buyer| match shop.service[&buyer.peer] {
        Service::Paid { rate, most, .. } => (rate, most),
        Service::Free => (0, 0),
    };
    let [(first, first_most), (second, second_most)] = [0, 1].map(|at| service(&buyers[at]));
    assert!(shop.till.paid_capacity() - (first + second) < 2, "{first} {second}");
    assert_eq!((first_most, second_most), (90 * MIB, 7 * MIB), "its rate, or what its spend buys");
}

#[test]
fn a_bid_under_the_ask_or_of_nothing_has_the_free_lane() {
    let mut shop = Shop::open();
    let buyer = Buyer::new(10, 1);
    buyer.enter(&mut shop);
    buyer.bid(&mut shop, 999, MIB, 1);
    let ask = shop.last_ask(buyer.peer);
    assert_eq!((ask.paid, ask.bid, ask.price), (false, 1, price(1000)));
    buyer.bid(&mut shop, 1000, MIB, 2);
    assert!(shop.last_ask(buyer.peer).paid);
    shop.serve(buyer.peer, 100 * KIB);
    buyer.bid(&mut shop, 0, 0, 3);
    let ask = shop.last_ask(buyer.peer);
    assert_eq!((ask.paid, ask.bid, ask.from), (false, 3, 100 * KIB));
    assert_eq!(shop.service[&buyer.peer], Service::Free);
    // What follows costs nothing.
    shop.serve(buyer.peer, 100 * MIB);
    assert_eq!(shop.till.buyers().next().unwrap().owed, price(1000).of(100 * KIB));
    // Who has left the paid lane has it again after a whole allocation only.
    buyer.bid(&mut shop, 1000, MIB, 4);
    assert!(!shop.last_ask(buyer.peer).paid);
    shop.seconds(20);
    assert!(shop.last_ask(buyer.peer).paid);
    assert_eq!(shop.last_ask(buyer.peer).from, 100 * MIB);
}

#[test]
fn each_link_is_served_on_and_a_paid_window_doubles_it() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.enter(&mut shop);
    buyer.bid(&mut shop, 1000, 4 * MIB, 1);
    let start = shop.limit(buyer.peer).unwrap() - FIRST;
    shop.serve(buyer.peer, start + FIRST);
    buyer.pay(&mut shop, 1);
    assert_eq!(shop.limit(buyer.peer), Some(start + LINK + FIRST));
    buyer.pay(&mut shop, 1);
    assert_eq!(window(&shop, buyer.peer), 2 * FIRST);
    assert_eq!(shop.limit(buyer.peer), Some(start + 2 * LINK + 2 * FIRST));
    for _ in 0..100 {
        let limit = shop.limit(buyer.peer).unwrap();
        shop.serve(buyer.peer, limit);
        buyer.pay(&mut shop, 2);
    }
    // Two seconds of its rate.
    assert_eq!(window(&shop, buyer.peer), 8 * MIB);
}

#[test]
fn a_late_payment_halves_the_window_then_the_lane_is_free_then_the_account_is_barred() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.enter(&mut shop);
    buyer.bid(&mut shop, 1000, 4 * MIB, 1);
    let limit = shop.limit(buyer.peer).unwrap();
    shop.serve(buyer.peer, limit);
    buyer.pay(&mut shop, 2);
    let (limit, large) = (shop.limit(buyer.peer).unwrap(), window(&shop, buyer.peer));
    shop.serve(buyer.peer, limit);
    shop.pass(Duration::from_millis(4_999));
    assert_eq!(window(&shop, buyer.peer), large);
    shop.pass(Duration::from_millis(1));
    assert_eq!(window(&shop, buyer.peer), large / 2);
    assert!(shop.limit(buyer.peer).is_some());
    shop.seconds(5);
    assert_eq!(shop.service[&buyer.peer], Service::Free);
    shop.heard();
    shop.seconds(49);
    assert_eq!(shop.refusals(), []);
    shop.seconds(1);
    assert_eq!(shop.refusals(), [RefusedCode::RateLimited]);
    let account = shop.till.accounts().next().unwrap();
    assert_eq!((account.defaults, account.banned_until), (1, shop.wall + 3600));
    // What comes late is taken, and buys nothing.
    buyer.pay(&mut shop, 4);
    shop.seconds(30);
    assert_eq!(shop.till.accounts().next().unwrap().uncashed, 6 * UNIT);
    assert_eq!(shop.service[&buyer.peer], Service::Free);
}

#[test]
fn a_limit_within_a_block_ends_before_it_and_counts_as_reached() {
    let mut shop = Shop::open();
    let buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    let limit = shop.limit(buyer.peer).unwrap();
    shop.serve(buyer.peer, limit - 16 * KIB);
    shop.seconds(10);
    assert!(shop.limit(buyer.peer).is_some());
    shop.serve(buyer.peer, limit - 16 * KIB + 1);
    shop.seconds(60);
    assert_eq!(shop.till.accounts().next().unwrap().defaults, 1);
}

#[test]
fn who_has_used_up_its_credit_does_not_get_the_lane_again_by_another_bid() {
    let mut shop = Shop::open();
    let buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    let limit = shop.limit(buyer.peer).unwrap();
    shop.serve(buyer.peer, limit);
    buyer.bid(&mut shop, 0, 0, 2);
    buyer.bid(&mut shop, 1000, MIB, 3);
    shop.seconds(59);
    assert_eq!(shop.service[&buyer.peer], Service::Free);
    assert_eq!(shop.till.accounts().next().unwrap().defaults, 0);
    shop.seconds(1);
    assert_eq!(shop.till.accounts().next().unwrap().defaults, 1);
}

#[test]
fn who_pays_in_time_again_has_the_lane_again() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    let limit = shop.limit(buyer.peer).unwrap();
    shop.serve(buyer.peer, limit);
    shop.seconds(40);
    assert_eq!(shop.service[&buyer.peer], Service::Free);
    buyer.pay(&mut shop, 2);
    shop.seconds(10);
    assert!(shop.limit(buyer.peer).unwrap() > limit);
    shop.seconds(100);
    assert_eq!(shop.till.accounts().next().unwrap().defaults, 0);
}

#[test]
fn a_bar_is_of_the_account_on_all_connections_and_doubles_each_time_to_a_week() {
    let mut shop = Shop::open();
    let mut bars = Vec::new();
    for number in 0..10 {
        let buyer = Buyer::new(10, 2 * number);
        let second = Buyer::new(10, 2 * number + 1);
        second.come(&mut shop);
        buyer.come(&mut shop);
        shop.seconds(11);
        let (a, b) = (shop.limit(buyer.peer), shop.limit(second.peer));
        shop.serve(buyer.peer, a.unwrap_or(0));
        shop.serve(second.peer, b.unwrap_or(0));
        shop.seconds(70);
        let account = shop.till.accounts().next().unwrap();
        bars.push(account.banned_until - (shop.wall - 10));
        assert_eq!(account.defaults, u32::try_from(number).unwrap() + 1);
        assert!(shop.service[&buyer.peer] == Service::Free);
        // A new connection of the account is refused.
        shop.heard();
        shop.meet(1000 + number);
        let again = Buyer { peer: PeerKey(1000 + number), ..Buyer::new(10, 1000 + number) };
        shop.hear(again.peer, Message::Open(Box::new(again.opening(&shop, None))));
        assert_eq!(shop.refusals(), [RefusedCode::RateLimited]);
        shop.wall = account.banned_until;
        for peer in [buyer.peer, second.peer, again.peer] {
            shop.tell(TillInput::Left { peer });
        }
    }
    let hours: Vec<u64> = bars.iter().map(|seconds| (seconds + 1800) / 3600).collect();
    assert_eq!(hours, [1, 2, 4, 8, 16, 32, 64, 128, 168, 168]);
    let standing = shop.records.iter().rev().find(|it| matches!(it, Record::Standing(_))).unwrap();
    let mut till = Till::new(config());
    till.restore([standing.clone()]);
    assert_eq!(till.accounts().next().unwrap().defaults, 10);
}

#[test]
fn connections_of_an_account_share_one_window_until_it_has_paid() {
    let mut shop = Shop::open();
    let mut first = Buyer::new(10, 1);
    let second = Buyer::new(10, 2);
    first.come(&mut shop);
    second.come(&mut shop);
    let (one, two) = (shop.limit(first.peer).unwrap(), shop.limit(second.peer).unwrap());
    assert_eq!((one, two), (FIRST, 0));
    // The first grows first; what it has no use for the second may have.
    for _ in 0..5 {
        let limit = shop.limit(first.peer).unwrap();
        shop.serve(first.peer, limit);
        let owed = shop.till.buyers().next().unwrap().owed;
        first.pay(&mut shop, u32::try_from(owed / UNIT).unwrap());
    }
    shop.serve(second.peer, two);
    assert_eq!(shop.limit(second.peer), Some(two + FIRST));
    // Another account has its own.
    let other = Buyer::new(11, 3);
    other.come(&mut shop);
    assert_eq!(shop.limit(other.peer), Some(one));
}

#[test]
fn connections_that_break_may_leave_one_window_unpaid_and_then_it_is_a_default() {
    let mut shop = Shop::open();
    for number in 0..2 {
        let buyer = Buyer::new(10, number);
        buyer.come(&mut shop);
        let limit = shop.limit(buyer.peer).unwrap();
        shop.serve(buyer.peer, limit);
        shop.tell(TillInput::Left { peer: buyer.peer });
        shop.seconds(59);
        assert_eq!(shop.till.accounts().next().unwrap().defaults, 0);
    }
    // Until it is recorded there is no credit either.
    let third = Buyer::new(10, 3);
    third.come(&mut shop);
    assert_eq!(shop.limit(third.peer), None);
    shop.seconds(1);
    assert_eq!(shop.till.accounts().next().unwrap().defaults, 1);
}

#[test]
fn an_account_at_its_exposure_is_cashed_and_served_no_further_until_then() {
    let mut shop = Shop::open();
    // Four links.
    shop.facts = Some(Facts { bond: 256 * 4 * UNIT, fee: 10, ..facts() });
    let mut buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    assert_eq!(shop.limit(buyer.peer), Some(FIRST));
    shop.serve(buyer.peer, FIRST);
    buyer.pay(&mut shop, 2);
    // Two are uncashed: two more, whatever the window.
    assert_eq!(shop.limit(buyer.peer), Some(4 * LINK));
    assert_eq!(shop.cashed.len(), 1);
    shop.serve(buyer.peer, 4 * LINK);
    buyer.pay(&mut shop, 2);
    assert_eq!(shop.limit(buyer.peer), Some(4 * LINK));
    // It waits for us, and is not blamed.
    shop.seconds(100);
    assert_eq!(shop.service[&buyer.peer], Service::Free);
    assert_eq!(shop.till.accounts().next().unwrap().defaults, 0);
    let payer = buyer.owner.address();
    let paid = Some(2 * UNIT);
    shop.tell(TillInput::Cashed { payer, network: network(), channel: 1, paid });
    assert!(shop.limit(buyer.peer).is_some());
}

#[test]
fn a_deposit_that_is_not_final_has_the_first_window_and_facts_that_are_old_too() {
    // What is open when all is paid.
    let grown = |shop: &mut Shop, buyer: &mut Buyer| {
        for _ in 0..4 {
            let limit = shop.limit(buyer.peer).unwrap();
            shop.serve(buyer.peer, limit);
            let owed = shop.till.buyers().next().unwrap().owed;
            buyer.pay(shop, u32::try_from(owed / UNIT).unwrap());
        }
        let buyer = shop.till.buyers().next().unwrap();
        buyer.limit - buyer.served
    };
    let mut shop = Shop::open();
    shop.facts = Some(Facts { is_final: false, ..facts() });
    let mut buyer = Buyer::new(10, 1);
    buyer.enter(&mut shop);
    buyer.bid(&mut shop, 1000, 4 * MIB, 1);
    assert!(grown(&mut shop, &mut buyer) <= FIRST);
    shop.facts = Some(facts());
    shop.seconds(70);
    assert!(grown(&mut shop, &mut buyer) > FIRST);
    // The chain is silent: ten minutes as before, then the first window, then nothing.
    shop.facts = None;
    shop.seconds(11 * 60);
    assert!(grown(&mut shop, &mut buyer) <= FIRST);
    shop.heard();
    shop.seconds(11 * 60);
    assert_eq!(shop.service[&buyer.peer], Service::Free);
    assert!(shop.refusals().contains(&RefusedCode::ChainUnavailable));
    shop.facts = Some(facts());
    shop.seconds(30);
    assert!(shop.limit(buyer.peer).is_some());
}

#[test]
fn every_ten_seconds_all_bids_share_the_uplink_and_a_price_holds_from_behind_the_limit() {
    let mut shop = Shop::open();
    let (one, two) = (Buyer::new(10, 1), Buyer::new(11, 2));
    one.enter(&mut shop);
    two.enter(&mut shop);
    let bid = |spend| Bid { price: price(5000), spend, rate: 0, number: 1 };
    shop.hear(one.peer, Message::Bid(bid(8_000)));
    assert_eq!(shop.last_ask(one.peer).rate, 6 * MIB);
    shop.hear(two.peer, Message::Bid(bid(16_000)));
    assert!(!shop.last_ask(two.peer).paid);
    let (bytes, limit) = (300 * KIB, shop.limit(one.peer).unwrap());
    shop.serve(one.peer, bytes);
    shop.seconds(10);
    // 24,000 a second for 6 MiB/s: 4,000 a MiB.
    let asks = [shop.last_ask(one.peer), shop.last_ask(two.peer)];
    assert_eq!(
        asks.map(|ask| (ask.price, ask.rate)),
        [(price(4000), 2 * MIB), (price(4000), 4 * MIB)]
    );
    assert_eq!(asks[0].from, limit);
    assert_eq!(shop.till.price(), price(4000));
    // What was given before costs what was said before.
    shop.serve(one.peer, limit);
    assert_eq!(shop.till.buyers().next().unwrap().owed, price(1000).of(FIRST));
    // One leaves: the other has the rest.
    shop.tell(TillInput::Left { peer: two.peer });
    let mut one = one;
    one.pay(&mut shop, 2);
    shop.seconds(10);
    assert_eq!(shop.till.price(), price(1333));
}

#[test]
fn what_a_buyer_leaves_goes_to_those_who_wait_within_a_second_whatever_the_price_was() {
    for leaves_connection in [true, false] {
        let mut shop = Shop::open();
        let (fast, medium) = (Buyer::new(10, 1), Buyer::new(11, 2));
        fast.enter(&mut shop);
        medium.enter(&mut shop);
        let bid = |per_mib, spend| Bid { price: price(per_mib), spend, rate: 0, number: 1 };
        shop.hear(fast.peer, Message::Bid(bid(50_000, 200_000)));
        shop.hear(medium.peer, Message::Bid(bid(2_000, 8_000)));
        shop.seconds(10);
        // All of it goes to the one that bids more, at a price that the other does not pay.
        assert_eq!(shop.last_ask(fast.peer).rate, 6 * MIB);
        assert!(!shop.last_ask(medium.peer).paid && shop.till.price() > price(2_000));
        shop.pass(Duration::from_millis(1_500));
        match leaves_connection {
            true => shop.tell(TillInput::Left { peer: fast.peer }),
            false => fast.bid(&mut shop, 0, 0, 2),
        }
        let ask = shop.last_ask(medium.peer);
        assert_eq!((ask.paid, ask.price, ask.rate), (true, price(1_333), 6 * MIB));
    }
}

#[test]
fn buyers_that_come_and_go_all_the_time_have_the_uplink_shared_out_once_a_second_at_most() {
    let mut shop = Shop::open();
    let mut shared = std::collections::BTreeSet::new();
    for number in 0..100 {
        let goes = Buyer::new(11, number);
        goes.come(&mut shop);
        assert!(shop.limit(goes.peer).is_some(), "what is idle is given at once");
        shop.pass(Duration::from_millis(50));
        shop.tell(TillInput::Left { peer: goes.peer });
        shared.insert(shop.till.shared_at);
    }
    assert!((4..=6).contains(&shared.len()), "{} times in five seconds", shared.len());
}

#[test]
fn a_busy_uplink_raises_the_ask_and_the_floor_is_the_users() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.enter(&mut shop);
    let bid = Bid { price: price(9000), spend: 6_000, rate: 0, number: 1 };
    shop.hear(buyer.peer, Message::Bid(bid));
    for _ in 0..9 {
        for _ in 0..120 {
            let limit = shop.limit(buyer.peer).unwrap();
            let view = shop.till.buyers().next().unwrap();
            shop.serve(buyer.peer, limit.min(view.served + MIB / 2));
            let owed = shop.till.buyers().next().unwrap().owed;
            if owed >= UNIT {
                buyer.pay(&mut shop, u32::try_from(owed / UNIT).unwrap());
            }
            if buyer.revealed > 1000 {
                let cheque = buyer.next_cheque(buyer.cheque.cheque.worth(buyer.revealed).unwrap());
                shop.hear(buyer.peer, Message::Cheque(cheque));
            }
        }
        shop.seconds(10);
    }
    assert!(shop.till.load_permille() > 900);
    assert!(shop.till.ask() > price(1000));
    shop.tell(TillInput::Floor(price(5000)));
    assert_eq!(shop.till.ask(), price(5000));
}

#[test]
fn a_new_free_share_is_in_the_next_terms_and_has_a_least() {
    let mut shop = Shop::open();
    let told = |shop: &mut Shop, number| {
        shop.meet(number);
        shop.heard().into_iter().find_map(|message| match message {
            Message::Terms(terms) => Some(terms.free_permille),
            _ => None,
        })
    };
    assert_eq!(told(&mut shop, 1), Some(250));
    shop.tell(TillInput::FreePermille(500));
    assert_eq!(told(&mut shop, 2), Some(500));
    shop.tell(TillInput::FreePermille(0));
    assert_eq!(told(&mut shop, 3), Some(FREE_PERMILLE_MIN));
}

#[test]
fn between_two_that_download_from_each_other_the_imbalance_is_billed() {
    let mut shop = Shop::open();
    let buyer = Buyer::new(10, 1);
    shop.tell(TillInput::Met(Meeting { offsets: true, ..meeting(1) }));
    let open = buyer.opening(&shop, None);
    shop.hear(buyer.peer, Message::Open(Box::new(open)));
    shop.hear(buyer.peer, Message::Cheque(buyer.cheque));
    buyer.bid(&mut shop, 1000, MIB, 1);
    let limit = shop.limit(buyer.peer).unwrap();
    let counts = Counts { bytes: limit, verified: 0, back: limit };
    shop.tell(TillInput::Served { peer: buyer.peer, counts });
    assert_eq!(shop.till.buyers().next().unwrap().owed, 0);
    // The count of bytes sent at which it ends moves with what comes back.
    assert_eq!(shop.limit(buyer.peer), Some(limit + counts.back));
}

#[test]
fn what_was_counted_is_told_each_ten_seconds_and_8_mib() {
    let mut shop = Shop::open();
    let buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    shop.heard();
    shop.serve(buyer.peer, LINK);
    assert_eq!(shop.heard(), []);
    shop.seconds(10);
    let stat = Message::Stat { bytes: LINK, due: UNIT };
    assert_eq!(shop.heard(), [stat]);
    shop.seconds(10);
    assert_eq!(shop.heard(), []);
    shop.serve(buyer.peer, 9 * MIB);
    assert!(matches!(shop.heard()[..], [Message::Stat { bytes, .. }] if bytes == 9 * MIB));
}

#[test]
fn who_stops_selling_says_so_and_still_takes_what_is_owed() {
    let mut shop = Shop::open();
    let mut buyer = Buyer::new(10, 1);
    buyer.come(&mut shop);
    let limit = shop.limit(buyer.peer).unwrap();
    shop.serve(buyer.peer, limit);
    shop.heard();
    shop.tell(TillInput::Sell(false));
    let heard = shop.heard();
    assert!(heard.contains(&Message::Close { channel: 1, reason: CloseReason::Off }));
    assert_eq!(shop.service[&buyer.peer], Service::Free);
    buyer.pay(&mut shop, 2);
    buyer.bid(&mut shop, 1000, MIB, 2);
    shop.seconds(30);
    assert_eq!(shop.service[&buyer.peer], Service::Free);
    assert_eq!(shop.books().0[&1], 2 * UNIT);
}
