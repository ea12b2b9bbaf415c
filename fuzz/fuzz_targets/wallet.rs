//! What a person or another program gives a wallet: a keystore, a phrase, an address, records. The first
//! byte says which. What reads well is written again and read the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_wallet::{Keystore, Phrase, Record, hex_address, parse_address, tron_address};

fuzz_target!(|input: &[u8]| {
    let [mode, bytes @ ..] = input else { return };
    if mode % 4 == 0 {
        return records(bytes);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match mode % 4 {
        1 => keystore(text),
        2 => phrase(text),
        _ => address(text),
    }
});

fn records(bytes: &[u8]) {
    let Ok(records) = Record::decode_all(bytes) else { return };
    assert_eq!(Record::encode_all(&records).as_slice(), bytes);
}

fn keystore(text: &str) {
    let Ok(keystore) = Keystore::parse(text) else { return };
    assert_eq!(Keystore::parse(&keystore.to_json()), Ok(keystore));
}

fn phrase(text: &str) {
    let Ok(phrase) = Phrase::parse(text) else { return };
    let words: Vec<&str> = phrase.words().collect();
    assert!(matches!(words.len(), 12 | 24));
    assert_eq!(Phrase::parse(&words.join(" ")), Ok(phrase));
}

fn address(text: &str) {
    let Ok(address) = parse_address(text) else { return };
    assert_eq!(parse_address(&hex_address(&address)), Ok(address));
    assert_eq!(parse_address(&tron_address(&address)), Ok(address));
}
