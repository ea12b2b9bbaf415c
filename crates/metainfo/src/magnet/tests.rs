#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

const HEX: &str = "c12fe1c06bba254a9dc9f519b335aa7c1367a88a";
const V2: &str = "cd31fbbb1f7fcd3d2b6b1ac1dc1bfc49cd31fbbb1f7fcd3d2b6b1ac1dc1bfc49";

fn refusal(link: &str) -> MagnetError {
    link.parse::<Magnet>().unwrap_err()
}

#[test]
fn reads_every_parameter() {
    let link = format!(
        "magnet:?xt=urn:btih:{HEX}&xt=urn:btmh:1220{V2}&dn=two+words%21&tr=udp%3A%2F%2Fa%3A1\
         &tr.1=http://b/announce&ws=http%3A%2F%2Fc%2F&x.pe=10.0.0.1:6881&x.pe=%5B%3A%3A1%5D:7\
         &so=0,2,4-6&x.unknown=1&novalue"
    );
    let magnet: Magnet = link.parse().unwrap();
    assert_eq!(magnet.info_hashes.v1.unwrap().to_string(), HEX);
    assert_eq!(magnet.info_hashes.v2.unwrap().to_string(), V2);
    assert_eq!(magnet.name.as_deref(), Some("two words!"));
    assert_eq!(magnet.trackers, ["udp://a:1", "http://b/announce"]);
    assert_eq!(magnet.web_seeds, ["http://c/"]);
    let peers: Vec<_> = magnet.peers.iter().map(ToString::to_string).collect();
    assert_eq!(peers, ["10.0.0.1:6881", "[::1]:7"]);
    let chosen: Vec<_> = (0..8).filter(|file| magnet.selects(*file)).collect();
    assert_eq!(chosen, [0, 2, 4, 5, 6]);
}

#[test]
fn base32_and_hex_name_the_same_torrent() {
    // RFC 4648: the base32 form of the bytes of HEX, computed with coreutils' base32.
    let base32 = "YEX6DQDLXISUVHOJ6UM3GNNKPQJWPKEK";
    for text in [base32.to_owned(), base32.to_lowercase(), HEX.to_uppercase()] {
        let magnet: Magnet = format!("MAGNET:?xt=urn:btih:{text}").parse().unwrap();
        assert_eq!(magnet.info_hashes.v1.unwrap().to_string(), HEX, "{text}");
    }
}

#[test]
fn a_link_without_a_selection_wants_every_file() {
    let magnet: Magnet = format!("magnet:?xt=urn:btih:{HEX}").parse().unwrap();
    assert!(magnet.selects(u32::MAX));
}

#[test]
fn says_what_is_wrong_with_a_link() {
    assert_eq!(refusal("http://example.com"), MagnetError::Scheme);
    assert_eq!(refusal("magnet:"), MagnetError::Scheme);
    assert_eq!(refusal("magnet:?"), MagnetError::NoHash);
    assert_eq!(
        refusal("magnet:?xt=urn:sha1:YNCKHTQCWBTRNJIV4WNAE52SJUQCZO5C"),
        MagnetError::NoHash
    );
    assert_eq!(refusal("magnet:?xt=urn:btih:abc"), MagnetError::Btih { got_chars: 3 });
    let wrong_digit = format!("magnet:?xt=urn:btih:{}1", "A".repeat(31));
    assert_eq!(refusal(&wrong_digit), MagnetError::Btih { got_chars: 32 });
    let other_code = format!("magnet:?xt=urn:btmh:1114{V2}");
    assert_eq!(refusal(&other_code), MagnetError::Btmh { got_chars: 68 });
    let two = format!("magnet:?xt=urn:btih:{HEX}&xt=urn:btih:{}", "0".repeat(40));
    assert_eq!(refusal(&two), MagnetError::TwoHashes);
    for got in ["", "x", "3-1", "-1", "1-", "4294967296"] {
        let link = format!("magnet:?xt=urn:btih:{HEX}&so={got}");
        assert_eq!(refusal(&link), MagnetError::Selection { got: got.to_owned() });
    }
    let got_bytes = MAGNET_BYTES_MAX + 1;
    assert_eq!(refusal(&"m".repeat(got_bytes)), MagnetError::TooLong { got_bytes });
}

#[test]
fn addresses_that_cannot_be_used_are_left_out() {
    let link =
        format!("magnet:?xt=urn:btih:{HEX}&tr=ftp://a&ws=udp://b&x.pe=c&x.pe=d:0&x.pe=a:b:1");
    let magnet: Magnet = link.parse().unwrap();
    assert_eq!(magnet, Magnet::new(magnet.info_hashes));
}

fn magnets() -> impl Strategy<Value = Magnet> {
    let hashes = (any::<Option<[u8; 20]>>(), any::<[u8; 32]>(), any::<bool>());
    let peers = prop_oneof![
        any::<[u8; 16]>().prop_map(|ip| Ipv6Addr::from(ip).to_string()),
        "[a-z0-9.-]{1,20}",
    ];
    let peer = (peers, 1_u16..).prop_map(|(host, port)| HostPort::new(&host, port).unwrap());
    let ranges = (any::<u32>(), any::<u32>()).prop_map(|(a, b)| a.min(b)..=a.max(b));
    (
        hashes,
        any::<Option<String>>(),
        prop::collection::btree_set("udp://[a-z]{1,8}:[1-9]/[a-zA-Z0-9%&=+#?]{0,9}", 0..4),
        prop::collection::btree_set("https://[a-z]{1,8}/", 0..3),
        prop::collection::btree_set(peer, 0..4),
        prop::option::of(prop::collection::vec(ranges, 1..4)),
    )
        .prop_map(|((v1, v2, both), name, trackers, web_seeds, peers, select)| Magnet {
            info_hashes: InfoHashes {
                v1: v1.map(Sha1Digest),
                v2: (both || v1.is_none()).then_some(Sha256Digest(v2)),
            },
            name,
            trackers: trackers.into_iter().collect(),
            web_seeds: web_seeds.into_iter().collect(),
            peers: peers.into_iter().collect(),
            select,
        })
}

proptest! {
    #[test]
    fn a_printed_link_parses_to_the_same(magnet in magnets()) {
        prop_assert_eq!(magnet.to_string().parse(), Ok(magnet));
    }

    #[test]
    fn arbitrary_parameters_never_panic(
        text in "([a-z.]{0,4}=?[%0-9a-fA-F:&=,\\-\u{e9}]{0,30}){0,5}",
    ) {
        let _ = format!("magnet:?xt=urn:btih:{HEX}&{text}").parse::<Magnet>();
        let _ = format!("magnet:?xt={text}").parse::<Magnet>();
        let _ = text.parse::<Magnet>();
    }
}
