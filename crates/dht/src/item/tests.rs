use super::*;
use proptest::prelude::*;

const VALUE: &[u8] = b"12:Hello World!";
const KEY: &str = "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548";

fn hex<const N: usize>(text: &str) -> [u8; N] {
    let digits = text.as_bytes().as_chunks::<2>().0;
    let byte = |pair: &[u8; 2]| {
        u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex")
    };
    digits.iter().map(byte).collect::<Vec<_>>().try_into().expect("so many bytes")
}

fn name(salt: &[u8]) -> MutableName {
    MutableName::new(PublicKey(hex(KEY)), salt).expect("a short salt")
}

/// Salt, target and signature of BEP 44's tests 1 and 2.
fn published() -> [(&'static [u8], &'static str, Signature); 2] {
    [
        (
            b"",
            "4a533d47ec9c7d95b1ad75f576cffc641853b750",
            Signature(hex("305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff\
                 1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01")),
        ),
        (
            b"foobar",
            "411eba73b6f087ca51a3795d9c8c938d365e32c1",
            Signature(hex("6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d\
                 df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08")),
        ),
    ]
}

#[test]
fn published_mutable_items_verify_under_their_targets() {
    for (salt, target, signature) in published() {
        assert_eq!(name(salt).target().to_string(), target);
        let item = MutableItem::verify(name(salt), 1, signature, VALUE.to_vec());
        let item = Item::Mutable(item.expect("signed by its owner"));
        assert_eq!((item.target().to_string().as_str(), item.value()), (target, VALUE));
    }
}

#[test]
fn a_signature_covers_salt_sequence_and_value() {
    let [(_, _, plain), (_, _, salted)] = published();
    let refused = |name, sequence, signature, value: &[u8]| {
        assert_eq!(
            MutableItem::verify(name, sequence, signature, value.to_vec()),
            Err(ItemFault::Signature)
        );
    };
    refused(name(b""), 2, plain, VALUE);
    refused(name(b"foobar"), 1, plain, VALUE);
    refused(name(b""), 1, salted, VALUE);
    refused(name(b""), 1, plain, b"12:Hello world!");
    let stranger = MutableName::new(PublicKey([7; 32]), b"").expect("no salt");
    refused(stranger, 1, plain, VALUE);
}

#[test]
fn the_published_immutable_item_has_its_target() {
    let item = ImmutableItem::new(VALUE.to_vec()).expect("canonical");
    assert_eq!(item.target().to_string(), "e5f96f6f38320f0f33959cb4d3d656452117aadb");
}

#[test]
fn the_published_torrent_pointers_have_their_targets() {
    let key = PublicKey(hex("8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e"));
    for (salt, target) in [
        (&b""[..], "cc3f9d90b572172053626f9980ce261a850d050b"),
        (b"n", "59ee7c2cb9b4f7eb1986ee2d18fd2fdb8a56554f"),
    ] {
        let name = MutableName::new(key, salt).expect("a short salt");
        assert_eq!(name.target().to_string(), target);
    }
}

#[test]
fn bounds_are_kept_on_both_sides() {
    let key = SigningKey::from_seed(&[1; 32]).expect("a key");
    let long = vec![b'7'; VALUE_BYTES_MAX + 1];
    assert_eq!(key.sign(b"", 0, long.clone()), Err(ItemFault::ValueTooLong(1001)));
    assert_eq!(ImmutableItem::new(long), Err(ItemFault::ValueTooLong(1001)));
    assert_eq!(ImmutableItem::new(b"i01e".to_vec()), Err(ItemFault::NotCanonical));
    assert_eq!(key.sign(&[0; 65], 0, VALUE.to_vec()), Err(ItemFault::SaltTooLong(65)));
    assert_eq!(key.sign(b"", -1, VALUE.to_vec()), Err(ItemFault::Sequence(-1)));
}

#[test]
fn what_is_no_pointer_points_nowhere() {
    let key = SigningKey::from_seed(&[1; 32]).expect("a key");
    for value in [&b"de"[..], b"d2:ih3:abce", b"i1e", b"d2:ihi20ee"] {
        assert_eq!(key.sign(b"", 0, value.to_vec()).expect("in bounds").torrent(), None);
    }
}

proptest! {
    #[test]
    fn what_is_signed_verifies_and_a_pointer_points(
        seed: [u8; 32],
        salt in prop::collection::vec(any::<u8>(), 0..=SALT_BYTES_MAX),
        sequence in 0..=i64::MAX,
        hash: [u8; 20],
    ) {
        let key = SigningKey::from_seed(&seed).expect("a key");
        let pointer = torrent_pointer(InfoHash(hash));
        let item = key.sign(&salt, sequence, pointer.clone()).expect("in bounds");
        prop_assert_eq!(item.torrent(), Some(InfoHash(hash)));
        let name = MutableName::new(key.public(), &salt).expect("a short salt");
        let again = MutableItem::verify(name, sequence, item.signature(), pointer);
        prop_assert_eq!(again, Ok(item));
    }
}
