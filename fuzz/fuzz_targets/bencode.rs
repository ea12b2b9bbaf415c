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
        Kind::Integer => match integer(value) {
            Some(number) => list.int(number),
            None => list.raw(value.raw()),
        },
        Kind::Bytes => list.bytes(value.as_bytes().expect("its kind")),
        Kind::List => list.list(|inner| items(value).for_each(|it| item(inner, it))),
        Kind::Dict => list.dict(|inner| entries(inner, value)),
    }
}

fn entries(dict: &mut DictWriter<'_>, value: Value<'_>) {
    for (key, value) in value.as_dict().expect("its kind") {
        match value.kind() {
            Kind::Integer => match integer(value) {
                Some(number) => dict.int(key, number),
                None => dict.raw(key, value.raw()),
            },
            Kind::Bytes => dict.bytes(key, value.as_bytes().expect("its kind")),
            Kind::List => dict.list(key, |inner| items(value).for_each(|it| item(inner, it))),
            Kind::Dict => dict.dict(key, |inner| entries(inner, value)),
        }
    }
}

fn items(value: Value<'_>) -> impl Iterator<Item = Value<'_>> {
    value.as_list().expect("its kind")
}

/// `None` for what fits no 64-bit number, which has at most 20 digits and no use.
fn integer(value: Value<'_>) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}
