//! The timelines printed in BEP 15, under virtual time, and what must be ignored.

use super::*;
use crate::announce::Event;
use piecework_types::PeerId;

fn at(secs: u64) -> Time {
    Time::ZERO + Duration::from_secs(secs)
}

fn query() -> UdpQuery {
    UdpQuery::Announce {
        announce: Announce {
            info_hash: InfoHash([1; 20]),
            peer_id: PeerId([2; 20]),
            port: 6881,
            uploaded: 0,
            downloaded: 0,
            left: 1,
            event: Event::Started,
            peers_wanted: 50,
            key: 7,
            tracker_id: None,
            ipv4: None,
            ipv6: None,
        },
        url_data: b"/announce".to_vec(),
    }
}

fn exchange(timeouts_max: u32, connection: Option<UdpConnection>) -> UdpExchange {
    let policy = UdpPolicy { timeouts_max, ..UdpPolicy::default() };
    UdpExchange::new(query(), Family::V4, policy, connection, Rng::new(1))
}

/// The packet due at `now`, as the tracker reads it.
fn sent(exchange: &mut UdpExchange, now: Time) -> UdpRequest {
    let packet = exchange.poll_transmit(now).expect("a packet is due");
    assert_eq!(exchange.poll_transmit(now), None, "one packet at a time");
    UdpRequest::decode(&packet).expect("our own packet")
}

fn connected(transaction: u32) -> Vec<u8> {
    UdpResponse::Connect { transaction, connection: 99 }.encode(Family::V4)
}

fn answered(transaction: u32) -> Vec<u8> {
    UdpResponse::Announce {
        transaction,
        interval: 1800,
        incomplete: 1,
        complete: 2,
        peers: vec![([1, 2, 3, 4], 5).into()],
    }
    .encode(Family::V4)
}

fn refused(transaction: u32) -> Vec<u8> {
    UdpResponse::Error { transaction, reason: "no".into() }.encode(Family::V4)
}

#[test]
fn connects_then_announces_then_reports_the_answer_once() {
    let mut exchange = exchange(4, None);
    let connect = sent(&mut exchange, at(0));
    assert!(matches!(connect, UdpRequest::Connect { .. }));
    exchange.handle(&connected(connect.transaction()), at(1));

    let announce = sent(&mut exchange, at(1));
    assert_ne!(announce.transaction(), connect.transaction());
    let UdpRequest::Announce { connection: 99, url_data, .. } = &announce else {
        panic!("{announce:?}");
    };
    assert_eq!(url_data, b"/announce");
    exchange.handle(&answered(announce.transaction()), at(2));

    let expected = AnnounceAnswer {
        peers: vec![([1, 2, 3, 4], 5).into()],
        interval: Some(Duration::from_secs(1800)),
        complete: Some(2),
        incomplete: Some(1),
        ..AnnounceAnswer::default()
    };
    assert_eq!(exchange.take_outcome(), Some(Ok(UdpAnswer::Announce(expected))));
    assert_eq!(exchange.take_outcome(), None);
    assert_eq!((exchange.poll_timeout(), exchange.poll_transmit(at(100))), (None, None));
}

#[test]
fn an_unanswered_connect_is_repeated_at_0_15_45_and_105_seconds() {
    let mut exchange = exchange(4, None);
    let first = sent(&mut exchange, at(0));
    for secs in [15, 45, 105] {
        assert_eq!(exchange.poll_timeout(), Some(at(secs)));
        assert_eq!(exchange.poll_transmit(at(secs - 1)), None);
        assert_eq!(sent(&mut exchange, at(secs)), first);
    }
    assert_eq!(exchange.poll_timeout(), Some(at(225)));
    assert_eq!(exchange.poll_transmit(at(225)), None);
    assert_eq!(exchange.take_outcome(), Some(Err(TrackerFault::Silent { packets: 4 })));
}

#[test]
fn an_unanswered_announce_is_repeated_until_the_connection_id_expires() {
    // BEP 15: connected at 1, announces at 2, 17 and 47, connects again at 107.
    let mut exchange = exchange(9, None);
    let connect = sent(&mut exchange, at(0));
    exchange.handle(&connected(connect.transaction()), at(1));
    for secs in [2, 17, 47] {
        assert!(matches!(sent(&mut exchange, at(secs)), UdpRequest::Announce { .. }));
    }
    assert_eq!(exchange.poll_timeout(), Some(at(107)));
    assert!(matches!(sent(&mut exchange, at(107)), UdpRequest::Connect { .. }));
}

#[test]
fn an_answer_makes_the_next_wait_short_again() {
    let mut exchange = exchange(9, None);
    let connect = sent(&mut exchange, at(0));
    sent(&mut exchange, at(15));
    sent(&mut exchange, at(45));
    exchange.handle(&connected(connect.transaction()), at(46));
    sent(&mut exchange, at(46));
    assert_eq!(exchange.poll_timeout(), Some(at(61)));
}

#[test]
fn a_late_answer_to_an_earlier_copy_counts() {
    let mut exchange = exchange(4, None);
    let first = sent(&mut exchange, at(0));
    sent(&mut exchange, at(15));
    exchange.handle(&connected(first.transaction()), at(16));
    assert!(matches!(sent(&mut exchange, at(16)), UdpRequest::Announce { .. }));
}

#[test]
fn forged_torn_and_mismatched_packets_change_nothing() {
    let mut exchange = exchange(4, None);
    let connect = sent(&mut exchange, at(0));
    let forged = connect.transaction().wrapping_add(1);
    for noise in [
        connected(forged),
        refused(forged),
        answered(connect.transaction()),
        connected(connect.transaction())[..12].to_vec(),
        Vec::new(),
    ] {
        exchange.handle(&noise, at(1));
        assert_eq!((exchange.poll_transmit(at(1)), exchange.take_outcome()), (None, None));
    }
}

#[test]
fn a_connection_id_serves_the_next_exchange_for_a_minute() {
    let mut first = exchange(4, None);
    let connect = sent(&mut first, at(0));
    first.handle(&connected(connect.transaction()), at(1));
    let connection = first.connection();

    let mut second = exchange(4, connection);
    assert!(matches!(sent(&mut second, at(60)), UdpRequest::Announce { .. }));
    let mut third = exchange(4, connection);
    assert!(matches!(sent(&mut third, at(61)), UdpRequest::Connect { .. }));
}

#[test]
fn a_forgotten_connection_id_is_replaced_whether_the_tracker_says_so_or_is_silent() {
    let connection = Some(UdpConnection { id: 5, received: at(0) });
    let mut told = exchange(4, connection);
    let announce = sent(&mut told, at(1));
    told.handle(&refused(announce.transaction()), at(2));
    assert_eq!(told.take_outcome(), None);
    assert!(matches!(sent(&mut told, at(2)), UdpRequest::Connect { .. }));

    let mut silent = exchange(4, connection);
    sent(&mut silent, at(1));
    assert!(matches!(sent(&mut silent, at(16)), UdpRequest::Connect { .. }));
}

#[test]
fn a_refusal_ends_the_exchange_with_the_reason() {
    let mut exchange = exchange(4, None);
    let connect = sent(&mut exchange, at(0));
    exchange.handle(&refused(connect.transaction()), at(1));
    let fault = TrackerFault::Refused { reason: "no".into(), retry: None };
    assert_eq!(exchange.take_outcome(), Some(Err(fault)));
}

#[test]
fn a_tracker_that_connects_but_never_answers_is_given_up_too() {
    let mut exchange = exchange(5, None);
    let mut now = at(0);
    let mut announces = 0;
    while let Some(packet) = exchange.poll_transmit(now) {
        let request = UdpRequest::decode(&packet).expect("our own packet");
        if let UdpRequest::Connect { transaction } = request {
            exchange.handle(&connected(transaction), now);
        } else {
            announces += 1;
            now = exchange.poll_timeout().expect("an answer is awaited");
        }
    }
    assert_eq!(announces, 5);
    // It had to connect twice: the first id expired.
    assert_eq!(exchange.take_outcome(), Some(Err(TrackerFault::Silent { packets: 7 })));
}

#[test]
fn by_default_a_dead_tracker_is_given_up_after_45_seconds() {
    let mut exchange =
        UdpExchange::new(query(), Family::V4, UdpPolicy::default(), None, Rng::new(1));
    sent(&mut exchange, at(0));
    sent(&mut exchange, at(15));
    assert_eq!(exchange.poll_timeout(), Some(at(45)));
    assert_eq!(exchange.poll_transmit(at(45)), None);
    assert_eq!(exchange.take_outcome(), Some(Err(TrackerFault::Silent { packets: 2 })));
}
