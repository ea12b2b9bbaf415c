#![allow(clippy::unwrap_used)]

mod backups;
mod folders;
mod keystores;
mod vectors;

use super::*;
use piecework_pay::{Address, Authority, B256, Delegate, Domain, Key};
use piecework_types::Time;
use proptest::prelude::*;
use std::time::Duration;

const PHRASE: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";

fn key(byte: u8) -> Key {
    Key::new(&[byte; 32]).unwrap()
}

fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

#[test]
fn capitals_blanks_and_unicode_forms_make_no_difference() {
    let seed = Phrase::parse(PHRASE).unwrap().seed("");
    let wide: String = PHRASE
        .chars()
        .map(|c| if c == ' ' { c } else { char::from_u32(c as u32 + 0xfee0).unwrap() })
        .collect();
    let spread = format!("\u{3000} {}\r\n", PHRASE.replace(' ', " \t\n\u{a0}"));
    for text in [PHRASE.to_uppercase(), wide, spread, format!("Legal {}", &PHRASE[6..])] {
        assert_eq!(Phrase::parse(&text).unwrap().seed(""), seed, "{text:?}");
    }
}

#[test]
fn a_wrong_word_is_named_by_its_place_with_what_it_may_have_been() {
    let with = |place: usize, word| {
        let mut words: Vec<&str> = PHRASE.split(' ').collect();
        words[place - 1] = word;
        Phrase::parse(&words.join(" ")).unwrap_err()
    };
    let meant = |place, words: &[&'static str]| PhraseFault::UnknownWord {
        place,
        meant: std::array::from_fn(|at| words.get(at).copied()),
    };
    assert_eq!(with(2, "winer"), meant(2, &["wine", "winner", "winter"]));
    assert_eq!(with(12, "YELLOWW"), meant(12, &["yellow"]));
    // Many slips away from every word, but its first four letters are those of one.
    assert_eq!(with(6, "sausagesandmore"), meant(6, &["sausage"]));
    assert_eq!(with(3, "xqzxqz"), meant(3, &[]));
    let text = with(2, "winer").to_string();
    assert_eq!(text, "word 2 is not in the list of words; did you mean wine, winner or winter?");
    assert_eq!(with(12, "yelloww").to_string().split("; ").nth(1), Some("did you mean yellow?"));
    // What came is not repeated.
    assert!(!with(3, "xqzxqz").to_string().contains("xqz"));
}

#[test]
fn a_phrase_of_right_words_in_the_wrong_order_or_number_is_refused() {
    let swapped = PHRASE.replacen("legal winner", "winner legal", 1);
    assert_eq!(Phrase::parse(&swapped), Err(PhraseFault::Checksum));
    let fifteen = format!("{PHRASE} legal winner thank");
    for (text, got) in [("", 0), ("legal winner", 2), (fifteen.as_str(), 15)] {
        assert_eq!(Phrase::parse(text), Err(PhraseFault::WordCount { got }));
    }
    assert_eq!(Phrase::parse(&"a ".repeat(3000)), Err(PhraseFault::Long));
    for bytes in [0, 15, 17, 20, 24, 33] {
        assert!(Phrase::new(&vec![0; bytes]).is_err(), "{bytes}");
    }
}

#[test]
fn no_debug_shows_a_secret() {
    let phrase = Phrase::parse(PHRASE).unwrap();
    let mut unlocked = Unlocked::new(key(0x5a), Time::ZERO, Duration::from_secs(1));
    assert!(unlocked.key(Time::ZERO).is_some());
    let shown = format!("{phrase:?} {:?} {unlocked:?} {:?}", password("hush5a"), backups::seed());
    for secret in ["legal", "yellow", "hush", "5a5a", "90, 90"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

#[test]
fn an_unlocked_key_locks_itself_and_does_not_come_back() {
    let later = |seconds| Time::ZERO + Duration::from_secs(seconds);
    let mut unlocked = Unlocked::new(key(1), later(10), Duration::from_secs(60));
    assert_eq!(unlocked.locks_at(), later(70));
    let address = |unlocked: &mut Unlocked, now| unlocked.key(now).map(Key::address);
    assert_eq!(address(&mut unlocked, later(69)), Some(key(1).address()));
    assert_eq!(address(&mut unlocked, later(70)), None);
    assert_eq!(address(&mut unlocked, later(11)), None);
    let mut unlocked = Unlocked::new(key(1), Time::ZERO, Duration::from_secs(60));
    unlocked.lock();
    assert_eq!(address(&mut unlocked, Time::ZERO), None);
}

#[test]
fn a_session_key_is_new_each_time_and_spends_what_its_owner_signed_for_under_six_days() {
    const DAY: u64 = 24 * 3600;
    let (owner, now) = (key(1), 1_795_000_000);
    let allowance = Allowance {
        domain: Domain { chain_id: 7, verifying_contract: Address::new([9; 20]) },
        token: Address::new([3; 20]),
        max_amount: 1_000,
        bond_at_risk: 100,
    };
    let session = Session::draw(&owner, &allowance, now).unwrap();
    assert_ne!(
        session.key.address(),
        Session::draw(&owner, &allowance, now).unwrap().key.address()
    );
    let separator = allowance.domain.separator();
    let authority = Authority::session(session.delegate, &session.word, &separator);
    assert_eq!(authority, Ok(Authority::Session { delegate: session.delegate }));
    let Delegate { session: signer, token, max_amount, bond_at_risk, valid_until, .. } =
        session.delegate;
    assert_eq!((signer, token), (session.key.address(), allowance.token));
    assert_eq!((max_amount, bond_at_risk), (1_000, 100));
    // An hour less than contracts allow, as clocks differ; and sellers want two days of it to be left.
    assert_eq!(valid_until, now + 8 * DAY - 3600);
    assert!(session.is_usable(now) && session.is_usable(now + 6 * DAY - 3600));
    assert!(!session.is_usable(now + 6 * DAY - 3599) && !session.is_usable(now + 9 * DAY));
}

#[test]
fn an_address_with_a_slip_is_refused_and_the_slip_named() {
    let hex = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F";
    let tron = "TQLCsShbQNXMTVCjprY64qZmEA4rBarpQp";
    let address = parse_address(hex).unwrap();
    for good in [hex.to_lowercase(), hex.to_uppercase(), format!(" {hex}\n"), tron.to_owned()] {
        assert_eq!(parse_address(&good), Ok(address), "{good}");
    }
    let bad = |text: &str| parse_address(text).unwrap_err();
    assert_eq!(bad(&hex.replace("8A62", "8a62")), AddressFault::HexChecksum);
    assert_eq!(bad(&hex.replace("E4855", "E4856")), AddressFault::HexChecksum);
    assert_eq!(bad(&tron.replace("qZmE", "qZnE")), AddressFault::TronChecksum);
    assert_eq!(bad(&hex.replace("8A62", "8G62")), AddressFault::Character { place: 6, got: 'G' });
    assert_eq!(bad(&tron.replace("QLC", "Q0C")), AddressFault::Character { place: 3, got: '0' });
    assert_eq!(bad(&hex[..41]), AddressFault::Form { got: 41 });
    assert_eq!(bad(&tron[..33]), AddressFault::Form { got: 33 });
    for foreign in ["", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", &hex[2..], "Tää"] {
        assert!(matches!(bad(foreign), AddressFault::Form { .. }), "{foreign}");
    }
    // 34 letters of the alphabet that stand for more bytes than an address has.
    assert_eq!(bad(&format!("T{}", "z".repeat(33))), AddressFault::TronChecksum);
}

#[test]
fn a_password_that_costs_too_much_is_refused_before_it_is_tried() {
    for (n, r, p) in
        [(0, 8, 1), (3, 8, 1), (1 << 20, 16, 1), (1 << 63, 1, 1), (1024, 0, 1), (1024, 8, 17)]
    {
        assert_eq!(Cost::new(n, r, p), Err(CostFault { n, r, p }));
    }
    assert!(Cost::new(1 << 20, 8, 1).is_ok());
    assert_eq!(Cost::new(1 << 17, 8, 1), Ok(Cost::STANDARD));
}

proptest! {
    #[test]
    fn every_phrase_is_read_back(entropy in prop_oneof![
        prop::collection::vec(any::<u8>(), 16),
        prop::collection::vec(any::<u8>(), 32),
    ]) {
        let phrase = Phrase::new(&entropy).unwrap();
        let text = phrase.words().collect::<Vec<_>>().join(" ");
        prop_assert_eq!(text.split(' ').count(), entropy.len() * 3 / 4);
        prop_assert_eq!(Phrase::parse(&text), Ok(phrase));
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in ".{0,300}") {
        drop((Phrase::parse(&text), parse_address(&text), Keystore::parse(&text)));
        drop(Record::decode_all(text.as_bytes()));
    }

    #[test]
    fn every_address_is_read_back_in_both_forms(bytes: [u8; 20]) {
        let address = Address::new(bytes);
        prop_assert_eq!(parse_address(&hex_address(&address)), Ok(address));
        prop_assert_eq!(parse_address(&tron_address(&address)), Ok(address));
    }

    #[test]
    fn no_changed_character_of_a_tron_address_goes_unseen(
        bytes: [u8; 20], place in 1..34_usize, to in "[1-9A-HJ-NP-Za-km-z]",
    ) {
        let mut text = tron_address(&Address::new(bytes));
        prop_assume!(text[place..=place] != to);
        text.replace_range(place..=place, &to);
        prop_assert!(parse_address(&text).is_err());
    }
}

#[test]
fn words_that_are_drawn_make_a_phrase_and_no_two_draws_are_alike() {
    for words in WORD_COUNTS {
        let phrase = Phrase::draw(words).unwrap();
        assert_eq!(phrase.words().count(), words);
        assert_ne!(phrase, Phrase::draw(words).unwrap());
    }
    assert!(matches!(Phrase::draw(13), Err(PhraseFault::WordCount { got: 13 })));
}
