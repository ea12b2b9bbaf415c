#![allow(clippy::unwrap_used)]

use super::*;
use crate::{AMOUNT_BYTES_MAX, Key, LINKS_MAX, PRICE_MAX, PayFault};
use piecework_bencode::{Mode, decode, encode_dict};
use proptest::prelude::*;

fn address(byte: u8) -> Address {
    Address::new([byte; 20])
}

fn signature() -> Signature {
    Key::new(&[1; 32]).unwrap().sign(&B256::new([2; 32]))
}

/// Every field at the most bytes that it can take.
fn longest_last() -> LastCheque {
    let cheque = Cheque {
        payer: address(255),
        payee: address(255),
        token: address(255),
        epoch: u64::MAX,
        cumulative: u128::MAX,
        root: B256::new([255; 32]),
        unit: u128::MAX,
        links: u32::MAX,
        channel: u64::MAX,
    };
    let signed = SignedCheque { cheque, signature: signature() };
    LastCheque { signed, number: LINKS_MAX, link: B256::new([255; 32]) }
}

fn longest_open() -> Open {
    Open {
        network: NETWORKS_MAX as u8 - 1,
        payer: address(255),
        delegation: Some(Delegation {
            session: address(255),
            max_amount: u128::MAX,
            bond_at_risk: u128::MAX,
            valid_until: u64::MAX,
            signature: signature(),
        }),
        funded_at: u64::MAX,
        last: Some(longest_last()),
        authority: signature(),
    }
}

fn network(byte: u8) -> Network {
    Network { chain_id: u64::MAX, vault: address(byte), token: address(byte), genesis: [byte; 8] }
}

fn longest_terms() -> Terms {
    Terms {
        networks: (0..NETWORKS_MAX as u8).map(network).collect(),
        ask: Price::new(PRICE_MAX).unwrap(),
        link_bytes: LINK_BYTES_MAX,
        window: u32::MAX,
        window_max: u32::MAX,
        links_max: LINKS_MAX,
        payee: address(255),
        free_permille: 1000,
    }
}

fn longest() -> Vec<Message> {
    let price = Price::new(PRICE_MAX).unwrap();
    let (max, last) = (u64::MAX, Some(longest_last()));
    vec![
        Message::Terms(longest_terms()),
        Message::Open(Box::new(longest_open())),
        Message::Accepted(Accepted { channel: max, window: u32::MAX, last, paid: u128::MAX }),
        Message::Bid(Bid { price, spend: u128::MAX, rate: max, number: u32::MAX }),
        Message::Ask(Ask { price, bid: u32::MAX, paid: true, rate: max, from: max }),
        Message::Link { number: LINKS_MAX, link: B256::new([255; 32]) },
        Message::Cheque(longest_last().signed),
        Message::Stat { bytes: max, due: u128::MAX },
        Message::Close { channel: max, reason: CloseReason::Other(255) },
        Message::Refused(Refused { code: RefusedCode::Other(255), text: "x".repeat(200) }),
    ]
}

#[test]
fn the_longest_message_of_each_kind_fits_and_survives_the_wire() {
    for message in longest() {
        let bytes = message.encode();
        assert!(bytes.len() <= INNER_BYTES_MAX, "{} bytes: {message:?}", bytes.len());
        assert_eq!(Message::decode(&bytes), Ok(Some(message)));
    }
}

#[test]
fn sealing_the_longest_message_fills_the_limit_exactly() {
    let outer = encode_sealed(&[0; INNER_BYTES_MAX + 16]);
    assert_eq!(outer.len(), MESSAGE_BYTES_MAX);
    assert!(
        matches!(Outer::decode(&outer), Ok(Outer::Sealed(x)) if x.len() == INNER_BYTES_MAX + 16)
    );
}

#[test]
fn what_is_over_a_limit_of_its_own_is_left_out_and_cut_between_characters() {
    let networks = vec![network(1); NETWORKS_MAX + 1];
    let bytes = Message::Terms(Terms { networks, ..longest_terms() }).encode();
    let Ok(Some(Message::Terms(terms))) = Message::decode(&bytes) else { panic!("terms") };
    assert_eq!(terms.networks.len(), NETWORKS_MAX);
    let text = format!("x{}", "ä".repeat(REASON_BYTES_MAX));
    let refused = Refused { code: RefusedCode::Bounced, text };
    let Ok(Some(Message::Refused(got))) = Message::decode(&Message::Refused(refused).encode())
    else {
        panic!("refused")
    };
    assert_eq!(got.text, format!("x{}", "ä".repeat(99)));
}

#[test]
fn messages_are_the_bytes_that_a_hand_writes() {
    let hello =
        Hello { version: 1, ephemeral: [b'e'; 32], buys: true, sells: true, offsets: false };
    let e = "e".repeat(32);
    assert_eq!(hello.encode(), format!("d1:e32:{e}2:nti0e1:ri3e1:ti0e1:vi1ee").as_bytes());
    let link = Message::Link { number: 7, link: B256::new([b'w'; 32]) };
    let w = "w".repeat(32);
    assert_eq!(link.encode(), format!("d1:ii7e1:ti6e1:w32:{w}e").as_bytes());
    let stat = Message::Stat { bytes: 65_536, due: 0x4142 };
    assert_eq!(stat.encode(), b"d1:bi65536e1:d2:AB1:ti8ee");
    let bid = Bid { price: Price::new(0x41).unwrap(), spend: 0, rate: 5, number: 2 };
    assert_eq!(Message::Bid(bid).encode(), b"d1:p1:A1:qi2e1:ri5e1:s0:1:ti4ee");
    let ask = Ask { price: Price::new(0x41).unwrap(), bid: 2, paid: true, rate: 5, from: 9 };
    assert_eq!(Message::Ask(ask).encode(), b"d1:a1:A2:fbi9e2:lni1e1:qi2e2:rti5e1:ti5ee");
    let close = Message::Close { channel: u64::MAX, reason: CloseReason::Budget };
    assert_eq!(close.encode(), b"d1:ci1e2:chi18446744073709551615e1:ti10ee");
    let refused = Refused { code: RefusedCode::Disagree, text: "no".into() };
    assert_eq!(Message::Refused(refused).encode(), b"d1:ci12e1:m2:no1:ti11ee");
    let terms = Terms { networks: vec![network(b'n')], ..longest_terms() };
    let n = "n".repeat(20);
    let expected = [
        &b"d3:ask11:\x01\0\0\0\0\0\0\0\0\0\x002:fri1000e1:gi4194304e1:li4096e1:nlli18446744073709551615e"[..],
        format!("20:{n}20:{n}8:nnnnnnnnee2:pe20:").as_bytes(),
        &[255; 20],
        b"1:ti1e1:wi4294967295e2:wmi4294967295ee",
    ]
    .concat();
    assert_eq!(Message::Terms(terms).encode(), expected);
}

#[test]
fn a_last_cheque_without_links_sends_none() {
    let last = LastCheque { number: 0, link: B256::ZERO, ..longest_last() };
    let accepted = Message::Accepted(Accepted { channel: 1, window: 2, last: Some(last), paid: 3 });
    let bytes = accepted.encode();
    let document = decode(&bytes, Mode::Strict).unwrap();
    let last = document.root().get("lc").unwrap();
    let keys: Vec<_> = last.as_dict().unwrap().iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [b"c", b"i", b"s"]);
    assert_eq!(Message::decode(&bytes), Ok(Some(accepted)));
}

#[test]
fn keys_and_types_of_later_versions_are_passed_over() {
    let bytes = encode_dict(|dict| {
        dict.int("b", 5);
        dict.bytes("d", [9]);
        dict.list("later", |list| list.dict(|dict| dict.int("x", -1)));
        dict.int("t", 8);
    });
    assert_eq!(Message::decode(&bytes), Ok(Some(Message::Stat { bytes: 5, due: 9 })));
    for t in [0, 9, 12, 13, u64::MAX] {
        let bytes = encode_dict(|dict| dict.int("t", t));
        assert_eq!(Message::decode(&bytes), Ok(None), "{t}");
    }
    for t in [9, 13, u64::MAX] {
        let bytes = encode_dict(|dict| dict.int("t", t));
        assert!(matches!(Outer::decode(&bytes), Ok(Outer::Unknown)), "{t}");
    }
}

#[test]
fn a_hello_of_a_later_version_is_heard_and_one_without_a_version_is_not() {
    let hello = |version: u64, roles: u64| {
        encode_dict(|dict| {
            dict.bytes("e", [3; 32]);
            dict.int("r", roles);
            dict.int("t", 0);
            dict.int("v", version);
        })
    };
    let Ok(Outer::Hello(heard)) = Outer::decode(&hello(2, 6)) else { panic!("no hello") };
    let expected =
        Hello { version: 2, ephemeral: [3; 32], buys: false, sells: true, offsets: false };
    assert_eq!(heard, expected);
    let fault = PayFault::OutOfRange { key: "v", min: 1, max: 255, got: 0 };
    assert_eq!(Outer::decode(&hello(0, 1)).unwrap_err(), fault);
}

#[test]
fn what_has_to_be_sealed_is_refused_in_the_open() {
    for (message, t) in longest().into_iter().zip([1, 2, 3, 4, 5, 6, 7, 8, 10, 11]) {
        assert_eq!(Outer::decode(&message.encode()).unwrap_err(), PayFault::Unsealed { t });
    }
}

#[test]
fn a_message_over_the_limit_is_not_read() {
    let long = |count| encode_dict(|dict| dict.bytes("t", vec![0; count]));
    let outer = Outer::decode(&long(MESSAGE_BYTES_MAX)).unwrap_err();
    let inner = Message::decode(&long(INNER_BYTES_MAX)).unwrap_err();
    let over = |max_bytes, got_bytes| PayFault::LongMessage { max_bytes, got_bytes };
    assert_eq!(outer, over(MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX + 10));
    assert_eq!(inner, over(INNER_BYTES_MAX, INNER_BYTES_MAX + 9));
}

/// Takes a message apart, changes one entry or leaves it out, and puts it together again.
fn changed(message: &Message, key: &str, value: Option<&[u8]>) -> Vec<u8> {
    let bytes = message.encode();
    let document = decode(&bytes, Mode::Strict).unwrap();
    let entries = document.root().as_dict().unwrap();
    assert!(entries.get(key).is_some(), "{key} in {message:?}");
    encode_dict(|dict| {
        for (name, old) in entries {
            match (name == key.as_bytes(), value) {
                (true, None) => (),
                (true, Some(new)) => dict.raw(name, new),
                (false, _) => dict.raw(name, old.raw()),
            }
        }
    })
}

#[test]
fn every_key_that_is_not_said_to_be_optional_has_to_be_there() {
    let optional = ["lc", "pf", "m"];
    let mut tried = 0;
    for message in longest() {
        let bytes = message.encode();
        let document = decode(&bytes, Mode::Strict).unwrap();
        for (key, _) in document.root().as_dict().unwrap() {
            let key = std::str::from_utf8(key).unwrap();
            let got = Message::decode(&changed(&message, key, None));
            assert_eq!(got.is_ok(), optional.contains(&key), "{key} of {message:?}: {got:?}");
            let got = Message::decode(&changed(&message, key, Some(b"de")));
            assert!(got.is_err(), "{key} of {message:?}: {got:?}");
            tried += 1;
        }
    }
    assert_eq!(tried, 51);
}

#[test]
fn each_wrong_value_is_refused_with_what_was_expected_and_what_came() {
    let [terms, open, _, bid, ask, link, cheque, _, _, refused] = &longest()[..] else { panic!() };
    let range = |key, min, max, got| PayFault::OutOfRange { key, min, max, got };
    let length =
        |what, expected_bytes, got_bytes| PayFault::Length { what, expected_bytes, got_bytes };
    let zeros = format!("17:{}", "\x01".repeat(AMOUNT_BYTES_MAX + 1));
    let long = format!("201:{}", "x".repeat(201));
    let cases: &[(&Message, &str, &[u8], PayFault)] = &[
        (terms, "n", b"le", PayFault::WrongCount { key: "n", min: 1, max: 8, got: 0 }),
        (
            terms,
            "n",
            b"lli1eee",
            PayFault::WrongCount { key: "an entry of n", min: 4, max: 4, got: 1 },
        ),
        (terms, "g", b"i65535e", range("g", 65_536, 4_194_304, 65_535)),
        (terms, "g", b"i4194305e", range("g", 65_536, 4_194_304, 4_194_305)),
        (terms, "l", b"i0e", range("l", 1, 4096, 0)),
        (terms, "l", b"i4097e", range("l", 1, 4096, 4097)),
        (terms, "fr", b"i1001e", range("fr", 0, 1000, 1001)),
        (terms, "w", b"i4294967296e", range("w", 0, u64::from(u32::MAX), 1 << 32)),
        (terms, "pe", b"1:x", length("pe", 20, 1)),
        (
            terms,
            "ask",
            b"11:\x01\0\0\0\0\0\0\0\0\0\x01",
            PayFault::HighPrice { got: PRICE_MAX + 1 },
        ),
        (open, "n", b"i8e", range("n", 0, 7, 8)),
        (open, "mx", b"1:\0", PayFault::PaddedAmount),
        (open, "br", zeros.as_bytes(), PayFault::LongAmount { got_bytes: 17 }),
        (open, "sk", b"i1e", PayFault::WrongKind { key: "sk", expected: "a byte string" }),
        (open, "au", b"0:", length("a signature", 65, 0)),
        (open, "lc", b"de", PayFault::Lacks { key: "i" }),
        (
            bid,
            "q",
            b"i-1e",
            PayFault::WrongKind { key: "q", expected: "a number from 0 to 2^64 - 1" },
        ),
        (ask, "ln", b"i2e", range("ln", 0, 1, 2)),
        (link, "i", b"i0e", range("i", 1, 4096, 0)),
        (link, "i", b"i4097e", range("i", 1, 4096, 4097)),
        (cheque, "c", b"1:x", length("a cheque", 144, 1)),
        (refused, "c", b"i256e", range("c", 0, 255, 256)),
        (refused, "m", b"1:\xff", PayFault::NoText { key: "m" }),
        (
            refused,
            "m",
            long.as_bytes(),
            PayFault::WrongCount { key: "m", min: 0, max: 200, got: 201 },
        ),
    ];
    for (message, key, value, fault) in cases {
        assert_eq!(Message::decode(&changed(message, key, Some(value))), Err(*fault), "{key}");
    }
}

#[test]
fn what_is_no_canonical_dictionary_is_refused() {
    let no_t = [&b"de"[..], b"le", b"i8e", b"1:t"];
    for bytes in no_t {
        assert_eq!(Message::decode(bytes), Err(PayFault::Lacks { key: "t" }));
    }
    let wrong = [
        &b""[..],
        b"d1:bi5e1:d0:1:ti8ee1",
        b"d1:ti8e1:bi5e1:d0:e",
        b"d1:bi5e1:bi5e1:d0:1:ti8ee",
        b"d1:bi05e1:d0:1:ti8ee",
        b"d1:bi5e1:d0:1:ti8e",
        b"d1:bi5e1:d9:1:ti8ee",
    ];
    for bytes in wrong {
        let got = Message::decode(bytes);
        assert!(matches!(got, Err(PayFault::Bencode(_))), "{}: {got:?}", bytes.escape_ascii());
    }
}

prop_compose! {
    fn any_cheque()(
        bytes in prop::collection::vec(any::<u8>(), crate::CHEQUE_BYTES),
        secret in 1..=250_u8,
        number in 0..=LINKS_MAX,
        link: [u8; 32],
    ) -> LastCheque {
        let cheque = Cheque::decode(&bytes).unwrap();
        let signature = Key::new(&[secret; 32]).unwrap().sign(&B256::new(link));
        let link = if number == 0 { B256::ZERO } else { B256::new(link) };
        LastCheque { signed: SignedCheque { cheque, signature }, number, link }
    }
}

fn any_price() -> impl Strategy<Value = Price> {
    (0..=PRICE_MAX).prop_map(|price| Price::new(price).unwrap())
}

prop_compose! {
    fn any_terms()(
        networks in prop::collection::vec(any::<(u64, [u8; 20], [u8; 20], [u8; 8])>(), 1..=NETWORKS_MAX),
        ask in any_price(),
        link_bytes in LINK_BYTES_MIN..=LINK_BYTES_MAX,
        links_max in 1..=LINKS_MAX,
        (window, window_max, payee) in any::<(u32, u32, [u8; 20])>(),
        free_permille in 0..=1000_u16,
    ) -> Message {
        let network = |(chain_id, vault, token, genesis)| {
            Network { chain_id, vault: Address::new(vault), token: Address::new(token), genesis }
        };
        Message::Terms(Terms {
            networks: networks.into_iter().map(network).collect(),
            payee: Address::new(payee),
            ask, link_bytes, window, window_max, links_max, free_permille,
        })
    }
}

prop_compose! {
    fn any_open()(
        network in 0..NETWORKS_MAX as u8,
        (payer, session) in any::<([u8; 20], [u8; 20])>(),
        (is_delegated, max_amount, bond_at_risk, valid_until) in any::<(bool, u128, u128, u64)>(),
        funded_at: u64,
        last in prop::option::of(any_cheque()),
    ) -> Message {
        let delegation = is_delegated.then(|| Delegation {
            session: Address::new(session), max_amount, bond_at_risk, valid_until, signature: signature(),
        });
        let (payer, authority) = (Address::new(payer), signature());
        Message::Open(Box::new(Open { network, payer, delegation, funded_at, last, authority }))
    }
}

fn any_message() -> impl Strategy<Value = Message> {
    let accepted = (any::<(u64, u32, u128)>(), prop::option::of(any_cheque())).prop_map(
        |((channel, window, paid), last)| {
            Message::Accepted(Accepted { channel, window, last, paid })
        },
    );
    let bid =
        (any_price(), any::<(u128, u64, u32)>()).prop_map(|(price, (spend, rate, number))| {
            Message::Bid(Bid { price, spend, rate, number })
        });
    let ask = (any_price(), any::<(u32, bool, u64, u64)>()).prop_map(
        |(price, (bid, paid, rate, from))| Message::Ask(Ask { price, bid, paid, rate, from }),
    );
    let link = (1..=LINKS_MAX, any::<[u8; 32]>())
        .prop_map(|(number, link)| Message::Link { number, link: B256::new(link) });
    let stat = any::<(u64, u128)>().prop_map(|(bytes, due)| Message::Stat { bytes, due });
    let close = any::<(u64, u8)>()
        .prop_map(|(channel, number)| Message::Close { channel, reason: CloseReason::of(number) });
    let refused = (any::<u8>(), "\\PC{0,50}").prop_map(|(number, text)| {
        Message::Refused(Refused { code: RefusedCode::of(number), text })
    });
    let cheque = any_cheque().prop_map(|last| Message::Cheque(last.signed));
    prop_oneof![any_terms(), any_open(), accepted, bid, ask, link, cheque, stat, close, refused]
}

proptest! {
    #[test]
    fn every_message_survives_the_wire_in_one_form(message in any_message()) {
        let bytes = message.encode();
        prop_assert!(bytes.len() <= INNER_BYTES_MAX);
        prop_assert!(decode(&bytes, Mode::Strict).is_ok());
        prop_assert_eq!(Message::decode(&bytes), Ok(Some(message)));
    }

    #[test]
    fn a_changed_byte_gives_another_message_or_none(
        message in any_message(), at: prop::sample::Index, flip in 1_u8..,
    ) {
        let mut bytes = message.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert_ne!(Message::decode(&bytes), Ok(Some(message)));
    }

    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..1100)) {
        let _ = Outer::decode(&bytes);
        let _ = Message::decode(&bytes);
    }

    #[test]
    fn every_number_of_a_close_or_a_refusal_comes_back(number: u8) {
        prop_assert_eq!(CloseReason::of(number).number(), number);
        prop_assert_eq!(RefusedCode::of(number).number(), number);
    }
}
