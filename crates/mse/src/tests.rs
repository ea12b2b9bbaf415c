#![allow(clippy::unwrap_used)]

use super::*;
use piecework_types::{InfoHash, Rng};
use proptest::prelude::*;
use std::sync::Arc;

const INFO_HASH: InfoHash = InfoHash([0xaa; 20]);
const HELLO: &[u8] = b"a plaintext handshake";

fn torrents() -> Torrents {
    let mut torrents = Torrents::default();
    assert!([1, 0xaa, 2].iter().all(|&byte| torrents.insert(InfoHash([byte; 20]))));
    torrents
}

fn caller(encryption: Encryption, seed: u64, out: &mut Vec<u8>) -> Initiator {
    let call = Call { info_hash: INFO_HASH, payload: HELLO.to_vec() };
    Initiator::start(call, KeyPair::new(&[0x5a; SECRET_BYTES]), encryption, seed, out)
}

fn called(encryption: Encryption, seed: u64) -> Responder {
    Responder::new(Arc::new(KeyPair::new(&[0xa5; SECRET_BYTES])), encryption, seed)
}

/// Gives bytes to a responder in spans of the lengths that `cuts` draws, and lets it agree at once.
fn give(
    responder: &mut Responder,
    bytes: &[u8],
    cuts: &mut Rng,
    out: &mut Vec<u8>,
) -> Result<Option<Established>, MseFault> {
    let torrents = torrents();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.len().min(1 + cuts.below(700) as usize));
        let mut step = responder.receive(now, &torrents, out)?;
        if matches!(step, Step::Costly) {
            step = responder.agree(&torrents, out)?;
        }
        if let Step::Done(mut established) = step {
            match &mut established.ciphers {
                Some(ciphers) => {
                    let mut later = later.to_vec();
                    ciphers.receive.apply(&mut later);
                    established.payload.extend(later);
                }
                None => established.payload.extend_from_slice(later),
            }
            return Ok(Some(*established));
        }
        rest = later;
    }
    Ok(None)
}

/// The same for an initiator.
fn give_back(
    initiator: &mut Initiator,
    bytes: &[u8],
    cuts: &mut Rng,
    out: &mut Vec<u8>,
) -> Result<Option<Established>, MseFault> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.len().min(1 + cuts.below(700) as usize));
        if let Some(mut established) = initiator.receive(now, out)? {
            match &mut established.ciphers {
                Some(ciphers) => {
                    let mut later = later.to_vec();
                    ciphers.receive.apply(&mut later);
                    established.payload.extend(later);
                }
                None => established.payload.extend_from_slice(later),
            }
            return Ok(Some(established));
        }
        rest = later;
    }
    Ok(None)
}

/// A whole handshake: the caller's result and the called one's.
fn meet(
    (ours, theirs): (Encryption, Encryption),
    seed: u64,
) -> Result<(Established, Established), MseFault> {
    let mut cuts = Rng::new(seed);
    let (mut there, mut back) = (Vec::new(), Vec::new());
    let mut initiator = caller(ours, seed, &mut there);
    let mut responder = called(theirs, seed + 1);
    let first = give(&mut responder, &there, &mut cuts, &mut back)?;
    assert!(first.is_none(), "the caller has said nothing yet");
    there.clear();
    assert!(give_back(&mut initiator, &back, &mut cuts, &mut there)?.is_none());
    back.clear();
    let theirs = give(&mut responder, &there, &mut cuts, &mut back)?.expect("the caller is done");
    let ours =
        give_back(&mut initiator, &back, &mut cuts, &mut Vec::new())?.expect("both are done");
    Ok((ours, theirs))
}

#[test]
fn both_sides_agree_on_the_way_that_both_allow() {
    use Encryption::{Off, Prefer, Require};
    let met = |ours, theirs| meet((ours, theirs), 1).map(|(one, other)| (one.method, other.method));
    assert_eq!(met(Prefer, Prefer), Ok((Method::Plaintext, Method::Plaintext)));
    assert_eq!(met(Prefer, Require), Ok((Method::Rc4, Method::Rc4)));
    assert_eq!(met(Require, Prefer), Ok((Method::Rc4, Method::Rc4)));
    assert_eq!(met(Require, Require), Ok((Method::Rc4, Method::Rc4)));
    assert_eq!(met(Off, Require), Err(MseFault::NoCommonMethod { offer: 1 }));
}

#[test]
fn half_a_handshake_costs_no_agreement() {
    let (mut there, mut back) = (Vec::new(), Vec::new());
    caller(Encryption::Prefer, 1, &mut there);
    let (mut responder, torrents) = (called(Encryption::Prefer, 2), torrents());
    let step = responder.receive(&there[..KEY_BYTES], &torrents, &mut back);
    assert!(matches!(step, Ok(Step::Incomplete)) && back.len() >= KEY_BYTES);
    let step = responder.receive(&[7], &torrents, &mut back);
    assert!(matches!(step, Ok(Step::Costly)));
}

#[test]
fn a_torrent_that_is_not_here_is_refused_by_name() {
    let (mut there, mut back) = (Vec::new(), Vec::new());
    let mut initiator = caller(Encryption::Prefer, 1, &mut there);
    let mut responder = called(Encryption::Prefer, 2);
    let mut torrents = torrents();
    torrents.remove(INFO_HASH);
    drop(responder.receive(&there, &torrents, &mut back));
    there.clear();
    drop(initiator.receive(&back, &mut there));
    drop(responder.receive(&there, &torrents, &mut back));
    let step = responder.agree(&torrents, &mut back);
    // The pad of this seed ends before the marker: all of it has come.
    assert_eq!(step.map(drop), Err(MseFault::UnknownTorrent));
}

#[test]
fn keys_that_make_the_secret_known_are_refused() {
    let pair = KeyPair::new(&[3; SECRET_BYTES]);
    let mut one = [0; KEY_BYTES];
    one[KEY_BYTES - 1] = 1;
    for weak in [[0; KEY_BYTES], one, [0xff; KEY_BYTES]] {
        assert_eq!(pair.agree(&weak), Err(MseFault::WeakKey));
    }
}

#[test]
fn both_sides_agree_on_one_number() {
    let (one, other) = (KeyPair::new(&[3; SECRET_BYTES]), KeyPair::new(&[0xf0; SECRET_BYTES]));
    assert_eq!(one.agree(other.public()), other.agree(one.public()));
    // 2 to the power of 3.
    let mut exponent = [0; SECRET_BYTES];
    exponent[SECRET_BYTES - 1] = 3;
    let mut eight = [0; KEY_BYTES];
    eight[KEY_BYTES - 1] = 8;
    assert_eq!(*KeyPair::new(&exponent).public(), eight);
}

#[test]
fn a_peer_that_says_nothing_of_use_is_given_up_after_the_longest_pad() {
    let mut responder = called(Encryption::Prefer, 1);
    let longest = KEY_BYTES + PAD_BYTES_MAX + 20;
    let mut cuts = Rng::new(1);
    let fault = give(&mut responder, &vec![9; longest], &mut cuts, &mut Vec::new());
    assert_eq!(fault.map(drop), Err(MseFault::NoMarker { searched_bytes: PAD_BYTES_MAX + 20 }));
    let mut initiator = caller(Encryption::Prefer, 1, &mut Vec::new());
    let longest = KEY_BYTES + PAD_BYTES_MAX + 8;
    let fault = give_back(&mut initiator, &vec![9; longest], &mut cuts, &mut Vec::new());
    assert_eq!(fault.map(drop), Err(MseFault::NoMarker { searched_bytes: PAD_BYTES_MAX + 8 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_one_side_sends_the_other_reads_however_it_is_split(
        seed: u64,
        ours in prop::sample::select(vec![Encryption::Prefer, Encryption::Require]),
        sent in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let (mut one, mut other) = meet((ours, Encryption::Prefer), seed >> 1).unwrap();
        prop_assert_eq!(&other.payload, HELLO);
        prop_assert_eq!(other.info_hash, INFO_HASH);
        prop_assert_eq!(one.ciphers.is_some(), ours == Encryption::Require);
        if let (Some(one), Some(other)) = (&mut one.ciphers, &mut other.ciphers) {
            for (send, receive) in [
                (&mut one.send, &mut other.receive),
                (&mut other.send, &mut one.receive),
            ] {
                let mut bytes = sent.clone();
                send.apply(&mut bytes);
                receive.apply(&mut bytes);
                prop_assert_eq!(&bytes, &sent);
            }
        }
    }

    #[test]
    fn a_hostile_stranger_is_held_to_so_many_bytes(
        seed: u64,
        behind in prop::collection::vec(any::<u8>(), 1..2 * HELD_BYTES_MAX),
    ) {
        // The caller's own first part is honest, so that some of it gets past the marker.
        let (mut there, mut back) = (Vec::new(), Vec::new());
        let mut initiator = caller(Encryption::Require, seed, &mut there);
        let mut responder = called(Encryption::Require, seed);
        let torrents = torrents();
        drop(responder.receive(&there, &torrents, &mut back));
        there.clear();
        drop(initiator.receive(&back, &mut there));
        let honest = (seed as usize) % there.len();
        there.truncate(honest);
        there.extend(behind);
        for part in there.chunks(100) {
            let mut step = responder.receive(part, &torrents, &mut back);
            if matches!(step, Ok(Step::Costly)) {
                step = responder.agree(&torrents, &mut back);
            }
            if !matches!(step, Ok(Step::Incomplete)) {
                return Ok(());
            }
            prop_assert!(responder.held_bytes() <= HELD_BYTES_MAX);
        }
    }
}
