//! Bencode in both modes. Strict input has one encoding: what it means, encoded again, is the input.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_bencode::{
    DictWriter, Kind, Limits, ListWriter, Mode, Value, decode, decode_prefix, encode_list,
};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { depth: 20, tokens: 1000 };
    let Ok((document, consumed)) = decode_prefix(bytes, Mode::Lenient, limits) else { return };
    assert_eq!(document.root().raw(), &bytes[..consumed]);
    let again = encode_list(|list| item(list, document.root()));
    let strict = decode(&again, Mode::Strict).expect("the encoder writes canonical bencode");
    if decode_prefix(bytes, Mode::Strict, limits).is_ok() {
        assert_eq!(document.irregularity(), None);
        let root = strict.root().as_list().and_then(|mut items| items.next());
        assert_eq!(root.map(Value::raw), Some(&bytes[..consumed]));
    }
});

fn item(list: &mut ListWriter<'_>, value: Value<'_>) {
    match value.kind() {
        Kind::Integer => list.int(integer(value)),
        Kind::Bytes => list.bytes(value.as_bytes().expect("its kind")),
        Kind::List => list.list(|inner| items(value).for_each(|it| item(inner, it))),
        Kind::Dict => list.dict(|inner| entries(inner, value)),
    }
}

fn entries(dict: &mut DictWriter<'_>, value: Value<'_>) {
    for (key, value) in value.as_dict().expect("its kind") {
        match value.kind() {
            Kind::Integer => dict.int(key, integer(value)),
            Kind::Bytes => dict.bytes(key, value.as_bytes().expect("its kind")),
            Kind::List => dict.list(key, |inner| items(value).for_each(|it| item(inner, it))),
            Kind::Dict => dict.dict(key, |inner| entries(inner, value)),
        }
    }
}

fn items(value: Value<'_>) -> impl Iterator<Item = Value<'_>> {
    value.as_list().expect("its kind")
}

/// Also what fits no 64-bit number: it has at most 20 digits.
fn integer(value: Value<'_>) -> i128 {
    let raw = value.raw();
    let digits = str::from_utf8(&raw[1..raw.len() - 1]).expect("digits are ASCII");
    let number = digits.parse().expect("20 digits fit");
    assert_eq!(value.as_i64(), i64::try_from(number).ok());
    assert_eq!(value.as_u64(), u64::try_from(number).ok());
    number
}
