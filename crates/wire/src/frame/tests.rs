//! The frames of the BEPs byte for byte, the size rules, and round trips.

use super::*;
use proptest::prelude::*;

fn frame(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    encode(message, &mut out);
    out
}

fn read(bytes: &[u8]) -> Result<Decoded, WireFault> {
    decode(bytes, &Limits::default())
}

fn span() -> HashSpan {
    HashSpan {
        pieces_root: Sha256Digest([0xab; 32]),
        base_layer: 1,
        index: 4,
        length: 2,
        proof_layers: 3,
    }
}

#[test]
fn the_messages_of_bep_3_and_bep_6_have_the_bytes_written_there() {
    let request = Request { piece: 1, begin: 0x4000, length: 0x4000 };
    let numbers = b"\0\0\0\x01\0\0\x40\0\0\0\x40\0";
    let vectors: [(Message, Vec<u8>); 15] = [
        (Message::KeepAlive, vec![0, 0, 0, 0]),
        (Message::Choke, vec![0, 0, 0, 1, 0]),
        (Message::Unchoke, vec![0, 0, 0, 1, 1]),
        (Message::Interested, vec![0, 0, 0, 1, 2]),
        (Message::NotInterested, vec![0, 0, 0, 1, 3]),
        (Message::Have(258), vec![0, 0, 0, 5, 4, 0, 0, 1, 2]),
        (Message::Bitfield(vec![0x80, 0x01]), vec![0, 0, 0, 3, 5, 0x80, 0x01]),
        (Message::Request(request), [b"\0\0\0\x0d\x06", numbers.as_slice()].concat()),
        (Message::Cancel(request), [b"\0\0\0\x0d\x08", numbers.as_slice()].concat()),
        (Message::Port(6881), vec![0, 0, 0, 3, 9, 0x1a, 0xe1]),
        (Message::Suggest(7), vec![0, 0, 0, 5, 0x0d, 0, 0, 0, 7]),
        (Message::HaveAll, vec![0, 0, 0, 1, 0x0e]),
        (Message::HaveNone, vec![0, 0, 0, 1, 0x0f]),
        (Message::Reject(request), [b"\0\0\0\x0d\x10", numbers.as_slice()].concat()),
        (Message::AllowedFast(7), vec![0, 0, 0, 5, 0x11, 0, 0, 0, 7]),
    ];
    for (message, bytes) in vectors {
        assert_eq!(frame(&message), bytes);
        let consumed = bytes.len();
        assert_eq!(read(&bytes), Ok(Decoded::Message { message, consumed }));
    }
}

#[test]
fn a_hash_request_has_the_bytes_of_bep_52() {
    let bytes = frame(&Message::HashRequest(span()));
    assert_eq!(bytes[..5], [0, 0, 0, 49, 21]);
    assert_eq!(bytes[5..37], [0xab; 32]);
    assert_eq!(bytes[37..], [0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 3]);
    assert!(span().is_aligned());
    assert!(!HashSpan { index: 3, ..span() }.is_aligned());
    assert!(!HashSpan { index: 0, length: 1, ..span() }.is_aligned());
    assert!(!HashSpan { index: 0, length: 6, ..span() }.is_aligned());
}

#[test]
fn a_block_is_reported_with_its_header_and_before_its_payload() {
    let request = Request { piece: 2, begin: 0x4000, length: 0x4000 };
    let header = block_header(request);
    assert_eq!(header, *b"\0\0\x40\x09\x07\0\0\0\x02\0\0\x40\0");
    assert_eq!(read(&header[..12]), Ok(Decoded::Incomplete { need_bytes: 13 }));
    assert_eq!(read(&header), Ok(Decoded::Block { request, header_bytes: 13 }));
}

#[test]
fn every_prefix_of_a_frame_is_incomplete_and_asks_for_more_than_it_has() {
    let hashes = vec![Sha256Digest([1; 32]); 4];
    let messages = [
        Message::Have(1),
        Message::Bitfield(vec![1, 2, 3]),
        Message::Extended { id: 3, payload: b"d1:ai1ee".to_vec() },
        Message::Hashes(span(), hashes),
    ];
    for message in messages {
        let bytes = frame(&message);
        for length in 0..bytes.len() {
            let Ok(Decoded::Incomplete { need_bytes }) = read(&bytes[..length]) else {
                panic!("{message:?} complete after {length} bytes");
            };
            assert!(length < need_bytes && need_bytes <= bytes.len());
        }
    }
}

#[test]
fn an_undefined_id_is_skipped_once_it_is_whole_and_only_up_to_the_limit() {
    assert_eq!(read(&[0, 0, 0, 3, 99, 1]), Ok(Decoded::Incomplete { need_bytes: 7 }));
    assert_eq!(read(&[0, 0, 0, 3, 99, 1, 2, 9]), Ok(Decoded::Skipped { consumed: 7 }));
    let most_bytes = Limits::default().skipped_bytes_max;
    let fault = WireFault::TooLong { id: 99, most_bytes, got_bytes: u32::MAX - 1 };
    assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 99]), Err(fault));
}

#[test]
fn wrong_sizes_are_refused_before_the_frame_is_there() {
    for id in (0..=4).chain([6, 8, 9]).chain(13..=17).chain([21, 23]) {
        let bytes = [0, 1, 0, 0, id];
        let fault = read(&bytes).expect_err("too long");
        assert!(matches!(fault, WireFault::WrongSize { got_bytes: 0xffff, .. }), "{fault}");
    }
    let empty_block = WireFault::TooShort { id: 7, least_bytes: 9, got_bytes: 8 };
    assert_eq!(read(&[0, 0, 0, 9, 7]), Err(empty_block));
    let no_extension_id = WireFault::TooShort { id: 20, least_bytes: 1, got_bytes: 0 };
    assert_eq!(read(&[0, 0, 0, 1, 20]), Err(no_extension_id));
    let long_block = WireFault::TooLong { id: 7, most_bytes: 0x4008, got_bytes: 0x4009 };
    assert_eq!(read(&[0, 0, 0x40, 0x0a, 7]), Err(long_block));
}

#[test]
fn a_bitfield_is_bounded_by_the_piece_count() {
    let limits = Limits { pieces_max: 9, ..Limits::default() };
    assert!(decode(&[0, 0, 0, 3, 5, 0, 0], &limits).is_ok());
    let fault = WireFault::TooLong { id: 5, most_bytes: 2, got_bytes: 3 };
    assert_eq!(decode(&[0, 0, 0, 4, 5], &limits), Err(fault));
}

#[test]
fn a_hashes_message_must_carry_its_hashes_and_no_more_than_the_proof_allows() {
    for (count, fits) in [(1, false), (2, true), (5, true), (6, false)] {
        let bytes = frame(&Message::Hashes(span(), vec![Sha256Digest([1; 32]); count]));
        assert_eq!(read(&bytes).is_ok(), fits, "{count} hashes");
    }
    let mut torn = frame(&Message::Hashes(span(), vec![Sha256Digest([1; 32]); 2]));
    torn.push(0);
    torn[3] += 1;
    let fault = WireFault::HashCount { length: 2, proof_layers: 3, got_bytes: 65 };
    assert_eq!(read(&torn), Err(fault));
}

fn any_request() -> impl Strategy<Value = Request> {
    any::<[u32; 3]>().prop_map(|[piece, begin, length]| Request { piece, begin, length })
}

fn any_span() -> impl Strategy<Value = HashSpan> {
    (any::<[u8; 32]>(), any::<[u32; 4]>()).prop_map(
        |(root, [base_layer, index, length, proof_layers])| HashSpan {
            pieces_root: Sha256Digest(root),
            base_layer,
            index,
            length,
            proof_layers,
        },
    )
}

fn any_message() -> impl Strategy<Value = Message> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..200);
    let hashes = prop::collection::vec(any::<[u8; 32]>().prop_map(Sha256Digest), 0..9);
    prop_oneof![
        Just(Message::KeepAlive),
        Just(Message::Choke),
        Just(Message::Unchoke),
        Just(Message::Interested),
        Just(Message::NotInterested),
        any::<u32>().prop_map(Message::Have),
        bytes().prop_map(Message::Bitfield),
        any_request().prop_map(Message::Request),
        any_request().prop_map(Message::Cancel),
        any::<u16>().prop_map(Message::Port),
        any::<u32>().prop_map(Message::Suggest),
        Just(Message::HaveAll),
        Just(Message::HaveNone),
        any_request().prop_map(Message::Reject),
        any::<u32>().prop_map(Message::AllowedFast),
        (any::<u8>(), bytes()).prop_map(|(id, payload)| Message::Extended { id, payload }),
        any_span().prop_map(Message::HashRequest),
        (any_span(), hashes).prop_map(|(span, hashes)| {
            let length = hashes.len() as u32;
            Message::Hashes(HashSpan { length, ..span }, hashes)
        }),
        any_span().prop_map(Message::HashReject),
    ]
}

proptest! {
    #[test]
    fn messages_survive_the_wire_back_to_back(
        messages in prop::collection::vec(any_message(), 1..8),
    ) {
        let mut stream = Vec::new();
        messages.iter().for_each(|message| encode(message, &mut stream));
        let mut rest = stream.as_slice();
        for expected in messages {
            let Ok(Decoded::Message { message, consumed }) = read(rest) else {
                return Err(TestCaseError::fail(format!("no message for {expected:?}")));
            };
            prop_assert_eq!(message, expected);
            rest = &rest[consumed..];
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn arbitrary_bytes_never_ask_for_more_than_the_longest_frame(
        length in 0_u32..300,
        body in prop::collection::vec(any::<u8>(), 0..300),
        whole: bool,
    ) {
        let limits = Limits { pieces_max: 500, extended_bytes_max: 100, ..Limits::default() };
        let prefix = if whole { length } else { length.wrapping_mul(0x0101_0101) };
        let bytes = [prefix.to_be_bytes().as_slice(), &body].concat();
        match decode(&bytes, &limits) {
            Ok(Decoded::Incomplete { need_bytes }) => {
                prop_assert!(need_bytes > bytes.len());
                prop_assert!(need_bytes <= limits.frame_bytes_max().max(BLOCK_HEADER_BYTES));
            }
            Ok(Decoded::Message { consumed, message }) => {
                prop_assert_eq!(frame(&message), &bytes[..consumed]);
            }
            Ok(Decoded::Skipped { consumed }) => prop_assert!(consumed <= bytes.len()),
            Ok(Decoded::Block { request, header_bytes }) => {
                prop_assert_eq!(block_header(request).to_vec(), &bytes[..header_bytes]);
            }
            Err(_) => {}
        }
    }
}
