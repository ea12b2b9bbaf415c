//! Of whom is bought, at which price.

use super::desk::*;
use crate::*;

/// Sellers give what they are asked to or less, for so many seconds.
fn flows(desk: &mut Desk, rates: &[(u64, u64)], seconds: u64) {
    let was: Vec<_> = rates.iter().map(|(peer, _)| bytes(desk, *peer)).collect();
    for second in 1..=seconds {
        for ((peer, rate), was) in rates.iter().zip(&was) {
            let bytes = was + rate * second;
            desk.came(*peer, bytes, bytes);
        }
        desk.passes(1);
    }
}

fn bytes(desk: &Desk, peer: u64) -> u64 {
    desk.purse.trades[&PeerKey(peer)].counts.bytes
}

fn bids(desk: &Desk, peers: std::ops::RangeInclusive<u64>) -> Vec<u128> {
    peers.map(|peer| desk.bid(peer).map_or(0, |bid| bid.price.per_mib())).collect()
}

/// A medium lane of 8.5 MiB/s, and sellers that ask this.
fn medium(asks: &[u128]) -> Desk {
    let mut desk = Desk::buying(Lane::Slow);
    for (peer, ask) in (1..).zip(asks) {
        desk.meets(peer, *ask);
    }
    desk.put(PurseInput::Want(wish(Lane::Medium)));
    desk
}

#[test]
fn the_cheapest_seller_is_asked_first_and_others_only_when_it_gives_too_little() {
    let mut desk = medium(&[110, 100, 105]);
    assert_eq!(bids(&desk, 1..=3), [0, 100, 0]);
    let bid = desk.bid(2).unwrap();
    assert_eq!((bid.rate, bid.spend), ((1 << 30) / 120, 854));
    desk.gives(2, 100, 0);
    flows(&mut desk, &[(2, 4 * MIB)], 10);
    assert_eq!(bids(&desk, 1..=3), [0, 106, 105]);
    assert_eq!(desk.bid(3).unwrap().rate, (1 << 30) / 120 - 4 * MIB);
    desk.gives(3, 105, 0);
    flows(&mut desk, &[(2, 4 * MIB), (3, 5 * MIB)], 20);
    assert_eq!(bids(&desk, 1..=3), [0, 106, 112]);
}

#[test]
fn a_price_is_raised_only_if_all_keep_their_word_and_nobody_else_is_left() {
    let mut desk = medium(&[100, 100]);
    for peer in [1, 2] {
        desk.gives(peer, 100, 0);
    }
    // Who keeps its word is bid a step more than it asks, and no more than that.
    flows(&mut desk, &[(1, MIB)], 10);
    desk.gives(2, 100, 0);
    assert_eq!(bids(&desk, 1..=2), [106, 100]);
    // The second one gives less than three quarters of the 1 MiB/s that it said.
    flows(&mut desk, &[(1, MIB), (2, MIB * 74 / 100)], 10);
    assert_eq!(bids(&desk, 1..=2), [106, 100]);
    flows(&mut desk, &[(1, MIB), (2, MIB * 76 / 100)], 10);
    assert_eq!(bids(&desk, 1..=2), [106, 110]);
    // The market is below: more would change nothing.
    flows(&mut desk, &[(1, MIB), (2, MIB)], 10);
    assert_eq!(bids(&desk, 1..=2), [106, 110]);
}

#[test]
fn a_lane_is_kept_while_what_is_asked_rises_and_a_price_of_ones_own_is_not_followed() {
    for lane in [Lane::Medium, Lane::Fast] {
        let mut desk = Desk::buying(lane);
        desk.meets(1, 1000);
        let (mut ask, cap) = (1000, desk.view().price_max.per_mib());
        while ask * 106 / 100 < cap {
            desk.gives(1, ask, bytes(&desk, 1));
            flows(&mut desk, &[(1, MIB)], 10);
            // The most that an ask rises by before it is said again.
            ask = (ask * 105).div_ceil(100);
            let bid = bids(&desk, 1..=1)[0];
            assert!((ask..=cap).contains(&bid), "{lane:?}: {bid} for {ask}, at most {cap}");
        }
    }
    let mut desk = Desk::buying(Lane::Medium);
    desk.meets(1, 1000);
    for _ in 0..10 {
        let bid = bids(&desk, 1..=1)[0];
        desk.gives(1, bid, bytes(&desk, 1));
        flows(&mut desk, &[(1, 9 * MIB)], 10);
    }
    assert_eq!(bids(&desk, 1..=1), [1060]);
}

#[test]
fn a_medium_lane_bids_up_to_five_quarters_of_the_median_and_a_fast_one_three_times_it() {
    for (lane, most) in [(Lane::Medium, 125), (Lane::Fast, 300)] {
        let mut desk = Desk::buying(lane);
        desk.meets(1, 100);
        let mut market = 100;
        for more in 0..20 {
            // Each time it brings a little more.
            let bid = desk.bid(1).unwrap().number;
            let (rate, from) = (MIB + more, bytes(&desk, 1));
            let ask = Ask { price: price(market), bid, paid: true, rate, from };
            desk.hears(1, Message::Ask(ask));
            flows(&mut desk, &[(1, MIB)], 10);
            market = desk.bid(1).unwrap().price.per_mib();
        }
        // What the paid lane costs by then is what was bid: it does not lift what may be bid.
        assert_eq!((market, desk.view().price_max), (most, price(most)), "{lane:?}");
        // What is asked of those in the free lane does.
        let bid = desk.bid(1).unwrap().number;
        let ask = Ask { price: price(200), bid, paid: false, rate: 0, from: bytes(&desk, 1) };
        desk.hears(1, Message::Ask(ask));
        assert_eq!(desk.view().price_max, price(2 * most), "{lane:?}");
    }
    let mut desk = Desk::buying(Lane::Medium);
    desk.meets(1, 100);
    desk.meets(2, 126);
    desk.meets(3, 90);
    assert_eq!(desk.view().price_max, price(125));
    desk.put(PurseInput::Want(wish(Lane::Fast)));
    assert_eq!(desk.view().price_max, price(300));
    let wish = Wish { price_max: price(95), ..wish(Lane::Fast) };
    desk.put(PurseInput::Want(wish));
    assert_eq!(desk.view().price_max, price(95));
}

#[test]
fn another_lane_or_highest_price_is_bid_at_once() {
    let mut desk = medium(&[100]);
    desk.gives(1, 100, 0);
    desk.put(PurseInput::Want(wish(Lane::Fast)));
    let bid = desk.bid(1).unwrap();
    assert_eq!((bid.price, bid.rate, bid.spend), (price(125), 0, 1_000_000));
    desk.put(PurseInput::Want(Wish { price_max: price(110), ..wish(Lane::Fast) }));
    assert_eq!(bids(&desk, 1..=1), [110]);
    // The same again says nothing.
    let said = desk.said.len();
    desk.put(PurseInput::Want(Wish { price_max: price(110), ..wish(Lane::Fast) }));
    assert_eq!(desk.said.len(), said);
    desk.put(PurseInput::Want(Wish { price_max: price(99), ..wish(Lane::Fast) }));
    assert_eq!((bids(&desk, 1..=1), desk.holds().last()), (vec![0], Some(&Some(Hold::Price))));
}

#[test]
fn who_limits_itself_asks_for_no_more_and_blames_and_outbids_nobody() {
    let limited = |lane, most| Wish { rate_max: Some(most), ..wish(lane) };
    let mut desk = medium(&[100]);
    desk.put(PurseInput::Want(limited(Lane::Medium, MIB / 2)));
    assert_eq!(desk.bid(1).unwrap().rate, MIB / 2);

    // The seller says eight times what the buyer takes of it, for an hour.
    let mut desk = Desk::buying(Lane::Fast);
    desk.put(PurseInput::Want(limited(Lane::Fast, MIB)));
    desk.meets(1, 100);
    let bid = desk.bid(1).unwrap();
    let from = bytes(&desk, 1);
    let ask = Ask { price: bid.price, bid: bid.number, paid: true, rate: 8 * MIB, from };
    desk.hears(1, Message::Ask(ask));
    flows(&mut desk, &[(1, MIB * 95 / 100)], 60);
    let said = desk.said.len();
    desk.meets(2, 100);
    assert_eq!((desk.bid(1).unwrap(), desk.names(2)), (bid, vec![]), "{said}");
    // Without the limit it is the seller that is slow, from now on.
    desk.put(PurseInput::Want(wish(Lane::Fast)));
    flows(&mut desk, &[(1, MIB)], 20);
    assert_ne!(desk.bid(1).unwrap().price, price(0));
    flows(&mut desk, &[(1, MIB)], 20);
    assert_eq!(desk.bid(1).unwrap().price, price(0));
}

#[test]
fn nobody_outbids_itself() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.meets(1, 100);
    for _ in 0..10 {
        let bid = desk.bid(1).unwrap().price.per_mib();
        desk.gives(1, bid, bytes(&desk, 1));
        flows(&mut desk, &[(1, MIB)], 10);
    }
    // One try, which has brought nothing.
    assert_eq!(bids(&desk, 1..=1), [138]);
}

#[test]
fn nothing_is_bought_over_the_highest_price() {
    let mut desk = Desk::new();
    desk.put(PurseInput::Buy(true));
    desk.put(PurseInput::Want(Wish { price_max: price(99), ..wish(Lane::Fast) }));
    desk.meets(1, 100);
    assert_eq!((desk.names(1), desk.holds()), (vec![], vec![Some(Hold::Price)]));
    desk.meets(2, 99);
    assert_eq!((bids(&desk, 1..=2), desk.holds().last()), (vec![0, 99], Some(&None)));
}

#[test]
fn a_seller_that_gives_under_a_quarter_of_its_word_for_half_a_minute_is_left() {
    let mut desk = medium(&[100]);
    desk.gives(1, 100, 0);
    flows(&mut desk, &[(1, MIB / 5)], 20);
    assert_eq!(bids(&desk, 1..=1), [100]);
    flows(&mut desk, &[(1, MIB / 5)], 10);
    assert_eq!(bids(&desk, 1..=1), [0]);
    desk.passes(300);
    desk.funds(Some(facts()));
    assert_eq!(bids(&desk, 1..=1), [0]);
    desk.passes(301);
    desk.funds(Some(facts()));
    desk.passes(1);
    assert_eq!(bids(&desk, 1..=1), [100]);
}

#[test]
fn after_half_a_minute_over_the_target_less_is_bid_and_who_is_not_needed_is_left() {
    let mut desk = medium(&[100, 101]);
    desk.gives(1, 100, 0);
    flows(&mut desk, &[(1, 8 * MIB)], 10);
    desk.gives(2, 101, 0);
    assert_eq!(bids(&desk, 1..=2), [106, 101]);
    flows(&mut desk, &[(1, 9 * MIB), (2, MIB / 4)], 30);
    assert_eq!(bids(&desk, 1..=2), [106, 101]);
    flows(&mut desk, &[(1, 9 * MIB), (2, MIB / 4)], 10);
    assert_eq!(bids(&desk, 1..=2), [106, 0]);

    let mut desk = Desk::paid(Lane::Live { rate: MIB });
    assert_eq!((desk.bid(1).unwrap().rate, bids(&desk, 1..=1)), (MIB + MIB * 3 / 10, vec![125]));
    flows(&mut desk, &[(1, 2 * MIB)], 40);
    assert_eq!(bids(&desk, 1..=1), [119]);
}

fn refused(code: RefusedCode) -> Message {
    Message::Refused(Refused { code, text: String::new() })
}

#[test]
fn who_cannot_ask_the_chain_is_opened_anew_on_the_same_channel_and_meanwhile_that_is_told() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.meets(1, 100);
    let first = desk.cheque(1);
    assert_eq!(desk.view().hold, None);
    desk.hears(1, refused(RefusedCode::ChainUnavailable));
    assert_eq!((desk.view().hold, desk.view().reserved), (Some(Hold::Chain), 0));
    let told = |paid| PurseOutput::Buying { peer: PeerKey(1), is_paid: paid };
    assert_eq!(
        desk.told.iter().rfind(|it| matches!(it, PurseOutput::Buying { .. })),
        Some(&told(false))
    );
    desk.said.clear();
    desk.passes(59);
    assert_eq!(desk.names(1), Vec::<&str>::new());
    desk.passes(2);
    assert_eq!((desk.names(1), desk.view().hold), (vec!["open", "cheque", "bid"], None));
    let second = desk.cheque(1);
    assert_eq!(second.channel, first.channel);
    assert_ne!(second.root, first.root);
    assert_eq!(desk.bid(1).unwrap().number, 2);
    desk.gives(1, 100, 0);
    desk.came(1, 4 * LINK, 4 * LINK);
    assert_eq!((desk.claimable(), desk.spent), (100, 100));
}

#[test]
fn who_cannot_ask_the_chain_for_long_is_left_alone_for_longer_each_time_and_opened_eight_times() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.meets(1, 100);
    let mut opened = Vec::new();
    for second in 0..3 * 3600 {
        if desk.bid(1).is_some() {
            opened.push(second);
            desk.hears(1, refused(RefusedCode::ChainUnavailable));
        }
        // The chain answers us.
        if second % 60 == 0 {
            desk.funds(Some(facts()));
        }
        desk.passes(1);
    }
    let waits: Vec<_> = opened.windows(2).map(|two| two[1] - two[0]).collect();
    assert_eq!(waits, [60, 120, 240, 480, 600, 600, 600]);
    assert_eq!(desk.view().hold, Some(Hold::Chain));
}

#[test]
fn what_an_opening_that_was_turned_down_was_to_pay_is_paid_by_the_next_one() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.came(1, 3 * LINK + LINK / 5, 3 * LINK + LINK / 5);
    desk.put(PurseInput::Left { peer: PeerKey(1) });
    desk.offers(Desk::meeting(2), terms(1, 100));
    assert_eq!(desk.cheque(2).cumulative, 80);
    desk.hears(2, refused(RefusedCode::ChainUnavailable));
    desk.passes(61);
    assert_eq!((desk.cheque(2).cumulative, desk.view().spent), (80, 80));
    desk.hears(2, Message::Stat { bytes: 0, due: 100 });
    // What counts may differ by, which the connection before has left, is paid all the same.
    assert!(desk.cheque(2).cumulative > 80);
}

#[test]
fn one_seller_that_cannot_ask_the_chain_keeps_nobody_from_another() {
    let mut desk = medium(&[100, 110]);
    desk.hears(1, refused(RefusedCode::ChainUnavailable));
    assert_eq!((bids(&desk, 1..=2), desk.view().hold), (vec![0, 110], None));
}

#[test]
fn an_opening_that_was_refused_for_a_while_is_made_anew_when_it_is_over() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.meets(1, 100);
    desk.hears(1, refused(RefusedCode::RateLimited));
    desk.said.clear();
    desk.passes(599);
    assert_eq!(desk.names(1), Vec::<&str>::new());
    desk.funds(Some(facts()));
    desk.passes(2);
    assert_eq!(desk.names(1), ["open", "cheque", "bid"]);
}
