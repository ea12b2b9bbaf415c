//! What a buyer sends: a cheque, its signature, an amount and links. The first byte says which. What reads
//! well is written the same way again; no value overflows, and no link counts that does not lead to the root.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_pay::{
    Address, B256, CHEQUE_BYTES, Cheque, Domain, Held, LINKS_MAX, Links, Signature, Typed,
    decode_amount, encode_amount,
};

fuzz_target!(|input: &[u8]| {
    let [mode, bytes @ ..] = input else { return };
    match mode % 4 {
        0 => amount(bytes),
        1 => cheque(bytes),
        2 => signature(bytes),
        _ => links(bytes),
    }
});

fn amount(bytes: &[u8]) {
    let Ok(amount) = decode_amount(bytes) else { return };
    assert_eq!(encode_amount(amount), bytes);
}

fn cheque(bytes: &[u8]) {
    let Ok(cheque) = Cheque::decode(bytes) else { return };
    assert_eq!(cheque.encode(), bytes);
    if cheque.check(cheque.payee).is_ok() {
        // Whatever is revealed later, nothing is over 2^128 - 1, and more links are worth no less.
        let worth = |count| cheque.worth(count).expect("checked with all links");
        assert!(cheque.links <= LINKS_MAX && worth(cheque.links / 2) <= worth(cheque.links));
        assert_eq!(cheque.value(0, cheque.root), Ok(cheque.cumulative));
    }
}

fn signature(bytes: &[u8]) {
    let Some((cheque, signature)) = bytes.split_at_checked(CHEQUE_BYTES) else { return };
    let Ok(cheque) = Cheque::decode(cheque) else { return };
    let Ok(signature) = Signature::decode(signature) else { return };
    assert_eq!(signature.as_bytes().as_slice(), &bytes[CHEQUE_BYTES..]);
    let domain = Domain { chain_id: 1, verifying_contract: Address::ZERO };
    let digest = cheque.digest(&domain.separator());
    let Ok(signer) = signature.recover(&digest) else { return };
    assert_eq!(signature.check(&digest, signer), Ok(()));
}

/// Steps of a chain of up to 255 links: two bytes each, the number that is said and the one that is shown.
fn links(bytes: &[u8]) {
    let [count, steps @ ..] = bytes else { return };
    let chain = Links::new(B256::new([1; 32]), u32::from(*count)).expect("at most 255 links");
    let mut held = Held::new(chain.root(), chain.count()).expect("at most 255 links");
    for step in steps.as_chunks::<2>().0.iter().take(64) {
        let [said, shown] = step.map(u32::from);
        let before = held;
        let got = held.take(said, chain.link(shown).unwrap_or_default());
        let is_right = said == shown && said <= chain.count();
        let expected = is_right.then_some(said).filter(|&said| said > before.number());
        match expected {
            Some(said) => assert_eq!(got, Ok(said - before.number())),
            None => assert!(got.is_err() || got == Ok(0)),
        }
        assert_eq!(held.number(), expected.unwrap_or(before.number()));
    }
}
