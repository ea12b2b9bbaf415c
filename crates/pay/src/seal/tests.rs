#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

const INFO_HASH: [u8; 20] = [3; 20];

fn ephemeral(byte: u8) -> Ephemeral {
    Ephemeral::new(Zeroizing::new([byte; 32]))
}

fn sides(is_initiator: bool, other: &Ephemeral) -> Sides {
    Sides { is_initiator, info_hash: INFO_HASH, other: *other.public() }
}

/// Both ends of one conversation, the initiator first.
fn pair() -> [Seal; 2] {
    let (a, b) = (ephemeral(1), ephemeral(2));
    [Seal::new(&a, &sides(true, &b)).unwrap(), Seal::new(&b, &sides(false, &a)).unwrap()]
}

#[test]
fn both_sides_read_each_other_in_any_interleaving() {
    let [mut a, mut b] = pair();
    let [first, second] = [a.seal(b"first").unwrap(), a.seal(b"second").unwrap()];
    let back = b.seal(b"back").unwrap();
    assert_eq!(a.open(back).unwrap(), b"back");
    assert_eq!(b.open(first).unwrap(), b"first");
    assert_eq!(b.open(second).unwrap(), b"second");
}

#[test]
fn a_replayed_or_reordered_message_does_not_open_and_the_next_one_does() {
    let [mut a, mut b] = pair();
    let [first, second] = [a.seal(b"first").unwrap(), a.seal(b"second").unwrap()];
    assert_eq!(b.open(second.clone()), Err(PayFault::Unopened { number: 0 }));
    assert_eq!(b.open(first.clone()).unwrap(), b"first");
    assert_eq!(b.open(first), Err(PayFault::Unopened { number: 1 }));
    assert_eq!(b.open(second).unwrap(), b"second");
}

#[test]
fn a_message_does_not_open_in_its_own_direction() {
    let [mut a, mut b] = pair();
    let sealed = a.seal(b"forth").unwrap();
    assert!(a.open(sealed.clone()).is_err());
    // The same words under the same number differ in each direction.
    assert_ne!(b.seal(b"forth").unwrap(), sealed);
}

#[test]
fn keys_of_another_torrent_side_or_connection_open_nothing() {
    let (a, b) = (ephemeral(1), ephemeral(2));
    let theirs = sides(false, &a);
    let wrong = [
        (ephemeral(2), Sides { info_hash: [4; 20], ..theirs }),
        (ephemeral(2), Sides { is_initiator: true, ..theirs }),
        (ephemeral(9), theirs),
        (ephemeral(2), Sides { other: *ephemeral(9).public(), ..theirs }),
    ];
    for (ephemeral, sides) in wrong {
        let sealed = Seal::new(&a, &Sides { is_initiator: true, other: *b.public(), ..theirs })
            .unwrap()
            .seal(b"x")
            .unwrap();
        let mut seal = Seal::new(&ephemeral, &sides).unwrap();
        assert!(seal.open(sealed).is_err(), "{sides:?}");
    }
}

#[test]
fn keys_that_give_zeros_are_refused() {
    // The points of small order of RFC 7748's curve, as its errata and every library list them.
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    let mut prime = minus_one;
    prime[0] = 0xed;
    for other in [[0; 32], one, minus_one, prime] {
        let sides = Sides { is_initiator: true, info_hash: INFO_HASH, other };
        assert_eq!(Seal::new(&ephemeral(1), &sides).unwrap_err(), PayFault::ZeroSecret);
    }
}

#[test]
fn the_counter_ends_and_does_not_begin_anew() {
    let [mut a, mut b] = pair();
    (a.sending.next, b.receiving.next) = (u64::MAX - 1, u64::MAX - 1);
    let last = a.seal(b"last").unwrap();
    assert_eq!(b.open(last).unwrap(), b"last");
    assert_eq!(a.seal(b"over"), None);
    assert_eq!(a.seal(b"over"), None);
    assert_eq!(a.sending.next, u64::MAX);
}

#[test]
fn nothing_of_a_key_is_shown() {
    let [seal, _] = pair();
    let shown = format!("{:?} {:?}", seal, ephemeral(0x5a));
    assert_eq!(
        shown,
        "Seal { sending: Direction { next: 0, .. }, receiving: Direction { next: 0, .. } } \
         Ephemeral(..)"
    );
}

proptest! {
    #[test]
    fn a_changed_cut_or_lengthened_message_does_not_open(
        inner in prop::collection::vec(any::<u8>(), 0..100),
        at: prop::sample::Index, flip in 1_u8..,
    ) {
        let [mut a, mut b] = pair();
        let sealed = a.seal(&inner).unwrap();
        prop_assert_eq!(sealed.len(), inner.len() + TAG_BYTES);
        let mut changed = sealed.clone();
        changed[at.index(sealed.len())] ^= flip;
        let cut = sealed[..at.index(sealed.len())].to_vec();
        let longer = [&sealed[..], &[flip]].concat();
        for wrong in [changed, cut, longer] {
            prop_assert_eq!(b.open(wrong), Err(PayFault::Unopened { number: 0 }));
        }
        prop_assert_eq!(b.open(sealed), Ok(inner));
    }
}
