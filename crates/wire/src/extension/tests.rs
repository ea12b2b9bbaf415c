//! The payloads printed in the BEPs, what other clients get wrong, and round trips.

use super::*;
use crate::extension::PexFlags;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

fn decode(extension: Extension, payload: &[u8]) -> Result<Option<ExtensionMessage<'_>>, WireFault> {
    ExtensionMessage::decode(extension.our_id(), payload)
}

#[test]
fn the_handshake_of_bep_10_is_read() {
    let payload = b"d1:md11:LT_metadatai1e6:ut_pexi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e";
    let handshake = ExtensionHandshake::decode(payload).expect("a handshake");
    assert_eq!(handshake.ids.get(Extension::Pex), Some(2));
    assert_eq!(handshake.ids.get(Extension::Metadata), None);
    assert_eq!(handshake.listen_port, Some(6881));
    assert_eq!(handshake.client.as_deref(), Some("\u{b5}Torrent 1.2"));
}

#[test]
fn what_libtorrent_sends_is_read_whole() {
    let payload = b"d12:complete_agoi5e4:ipv616:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\
        1:md11:lt_donthavei7e10:share_modei8e11:upload_onlyi3e12:ut_holepunchi4e\
        11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei31235e1:pi6881e4:reqqi500e\
        11:upload_onlyi1e1:v17:libtorrent/2.0.116:yourip4:\x7f\0\0\x01e";
    let ids = [Some(2), Some(1), Some(7), Some(3), None];
    let handshake = ExtensionHandshake::decode(payload).expect("a handshake");
    assert_eq!(Extension::ALL.map(|extension| handshake.ids.get(extension)), ids);
    assert_eq!(handshake.requests_max, Some(500));
    assert_eq!(handshake.metadata_bytes, Some(31_235));
    assert_eq!(handshake.your_ip, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    assert_eq!(handshake.ipv6, Some("2001:db8::1".parse().expect("an address")));
    assert!(handshake.upload_only);
}

#[test]
fn useless_fields_count_as_not_sent() {
    let payload = b"d4:ipv43:abc1:mle13:metadata_sizei67108865e1:pi65536e4:reqqi-1e\
        11:upload_only1:11:vi1e6:yourip5:abcdee";
    assert_eq!(ExtensionHandshake::decode(payload), Ok(ExtensionHandshake::default()));
    let zero = b"d1:md6:ut_pexi256ee13:metadata_sizei0e1:pi0e11:upload_onlyi0ee";
    assert_eq!(ExtensionHandshake::decode(zero), Ok(ExtensionHandshake::default()));
}

#[test]
fn a_client_name_cannot_steer_a_terminal_or_fill_it() {
    let payload = encode_client(&[b"evil\x1b[2J".as_slice(), &[b'x'; 500]].concat());
    let client = ExtensionHandshake::decode(&payload).expect("a handshake").client;
    assert_eq!(client.map(|name| (name.contains('\x1b'), name.len())), Some((false, 63)));
}

#[test]
fn a_client_name_that_is_no_utf_8_stays_within_its_limit() {
    let payload = encode_client(&[0xff; 64]);
    let client = ExtensionHandshake::decode(&payload).expect("a handshake").client;
    assert_eq!(client.map(|name| name.len()), Some(63));
}

fn encode_client(name: &[u8]) -> Vec<u8> {
    piecework_bencode::encode_dict(|dict| dict.bytes("v", name))
}

#[test]
fn a_later_handshake_changes_only_what_it_mentions() {
    let read = |payload: &[u8]| ExtensionHandshake::decode(payload).expect("a handshake").ids;
    let mut ids = read(b"d1:md11:ut_metadatai3e6:ut_pexi1eee");
    ids.update(&read(b"d1:md6:ut_pexi0eee"));
    assert_eq!(ids.get(Extension::Pex), None);
    assert_eq!(ids.get(Extension::Metadata), Some(3));
    ids.update(&read(b"d1:md6:ut_pexi9eee"));
    assert_eq!(ids.get(Extension::Pex), Some(9));
}

#[test]
fn an_extension_that_is_not_allowed_is_switched_off_by_name() {
    let ids = ExtensionIds::ours(|extension| !matches!(extension, Extension::Pex | Extension::Pay));
    let handshake = ExtensionHandshake { ids, ..ExtensionHandshake::default() };
    let expected = b"d1:md11:lt_donthavei3e11:upload_onlyi4e11:ut_metadatai1e6:ut_pexi0eee";
    assert_eq!(handshake.encode(), expected);
}

#[test]
fn payments_are_not_mentioned_unless_they_are_on_or_go_off() {
    let named = |ids| {
        let handshake = ExtensionHandshake { ids, ..ExtensionHandshake::default() };
        let bytes = handshake.encode();
        bytes.windows(10).find(|window| window.starts_with(b"pw_payi")).map(<[u8]>::to_vec)
    };
    let off = ExtensionIds::ours(|extension| extension != Extension::Pay);
    assert_eq!(named(off), None);
    assert_eq!(named(ExtensionIds::ours(|_| true)).as_deref(), Some(&b"pw_payi5e1"[..]));
    assert_eq!(named(off.without(Extension::Pay)).as_deref(), Some(&b"pw_payi0e1"[..]));
}

#[test]
fn a_message_about_payments_is_carried_unread_unless_it_is_too_long() {
    let long = [b'x'; PAY_BYTES_MAX + 1];
    assert_eq!(ExtensionMessage::decode(5, b"xyz"), Ok(Some(ExtensionMessage::Pay(b"xyz"))));
    assert_eq!(ExtensionMessage::decode(5, &long), Ok(None));
    assert_eq!(ExtensionMessage::Pay(b"xyz").encode(), b"xyz");
}

#[test]
fn the_messages_of_bep_9_have_the_bytes_printed_there() {
    let request = MetadataMessage::Request { block: 0 };
    assert_eq!(request.encode(), b"d8:msg_typei0e5:piecei0ee");
    let reject = MetadataMessage::Reject { block: 0 };
    assert_eq!(reject.encode(), b"d8:msg_typei2e5:piecei0ee");
    let data = [b'x'; 34_256 - 2 * METADATA_BLOCK_BYTES];
    let message = MetadataMessage::Data { block: 2, total_bytes: 34_256, data: &data };
    let expected = [b"d8:msg_typei1e5:piecei2e10:total_sizei34256ee".as_slice(), &data].concat();
    assert_eq!(message.encode(), expected);
    for message in [request, reject, message] {
        let payload = message.encode();
        assert_eq!(MetadataMessage::decode(&payload), Ok(Some(message)));
    }
}

#[test]
fn a_metadata_block_has_exactly_its_bytes() {
    let payload = |block: u32, total: u64, bytes: usize| {
        let head = format!("d8:msg_typei1e5:piecei{block}e10:total_sizei{total}ee");
        [head.into_bytes(), vec![0; bytes]].concat()
    };
    for (block, total, bytes, is_right) in [
        (0, 16_384, 16_384, true),
        (0, 16_385, 16_384, true),
        (1, 16_385, 1, true),
        (1, 16_385, 2, false),
        (1, 16_384, 0, false),
        (0, 0, 0, false),
        (4095, 64 << 20, 16_384, true),
        (0, (64 << 20) + 1, 16_384, false),
        (u32::MAX, u64::MAX, 0, false),
    ] {
        let decoded = MetadataMessage::decode(&payload(block, total, bytes)).is_ok();
        assert_eq!(decoded, is_right, "block {block} of {total} with {bytes}");
    }
}

#[test]
fn a_metadata_message_of_an_undefined_type_is_ignored() {
    assert_eq!(decode(Extension::Metadata, b"d8:msg_typei3ee"), Ok(None));
    let fault = decode(Extension::Metadata, b"d8:msg_typei0ee");
    assert!(matches!(fault, Err(WireFault::Field { key: "piece", .. })));
    let fault = decode(Extension::Metadata, b"d8:msg_typei0e5:piecei4096ee");
    assert!(matches!(fault, Err(WireFault::Field { key: "piece", .. })));
    assert!(matches!(decode(Extension::Metadata, b"li0ee"), Err(WireFault::NotDictionary { .. })));
    assert!(matches!(decode(Extension::Metadata, b"nonsense"), Err(WireFault::Bencode { .. })));
}

#[test]
fn peers_are_exchanged_in_the_form_of_bep_11() {
    let pex = Pex {
        added: vec![
            PexPeer {
                address: ([1, 2, 3, 4], 6881).into(),
                flags: PexFlags::SEED.with(PexFlags::REACHABLE),
            },
            PexPeer { address: (Ipv6Addr::LOCALHOST, 80).into(), flags: PexFlags::UTP },
        ],
        dropped: vec![([5, 6, 7, 8], 1).into()],
    };
    let payload = b"d5:added6:\x01\x02\x03\x04\x1a\xe17:added.f1:\x126:added6\
        18:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x508:added6.f1:\x04\
        7:dropped6:\x05\x06\x07\x08\0\x018:dropped60:e";
    assert_eq!(pex.encode(), payload);
    assert_eq!(Pex::decode(payload), Ok(pex));
    assert!(PexFlags(0x12).has(PexFlags::SEED) && !PexFlags(0x12).has(PexFlags::UTP));
}

#[test]
fn missing_flags_torn_entries_and_port_zero_do_no_harm() {
    let payload = b"d5:added14:\x01\x01\x01\x01\0\0\x02\x02\x02\x02\0\x05zz7:added.f0:e";
    let address = SocketAddr::from(([2, 2, 2, 2], 5));
    let added = vec![PexPeer { address, flags: PexFlags::default() }];
    assert_eq!(Pex::decode(payload), Ok(Pex { added, dropped: vec![] }));
}

#[test]
fn more_peers_than_a_message_may_have_are_ignored() {
    let peers = [1; 6 * 200];
    let payload = piecework_bencode::encode_dict(|dict| {
        for key in ["added", "dropped", "added6", "dropped6"] {
            dict.bytes(key, peers);
        }
    });
    let pex = Pex::decode(&payload).expect("a message");
    assert_eq!((pex.added.len(), pex.dropped.len()), (PEX_PEERS_MAX, PEX_PEERS_MAX));
}

#[test]
fn fixed_size_messages_have_exactly_their_size() {
    let dont_have = decode(Extension::DontHave, &[0, 0, 1, 2]);
    assert_eq!(dont_have, Ok(Some(ExtensionMessage::DontHave(258))));
    let upload_only = decode(Extension::UploadOnly, &[1]);
    assert_eq!(upload_only, Ok(Some(ExtensionMessage::UploadOnly(true))));
    let fault =
        WireFault::ExtensionSize { extension: "lt_donthave", expected_bytes: 4, got_bytes: 3 };
    assert_eq!(decode(Extension::DontHave, &[0, 0, 1]), Err(fault));
    assert!(decode(Extension::UploadOnly, &[]).is_err());
}

#[test]
fn ids_that_are_none_of_ours_are_ignored() {
    assert_eq!(ExtensionMessage::decode(6, b"whatever"), Ok(None));
    assert_eq!(ExtensionMessage::decode(255, b""), Ok(None));
}

fn any_handshake() -> impl Strategy<Value = ExtensionHandshake> {
    let ids = any::<u8>()
        .prop_map(|bits| ExtensionIds::ours(|extension| bits & (1 << extension.our_id()) != 0));
    let client = prop::option::of("[a-zA-Z0-9/. ]{0,64}");
    let numbers = (
        any::<Option<u32>>(),
        prop::option::of(1..=METADATA_BYTES_MAX as u32),
        prop::option::of(1_u16..),
    );
    let addresses = any::<(Option<IpAddr>, Option<Ipv4Addr>, Option<Ipv6Addr>)>();
    (ids, client, numbers, addresses, any::<[bool; 2]>()).prop_map(
        |(ids, client, numbers, addresses, flags)| ExtensionHandshake {
            ids,
            client,
            requests_max: numbers.0,
            metadata_bytes: numbers.1,
            listen_port: numbers.2,
            your_ip: addresses.0,
            ipv4: addresses.1,
            ipv6: addresses.2,
            prefers_encryption: flags[0],
            upload_only: flags[1],
        },
    )
}

proptest! {
    #[test]
    fn handshakes_survive_the_wire(handshake in any_handshake()) {
        prop_assert_eq!(ExtensionHandshake::decode(&handshake.encode()), Ok(handshake));
    }

    #[test]
    fn exchanged_peers_survive_the_wire(
        v4 in prop::collection::vec((any::<u32>(), 1_u16.., any::<u8>()), 0..25),
        v6 in prop::collection::vec((any::<u128>(), 1_u16.., any::<u8>()), 0..25),
    ) {
        let v4 = v4.into_iter().map(|(ip, port, flags)| PexPeer {
            address: (Ipv4Addr::from(ip), port).into(),
            flags: PexFlags(flags),
        });
        let v6 = v6.into_iter().map(|(ip, port, flags)| PexPeer {
            address: (Ipv6Addr::from(ip), port).into(),
            flags: PexFlags(flags),
        });
        let added: Vec<PexPeer> = v4.chain(v6).collect();
        let dropped = added.iter().map(|peer| peer.address).collect();
        let pex = Pex { added, dropped };
        prop_assert_eq!(Pex::decode(&pex.encode()), Ok(pex));
    }

    #[test]
    fn arbitrary_payloads_are_no_reason_to_panic(
        id in 0_u8..6,
        text in "d(1:m|1:v|5:added|8:msg_type|5:piece|[0-4]:[a-z]{0,4}|i-?[0-9]{1,20}e|d|l|e){0,20}",
        bytes in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        for payload in [text.as_bytes(), &bytes] {
            if let Ok(Some(message)) = ExtensionMessage::decode(id, payload) {
                let again = message.encode();
                prop_assert_eq!(ExtensionMessage::decode(id, &again), Ok(Some(message)));
            }
        }
    }
}
