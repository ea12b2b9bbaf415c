use super::*;
use crate::{ImmutableItem, SigningKey};

const OWN: [NodeId; 1] = [NodeId([0; 20])];

fn immutable(number: i32) -> Item {
    Item::Immutable(ImmutableItem::new(format!("i{number}e").into_bytes()).expect("canonical"))
}

fn mutable(sequence: i64, value: &[u8]) -> Item {
    let key = SigningKey::from_seed(&[3; 32]).expect("a key");
    Item::Mutable(key.sign(b"salt", sequence, value.to_vec()).expect("in bounds"))
}

fn from(number: u32) -> IpAddr {
    IpAddr::V4(number.into())
}

fn put(store: &mut ItemStore, item: Item, compare: Option<i64>) -> Result<(), ErrorCode> {
    store.put(item, compare, from(1), &OWN, Time::ZERO)
}

#[test]
fn a_sequence_never_goes_down() {
    let mut store = ItemStore::new(10);
    assert_eq!(put(&mut store, mutable(4, b"1:a"), None), Ok(()));
    for (sequence, value, result) in [
        (4, b"1:a", Ok(())),
        (4, b"1:b", Err(ErrorCode::SEQUENCE_TOO_LOW)),
        (3, b"1:b", Err(ErrorCode::SEQUENCE_TOO_LOW)),
        (5, b"1:b", Ok(())),
    ] {
        assert_eq!(put(&mut store, mutable(sequence, value), None), result, "{sequence}");
    }
    let target = mutable(0, b"de").target();
    assert_eq!(store.get(target, Time::ZERO), Some(&mutable(5, b"1:b")));
}

#[test]
fn a_put_that_compares_needs_the_stored_sequence_if_something_is_stored() {
    let mut store = ItemStore::new(10);
    assert_eq!(put(&mut store, mutable(4, b"1:a"), Some(99)), Ok(()));
    assert_eq!(put(&mut store, mutable(5, b"1:b"), Some(3)), Err(ErrorCode::COMPARE_MISMATCH));
    assert_eq!(put(&mut store, mutable(5, b"1:b"), Some(4)), Ok(()));
}

#[test]
fn an_item_is_forgotten_unless_it_is_put_again() {
    let mut store = ItemStore::new(10);
    let half = Time::ZERO + ITEM_LIFE / 2;
    for item in [immutable(1), immutable(2)] {
        put(&mut store, item, None).expect("there is room");
    }
    store.put(immutable(2), None, from(9), &OWN, half).expect("it is known");
    let late = Time::ZERO + ITEM_LIFE;
    assert_eq!(store.get(immutable(1).target(), late), None);
    assert_eq!(store.get(immutable(2).target(), late), Some(&immutable(2)));
    store.put(immutable(3), None, from(1), &OWN, half + ITEM_LIFE).expect("there is room");
    assert_eq!(store.len(), 1);
}

#[test]
fn a_full_store_keeps_what_is_closest_to_us() {
    let mut store = ItemStore::new(20);
    let mut targets: Vec<_> = (0..200).map(|number| immutable(number).target()).collect();
    for number in 0..200 {
        let _ = store.put(immutable(number), None, from(number as u32), &OWN, Time::ZERO);
    }
    targets.sort();
    assert_eq!(store.items.keys().copied().collect::<Vec<_>>(), targets[..20]);
}

#[test]
fn one_sender_has_a_share_only() {
    let mut store = ItemStore::new(1000);
    let stored = (0..200).filter(|number| put(&mut store, immutable(*number), None).is_ok());
    assert_eq!(stored.count(), SENDER_ITEMS_MAX);
    assert_eq!(store.put(immutable(999), None, from(2), &OWN, Time::ZERO), Ok(()));
}
