#![allow(clippy::unwrap_used)]

use super::*;
use crate::{CloseReason, NETWORKS_MAX, Network, Price, Refused, RefusedCode};
use alloy_primitives::{Address, B256};
use piecework_bencode::encode_dict;

const NOW: Time = Time::ZERO;

fn start(is_initiator: bool, buys: bool, sells: bool) -> Start {
    let secret = Zeroizing::new([1 + u8::from(is_initiator); 32]);
    let (info_hash, offsets, is_again) = ([7; 20], true, false);
    Start { is_initiator, info_hash, secret, buys, sells, offsets, is_again }
}

/// A buyer that opened the connection, and a seller.
fn strangers() -> [Talk; 2] {
    [Talk::new(start(true, true, false), NOW), Talk::new(start(false, false, true), NOW)]
}

fn acquainted() -> [Talk; 2] {
    let [mut buyer, mut seller] = strangers();
    buyer.receive(&seller.hello(), NOW).unwrap();
    seller.receive(&buyer.hello(), NOW).unwrap();
    [buyer, seller]
}

fn terms() -> Terms {
    let (vault, token) = (Address::new([1; 20]), Address::new([2; 20]));
    Terms {
        networks: vec![Network { chain_id: 9, vault, token, genesis: [3; 8] }; NETWORKS_MAX],
        ask: Price::new(1000).unwrap(),
        link_bytes: 256 << 10,
        window: 512 << 10,
        window_max: 32 << 20,
        links_max: 1024,
        payee: Address::new([4; 20]),
        free_permille: 250,
    }
}

fn heard(message: &Message) -> Heard {
    Heard::Message(Box::new(message.clone()))
}

fn link(number: u32) -> Message {
    Message::Link { number, link: B256::new([5; 32]) }
}

#[test]
fn a_responder_says_hello_and_its_terms_in_one_flight() {
    let [mut buyer, mut seller] = strangers();
    let Ok(Heard::Met(met)) = seller.receive(&buyer.hello(), NOW) else { panic!("not met") };
    assert!(met.we_sell && !met.we_buy && met.offsets);
    let message = Message::Terms(terms());
    let flight = [seller.hello(), seller.send(&message).unwrap()];
    let Ok(Heard::Met(theirs)) = buyer.receive(&flight[0], NOW) else { panic!("not met") };
    assert!(theirs.we_buy && !theirs.we_sell);
    assert_eq!((theirs.initiator, theirs.responder), (met.initiator, met.responder));
    assert_eq!((buyer.hello.ephemeral, seller.hello.ephemeral), (met.initiator, met.responder));
    let got = buyer.receive(&flight[1], NOW).unwrap();
    assert_eq!(got, Heard::Terms { terms: terms(), said: message.encode() });
}

#[test]
fn terms_are_handed_on_as_they_were_sent_with_all_that_a_later_version_added() {
    let [mut buyer, mut seller] = acquainted();
    let ours = Message::Terms(terms()).encode();
    let said = encode_dict(|dict| {
        let document = piecework_bencode::decode(&ours, piecework_bencode::Mode::Strict).unwrap();
        for (key, value) in document.root().as_dict().unwrap() {
            dict.raw(key, value.raw());
        }
        dict.int("zz", 1);
    });
    let Stage::Sealed { seal, .. } = &mut seller.stage else { panic!("not met") };
    let bytes = encode_sealed(&seal.seal(&said).unwrap());
    assert_eq!(buyer.receive(&bytes, NOW), Ok(Heard::Terms { terms: terms(), said }));
}

#[test]
fn both_sides_may_have_both_roles() {
    let [mut a, mut b] = [true, false].map(|first| Talk::new(start(first, true, true), NOW));
    let Ok(Heard::Met(met)) = a.receive(&b.hello(), NOW) else { panic!("not met") };
    assert!(met.we_buy && met.we_sell);
    b.receive(&a.hello(), NOW).unwrap();
    for message in [link(1), Message::Stat { bytes: 1, due: 2 }] {
        let bytes = a.send(&message).unwrap();
        assert_eq!(b.receive(&bytes, NOW), Ok(heard(&message)));
        let bytes = b.send(&message).unwrap();
        assert_eq!(a.receive(&bytes, NOW), Ok(heard(&message)));
    }
}

#[test]
fn nothing_sealed_is_taken_or_said_before_both_hellos() {
    let [mut stranger, _] = strangers();
    assert_eq!(stranger.send(&link(1)), None);
    let [mut buyer, _] = acquainted();
    let sealed = buyer.send(&link(1)).unwrap();
    assert_eq!(stranger.receive(&sealed, NOW), Err(PayFault::NoHello));
}

#[test]
fn what_is_still_under_way_of_the_conversation_before_is_passed_over() {
    let [_, mut before] = acquainted();
    let again = Start { is_again: true, ..start(true, true, false) };
    let mut buyer = Talk::new(again, NOW);
    for _ in 0..3 * FAULTS_MAX {
        let sealed = before.send(&Message::Stat { bytes: 1, due: 1 }).unwrap();
        assert_eq!(buyer.receive(&sealed, NOW), Ok(Heard::Nothing));
    }
    let mut seller = Talk::new(start(false, false, true), NOW);
    seller.receive(&buyer.hello(), NOW).unwrap();
    assert!(matches!(buyer.receive(&seller.hello(), NOW), Ok(Heard::Met(_))));
    // From its hello on the other side is held to its word.
    let sealed = before.send(&Message::Stat { bytes: 1, due: 1 }).unwrap();
    assert!(buyer.receive(&sealed, NOW).is_err());
}

#[test]
fn a_message_of_a_role_that_its_sender_has_not_is_nothing() {
    let [mut buyer, mut seller] = acquainted();
    let to_buyer = [link(1), Message::Stat { bytes: 1, due: 1 }];
    let got = to_buyer.map(|message| buyer.receive(&seller.send(&message).unwrap(), NOW));
    assert_eq!(got, [Ok(Heard::Nothing), Ok(heard(&Message::Stat { bytes: 1, due: 1 }))]);
    let terms = buyer.send(&Message::Terms(terms())).unwrap();
    assert_eq!(seller.receive(&terms, NOW), Ok(Heard::Nothing));
    let close = Message::Close { channel: 1, reason: CloseReason::Done };
    let bytes = buyer.send(&close).unwrap();
    assert_eq!(seller.receive(&bytes, NOW), Ok(heard(&close)));
}

#[test]
fn two_that_only_sell_have_nothing_to_say_to_each_other() {
    let [mut a, mut b] = [true, false].map(|first| Talk::new(start(first, false, true), NOW));
    a.receive(&b.hello(), NOW).unwrap();
    b.receive(&a.hello(), NOW).unwrap();
    let refused = Refused { code: RefusedCode::NoNetwork, text: String::new() };
    let bytes = a.send(&Message::Refused(refused)).unwrap();
    assert_eq!(b.receive(&bytes, NOW), Ok(Heard::Nothing));
}

#[test]
fn the_third_fault_ends_the_conversation() {
    let [mut buyer, mut seller] = acquainted();
    let sealed = seller.send(&Message::Stat { bytes: 1, due: 1 }).unwrap();
    let mut changed = sealed.clone();
    changed[20] ^= 1;
    assert!(buyer.receive(b"garbage", NOW).is_err());
    assert_eq!(buyer.receive(&changed, NOW), Err(PayFault::Unopened { number: 0 }));
    assert!(!buyer.is_off());
    // In between it goes on as if nothing had been.
    assert!(matches!(buyer.receive(&sealed, NOW), Ok(Heard::Message(_))));
    assert_eq!(buyer.receive(&seller.hello(), NOW), Err(PayFault::SecondHello));
    assert!(buyer.is_off());
    assert_eq!(buyer.send(&link(1)), None);
    let sealed = seller.send(&Message::Stat { bytes: 2, due: 2 }).unwrap();
    assert_eq!(buyer.receive(&sealed, NOW), Ok(Heard::Nothing));
}

#[test]
fn a_key_that_agrees_on_zeros_is_a_fault_and_another_hello_may_follow() {
    let [mut buyer, seller] = strangers();
    let zeros = Hello { ephemeral: [0; 32], ..seller.hello };
    assert_eq!(buyer.receive(&zeros.encode(), NOW), Err(PayFault::ZeroSecret));
    assert!(matches!(buyer.receive(&seller.hello(), NOW), Ok(Heard::Met(_))));
}

#[test]
fn messages_over_the_rate_are_dropped_and_a_second_of_them_is_one_fault() {
    let [mut buyer, mut seller] = acquainted();
    let mut send = |buyer: &mut Talk, now| {
        buyer.receive(&seller.send(&Message::Stat { bytes: 1, due: 1 }).unwrap(), now)
    };
    // One was the hello.
    for _ in 1..MESSAGES.burst {
        assert!(matches!(send(&mut buyer, NOW), Ok(Heard::Message(_))));
    }
    let fault = PayFault::TooManyMessages { max: 200 };
    assert_eq!(send(&mut buyer, NOW), Err(fault));
    for _ in 0..500 {
        assert_eq!(send(&mut buyer, NOW), Ok(Heard::Nothing));
    }
    // After a pause the next ones open, for those that were dropped have been counted.
    let later = NOW + Duration::from_secs(1);
    for _ in 0..MESSAGES.per_second {
        assert!(matches!(send(&mut buyer, later), Ok(Heard::Message(_))));
    }
    assert_eq!(send(&mut buyer, later), Err(fault));
    assert!(!buyer.is_off());
}

#[test]
fn messages_with_a_signature_have_a_lower_rate_of_their_own() {
    let [mut buyer, mut seller] = acquainted();
    let key = crate::Key::new(&[1; 32]).unwrap();
    let cheque = crate::Cheque::decode(&[1; crate::CHEQUE_BYTES]).unwrap();
    let signature = key.sign(&B256::ZERO);
    let cheque = Message::Cheque(crate::SignedCheque { cheque, signature });
    for _ in 0..SIGNED_MESSAGES.burst {
        let got = seller.receive(&buyer.send(&cheque).unwrap(), NOW);
        assert_eq!(got, Ok(heard(&cheque)));
    }
    let got = seller.receive(&buyer.send(&cheque).unwrap(), NOW);
    assert_eq!(got, Err(PayFault::TooManyMessages { max: 10 }));
    // Links go on.
    let got = seller.receive(&buyer.send(&link(1)).unwrap(), NOW);
    assert_eq!(got, Ok(heard(&link(1))));
    let later = NOW + Duration::from_millis(100);
    let got = seller.receive(&buyer.send(&cheque).unwrap(), later);
    assert_eq!(got, Ok(heard(&cheque)));
}

#[test]
fn who_does_not_stop_is_not_read_any_more() {
    let [mut buyer, mut seller] = acquainted();
    for ms in 0..30_000 {
        let bytes = seller.send(&Message::Stat { bytes: 1, due: 1 }).unwrap();
        let _ = buyer.receive(&bytes, NOW + Duration::from_millis(ms));
    }
    assert!(buyer.is_off());
}

#[test]
fn types_of_a_later_version_are_nothing_at_any_time() {
    let [mut buyer, mut seller] = strangers();
    let later = encode_dict(|dict| dict.int("t", 77));
    assert_eq!(buyer.receive(&later, NOW), Ok(Heard::Nothing));
    buyer.receive(&seller.hello(), NOW).unwrap();
    seller.receive(&buyer.hello(), NOW).unwrap();
    assert_eq!(buyer.receive(&later, NOW), Ok(Heard::Nothing));
    let Stage::Sealed { seal, .. } = &mut seller.stage else { panic!("not met") };
    let sealed = encode_sealed(&seal.seal(&later).unwrap());
    assert_eq!(buyer.receive(&sealed, NOW), Ok(Heard::Nothing));
}

#[test]
fn no_secret_is_shown() {
    let secret = Zeroizing::new([0x5a; 32]);
    let start = Start { secret, ..start(true, true, true) };
    let shown = format!("{start:?}");
    let shown = format!("{shown}{:?}", Talk::new(start, NOW));
    assert!(!shown.contains("5a5a") && !shown.contains("90, 90"), "{shown}");
}

#[test]
fn who_says_our_own_hello_back_is_not_met() {
    let [mut buyer, _] = strangers();
    let hello = buyer.hello();
    assert_eq!(buyer.receive(&hello, NOW), Err(PayFault::OwnKey));
    assert!(buyer.send(&Message::Terms(terms())).is_none(), "nothing is sealed for a mirror");
}
