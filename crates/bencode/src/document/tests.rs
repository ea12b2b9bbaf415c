#![allow(clippy::unwrap_used)]

use super::*;
use crate::{DictWriter, ListWriter, encode_dict, encode_list};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn refusal(input: &[u8], mode: Mode) -> DecodeError {
    decode(input, mode).map(|document| format!("{document:?}")).unwrap_err()
}

fn broken_rule(input: &[u8]) -> Rule {
    let strict = refusal(input, Mode::Strict);
    let DecodeError::NotCanonical(found) = strict else { panic!("refused for {strict}") };
    // Lenient decoding reads the same input and reports the same place.
    assert_eq!(decode(input, Mode::Lenient).unwrap().irregularity(), Some(found));
    found.rule
}

#[test]
fn reads_the_examples_of_bep_3() {
    let input = b"d4:spaml1:a1:be3:zooi-3ee";
    let document = decode(input, Mode::Strict).unwrap();
    let root = document.root();
    let spam: Vec<_> = root.get("spam").unwrap().as_list().unwrap().map(Value::as_str).collect();
    assert_eq!(spam, [Some("a"), Some("b")]);
    assert_eq!(root.get("zoo").unwrap().as_i64(), Some(-3));
    assert_eq!(root.get("zoo").unwrap().as_u64(), None);
    assert_eq!(root.get("none").map(Value::kind), None);
    assert_eq!(root.raw(), input);
}

#[test]
fn a_value_gives_exactly_its_own_bytes() {
    let document = decode(b"d4:infod1:ai1ee1:zi2ee", Mode::Strict).unwrap();
    let info = document.root().get("info").unwrap();
    assert_eq!(info.raw(), b"d1:ai1ee");
    assert_eq!(info.offset(), 7);
}

#[test]
fn strict_refuses_what_lenient_reports() {
    assert_eq!(broken_rule(b"d1:bi1e1:ai2ee"), Rule::KeysSorted);
    assert_eq!(broken_rule(b"d1:ai1e1:ai2ee"), Rule::KeysUnique);
    assert_eq!(broken_rule(b"i03e"), Rule::NoLeadingZero);
    assert_eq!(broken_rule(b"i-03e"), Rule::NoLeadingZero);
    assert_eq!(broken_rule(b"i00e"), Rule::NoLeadingZero);
    assert_eq!(broken_rule(b"01:a"), Rule::NoLeadingZero);
    assert_eq!(broken_rule(b"i-0e"), Rule::NoNegativeZero);
    assert_eq!(broken_rule(b"i1e\n"), Rule::NoTrailingBytes);
}

#[test]
fn lenient_reads_irregular_values_as_meant() {
    let document = decode(b"d1:bi007e1:a02:xy1:bi-0ee!!", Mode::Lenient).unwrap();
    assert_eq!(document.root().get("b").unwrap().as_u64(), Some(7));
    assert_eq!(document.root().get("a").unwrap().as_bytes(), Some(&b"xy"[..]));
    assert_eq!(document.root().as_dict().unwrap().iter().last().unwrap().1.as_u64(), Some(0));
    assert_eq!(document.trailing(), b"!!");
}

#[test]
fn refuses_what_is_no_bencode_in_both_modes() {
    let samples: [&[u8]; 17] = [
        b"",
        b"e",
        b"x",
        b"i",
        b"ie",
        b"i-e",
        b"i+1e",
        b"i1",
        b"i1.0e",
        b"l",
        b"d",
        b"di1ei2ee",
        b"d1:ae",
        b"d1:a",
        b"2:a",
        b"99999999999:a",
        b"-1:a",
    ];
    for sample in samples {
        for mode in [Mode::Strict, Mode::Lenient] {
            assert!(decode(sample, mode).is_err(), "read {}", sample.escape_ascii());
        }
    }
}

#[test]
fn integers_reach_to_the_ends_of_64_bits_and_no_further() {
    let number = |text: &str| {
        let input = format!("i{text}e");
        let document = decode(input.as_bytes(), Mode::Strict).unwrap();
        (document.root().as_i64(), document.root().as_u64())
    };
    assert_eq!(number("-9223372036854775808"), (Some(i64::MIN), None));
    assert_eq!(number("9223372036854775808"), (None, Some(1 << 63)));
    assert_eq!(number("18446744073709551615"), (None, Some(u64::MAX)));
    assert_eq!(number("18446744073709551616"), (None, None));
    let long = format!("i{}e", "1".repeat(21));
    assert_eq!(refusal(long.as_bytes(), Mode::Lenient), DecodeError::IntegerTooLong { offset: 0 });
}

#[test]
fn nesting_stops_at_the_limit() {
    let nested = |depth: usize| [vec![b'l'; depth], vec![b'e'; depth]].concat();
    assert!(decode(&nested(100), Mode::Strict).is_ok());
    let refused = refusal(&nested(101), Mode::Lenient);
    assert_eq!(refused, DecodeError::TooDeep { offset: 100, max: 100 });
}

#[test]
fn ten_megabytes_of_dictionaries_are_refused_within_the_token_limit() {
    let flood = [b"l".to_vec(), b"de".repeat(5_000_000), b"e".to_vec()].concat();
    let refused = refusal(&flood, Mode::Lenient);
    assert!(matches!(refused, DecodeError::TooManyTokens { max: 2_500_000, .. }), "{refused}");
}

#[test]
fn a_prefix_tells_where_raw_bytes_begin() {
    // A data message of BEP 9.
    let message = b"d8:msg_typei1e5:piecei0eexxxxx";
    let limits = Limits::default();
    let (document, consumed) = decode_prefix(message, Mode::Strict, limits).unwrap();
    assert_eq!(&message[consumed..], b"xxxxx");
    assert_eq!(document.root().get("msg_type").unwrap().as_i64(), Some(1));
}

/// A model of a value, to encode and to compare with.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Model {
    Integer(i64),
    Bytes(Vec<u8>),
    List(Vec<Self>),
    Dict(BTreeMap<Vec<u8>, Self>),
}

impl Model {
    fn of(value: Value<'_>) -> Self {
        match value.kind() {
            Kind::Integer => Self::Integer(value.as_i64().unwrap()),
            Kind::Bytes => Self::Bytes(value.as_bytes().unwrap().to_vec()),
            Kind::List => Self::List(value.as_list().unwrap().map(Self::of).collect()),
            Kind::Dict => Self::Dict(
                value.as_dict().unwrap().iter().map(|(k, v)| (k.to_vec(), Self::of(v))).collect(),
            ),
        }
    }

    fn item(&self, list: &mut ListWriter<'_>) {
        match self {
            Self::Integer(value) => list.int(*value),
            Self::Bytes(value) => list.bytes(value),
            Self::List(items) => list.list(|inner| items.iter().for_each(|it| it.item(inner))),
            Self::Dict(map) => list.dict(|inner| Self::entries(map, inner)),
        }
    }

    /// Writes backwards, so that the encoder has something to sort.
    fn entries(map: &BTreeMap<Vec<u8>, Self>, dict: &mut DictWriter<'_>) {
        for (key, value) in map.iter().rev() {
            match value {
                Self::Integer(value) => dict.int(key, *value),
                Self::Bytes(value) => dict.bytes(key, value),
                Self::List(items) => {
                    dict.list(key, |list| items.iter().for_each(|it| it.item(list)));
                }
                Self::Dict(map) => dict.dict(key, |inner| Self::entries(map, inner)),
            }
        }
    }
}

fn models() -> impl Strategy<Value = Model> + Clone {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Model::Integer),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Model::Bytes),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let keys = prop::collection::vec(any::<u8>(), 0..4);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Model::List),
            prop::collection::btree_map(keys, inner, 0..6).prop_map(Model::Dict),
        ]
    })
}

/// Reads every value both ways; the point is that it returns.
fn walk(value: Value<'_>) -> usize {
    let _ = (value.as_i64(), value.as_u64(), value.as_str());
    let items = value.as_list().map_or(0, |items| items.map(walk).sum());
    items + value.as_dict().map_or(0, |dict| dict.iter().map(|(_, v)| walk(v)).sum()) + 1
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_strictly_to_the_same(model in models()) {
        let bytes = encode_list(|list| model.item(list));
        let document = decode(&bytes, Mode::Strict).unwrap();
        prop_assert_eq!(Model::of(document.root()), Model::List(vec![model]));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(
        prop::sample::select(&b"dlie:0123456789-ab"[..]), 0..60))
    {
        if let Ok((document, consumed)) = decode_prefix(&bytes, Mode::Lenient, Limits::default()) {
            prop_assert_eq!(document.root().raw(), &bytes[..consumed]);
            walk(document.root());
        }
    }

    #[test]
    fn a_cut_encoding_is_refused(model in models(), cut in 0.0..1.0_f64) {
        let bytes = encode_dict(|dict| dict.list("k", |list| model.item(list)));
        let end = (bytes.len() as f64 * cut) as usize;
        prop_assert!(decode(&bytes[..end], Mode::Lenient).is_err());
    }
}
