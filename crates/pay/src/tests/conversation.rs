//! One conversation byte for byte, made with viem, ethers, noble and OpenSSL, and alike in all.

use super::vectors::{bytes, list, read};
use crate::*;
use piecework_types::Time;
use serde_json::Value;
use zeroize::Zeroizing;

fn conversation() -> Value {
    serde_json::from_str(include_str!("../../../../docs/spec/pw_pay.json")).unwrap()
}

fn array<const BYTES: usize>(of: &Value, name: &str) -> [u8; BYTES] {
    bytes(of, name).try_into().unwrap()
}

fn talk(all: &Value, side: &str, sells: bool) -> Talk {
    let start = Start {
        is_initiator: side == "initiator",
        info_hash: array(all, "infoHash"),
        secret: Zeroizing::new(array(&all[side], "secret")),
        buys: true,
        sells,
        offsets: sells,
        is_again: false,
    };
    let talk = Talk::new(start, Time::ZERO);
    assert_eq!(talk.hello(), bytes(&all[side], "hello"));
    talk
}

fn key(all: &Value, name: &str) -> Key {
    Key::new(&array(&all["accounts"][name], "privateKey")).unwrap()
}

fn separator(all: &Value) -> B256 {
    let of = &all["domain"];
    let (chain_id, verifying_contract) = (read(of, "chainId"), read(of, "verifyingContract"));
    Domain { chain_id, verifying_contract }.separator()
}

fn meets<T: Typed>(all: &Value, of: &Value, message: &T) {
    let digest = message.digest(&separator(all));
    assert_eq!(digest, read::<B256>(of, "digest"));
    let signature = key(all, of["by"].as_str().unwrap()).sign(&digest);
    assert_eq!(signature.as_bytes().as_slice(), bytes(of, "signature"));
}

#[test]
fn a_conversation_is_that_of_other_peoples_libraries_byte_for_byte() {
    let all = conversation();
    let (mut initiator, mut responder) =
        (talk(&all, "initiator", false), talk(&all, "responder", true));
    let hellos = ["initiator", "responder"].map(|side| bytes(&all[side], "hello"));
    let met = |heard| match heard {
        Ok(Heard::Met(met)) => (met.initiator, met.responder),
        other => panic!("{other:?}"),
    };
    let keys = ["initiator", "responder"].map(|side| array(&all[side], "e"));
    assert_eq!(met(initiator.receive(&hellos[1], Time::ZERO)), keys.into());
    assert_eq!(met(responder.receive(&hellos[0], Time::ZERO)), keys.into());
    let mut types = Vec::new();
    for of in list(&all, "messages") {
        let inner = bytes(of, "inner");
        let message = Message::decode(&inner).unwrap().unwrap();
        assert_eq!(message.encode(), inner, "{message:?}");
        let (from, to) = match of["from"].as_str() {
            Some("initiator") => (&mut initiator, &mut responder),
            _ => (&mut responder, &mut initiator),
        };
        let outer = from.send(&message).unwrap();
        assert_eq!(outer, bytes(of, "outer"), "{message:?}");
        match (to.receive(&outer, Time::ZERO), &message) {
            (Ok(Heard::Terms { said, .. }), Message::Terms(_)) => assert_eq!(said, inner),
            (heard, _) => assert_eq!(heard, Ok(Heard::Message(Box::new(message)))),
        }
        types.push(of["name"].as_str().unwrap());
    }
    let said =
        ["terms", "open", "chq", "bid", "ok", "ask", "link", "link", "stat", "err", "chq", "close"];
    assert_eq!(types, said);
    for of in list(&all, "others") {
        let inner = bytes(of, "inner");
        let message = Message::decode(&inner).unwrap().unwrap();
        assert_eq!(message.encode(), inner, "{message:?}");
    }
}

#[test]
fn what_is_signed_in_the_conversation_is_what_other_peoples_libraries_sign() {
    let all = conversation();
    let terms = bytes(&list(&all, "messages")[0], "inner");
    let [initiator, responder] = ["initiator", "responder"].map(|side| array(&all[side], "e"));
    let bind = Bind::new(&initiator, &responder, array(&all, "infoHash"), &terms);
    assert_eq!(bind.transcript, read::<B256>(&all["bind"], "transcript"));
    meets(&all, &all["bind"], &bind);
    let of = &all["delegate"]["message"];
    let delegate = Delegate {
        owner: read(of, "owner"),
        session: read(of, "session"),
        token: read(of, "token"),
        max_amount: read(of, "maxAmount"),
        bond_at_risk: read(of, "bondAtRisk"),
        valid_until: read(of, "validUntil"),
    };
    meets(&all, &all["delegate"], &delegate);
    let said = |at: usize| match Message::decode(&bytes(&all["messages"][at], "inner")) {
        Ok(Some(message)) => message,
        other => panic!("{other:?}"),
    };
    let (Message::Open(open), Message::Cheque(first), Message::Cheque(folded)) =
        (said(1), said(2), said(10))
    else {
        panic!("an open and two cheques")
    };
    let owner = delegate.owner;
    let separator = separator(&all);
    let authority = Authority::session(delegate, &open.delegation.unwrap().signature, &separator);
    let authority = authority.unwrap();
    for (signed, of) in [first, folded].iter().zip(list(&all, "cheques")) {
        meets(&all, of, &signed.cheque);
        assert_eq!(authority.check(&signed.cheque, &signed.signature, &separator), Ok(()));
    }
    meets(&all, &all["cheques"][2], &first.cheque);
    assert_eq!(open.payer, owner);
    let fourth = read(&all["chain"]["samples"][2], "w");
    assert_eq!(first.cheque.value(4, fourth), Ok(folded.cheque.cumulative));
}
