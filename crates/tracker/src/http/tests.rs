//! URLs as trackers expect them, answers as trackers write them, and hostile bodies.

use super::*;
use crate::announce::PEERS_MAX;
use piecework_types::PeerId;
use proptest::prelude::*;
use std::net::SocketAddr;

fn announce() -> Announce {
    Announce {
        // The example of BEP 3's companion specification for percent-encoding binary.
        info_hash: InfoHash(
            *b"\x12\x34\x56\x78\x9a\xbc\xde\xf1\x23\x45\x67\x89\xab\xcd\xef\x12\x34\x56\x78\x9a",
        ),
        peer_id: PeerId(*b"-PW0100-abc.~_ &=?#/"),
        port: 6881,
        uploaded: 1,
        downloaded: 2,
        left: 3,
        event: Event::Started,
        peers_wanted: 200,
        key: 0xab,
        tracker_id: None,
        ipv4: None,
        ipv6: None,
    }
}

fn base(text: &str) -> TrackerUrl {
    text.parse().expect("a tracker address")
}

#[test]
fn an_announce_url_carries_binary_percent_encoded() {
    let expected = "http://t.example/announce\
        ?info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A\
        &peer_id=-PW0100-abc.~_%20%26%3D%3F%23%2F&port=6881&uploaded=1&downloaded=2&left=3\
        &compact=1&no_peer_id=1&numwant=200&key=000000ab&event=started";
    assert_eq!(announce_url(&base("http://t.example/announce"), &announce()), expected);
}

#[test]
fn a_query_of_the_tracker_stays_in_front() {
    for (address, start) in [
        ("http://t/a?pk=1", "http://t/a?pk=1&info_hash="),
        ("http://t/a?pk=1&", "http://t/a?pk=1&info_hash="),
        ("http://t/a?", "http://t/a?info_hash="),
        ("https://t", "https://t/?info_hash="),
    ] {
        let url = announce_url(&base(address), &announce());
        assert!(url.starts_with(start), "{url}");
    }
}

#[test]
fn optional_parameters_appear_when_there_is_something_to_say() {
    let announce = Announce {
        event: Event::Periodic,
        tracker_id: Some(b"a b".to_vec()),
        ipv4: Some(Ipv4Addr::LOCALHOST),
        ipv6: Some(Ipv6Addr::LOCALHOST),
        ..announce()
    };
    let url = announce_url(&base("http://t/a"), &announce);
    assert!(url.ends_with("&trackerid=a%20b&ipv4=127.0.0.1&ipv6=%3A%3A1"), "{url}");
    assert!(!url.contains("event="), "{url}");
}

#[test]
fn a_partial_seed_is_paused_and_says_what_it_lacks() {
    let announce = Announce { event: Event::Paused, left: 7, ..announce() };
    let url = announce_url(&base("http://t/a"), &announce);
    assert!(url.contains("&left=7&") && url.contains("&event=paused"), "{url}");
}

#[test]
fn a_scrape_url_names_every_torrent() {
    let hashes = [InfoHash([b'a'; 20]), InfoHash([b'b'; 20])];
    let url = scrape_url(&base("http://t/announce?pk=1"), &hashes).expect("it scrapes");
    let (a, b) = ("a".repeat(20), "b".repeat(20));
    assert_eq!(url, format!("http://t/scrape?pk=1&info_hash={a}&info_hash={b}"));
    assert_eq!(scrape_url(&base("http://t/x"), &hashes), None);
}

#[test]
fn a_compact_answer_is_read_whole_although_its_keys_are_unsorted_and_a_line_end_follows() {
    let body =
        b"d8:intervali1800e12:min intervali900e8:completei5e10:downloadedi3e10:incompletei7e\
        11:external ip4:\x01\x02\x03\x045:peers6:\x7f\0\0\x01\x1a\xe1\
        6:peers618:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe210:tracker id3:xyz\
        15:warning message5:helloe\r\n";
    let expected = AnnounceAnswer {
        peers: vec![([127, 0, 0, 1], 6881).into(), (Ipv6Addr::LOCALHOST, 6882).into()],
        interval: Some(Duration::from_secs(1800)),
        min_interval: Some(Duration::from_secs(900)),
        complete: Some(5),
        incomplete: Some(7),
        downloaded: Some(3),
        warning: Some("hello".into()),
        tracker_id: Some(b"xyz".to_vec()),
        external_ip: Some([1, 2, 3, 4].into()),
    };
    assert_eq!(decode_announce(body), Ok(expected));
}

#[test]
fn a_listed_answer_gives_its_addresses_and_skips_names_and_nonsense() {
    let body = b"d5:peersl\
        d2:ip9:127.0.0.17:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti6881ee\
        d2:ip3:::14:porti6882ee\
        d2:ip11:example.org4:porti1ee\
        d2:ip7:1.2.3.44:porti65536ee\
        d2:ip7:1.2.3.44:porti0ee\
        i5e\
        ee";
    let answer = decode_announce(body).expect("an answer");
    let expected: [SocketAddr; 2] =
        [([127, 0, 0, 1], 6881).into(), (Ipv6Addr::LOCALHOST, 6882).into()];
    assert_eq!(answer.peers, expected);
    assert_eq!(answer.interval, None);
}

#[test]
fn a_refusal_is_told_with_the_time_of_the_next_try() {
    let cases: [(&[u8], Option<Retry>); 5] = [
        (b"", None),
        (b"8:retry ini5e", Some(Retry::After(Duration::from_secs(300)))),
        (b"8:retry in2:10", Some(Retry::After(Duration::from_secs(600)))),
        (b"8:retry in5:never", Some(Retry::Never)),
        (b"8:retry ini-1e", None),
    ];
    for (more, retry) in cases {
        let body = [b"d14:failure reason4:no\x1b!".as_slice(), more, b"e"].concat();
        let fault = TrackerFault::Refused { reason: "no !".into(), retry };
        assert_eq!(decode_announce(&body), Err(fault.clone()));
        assert_eq!(decode_scrape(&body, &[]), Err(fault));
    }
}

#[test]
fn lying_numbers_are_cut_and_wrong_types_count_as_not_said() {
    let body = b"d8:completei-5e10:incomplete1:78:intervali18446744073709551615e\
        5:peersi1e6:peers6le10:tracker idi1ee";
    let expected = AnnounceAnswer {
        interval: Some(Duration::from_secs(u32::MAX.into())),
        ..AnnounceAnswer::default()
    };
    assert_eq!(decode_announce(body), Ok(expected));
}

#[test]
fn hostile_bodies_are_bounded() {
    let peers = [1; 6 * 3000];
    let body = encode_dict(|dict| dict.bytes("peers", peers));
    assert_eq!(decode_announce(&body).map(|answer| answer.peers.len()), Ok(PEERS_MAX));

    let long = vec![b'd'; BODY_BYTES_MAX + 1];
    let fault = TrackerFault::TooLong { most_bytes: BODY_BYTES_MAX, got_bytes: long.len() };
    assert_eq!(decode_announce(&long), Err(fault));
    assert!(matches!(decode_announce(&long[1..]), Err(TrackerFault::Bencode(_))));
    assert!(matches!(decode_announce(b"<html>"), Err(TrackerFault::Bencode(_))));
    let fault = TrackerFault::NotDictionary { got: Kind::List };
    assert_eq!(decode_announce(b"le"), Err(fault));
}

#[test]
fn a_scrape_is_read_as_bep_48_shows_it() {
    let (a, b) = (InfoHash([b'a'; 20]), InfoHash([b'b'; 20]));
    let body =
        b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei11e10:downloadedi13772e10:incompletei19eeee";
    let counts = ScrapeCounts { complete: 11, downloaded: 13_772, incomplete: 19 };
    assert_eq!(decode_scrape(body, &[b, a]), Ok(vec![None, Some(counts)]));
    let fault = TrackerFault::Field { key: "files", expected: "a dictionary" };
    assert_eq!(decode_scrape(b"de", &[a]), Err(fault));
}

fn any_answer() -> impl Strategy<Value = AnnounceAnswer> {
    let v4 = prop::collection::vec((1_u32.., 1_u16..), 0..40);
    let v6 = prop::collection::vec((1_u128.., 1_u16..), 0..40);
    let numbers = any::<[Option<u32>; 5]>();
    let tracker_id = prop::option::of(prop::collection::vec(any::<u8>(), 0..40));
    let warning = prop::option::of("[a-z]{0,40}");
    (v4, v6, numbers, tracker_id, warning, any::<Option<IpAddr>>()).prop_map(
        |(v4, v6, numbers, tracker_id, warning, external_ip)| {
            let [interval, min_interval, complete, incomplete, downloaded] = numbers;
            let v4 = v4.into_iter().map(|(ip, port)| (Ipv4Addr::from(ip), port).into());
            let v6 = v6.into_iter().map(|(ip, port)| (Ipv6Addr::from(ip), port).into());
            AnnounceAnswer {
                peers: v4.chain(v6).collect(),
                interval: interval.map(|secs| Duration::from_secs(secs.into())),
                min_interval: min_interval.map(|secs| Duration::from_secs(secs.into())),
                complete,
                incomplete,
                downloaded,
                warning,
                tracker_id,
                external_ip,
            }
        },
    )
}

proptest! {
    #[test]
    fn answers_survive_the_wire(answer in any_answer()) {
        prop_assert_eq!(decode_announce(&encode_announce(&answer)), Ok(answer));
    }

    #[test]
    fn arbitrary_bodies_are_no_reason_to_panic(
        body in "d?([0-4]:[a-z ]{0,4}|i-?[0-9]{1,20}e|l|d|e|5:peers|8:interval){0,20}",
        bytes in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let _ = decode_announce(body.as_bytes());
        let _ = decode_announce(&bytes);
        let _ = decode_scrape(body.as_bytes(), &[InfoHash([0; 20])]);
    }
}
