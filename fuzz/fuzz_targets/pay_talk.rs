//! A conversation of `pw_pay` with somebody in between who changes, invents, repeats and withholds. What was
//! changed is never heard, what comes as it was sent is, and with the third fault it is over for good.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_pay::{
    B256, CloseReason, FAULTS_MAX, Heard, Message, PayFault, Refused, RefusedCode, Start, Talk,
};
use piecework_types::Time;
use std::time::Duration;

/// So slow that no message is too much.
const STEP: Duration = Duration::from_millis(100);

fuzz_target!(|input: &[u8]| {
    let [roles, steps @ ..] = input else { return };
    let mut ours = talk(true, *roles);
    let mut theirs = talk(false, roles >> 2);
    theirs.receive(&ours.hello(), Time::ZERO).expect("an honest hello");
    let (mut now, mut faults, mut last) = (Time::ZERO, 0, Vec::new());
    let mut steps = steps;
    while let [op, at, rest @ ..] = steps {
        let (bytes, after) = rest.split_at(usize::from(*at).min(rest.len()));
        steps = after;
        now += STEP;
        let sent = match op % 8 {
            0 => bytes.to_vec(),
            1 => sealed(bytes),
            2 => theirs.hello(),
            3 => last.clone(),
            _ => match theirs.send(&message(*op, bytes)) {
                Some(sent) => sent,
                None => continue,
            },
        };
        let is_over = faults >= FAULTS_MAX;
        if op % 8 >= 4 && op & 0x80 != 0 {
            // First somebody's version of it, then the message itself.
            let changed = changed(&sent, *at, bytes);
            let got = ours.receive(&changed, now);
            assert!(changed == sent || !matches!(got, Ok(Heard::Message(_) | Heard::Terms { .. })));
            faults += u8::from(got.is_err());
        }
        let got = ours.receive(&sent, now);
        faults += u8::from(got.is_err());
        check(&mut ours, &got, faults, is_over);
        last = sent;
    }
});

fn check(ours: &mut Talk, got: &Result<Heard, PayFault>, faults: u8, was_over: bool) {
    assert_eq!(ours.is_off(), faults >= FAULTS_MAX);
    assert!(faults <= FAULTS_MAX, "a fault after the last");
    if was_over {
        assert_eq!(got, &Ok(Heard::Nothing));
    }
    if ours.is_off() {
        assert_eq!(ours.send(&Message::Stat { bytes: 1, due: 1 }), None);
    }
}

fn talk(is_initiator: bool, roles: u8) -> Talk {
    let start = Start {
        is_initiator,
        info_hash: [1; 20],
        secret: [2 + u8::from(is_initiator); 32].into(),
        buys: roles & 1 != 0,
        sells: roles & 2 != 0,
        offsets: false,
        is_again: roles & 4 != 0,
    };
    Talk::new(start, Time::ZERO)
}

fn message(op: u8, bytes: &[u8]) -> Message {
    match op >> 4 & 3 {
        0 => Message::Stat { bytes: u64::from(op), due: bytes.len() as u128 },
        1 => Message::Link { number: 1 + u32::from(op), link: B256::repeat_byte(op) },
        2 => Message::Close { channel: u64::from(op), reason: CloseReason::of(op) },
        _ => Message::decode(bytes).ok().flatten().unwrap_or_else(|| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            Message::Refused(Refused { code: RefusedCode::of(op), text })
        }),
    }
}

/// What looks sealed.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    [format!("d1:ti12e1:x{}:", bytes.len()).as_bytes(), bytes, b"e"].concat()
}

fn changed(sent: &[u8], at: u8, by: &[u8]) -> Vec<u8> {
    let mut changed = sent.to_vec();
    for (place, flip) in changed.iter_mut().skip(usize::from(at)).zip(by) {
        *place ^= flip;
    }
    changed
}
