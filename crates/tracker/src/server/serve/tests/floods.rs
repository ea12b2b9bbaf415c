//! Strangers who want the tracker's memory, its bandwidth against others, or other people's places.

use super::*;
use crate::udp::PACKET_BYTES_MAX;
use piecework_types::Rate;
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, proptest};

const SMALL: ServerLimits = ServerLimits {
    torrents_max: 20,
    peers_max: 100,
    sender_peers_max: 30,
    sender_torrent_peers_max: 5,
    answer_peers_max: 50,
    query_rate: Rate { per_second: 1000, burst: 1000 },
    connect_rate: Rate { per_second: 10, burst: 20 },
};

fn connection(server: &mut TrackerServer, from: SocketAddr, now: Time) -> u64 {
    let packet = UdpRequest::Connect { transaction: 1 }.encode();
    let answer = server.answer_udp(from, &packet, now).expect("an answer");
    match UdpResponse::decode(&answer, Family::of(from.ip())) {
        Ok(UdpResponse::Connect { connection, .. }) => connection,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_unproven_is_answered_with_more_than_it_had() {
    let mut server = limited(SMALL);
    for number in 0..300 {
        let peer = announce(number, 9, Event::Started);
        let _ = http(&mut server, ip(number), &peer, Time::ZERO);
    }
    let forged = SocketAddr::new(ip(9999), 53);
    let requests = [
        UdpRequest::Connect { transaction: 7 },
        UdpRequest::Scrape { connection: 7, transaction: 7, info_hashes: vec![] },
        UdpRequest::Scrape { connection: 7, transaction: 7, info_hashes: vec![HASH; SCRAPE_MAX] },
        UdpRequest::Announce {
            connection: 7,
            transaction: 7,
            announce: announce(1, 9, Event::Started),
            url_data: vec![b'x'; 300],
        },
    ];
    let peers = server.figures().peers;
    assert_eq!(peers, SMALL.peers_max);
    for request in requests {
        let packet = request.encode();
        let answer = server.answer_udp(forged, &packet, Time::ZERO).unwrap_or_default();
        assert!(answer.len() <= packet.len(), "{request:?} got {} bytes", answer.len());
    }
    server.handle_timeout(seconds(9999));
    assert_eq!(server.figures().peers, 0, "nobody is listed without a connection id");
}

#[test]
fn a_third_party_is_sent_little_however_many_packets_bear_its_address() {
    let mut server = limited(SMALL);
    let victim = SocketAddr::new(ip(1), 53);
    let packet = UdpRequest::Connect { transaction: 7 }.encode();
    let mut sent = 0;
    for millisecond in 0..10_000 {
        let now = Time::from_micros(millisecond * 1000);
        // Other addresses in between do not buy it new credit.
        let other = SocketAddr::new(ip(1000 + millisecond as u32), 53);
        let _ = server.answer_udp(other, &packet, now);
        sent += usize::from(server.answer_udp(victim, &packet, now).is_some());
    }
    assert!((100..=20 + 10 * 10).contains(&sent), "{sent} packets in ten seconds");
    assert!(server.figures().limited >= 9000);
}

#[test]
fn an_id_is_worth_nothing_at_another_address_or_three_minutes_later() {
    let mut server = limited(SMALL);
    let from = SocketAddr::new(ip(1), 5);
    let connection = connection(&mut server, from, Time::ZERO);
    let scrape = UdpRequest::Scrape { connection, transaction: 2, info_hashes: vec![HASH; 9] };
    let is_served = |server: &mut TrackerServer, from: SocketAddr, now| {
        let answer = server.answer_udp(from, &scrape.encode(), now).expect("an answer");
        let answer = UdpResponse::decode(&answer, Family::V4).expect("a response");
        matches!(answer, UdpResponse::Scrape { .. })
    };
    assert!(is_served(&mut server, from, seconds(120)));
    // A router may give the client another port.
    assert!(is_served(&mut server, SocketAddr::new(ip(1), 6), seconds(120)));
    assert!(!is_served(&mut server, SocketAddr::new(ip(2), 5), seconds(1)));
    assert!(!is_served(&mut server, from, seconds(181)));
}

#[test]
fn an_answer_over_udp_fits_one_packet_however_many_peers_are_wanted() {
    let limits = ServerLimits { peers_max: 2000, answer_peers_max: 1000, ..SMALL };
    let mut server = limited(limits);
    let v6 = |number: u16| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, number, 0, 0, 0, 1));
    for number in 0..500 {
        let peer = announce(number, 9, Event::Started);
        http(&mut server, ip(number), &peer, Time::ZERO).expect("an answer");
        http(&mut server, v6(number as u16), &peer, Time::ZERO).expect("an answer");
    }
    for (from, peers) in [(ip(9000), 230), (v6(9000), 76)] {
        let from = SocketAddr::new(from, 5);
        let connection = connection(&mut server, from, Time::ZERO);
        let announce = Announce { peers_wanted: 1000, ..announce(9000, 9, Event::Started) };
        let packet =
            UdpRequest::Announce { connection, transaction: 1, announce, url_data: vec![] };
        let answer = server.answer_udp(from, &packet.encode(), Time::ZERO).expect("an answer");
        assert!(answer.len() <= UDP_ANSWER_BYTES_MAX, "{}", answer.len());
        match UdpResponse::decode(&answer, Family::of(from.ip())) {
            Ok(UdpResponse::Announce { peers: given, .. }) => assert_eq!(given.len(), peers),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn one_sender_takes_its_own_places_and_nobody_elses() {
    let mut server = limited(SMALL);
    http(&mut server, ip(2), &announce(1, 0, Event::Started), Time::ZERO).expect("an answer");
    let mut refusals = 0;
    for torrent in 0..30 {
        for port in 1..=20 {
            let mut peer = announce(1000 + u32::from(port), 9, Event::Started);
            peer.info_hash = InfoHash([torrent; 20]);
            peer.port = port;
            peer.key = 0;
            let now = seconds(u64::from(torrent));
            refusals += u32::from(http(&mut server, ip(1), &peer, now).is_err());
        }
    }
    let figures = server.figures();
    assert_eq!(figures.peers, 31, "30 of the sender, and the one that was there");
    assert!(figures.torrents <= SMALL.torrents_max && refusals > 0);
    let found = http(&mut server, ip(3), &announce(3, 9, Event::Started), seconds(40));
    assert_eq!(found.expect("an answer").peers, [SocketAddr::new(ip(2), 6881)]);
}

#[test]
fn a_hurried_client_over_http_is_told_to_wait_and_over_udp_hears_nothing() {
    let limits = ServerLimits { query_rate: Rate { per_second: 1, burst: 3 }, ..SMALL };
    let mut server = limited(limits);
    let peer = announce(1, 9, Event::Periodic);
    (0..3).for_each(|_| drop(http(&mut server, ip(1), &peer, Time::ZERO).expect("an answer")));
    let refused = http(&mut server, ip(1), &peer, Time::ZERO);
    let minute = Some(Retry::After(Duration::from_secs(60)));
    assert!(matches!(&refused, Err(TrackerFault::Refused { retry, .. }) if *retry == minute));
    let from = SocketAddr::new(ip(1), 5);
    let connection = connection(&mut server, from, Time::ZERO);
    let scrape = UdpRequest::Scrape { connection, transaction: 2, info_hashes: vec![HASH] };
    assert_eq!(server.answer_udp(from, &scrape.encode(), Time::ZERO), None);
    assert!(http(&mut server, ip(2), &peer, Time::ZERO).is_ok(), "others are served");
    assert!(http(&mut server, ip(1), &peer, seconds(1)).is_ok(), "and so is it, later");
    assert_eq!(server.figures().limited, 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_the_bounds_hold_and_the_accounts_balance(
        seed: u64,
        strangers in 1_u32..40,
        steps in 1_usize..400,
    ) {
        let (mut server, mut rng, mut now) = (limited(SMALL), Rng::new(seed), Time::ZERO);
        let events =
            [Event::Started, Event::Periodic, Event::Completed, Event::Stopped, Event::Paused];
        for _ in 0..steps {
            now += Duration::from_millis(rng.below(60_000));
            let from = SocketAddr::new(ip(rng.below(strangers.into()) as u32), 9);
            let event = events[rng.below(5) as usize];
            let mut peer = announce(rng.below(9) as u32, rng.below(2), event);
            peer.port = rng.below(9) as u16;
            peer.info_hash = InfoHash([rng.below(30) as u8; 20]);
            if rng.chance(1, 2) {
                let _ = server.answer_http(from, &target(&peer), now);
            } else {
                let connection = server.connections.give(from.ip(), now);
                let (transaction, url_data) = (1, vec![]);
                let request =
                    UdpRequest::Announce { connection, transaction, announce: peer, url_data };
                let answer = server.answer_udp(from, &request.encode(), now).unwrap_or_default();
                prop_assert!(answer.len() <= UDP_ANSWER_BYTES_MAX);
            }
            server.handle_timeout(now);
            prop_assert!(server.roster.is_balanced());
        }
    }

    #[test]
    fn arbitrary_packets_are_no_reason_to_panic_or_to_answer_at_length(
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20),
    ) {
        let mut server = limited(SMALL);
        let from = SocketAddr::new(ip(1), 9);
        for packet in packets {
            let answer = server.answer_udp(from, &packet, Time::ZERO).unwrap_or_default();
            prop_assert!(answer.len() <= packet.len().min(PACKET_BYTES_MAX));
        }
    }
}
