//! Channels: continued, never shared, brought back after a crash.

use super::desk::*;
use crate::purse::*;
use crate::*;

fn config() -> PurseConfig {
    PurseConfig { payers: vec![payer()], day_max: 1_000_000 }
}

fn accepted(channel: u64, last: Option<LastCheque>) -> Message {
    Message::Accepted(Accepted { channel, window: 512 << 10, last, paid: 0 })
}

fn opening(desk: &Desk, peer: u64) -> Open {
    let mut said = desk.said.iter().filter(|(to, _)| *to == peer);
    let open = said.find_map(|(_, message)| match message {
        Message::Open(open) => Some((**open).clone()),
        _ => None,
    });
    open.unwrap()
}

#[test]
fn a_new_cheque_goes_on_where_the_chain_has_ended() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.offers(Desk::meeting(1), Terms { links_max: 4, ..terms(1, 100) });
    desk.gives(1, 100, 0);
    for link in 1..=6 {
        desk.came(1, link * LINK, link * LINK);
    }
    assert_eq!((desk.cheque(1).cumulative, desk.claimable()), (100, 150));
    // The cheque speaks for the last link, which need not leave any more.
    let names = ["link", "link", "link", "cheque", "link", "link"];
    assert_eq!(desk.names(1)[3..], names);
}

#[test]
fn more_that_is_owed_than_the_chain_has_left_is_paid_with_the_next_cheque() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.offers(Desk::meeting(1), Terms { links_max: 4, ..terms(1, 100) });
    desk.gives(1, 100, 0);
    desk.came(1, 7 * LINK, 7 * LINK);
    assert_eq!((desk.cheque(1).cumulative, desk.claimable()), (100, 175));
}

#[test]
fn a_cheque_stays_while_the_price_moves_little_and_is_new_when_it_moves_far() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.meets(1, 1_000);
    desk.gives(1, 1_000, 0);
    desk.gives(1, 600, 0);
    desk.came(1, 4 * LINK, 4 * LINK);
    assert_eq!((desk.cheque(1).unit, desk.claimable()), (250, 500));
    desk.gives(1, 499, 4 * LINK);
    desk.came(1, 5 * LINK, 5 * LINK);
    assert_eq!((desk.cheque(1).unit, desk.cheque(1).cumulative), (125, 500));
    assert_eq!(desk.claimable(), 625);
    // To and fro within ten seconds: no signature each time.
    let said = desk.said.len();
    for turn in 0..10 {
        desk.gives(1, [1_000, 100][turn % 2], 5 * LINK);
    }
    assert_eq!((desk.said.len(), desk.cheque(1).unit), (said, 125));
    desk.passes(10);
    assert_eq!(desk.cheque(1).unit, 25);
}

#[test]
fn after_a_reconnect_the_channel_goes_on_with_what_it_is_worth() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.came(1, 3 * LINK, 3 * LINK);
    let before = desk.tills.values().next().unwrap().clone();
    desk.put(PurseInput::Left { peer: PeerKey(1) });
    assert_eq!(desk.view().reserved, 0);
    desk.offers(Desk::meeting(2), terms(1, 100));
    assert_eq!(opening(&desk, 2).last, Some(before.last()));
    let cheque = desk.cheque(2);
    assert_eq!((cheque.channel, cheque.cumulative), (before.signed.cheque.channel, 75));
    assert_ne!(cheque.root, before.signed.cheque.root);
    desk.gives(2, 100, 0);
    desk.came(2, LINK, LINK);
    assert_eq!((desk.claimable(), desk.spent), (100, 100));
}

#[test]
fn two_live_connections_and_two_torrents_never_share_a_channel() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.put(PurseInput::Want(Wish { torrent: [8; 20], ..wish(Lane::Fast) }));
    desk.offers(Desk::meeting(2), terms(1, 100));
    desk.offers(Meeting { torrent: [8; 20], ..Desk::meeting(3) }, terms(1, 100));
    let (second, third) = (desk.cheque(2).channel, desk.cheque(3).channel);
    assert_ne!(second, third);
    assert_eq!(desk.tills.len(), 3);
    desk.put(PurseInput::Left { peer: PeerKey(3) });
    desk.offers(Desk::meeting(4), terms(1, 100));
    assert_ne!(desk.cheque(4).channel, third);
}

#[test]
fn a_better_cheque_of_ours_is_adopted_when_we_have_lost_the_last_of_it() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.came(1, LINK, LINK);
    let old = desk.drive.clone();
    desk.came(1, 9 * LINK, 9 * LINK);
    let till = desk.tills.values().next().unwrap().clone();
    assert_eq!(till.best, 225);
    desk.drive = old;
    desk.crashes(config(), [2; 32]);
    desk.put(PurseInput::Buy(true));
    desk.put(PurseInput::Want(wish(Lane::Fast)));
    desk.offers(Desk::meeting(2), terms(1, 100));
    assert_eq!(desk.cheque(2).cumulative, 25);
    desk.hears(2, accepted(till.signed.cheque.channel, Some(till.last())));
    assert_eq!(desk.cheque(2).cumulative, 225);
    desk.gives(2, 100, 0);
    desk.came(2, 2 * LINK, 2 * LINK);
    assert_eq!((desk.claimable(), desk.view().spent), (275, 275));
}

/// A purse that has forgotten what it paid beyond 25, at an opening; what the seller has to show.
fn forgetful() -> (Desk, Message) {
    let mut desk = Desk::paid(Lane::Fast);
    desk.came(1, LINK, LINK);
    let old = desk.drive.clone();
    desk.came(1, 9 * LINK, 9 * LINK);
    let till = desk.tills.values().next().unwrap().clone();
    desk.drive = old;
    desk.crashes(config(), [2; 32]);
    desk.put(PurseInput::Buy(true));
    desk.put(PurseInput::Want(wish(Lane::Fast)));
    desk.offers(Desk::meeting(2), terms(1, 100));
    (desk, accepted(till.signed.cheque.channel, Some(till.last())))
}

#[test]
fn who_speaks_of_a_better_cheque_and_shows_none_is_left_after_five_seconds() {
    let stale = || Message::Refused(Refused { code: RefusedCode::StaleCheque, text: "".into() });
    let is_left = |desk: &Desk| desk.names(2).contains(&"close");
    // Whatever it says besides: an answer that shows nothing better is none.
    for shows_old in [false, true] {
        let (mut desk, _) = forgetful();
        let channel = desk.cheque(2).channel;
        desk.hears(2, accepted(channel, None));
        desk.hears(2, stale());
        if shows_old {
            desk.hears(2, accepted(channel, None));
        }
        desk.passes(4);
        assert!(!is_left(&desk));
        // Said again it changes nothing.
        desk.hears(2, stale());
        desk.passes(2);
        assert!(is_left(&desk));
        assert_eq!(desk.cheque(2).cumulative, 25);
    }
    // Before or after its word: a better one was shown.
    for shows_first in [true, false] {
        let (mut desk, shown) = forgetful();
        let words = if shows_first { [shown, stale()] } else { [stale(), shown] };
        words.into_iter().for_each(|word| desk.hears(2, word));
        desk.passes(20);
        assert!(!is_left(&desk));
        assert_eq!(desk.cheque(2).cumulative, 225);
        // A second time it has nothing better.
        desk.hears(2, stale());
        desk.passes(6);
        assert!(is_left(&desk));
    }
}

#[test]
fn a_better_cheque_that_we_have_not_signed_or_whose_link_is_wrong_is_not_adopted() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.came(1, LINK, LINK);
    let till = desk.tills.values().next().unwrap().clone();
    let good = till.last();
    let channel = good.signed.cheque.channel;
    desk.put(PurseInput::Left { peer: PeerKey(1) });
    let dear = Cheque { cumulative: 1_000, ..good.signed.cheque };
    let forged = Key::new(&[6; 32]).unwrap().sign(&dear.digest(&network().domain().separator()));
    let cases = [
        LastCheque { signed: SignedCheque { cheque: dear, ..good.signed }, ..good },
        LastCheque { signed: SignedCheque { cheque: dear, signature: forged }, number: 0, ..good },
        LastCheque { number: 2, ..good },
        LastCheque { number: 5_000, ..good },
    ];
    for (peer, case) in (2..).zip(cases) {
        desk.offers(Desk::meeting(peer), terms(1, 100));
        desk.hears(peer, accepted(channel, Some(case)));
        assert_eq!((desk.cheque(peer).cumulative, desk.view().spent), (25, 25));
        assert_eq!(desk.refusals(peer), [RefusedCode::BadSignature]);
        desk.put(PurseInput::Left { peer: PeerKey(peer) });
    }
}

#[test]
fn what_may_have_been_revealed_before_a_crash_stays_set_aside() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.came(1, 2 * LINK, 2 * LINK);
    // These leave without waiting, for the drive lets 16 more be revealed; their record is lost.
    desk.syncs = false;
    desk.came(1, 10 * LINK, 10 * LINK);
    assert_eq!(desk.claimable(), 250);
    desk.crashes(config(), [2; 32]);
    desk.syncs = true;
    desk.put(PurseInput::Want(wish(Lane::Fast)));
    let view = desk.view();
    assert_eq!((view.spent, view.reserved), (50, 16 * 25));
    assert!(view.spent + view.reserved >= desk.claimable());
}

#[test]
fn more_links_than_the_drive_allows_wait_for_it() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.syncs = false;
    desk.came(1, 30 * LINK, 30 * LINK);
    assert_eq!(desk.claimable(), 0);
    assert!(desk.on_way.iter().all(|write| write.at_once));
    // More is owed meanwhile: one link for all.
    desk.came(1, 40 * LINK, 40 * LINK);
    desk.sync();
    assert_eq!((desk.claimable(), desk.names(1)), (1_000, vec!["link"]));
}

#[test]
fn terms_that_nobody_can_buy_under_are_not_opened() {
    let good = terms(1, 100);
    let foreign = Network { chain_id: 6, ..network() };
    let cases = [
        Terms { networks: vec![foreign], ..good.clone() },
        Terms { payee: Address::ZERO, ..good.clone() },
        Terms { payee: account(), ..good.clone() },
        Terms { link_bytes: (64 << 10) - 1, ..good.clone() },
        Terms { link_bytes: (4 << 20) + 1, ..good.clone() },
        Terms { links_max: 0, ..good.clone() },
        Terms { links_max: 4097, ..good.clone() },
    ];
    let mut desk = Desk::buying(Lane::Fast);
    for (peer, case) in (1..).zip(cases) {
        desk.offers(Desk::meeting(peer), case);
        assert!(!desk.names(peer).contains(&"open"), "{peer}");
    }
    assert_eq!(desk.refusals(1), [RefusedCode::NoNetwork]);
    desk.offers(Desk::meeting(9), Terms { networks: vec![foreign, network()], ..terms(9, 100) });
    assert_eq!(opening(&desk, 9).network, 1);
}

#[test]
fn what_a_connection_left_is_paid_by_the_first_cheque_of_the_next() {
    let mut desk = Desk::paid(Lane::Fast);
    desk.came(1, 3 * LINK + LINK / 5, 3 * LINK + LINK / 5);
    assert_eq!(desk.claimable(), 75);
    desk.put(PurseInput::Left { peer: PeerKey(1) });
    desk.offers(Desk::meeting(2), terms(1, 100));
    assert_eq!((desk.cheque(2).cumulative, desk.view().spent), (80, 80));
    // It was for the last one: here nothing is paid yet.
    desk.gives(2, 100, 0);
    desk.came(2, LINK, LINK);
    assert_eq!(desk.claimable(), 105);
}

#[test]
fn what_the_seller_says_was_left_is_paid_as_far_as_it_can_be() {
    let meeting = |peer| Meeting { verified_bytes: 1 << 20, ..Desk::meeting(peer) };
    // A third of a piece came, and counts may differ by two links.
    for (due, paid) in [(0, 0), (20, 20), (1_000, 33 + 50)] {
        let mut desk = Desk::buying(Lane::Fast);
        let terms = Terms { window: 2 << 20, ..terms(1, 100) };
        desk.offers(meeting(1), terms.clone());
        desk.gives(1, 100, 0);
        desk.came(1, MIB / 100 * 33, 0);
        desk.put(PurseInput::Left { peer: PeerKey(1) });
        desk.offers(meeting(2), terms);
        desk.hears(2, Message::Stat { bytes: 0, due });
        assert_eq!((desk.cheque(2).cumulative, desk.claimable()), (paid, paid));
        // Once, and before the seller has answered a bid.
        desk.hears(2, Message::Stat { bytes: 0, due: 40 });
        desk.gives(2, 100, 0);
        desk.hears(2, Message::Stat { bytes: 0, due: 40 });
        assert_eq!(desk.claimable(), paid);
    }
}

#[test]
fn after_a_crash_a_first_window_at_most_is_paid_on_the_sellers_word() {
    for (due, paid) in [(300, 300), (1 << 40, 5_000)] {
        let mut desk = Desk::paid(Lane::Fast);
        desk.came(1, 2 * LINK, 2 * LINK);
        desk.crashes(config(), [2; 32]);
        desk.put(PurseInput::Buy(true));
        desk.put(PurseInput::Want(wish(Lane::Fast)));
        desk.offers(Desk::meeting(2), terms(1, 100));
        let start = desk.cheque(2).cumulative;
        desk.hears(2, Message::Stat { bytes: 0, due });
        assert_eq!(desk.cheque(2).cumulative, start + paid);
        desk.gives(2, 100, 0);
        desk.came(2, LINK, LINK);
        assert_eq!(desk.cheque(2).cumulative, start + paid);
    }
}

#[test]
fn terms_that_cross_an_opening_are_opened_under_at_once_and_others_passed_over() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.meets(1, 100);
    let (first, peer) = (desk.cheque(1), PeerKey(1));
    let told =
        |ask, said: &[u8]| PurseInput::Terms { peer, terms: terms(1, ask), said: said.to_vec() };
    // The same again is no news.
    desk.put(told(100, b"said"));
    assert_eq!(desk.names(1), ["open", "cheque", "bid"]);
    desk.put(told(120, b"said anew"));
    assert_eq!(desk.names(1), ["open", "cheque", "bid", "open", "cheque", "bid"]);
    let second = desk.cheque(1);
    assert_eq!((second.channel, desk.bid(1).unwrap().number), (first.channel, 2));
    assert_ne!(second.root, first.root);
    // After an answer they are not looked at.
    desk.gives(1, 120, 0);
    desk.put(told(90, b"said too late"));
    assert_eq!(desk.names(1).len(), 6);
    desk.hears(1, Message::Close { channel: second.channel, reason: CloseReason::Off });
    let said = desk.names(1).len();
    desk.put(told(110, b"sells again"));
    assert_eq!(desk.names(1)[said..], ["open", "cheque", "bid"]);
}

#[test]
fn an_ask_for_no_bid_of_ours_is_passed_over() {
    let mut desk = Desk::buying(Lane::Fast);
    desk.meets(1, 100);
    for bid in [0, 2] {
        let ask = Ask { price: price(100), bid, paid: true, rate: MIB, from: 0 };
        desk.hears(1, Message::Ask(ask));
    }
    desk.came(1, 4 * LINK, 4 * LINK);
    assert_eq!(desk.claimable(), 0);
    desk.gives(1, 100, 4 * LINK);
    desk.came(1, 8 * LINK, 8 * LINK);
    assert_eq!(desk.claimable(), 100);
}
