//! What a person or another program gives a wallet: a keystore, a phrase, an address, records, a backup. The
//! first byte says which. What reads well is written again and read the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_wallet::{
    Backup, Keystore, Password, Phrase, Record, hex_address, parse_address, tron_address,
};

fuzz_target!(|input: &[u8]| {
    let [mode, bytes @ ..] = input else { return };
    match mode % 5 {
        0 => return records(bytes),
        4 => return backup(bytes),
        _ => {}
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match mode % 5 {
        1 => keystore(text),
        2 => phrase(text),
        _ => address(text),
    }
});

fn records(bytes: &[u8]) {
    let Ok(records) = Record::decode_all(bytes) else { return };
    assert_eq!(Record::encode_all(&records).as_slice(), bytes);
}

/// Only what costs little: a password that costs a second, as it should, would leave no time for others.
fn backup(bytes: &[u8]) {
    if !is_cheap(bytes) {
        return;
    }
    let Ok(records) = Backup::decrypt(bytes, &Password::new("password".into())) else { return };
    let encoded = Record::encode_all(&records);
    let again = Record::decode_all(&encoded).expect("what was read is written readably");
    assert_eq!(Record::encode_all(&again), encoded);
}

/// Behind the 17 bytes that say what it is and 2 of its version stand scrypt's n, r and p.
fn is_cheap(backup: &[u8]) -> bool {
    let Some((_, cost)) = backup.split_at_checked(19) else { return true };
    let Some((n, cost)) = cost.split_first_chunk() else { return true };
    let Some((r, cost)) = cost.split_first_chunk() else { return true };
    let Some((p, _)) = cost.split_first_chunk() else { return true };
    let (r, p) = (u64::from(u32::from_be_bytes(*r)), u64::from(u32::from_be_bytes(*p)));
    let work = u64::from_be_bytes(*n).checked_mul(r).and_then(|work| work.checked_mul(p));
    work.is_some_and(|work| work <= 64)
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
