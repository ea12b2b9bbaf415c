//! Queries as clients send them, queries that lack something, and any bytes at all.

use super::*;
use crate::http::{announce_url, decode_scrape, scrape_url};
use crate::{TrackerFault, TrackerUrl};
use proptest::prelude::*;
use std::time::Duration;

/// What an old client sends: RFC 1738 lets it leave many bytes as they are.
const OLD: &[u8] = b"/announce?info_hash=aaaaaaaaaaaaaaaaaaa+&peer_id=-XX0001-(.!~*')$%00%Ff%z\
    &port=6881&uploaded=0&downloaded=0&left=10&event=started&key=Ab!";

fn announce_of(target: &[u8]) -> HttpAnnounce {
    match decode_query(target) {
        Ok(HttpQuery::Announce(announce)) => announce,
        other => panic!("{:?}: {other:?}", target.escape_ascii().to_string()),
    }
}

fn target(url: &str) -> &[u8] {
    url.strip_prefix("http://t").expect("the base in front").as_bytes()
}

fn base() -> TrackerUrl {
    "http://t/announce".parse().expect("an address")
}

#[test]
fn what_an_old_client_leaves_unescaped_is_read_as_it_stands() {
    let HttpAnnounce { announce, is_compact, wants_peer_ids } = announce_of(OLD);
    assert_eq!(announce.info_hash, InfoHash(*b"aaaaaaaaaaaaaaaaaaa+"));
    assert_eq!(announce.peer_id, PeerId(*b"-XX0001-(.!~*')$\0\xff%z"));
    assert_eq!((announce.port, announce.left, announce.event), (6881, 10, Event::Started));
    assert_eq!(announce.peers_wanted, crate::PEERS_WANTED);
    assert_ne!(announce.key, 0);
    assert!(is_compact && wants_peer_ids);
}

#[test]
fn an_address_is_read_with_and_without_a_port() {
    let with = |more: &str| announce_of(&[OLD, more.as_bytes()].concat()).announce;
    let v4 = Some("203.0.113.9".parse().expect("an address"));
    let v6 = Some("2001:db8::9".parse().expect("an address"));
    assert_eq!(with("&ip=203.0.113.9").ipv4, v4);
    assert_eq!(with("&ipv4=203.0.113.9%3A80&ip=1.1.1.1").ipv4, v4);
    assert_eq!(with("&ipv6=%5B2001%3Adb8%3A%3A9%5D:80").ipv6, v6);
    assert_eq!(with("&ip=2001:db8::9").ipv6, v6);
    assert_eq!(with("&ip=tracker.example&ipv6=%ff").ipv6, None);
}

#[test]
fn what_an_announce_needs_is_named_when_it_lacks() {
    let twenty = "20 bytes";
    let text = String::from_utf8(OLD.to_vec()).expect("ASCII");
    for (whole, broken, expected) in [
        ("info_hash=aaaaaaaaaaaaaaaaaaa+", "info_hash=short", lacks("info_hash", twenty)),
        ("info_hash=", "hash=", lacks("info_hash", twenty)),
        ("peer_id=-", "peer_id=", lacks("peer_id", twenty)),
        ("port=6881", "port=0", lacks("port", "a number from 1 to 65535")),
        ("port=6881", "port=65536", lacks("port", "a number from 1 to 65535")),
        ("&left=10", "", lacks("left", "a number")),
        ("left=10", "left=-1", lacks("left", "a number")),
        ("/announce", "/", QueryFault::Path),
        ("/announce", "/announce/", QueryFault::Path),
    ] {
        assert!(text.contains(whole), "{whole}");
        assert_eq!(decode_query(text.replacen(whole, broken, 1).as_bytes()), Err(expected));
    }
    assert_eq!(decode_query(b"/scrape"), Err(lacks("info_hash", twenty)), "no full scrape");
    assert_eq!(decode_query(b""), Err(QueryFault::Path));
}

#[test]
fn a_long_query_and_one_of_many_parameters_are_refused() {
    let long = [b"/announce?".to_vec(), vec![b'a'; TARGET_BYTES_MAX]].concat();
    assert_eq!(decode_query(&long), Err(QueryFault::TooLong));
    let many = [b"/announce?".to_vec(), b"a&".repeat(PARAMETERS_MAX + 1)].concat();
    assert_eq!(decode_query(&many), Err(QueryFault::TooLong));
}

#[test]
fn a_full_scrape_of_our_client_fits_and_comes_back() {
    let hashes: Vec<_> = (0..SCRAPE_MAX as u8).map(|n| InfoHash([0xf0 ^ n; 20])).collect();
    let url = scrape_url(&base(), &hashes).expect("an address that scrapes");
    assert_eq!(decode_query(target(&url)), Ok(HttpQuery::Scrape(hashes.clone())));
    let counts = |n: u32| ScrapeCounts { complete: n, downloaded: 2 * n, incomplete: 3 };
    let told: Vec<_> = hashes.iter().zip(0..).map(|(hash, n)| (*hash, counts(n), 1)).collect();
    let body = encode_scrape(&told);
    assert!(body.windows(14).any(|part| part == b"11:downloaders" || part == b":downloadersi2"));
    let read = decode_scrape(&body, &hashes).expect("a body of ours");
    assert_eq!(read, (0..SCRAPE_MAX as u32).map(|n| Some(counts(n))).collect::<Vec<_>>());
}

#[test]
fn a_refusal_says_when_to_come_back_as_our_client_reads_it() {
    for (retry, read) in [
        (None, None),
        (Some(Retry::Never), Some(Retry::Never)),
        // In whole minutes, and never earlier than meant.
        (Some(Retry::After(Duration::from_secs(61))), Some(Retry::After(Duration::from_secs(120)))),
    ] {
        let refused = TrackerFault::Refused { reason: "no".into(), retry: read };
        assert_eq!(crate::http::decode_announce(&encode_refusal("no", retry)), Err(refused));
    }
}

proptest! {
    #[test]
    fn our_own_announces_are_read_as_they_were_meant(
        info_hash: [u8; 20], peer_id: [u8; 20], port in 1_u16.., left: u64, key: u32, wanted: u32,
        event in prop::sample::select(vec![
            Event::Periodic, Event::Started, Event::Completed, Event::Paused, Event::Stopped,
        ]),
        v4: Option<[u8; 4]>, v6: Option<[u8; 16]>,
    ) {
        let announce = Announce {
            info_hash: InfoHash(info_hash), peer_id: PeerId(peer_id), port, uploaded: 1, downloaded: 2,
            left, event, peers_wanted: wanted, key, tracker_id: None,
            ipv4: v4.map(Into::into), ipv6: v6.map(Into::into),
        };
        let url = announce_url(&base(), &announce);
        let read = HttpAnnounce { announce, is_compact: true, wants_peer_ids: false };
        prop_assert_eq!(decode_query(target(&url)), Ok(HttpQuery::Announce(read)));
    }

    #[test]
    fn arbitrary_targets_are_no_reason_to_panic(path in "/(announce|scrape)\\?", query: Vec<u8>) {
        let _ = decode_query(&query);
        let _ = decode_query(&[path.as_bytes(), &query].concat());
    }
}
