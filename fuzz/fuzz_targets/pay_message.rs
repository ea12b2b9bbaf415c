//! One message of `pw_pay` from a stranger, in the open or as it was before it was sealed. What reads well is
//! written again in one form that says the same, within the limit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_pay::{Heard, INNER_BYTES_MAX, MESSAGE_BYTES_MAX, Message, Start, Talk};
use piecework_types::Time;

fuzz_target!(|input: &[u8]| {
    let [mode, bytes @ ..] = input else { return };
    if mode & 1 == 0 { inner(bytes) } else { outer(bytes) }
});

fn inner(bytes: &[u8]) {
    let Ok(Some(message)) = Message::decode(bytes) else { return };
    assert!(bytes.len() <= INNER_BYTES_MAX);
    let form = message.encode();
    assert!(form.len() <= INNER_BYTES_MAX);
    // What a later version added is gone, the rest is the same.
    assert_eq!(Message::decode(&form), Ok(Some(message)));
}

fn outer(bytes: &[u8]) {
    let start = Start {
        is_initiator: true,
        info_hash: [1; 20],
        secret: [2; 32].into(),
        buys: true,
        sells: true,
        offsets: true,
        is_again: false,
    };
    let mut talk = Talk::new(start, Time::ZERO);
    match talk.receive(bytes, Time::ZERO) {
        Ok(Heard::Met(met)) => {
            assert!(bytes.len() <= MESSAGE_BYTES_MAX);
            assert_ne!(met.initiator, met.responder);
        }
        Ok(heard) => assert_eq!(heard, Heard::Nothing),
        Err(_) => assert!(!talk.is_off()),
    }
}
