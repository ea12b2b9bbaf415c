use super::*;
use crate::krpc::ErrorCode;
use crate::{ImmutableItem, Item, MutableName, SigningKey};

fn net() -> Net {
    let mut net = Net::new(24);
    net.run(SETTLED);
    net
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[5; 32]).expect("a key")
}

fn version(sequence: i64, value: &str) -> Item {
    let value = format!("{}:{value}", value.len()).into_bytes();
    Item::Mutable(key().sign(b"blog", sequence, value).expect("in bounds"))
}

fn name() -> MutableName {
    MutableName::new(key().public(), b"blog").expect("a short salt")
}

fn put(item: Item, compare: Option<i64>) -> Goal {
    Goal::Put { item, compare }
}

fn items(net: &Net, number: usize) -> Vec<Item> {
    let told = net.told(number).iter().filter_map(|output| match output {
        Output::ItemFound { item, .. } => Some(item.clone()),
        _ => None,
    });
    told.collect()
}

#[test]
fn an_immutable_item_of_any_length_comes_back() {
    let mut net = net();
    for length in [1, 100, 995] {
        let value = format!("{length}:{}", "x".repeat(length)).into_bytes();
        let item = Item::Immutable(ImmutableItem::new(value).expect("in bounds"));
        assert_eq!(net.look_up(1, put(item.clone(), None)).stored, 8);
        net.look_up(9, Goal::Immutable(item.target()));
        assert_eq!(items(&net, 9).last(), Some(&item), "{length}");
    }
}

#[test]
fn a_mutable_item_comes_back_in_its_newest_version() {
    let mut net = net();
    for (sequence, value) in [(1, "first"), (2, "second")] {
        let outcome = net.look_up(1, put(version(sequence, value), None));
        assert_eq!((outcome.stored, outcome.refusals), (8, vec![]));
    }
    let get = |newer_than| Goal::Mutable { name: name(), newer_than };
    net.look_up(9, get(None));
    assert_eq!(items(&net, 9), [version(2, "second")]);
    net.look_up(10, get(Some(1)));
    assert_eq!(items(&net, 10), [version(2, "second")]);
    net.look_up(11, get(Some(2)));
    assert_eq!(items(&net, 11), []);
}

#[test]
fn an_old_version_is_refused_and_the_newer_one_told() {
    let mut net = net();
    net.look_up(1, put(version(5, "new"), None));
    // From the same node: another one may be among the closest itself.
    let outcome = net.look_up(1, put(version(4, "old"), None));
    assert_eq!((outcome.stored, outcome.refusals), (0, vec![ErrorCode::SEQUENCE_TOO_LOW; 8]));
    assert_eq!(items(&net, 1), [version(5, "new")]);
}

#[test]
fn a_put_that_compares_loses_a_race() {
    let mut net = net();
    assert_eq!(net.look_up(1, put(version(1, "a"), Some(77))).stored, 8, "nothing to compare with");
    assert_eq!(net.look_up(1, put(version(2, "b"), Some(1))).stored, 8);
    let outcome = net.look_up(1, put(version(3, "c"), Some(1)));
    assert_eq!((outcome.stored, outcome.refusals), (0, vec![ErrorCode::COMPARE_MISMATCH; 8]));
}

#[test]
fn a_pointer_to_a_torrent_is_followed() {
    let mut net = net();
    let value = crate::torrent_pointer(HASH);
    let item = key().sign(b"", 1, value).expect("in bounds");
    let target = item.name().clone();
    net.look_up(1, put(Item::Mutable(item), None));
    net.look_up(7, Goal::Mutable { name: target, newer_than: None });
    let [Item::Mutable(found)] = &items(&net, 7)[..] else { panic!("one item") };
    assert_eq!(found.torrent(), Some(HASH));
}

#[test]
fn items_are_forgotten_after_two_hours() {
    let mut net = net();
    let item = version(1, "a");
    net.look_up(1, put(item, None));
    net.run(crate::ITEM_LIFE);
    net.look_up(9, Goal::Mutable { name: name(), newer_than: None });
    assert_eq!(items(&net, 9), []);
}
