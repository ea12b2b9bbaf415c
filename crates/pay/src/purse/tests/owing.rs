//! What is owed, and that nothing else is paid.

use super::desk::*;
use crate::*;
use std::time::Duration;

#[test]
fn opening_cheque_and_bid_leave_in_one_flight_when_the_record_is_on_the_drive() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.syncs = false;
    desk.meets(1, 100);
    assert_eq!(desk.names(1), [""; 0]);
    assert!(desk.told.is_empty(), "{:?}", desk.told);
    let [write] = &desk.on_way[..] else { panic!("{:?}", desk.on_way) };
    assert!(write.at_once);
    desk.sync();
    assert_eq!(desk.names(1), ["open", "cheque", "bid"]);
    assert_eq!(desk.told, [PurseOutput::Buying { peer: PeerKey(1), is_paid: true }]);
    let cheque = desk.cheque(1);
    assert_eq!((cheque.unit, cheque.links, cheque.cumulative, cheque.epoch), (25, 1024, 0, 4));
}

#[test]
fn the_opening_is_bound_to_this_conversation_by_the_session_key() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.meets(1, 100);
    let Message::Open(open) = &desk.said[0].1 else { panic!("{:?}", desk.said) };
    let bind = Bind::new(&[1; 32], &[99; 32], TORRENT, b"said");
    let digest = bind.digest(&network().domain().separator());
    open.authority.check(&digest, delegation().session).unwrap();
    assert_eq!((open.payer, open.delegation), (account(), Some(delegation())));
    assert_eq!((open.network, open.last), (0, None));
}

#[test]
fn nothing_is_bought_before_somebody_says_so() {
    let mut desk = Desk::new();
    desk.put(PurseInput::Want(wish(Lane::Fast)));
    desk.meets(1, 100);
    desk.passes(20);
    assert_eq!((desk.names(1), desk.purse.poll_timeout()), (vec![], piecework_types::Time::NEVER));
    desk.put(PurseInput::Buy(true));
    assert_eq!(desk.names(1), ["open", "cheque", "bid"]);
}

#[test]
fn a_whole_link_is_paid_as_soon_as_it_is_owed_for_verified_bytes() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.came(1, LINK, LINK - 1);
    assert_eq!(desk.claimable(), 25);
    desk.came(1, 2 * LINK, LINK);
    assert_eq!(desk.claimable(), 25);
    desk.came(1, 2 * LINK, 2 * LINK);
    assert_eq!((desk.claimable(), desk.names(1)), (50, vec!["link", "link"]));
    // Told again, or late: nothing.
    desk.came(1, LINK, LINK);
    assert_eq!((desk.claimable(), desk.spent, desk.view().spent), (50, 50, 50));
}

#[test]
fn what_comes_before_the_paid_lane_is_given_is_free() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.meets(1, 100);
    desk.came(1, 4 * LINK, 4 * LINK);
    desk.gives(1, 100, 4 * LINK);
    desk.came(1, 5 * LINK - 50_000, 5 * LINK - 50_000);
    assert_eq!(desk.claimable(), 0);
    desk.came(1, 5 * LINK, 5 * LINK);
    assert_eq!(desk.claimable(), 25);
}

#[test]
fn only_the_imbalance_is_billed_between_two_that_download_from_each_other() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.offers(Meeting { offsets: true, ..Desk::meeting(1) }, terms(1, 100));
    desk.gives(1, 100, 0);
    let counts = Counts { bytes: 10 * LINK, verified: 10 * LINK, back: 7 * LINK };
    desk.put(PurseInput::Came { peer: PeerKey(1), counts });
    assert_eq!(desk.claimable(), 75);
}

#[test]
fn one_piece_is_paid_before_it_is_verified_when_the_window_is_smaller() {
    let large = Meeting { verified_bytes: 4 << 20, ..Desk::meeting(1) };
    let mut desk = Desk::buying(Lane::Fast);
    desk.offers(large, terms(1, 100));
    desk.gives(1, 100, 0);
    desk.came(1, 2 * LINK, 0);
    assert_eq!(desk.claimable(), 50);
    // No more than one piece is at risk, whatever comes.
    desk.came(1, 100 * LINK, 0);
    assert_eq!(desk.claimable(), 16 * 25);
    desk.came(1, 100 * LINK, 4 << 20);
    assert_eq!(desk.claimable(), 32 * 25);
}

#[test]
fn nothing_is_paid_before_it_is_verified_when_the_window_holds_a_piece_or_blocks_are_verified() {
    let wide = Terms { window: 5 << 20, ..terms(1, 100) };
    let narrow = Terms { window: 256 << 10, ..terms(2, 100) };
    let mut desk = Desk::buying(Lane::Fast);
    desk.offers(Meeting { verified_bytes: 4 << 20, ..Desk::meeting(1) }, wide);
    desk.offers(Desk::meeting(2), narrow);
    for peer in [1, 2] {
        desk.gives(peer, 100, 0);
        desk.came(peer, 8 * LINK, 0);
    }
    assert_eq!(desk.claimable(), 0);
}

#[test]
fn corrupt_data_is_never_paid_and_its_seller_is_left_for_good() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.came(1, 6 * LINK, 2 * LINK);
    desk.put(PurseInput::Corrupt { peer: PeerKey(1) });
    assert_eq!(desk.refusals(1), [RefusedCode::Disagree]);
    assert_eq!(desk.names(1).last(), Some(&"close"));
    desk.came(1, 9 * LINK, 9 * LINK);
    assert_eq!(desk.claimable(), 50);
    // The same payee on another connection.
    desk.offers(Desk::meeting(2), terms(1, 100));
    assert_eq!(desk.names(2), [""; 0]);
}

#[test]
fn a_higher_price_for_bytes_that_are_billed_is_refused_and_the_old_one_paid() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.meets(1, 100);
    desk.gives(1, 100, 0);
    desk.came(1, 4 * LINK, 4 * LINK);
    desk.gives(1, 110, 4 * LINK - 1);
    assert_eq!(desk.refusals(1), [RefusedCode::Disagree]);
    desk.came(1, 8 * LINK, 8 * LINK);
    assert_eq!(desk.claimable(), 100);
}

#[test]
fn a_higher_price_from_a_later_byte_on_is_paid_from_there() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.gives(1, 120, 4 * LINK);
    desk.came(1, 8 * LINK, 8 * LINK);
    // 100 for the first MiB and 120 for the second, in links of 25.
    assert_eq!((desk.claimable(), desk.refusals(1)), (200, vec![]));
    assert_eq!(desk.purse.sellers(&TORRENT).next().unwrap().owed, 20);
}

#[test]
fn a_price_over_the_bid_is_refused() {
    let mut desk = Desk::paid(Lane::Medium);
    assert_eq!(desk.bid(1).unwrap().price, price(100));
    desk.gives(1, 101, MIB);
    assert_eq!(desk.refusals(1), [RefusedCode::AskOverBid]);
    assert_eq!(desk.names(1), ["refused", "no bid", "close"]);
}

#[test]
fn a_count_that_is_a_little_higher_is_paid_so_that_the_window_opens() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.came(1, 4 * LINK, 4 * LINK);
    desk.hears(1, Message::Stat { bytes: 6 * LINK, due: 150 });
    // What came may not have been told yet.
    assert_eq!(desk.claimable(), 100);
    desk.passes(1);
    assert_eq!((desk.claimable(), desk.refusals(1)), (150, vec![]));
}

#[test]
fn a_count_that_is_much_higher_is_not_paid_and_its_seller_left() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.came(1, 4 * LINK, 4 * LINK);
    desk.hears(1, Message::Stat { bytes: 6 * LINK + 1, due: 1_000 });
    desk.passes(1);
    assert_eq!((desk.claimable(), desk.refusals(1)), (100, vec![RefusedCode::Disagree]));
}

#[test]
fn a_count_is_right_when_ours_has_only_lagged() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.hears(1, Message::Stat { bytes: 12 * LINK, due: 300 });
    desk.now += Duration::from_millis(900);
    desk.came(1, 12 * LINK, 12 * LINK);
    desk.passes(2);
    assert_eq!((desk.claimable(), desk.refusals(1)), (300, vec![]));
}

#[test]
fn switching_off_pays_what_is_owed_and_says_no_more() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.came(1, 5 * LINK, 3 * LINK + 20_000);
    desk.put(PurseInput::Buy(false));
    // Three links, and the rest to the last byte that is verified: 76.9 rounded up.
    assert_eq!((desk.claimable(), desk.view().spent, desk.view().reserved), (77, 77, 0));
    assert_eq!(desk.names(1), ["link", "no bid", "cheque", "close"]);
    assert_eq!(desk.told, [PurseOutput::Buying { peer: PeerKey(1), is_paid: false }]);
    desk.came(1, 50 * LINK, 50 * LINK);
    desk.passes(20);
    assert_eq!((desk.claimable(), desk.names(1).len()), (77, 4));
    // On again, on another channel.
    let closed = desk.cheque(1).channel;
    desk.put(PurseInput::Buy(true));
    desk.funds(Some(facts()));
    assert_eq!((desk.names(1).len(), desk.cheque(1).cumulative), (7, 0));
    assert_ne!(desk.cheque(1).channel, closed);
    desk.gives(1, 100, 50 * LINK);
    desk.came(1, 51 * LINK, 51 * LINK);
    assert_eq!(desk.claimable(), 77 + 25);
}

#[test]
fn switching_off_before_the_opening_has_left_says_nothing_at_all() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.syncs = false;
    desk.meets(1, 100);
    desk.put(PurseInput::Buy(false));
    desk.sync();
    assert_eq!((desk.names(1), desk.view().reserved), (vec![], 0));
    desk.syncs = true;
    desk.put(PurseInput::Buy(true));
    assert_eq!(desk.names(1), ["open", "cheque", "bid"]);
}

#[test]
fn what_comes_in_the_free_lane_is_not_billed_when_buying_begins_again() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.came(1, 4 * LINK, 4 * LINK);
    desk.put(PurseInput::Want(wish(Lane::Slow)));
    // The seller never says that the lane has ended.
    desk.came(1, 5 * LINK, 5 * LINK);
    desk.passes(6);
    desk.came(1, 40 * LINK, 40 * LINK);
    desk.put(PurseInput::Want(wish(Lane::Fast)));
    desk.gives(1, 100, 40 * LINK);
    desk.came(1, 41 * LINK, 41 * LINK);
    assert_eq!(desk.claimable(), 150);
}

#[test]
fn a_slow_lane_pays_what_still_comes_until_the_paid_lane_has_ended() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.came(1, 4 * LINK, 4 * LINK);
    desk.put(PurseInput::Want(wish(Lane::Slow)));
    assert_eq!(desk.names(1), ["link", "no bid"]);
    let number = desk.bid(1).unwrap().number;
    let from = 6 * LINK;
    let ask = Ask { price: price(100), bid: number, paid: false, rate: 0, from };
    desk.hears(1, Message::Ask(ask));
    desk.came(1, 20 * LINK, 20 * LINK);
    assert_eq!((desk.claimable(), desk.view().reserved), (150, 0));
    // And begins again on the same channel.
    desk.put(PurseInput::Want(wish(Lane::Fast)));
    let cheque = desk.cheque(1);
    assert_eq!((cheque.cumulative, cheque.links), (150, 1024));
    desk.gives(1, 100, 20 * LINK);
    desk.came(1, 24 * LINK, 24 * LINK);
    assert_eq!(desk.claimable(), 250);
}
