//! The tables of BEP 15 and BEP 41 byte for byte, hostile packets, and round trips.

use super::*;
use crate::PEERS_WANTED;
use proptest::prelude::*;
use std::net::Ipv6Addr;

fn announce() -> Announce {
    Announce {
        info_hash: InfoHash([0x11; 20]),
        peer_id: PeerId([0x22; 20]),
        port: 6881,
        uploaded: 3,
        downloaded: 1,
        left: 2,
        event: Event::Started,
        peers_wanted: PEERS_WANTED,
        key: 0x0a0b_0c0d,
        tracker_id: None,
        ipv4: None,
        ipv6: None,
    }
}

#[test]
fn requests_have_the_bytes_of_bep_15() {
    let connect = UdpRequest::Connect { transaction: 0x0102_0304 };
    assert_eq!(connect.encode(), *b"\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0\x01\x02\x03\x04");

    let request = UdpRequest::Announce {
        connection: 0x1112_1314_1516_1718,
        transaction: 5,
        announce: announce(),
        url_data: Vec::new(),
    };
    let mut expected = b"\x11\x12\x13\x14\x15\x16\x17\x18\0\0\0\x01\0\0\0\x05".to_vec();
    expected.extend([0x11; 20]);
    expected.extend([0x22; 20]);
    expected.extend(b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03");
    expected.extend(b"\0\0\0\x02\0\0\0\0\x0a\x0b\x0c\x0d\0\0\0\xc8\x1a\xe1");
    assert_eq!(request.encode(), expected);
    assert_eq!(expected.len(), ANNOUNCE_BYTES);

    let info_hashes = vec![InfoHash([7; 20])];
    let scrape = UdpRequest::Scrape { connection: 1, transaction: 2, info_hashes };
    let expected = [b"\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0\x02".as_slice(), &[7; 20]].concat();
    assert_eq!(scrape.encode(), expected);
}

#[test]
fn responses_have_the_bytes_of_bep_15() {
    let connect = UdpResponse::Connect { transaction: 1, connection: 2 };
    assert_eq!(connect.encode(Family::V4), *b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02");

    let bytes = b"\0\0\0\x01\0\0\0\x05\0\0\x07\x08\0\0\0\x03\0\0\0\x04\x7f\0\0\x01\x1a\xe1";
    let answer = UdpResponse::Announce {
        transaction: 5,
        interval: 1800,
        incomplete: 3,
        complete: 4,
        peers: vec![([127, 0, 0, 1], 6881).into()],
    };
    assert_eq!(UdpResponse::decode(bytes, Family::V4), Ok(answer.clone()));
    assert_eq!(answer.encode(Family::V4), bytes);

    let bytes = b"\0\0\0\x02\0\0\0\x05\0\0\0\x01\0\0\0\x02\0\0\0\x03";
    let counts = vec![ScrapeCounts { complete: 1, downloaded: 2, incomplete: 3 }];
    let answer = UdpResponse::Scrape { transaction: 5, counts };
    assert_eq!(UdpResponse::decode(bytes, Family::V4), Ok(answer));

    let refused = UdpResponse::Error { transaction: 9, reason: "go away".into() };
    let bytes = b"\0\0\0\x03\0\0\0\x09go away";
    assert_eq!(UdpResponse::decode(bytes, Family::V6), Ok(refused));
}

#[test]
fn peers_have_18_bytes_when_the_socket_is_ipv6() {
    let mut bytes = b"\0\0\0\x01\0\0\0\x05\0\0\x07\x08\0\0\0\0\0\0\0\x01".to_vec();
    bytes.extend(Ipv6Addr::LOCALHOST.octets());
    bytes.extend([0x1a, 0xe1]);
    let Ok(UdpResponse::Announce { peers, .. }) = UdpResponse::decode(&bytes, Family::V6) else {
        panic!("no announce response");
    };
    assert_eq!(peers, [SocketAddr::from((Ipv6Addr::LOCALHOST, 6881))]);
}

#[test]
fn a_long_path_travels_in_several_url_data_options() {
    let url_data = vec![b'a'; 300];
    let request = UdpRequest::Announce {
        connection: 1,
        transaction: 2,
        announce: announce(),
        url_data: url_data.clone(),
    };
    let bytes = request.encode();
    let options = &bytes[ANNOUNCE_BYTES..];
    assert_eq!(options[..2], [2, 255]);
    assert_eq!(options[257..259], [2, 45]);
    assert_eq!(options.last(), Some(&0));
    assert_eq!(UdpRequest::decode(&bytes), Ok(request));
}

#[test]
fn options_are_read_as_bep_41_shows_them() {
    // The example of BEP 41: "/dir?a=b&c=d" as one option, then with a NOP between two.
    let whole = [[2, 0xc].as_slice(), b"/dir?a=b&c=d"].concat();
    assert_eq!(decode_url_data(&whole), b"/dir?a=b&c=d");
    let parts = [[2, 4].as_slice(), b"/dir", &[1, 2, 8], b"?a=b&c=d", &[0, 9]].concat();
    assert_eq!(decode_url_data(&parts), b"/dir?a=b&c=d");
    assert_eq!(decode_url_data(&[2, 9, b'x']), b"");
    assert_eq!(decode_url_data(&[[2, 255].as_slice(), &[7; 255]].concat().repeat(9)).len(), 1020);
}

#[test]
fn what_is_no_packet_is_refused_with_what_was_expected() {
    let fault = TrackerFault::NotUdpTracker { got: 1 };
    let bytes = b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0";
    assert_eq!(UdpRequest::decode(bytes), Err(fault));
    let fault = TrackerFault::UnknownAction { got: 4 };
    assert_eq!(UdpResponse::decode(b"\0\0\0\x04\0\0\0\0", Family::V4), Err(fault));
    let fault = TrackerFault::Short { action: 1, least_bytes: 20, got_bytes: 19 };
    let bytes = [b"\0\0\0\x01".as_slice(), &[0; 15]].concat();
    assert_eq!(UdpResponse::decode(&bytes, Family::V4), Err(fault));
    let fault = TrackerFault::Short { action: 1, least_bytes: 98, got_bytes: 97 };
    let mut bytes = [0; 97];
    bytes[11] = 1;
    assert_eq!(UdpRequest::decode(&bytes), Err(fault));
}

fn any_event() -> impl Strategy<Value = Event> {
    let all = [Event::Periodic, Event::Started, Event::Completed, Event::Stopped];
    prop::sample::select(all.to_vec())
}

fn any_announce() -> impl Strategy<Value = Announce> {
    let amounts = any::<(u64, u64, u64)>();
    (any::<([u8; 20], [u8; 20], u16, u32)>(), amounts, any_event(), 0..=1000_u32, 0_u32..).prop_map(
        |((info_hash, peer_id, port, key), amounts, event, peers_wanted, ip)| Announce {
            info_hash: InfoHash(info_hash),
            peer_id: PeerId(peer_id),
            port,
            uploaded: amounts.0,
            downloaded: amounts.1,
            left: amounts.2,
            event,
            peers_wanted,
            key,
            tracker_id: None,
            ipv4: (ip != 0).then(|| ip.into()),
            ipv6: None,
        },
    )
}

fn any_request() -> impl Strategy<Value = UdpRequest> {
    let hashes = prop::collection::vec(any::<[u8; 20]>().prop_map(InfoHash), 0..SCRAPE_MAX);
    let url_data = prop::collection::vec(any::<u8>(), 0..URL_DATA_BYTES_MAX);
    prop_oneof![
        any::<u32>().prop_map(|transaction| UdpRequest::Connect { transaction }),
        (any::<(u64, u32)>(), any_announce(), url_data).prop_map(
            |((connection, transaction), announce, url_data)| UdpRequest::Announce {
                connection,
                transaction,
                announce,
                url_data,
            }
        ),
        (any::<(u64, u32)>(), hashes).prop_map(|((connection, transaction), info_hashes)| {
            UdpRequest::Scrape { connection, transaction, info_hashes }
        }),
    ]
}

fn any_response() -> impl Strategy<Value = UdpResponse> {
    let peers = prop::collection::vec((1_u32.., 1_u16..), 0..80);
    let counts = prop::collection::vec(any::<(u32, u32, u32)>(), 0..SCRAPE_MAX);
    prop_oneof![
        any::<(u32, u64)>()
            .prop_map(|(transaction, connection)| UdpResponse::Connect { transaction, connection }),
        (any::<(u32, u32, u32, u32)>(), peers).prop_map(
            |((transaction, interval, incomplete, complete), peers)| UdpResponse::Announce {
                transaction,
                interval,
                incomplete,
                complete,
                peers: peers
                    .into_iter()
                    .map(|(ip, port)| (Ipv4Addr::from(ip), port).into())
                    .collect(),
            }
        ),
        (any::<u32>(), counts).prop_map(|(transaction, counts)| UdpResponse::Scrape {
            transaction,
            counts: counts
                .into_iter()
                .map(|(complete, downloaded, incomplete)| ScrapeCounts {
                    complete,
                    downloaded,
                    incomplete
                })
                .collect(),
        }),
        (any::<u32>(), "[a-z]{0,40}")
            .prop_map(|(transaction, reason)| UdpResponse::Error { transaction, reason }),
    ]
}

proptest! {
    #[test]
    fn requests_survive_the_wire(request in any_request()) {
        prop_assert_eq!(UdpRequest::decode(&request.encode()), Ok(request));
    }

    #[test]
    fn responses_survive_the_wire(response in any_response()) {
        prop_assert_eq!(UdpResponse::decode(&response.encode(Family::V4), Family::V4), Ok(response));
    }

    #[test]
    fn arbitrary_packets_are_no_reason_to_panic(
        action in 0_u32..6,
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let packet = [action.to_be_bytes().as_slice(), &body].concat();
        for family in [Family::V4, Family::V6] {
            let _ = UdpResponse::decode(&packet, family);
        }
        let _ = UdpRequest::decode(&packet);
        let _ = UdpRequest::decode(&[[0; 8].as_slice(), &packet].concat());
    }
}
