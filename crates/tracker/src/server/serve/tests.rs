//! Requests of good and bad clients over virtual time, and the bounds that hold whatever they do.

use super::*;
use crate::http::{announce_url, decode_announce, decode_scrape, scrape_url};
use crate::server::{Admission, ServerLimits};
use crate::udp::{UdpAnswer, UdpExchange, UdpPolicy, UdpQuery};
use crate::{TrackerFault, TrackerUrl};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

mod floods;

const HASH: InfoHash = InfoHash([b'h'; 20]);
const OTHER: InfoHash = InfoHash([b'o'; 20]);

fn server(admission: Admission) -> TrackerServer {
    TrackerServer::new(ServerConfig::new(admission), [3; 32], Rng::new(5))
}

fn listed() -> TrackerServer {
    server(Admission::Listed(BTreeSet::from([HASH])))
}

fn limited(limits: ServerLimits) -> TrackerServer {
    let config = ServerConfig { limits, ..ServerConfig::new(Admission::Open) };
    TrackerServer::new(config, [3; 32], Rng::new(5))
}

const fn seconds(count: u64) -> Time {
    Time::from_micros(count * 1_000_000)
}

/// A public address with this number.
fn ip(number: u32) -> IpAddr {
    Ipv4Addr::from(0x0500_0000 + number).into()
}

fn announce(number: u32, left: u64, event: Event) -> Announce {
    let mut peer_id = [b'p'; 20];
    peer_id[..4].copy_from_slice(&number.to_be_bytes());
    Announce {
        info_hash: HASH,
        peer_id: PeerId(peer_id),
        port: 6881,
        uploaded: 0,
        downloaded: 0,
        left,
        event,
        peers_wanted: 50,
        key: number + 1,
        tracker_id: None,
        ipv4: None,
        ipv6: None,
    }
}

/// Path and query of what our client would get for this announce.
fn target(announce: &Announce) -> Vec<u8> {
    let base: TrackerUrl = "http://t/announce".parse().expect("an address");
    announce_url(&base, announce).strip_prefix("http://t").expect("the base").as_bytes().to_vec()
}

fn http(
    server: &mut TrackerServer,
    from: IpAddr,
    announce: &Announce,
    now: Time,
) -> Result<AnnounceAnswer, TrackerFault> {
    let answer = server.answer_http(SocketAddr::new(from, 40_000), &target(announce), now);
    assert_eq!(answer.status, 200);
    decode_announce(&answer.body)
}

/// Lets our client's exchange talk to the server.
fn udp(
    server: &mut TrackerServer,
    from: IpAddr,
    query: UdpQuery,
    now: Time,
) -> Result<UdpAnswer, TrackerFault> {
    let rng = Rng::new(u64::from(from.is_ipv6()));
    let mut exchange = UdpExchange::new(query, Family::of(from), UdpPolicy::default(), None, rng);
    for _ in 0..9 {
        while let Some(packet) = exchange.poll_transmit(now) {
            let answer = server.answer_udp(SocketAddr::new(from, 50_000), &packet, now);
            exchange.handle(&answer.expect("an answer"), now);
        }
        if let Some(outcome) = exchange.take_outcome() {
            return outcome;
        }
    }
    panic!("no outcome");
}

fn udp_announce(
    server: &mut TrackerServer,
    from: IpAddr,
    announce: &Announce,
    now: Time,
) -> Result<AnnounceAnswer, TrackerFault> {
    let query = UdpQuery::Announce { announce: announce.clone(), url_data: b"/x".to_vec() };
    match udp(server, from, query, now)? {
        UdpAnswer::Announce(answer) => Ok(answer),
        UdpAnswer::Scrape(_) => panic!("a scrape"),
    }
}

#[test]
fn a_seed_over_http_and_a_leecher_over_udp_find_each_other() {
    let mut server = listed();
    let seed = http(&mut server, ip(1), &announce(1, 0, Event::Started), Time::ZERO);
    let seed = seed.expect("an answer");
    assert_eq!((seed.complete, seed.incomplete), (Some(1), Some(0)));
    assert_eq!((seed.peers, seed.external_ip), (vec![], Some(ip(1))));
    assert_eq!(seed.interval, Some(Duration::from_secs(1800)));

    let leecher = udp_announce(&mut server, ip(2), &announce(2, 9, Event::Started), Time::ZERO);
    let leecher = leecher.expect("an answer");
    assert_eq!((leecher.complete, leecher.incomplete), (Some(1), Some(1)));
    assert_eq!(leecher.peers, [SocketAddr::new(ip(1), 6881)]);
    assert_eq!(leecher.interval, Some(Duration::from_secs(1800)));

    let again = http(&mut server, ip(1), &announce(1, 0, Event::Periodic), seconds(60));
    assert_eq!(again.expect("an answer").peers, [SocketAddr::new(ip(2), 6881)]);
    let done = udp_announce(&mut server, ip(2), &announce(2, 0, Event::Completed), seconds(61));
    assert_eq!(done.expect("an answer").peers, [], "seeds are not given to seeds");

    let counts = ScrapeCounts { complete: 2, downloaded: 1, incomplete: 0 };
    let scraped = udp(&mut server, ip(3), UdpQuery::Scrape(vec![OTHER, HASH]), seconds(62));
    assert_eq!(scraped, Ok(UdpAnswer::Scrape(vec![ScrapeCounts::default(), counts])));
    let base: TrackerUrl = "http://t/announce".parse().expect("an address");
    let url = scrape_url(&base, &[OTHER, HASH]).expect("a scrape address");
    let path = url.strip_prefix("http://t").expect("the base");
    let body = server.answer_http((ip(3), 1).into(), path.as_bytes(), seconds(62)).body;
    assert_eq!(decode_scrape(&body, &[OTHER, HASH]), Ok(vec![None, Some(counts)]));

    let figures = server.figures();
    assert_eq!((figures.http_announces, figures.udp_announces, figures.scrapes), (2, 2, 2));
    assert_eq!((figures.torrents, figures.peers, figures.seeds), (1, 2, 2));
}

#[test]
fn a_torrent_that_is_not_listed_is_refused_for_good_unless_the_tracker_is_open() {
    let other = Announce { info_hash: OTHER, ..announce(1, 9, Event::Started) };
    let refused = TrackerFault::Refused {
        reason: "this tracker does not serve this torrent".into(),
        retry: Some(Retry::Never),
    };
    assert_eq!(http(&mut listed(), ip(1), &other, Time::ZERO), Err(refused));
    let refused = udp_announce(&mut listed(), ip(1), &other, Time::ZERO);
    assert!(matches!(refused, Err(TrackerFault::Refused { .. })), "{refused:?}");
    assert!(http(&mut server(Admission::Open), ip(1), &other, Time::ZERO).is_ok());
}

#[test]
fn a_peer_that_stops_or_falls_silent_is_given_to_nobody() {
    let mut server = listed();
    let ask = |server: &mut TrackerServer, now| {
        let answer = http(server, ip(9), &announce(9, 9, Event::Periodic), now);
        answer.expect("an answer").peers.len()
    };
    for number in 1..=3 {
        let started = announce(number, 9, Event::Started);
        http(&mut server, ip(number), &started, Time::ZERO).expect("an answer");
    }
    assert_eq!(ask(&mut server, seconds(1)), 3);
    let stopped = http(&mut server, ip(1), &announce(1, 9, Event::Stopped), seconds(2));
    assert_eq!(stopped.expect("an answer").peers, []);
    assert_eq!(ask(&mut server, seconds(3)), 2);
    // One announce may be lost, but not two.
    http(&mut server, ip(2), &announce(2, 9, Event::Periodic), seconds(1800)).expect("an answer");
    assert_eq!(ask(&mut server, seconds(3599)), 2);
    assert_eq!(ask(&mut server, seconds(3611)), 1);
    // Nobody asks any more, and the memory is given back all the same.
    assert!(server.poll_timeout() <= seconds(9000));
    server.handle_timeout(seconds(9000));
    assert_eq!((server.figures().peers, server.figures().torrents), (0, 0));
    assert!(server.roster.is_balanced());
}

#[test]
fn a_partial_seed_is_given_leechers_only_and_counts_as_one() {
    let mut server = listed();
    for (number, left, event) in
        [(1, 0, Event::Started), (2, 9, Event::Paused), (3, 9, Event::Started)]
    {
        http(&mut server, ip(number), &announce(number, left, event), Time::ZERO)
            .expect("an answer");
    }
    let given = http(&mut server, ip(2), &announce(2, 9, Event::Paused), Time::ZERO);
    assert_eq!(given.expect("an answer").peers, [SocketAddr::new(ip(3), 6881)]);
    let given = http(&mut server, ip(3), &announce(3, 9, Event::Periodic), Time::ZERO);
    assert_eq!(given.expect("an answer").peers.len(), 2);
}

#[test]
fn an_address_claimed_from_a_local_network_counts_and_from_elsewhere_it_does_not() {
    let claim = Ipv4Addr::new(203, 0, 113, 9);
    let given_after = |from: IpAddr, claim: Option<Ipv4Addr>| {
        let mut server = listed();
        let claiming = Announce { ipv4: claim, ..announce(1, 0, Event::Started) };
        http(&mut server, from, &claiming, Time::ZERO).expect("an answer");
        let given = http(&mut server, ip(2), &announce(2, 9, Event::Started), Time::ZERO);
        given.expect("an answer").peers[0].ip()
    };
    let home = IpAddr::from([192, 168, 1, 7]);
    assert_eq!(given_after(home, Some(claim)), claim);
    assert_eq!(given_after(home, None), home);
    assert_eq!(given_after(home, Some([127, 0, 0, 1].into())), home);
    assert_eq!(given_after(ip(1), Some(claim)), ip(1));
}

#[test]
fn both_families_are_given_over_http_and_one_over_udp() {
    let mut server = listed();
    let v6 = |number: u16| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, number, 0, 0, 0, 0, 1));
    for number in 1..=2_u16 {
        let seed = announce(number.into(), 0, Event::Started);
        http(&mut server, ip(number.into()), &seed, Time::ZERO).expect("an answer");
        udp_announce(&mut server, v6(number), &seed, Time::ZERO).expect("an answer");
    }
    let leecher = announce(9, 9, Event::Started);
    let peers = |answer: Result<AnnounceAnswer, _>| answer.expect("an answer").peers;
    assert_eq!(peers(http(&mut server, ip(9), &leecher, Time::ZERO)).len(), 4);
    let over_v4 = peers(udp_announce(&mut server, ip(9), &leecher, Time::ZERO));
    assert!(over_v4.len() == 2 && over_v4.iter().all(SocketAddr::is_ipv4), "{over_v4:?}");
    let over_v6 = peers(udp_announce(&mut server, v6(9), &leecher, Time::ZERO));
    assert!(over_v6.len() == 2 && over_v6.iter().all(SocketAddr::is_ipv6), "{over_v6:?}");
}

#[test]
fn a_client_that_wants_dictionaries_gets_them_with_ids_or_without() {
    let mut server = listed();
    http(&mut server, ip(1), &announce(1, 0, Event::Started), Time::ZERO).expect("an answer");
    let asked = String::from_utf8(target(&announce(2, 9, Event::Started))).expect("ASCII");
    let mut ask = |from: &str, to: &str| {
        let target = asked.replace(from, to);
        server.answer_http((ip(2), 1).into(), target.as_bytes(), Time::ZERO).body
    };
    let has_id = |body: &[u8]| body.windows(7).any(|part| part == b"peer id");
    let body = ask("compact=1&no_peer_id=1", "compact=0");
    assert!(has_id(&body));
    let peers = decode_announce(&body).expect("a body").peers;
    assert_eq!(peers, [SocketAddr::new(ip(1), 6881)]);
    assert!(!has_id(&ask("compact=1", "compact=0")));
    assert!(!has_id(&ask("no_peer_id=1", "no_peer_id=0")), "bytes have no place for ids");
}

#[test]
fn a_peer_that_moves_does_not_stand_twice() {
    let mut server = listed();
    let peer = announce(1, 0, Event::Started);
    http(&mut server, ip(1), &peer, Time::ZERO).expect("an answer");
    http(&mut server, ip(2), &peer, Time::ZERO).expect("an answer");
    assert_eq!(server.figures().peers, 1);
    // The same id with another key is somebody else.
    let thief = Announce { key: 77, ..peer };
    http(&mut server, ip(3), &thief, Time::ZERO).expect("an answer");
    assert_eq!(server.figures().peers, 2);
}

#[test]
fn what_is_no_query_is_told_what_lacks_and_other_paths_are_not_found() {
    let mut server = listed();
    let mut get = |path: &[u8]| server.answer_http((ip(1), 1).into(), path, Time::ZERO);
    assert_eq!(get(b"/").status, 404);
    assert_eq!(get(b"/stats").status, 404);
    let fault = decode_announce(&get(b"/announce?port=1").body);
    let reason = "the query needs info_hash as 20 bytes".to_owned();
    assert_eq!(fault, Err(TrackerFault::Refused { reason, retry: None }));
}
