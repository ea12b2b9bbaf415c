use super::*;
use piecework_types::Rng;
use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

const OWN: NodeId = NodeId([0; 20]);

fn contact(id: NodeId, address: &str) -> Contact {
    Contact { id, address: address.parse().expect("an address") }
}

/// A node at the given number of shared bits, in a network of its own.
fn node(bits: u32, number: u32) -> Contact {
    let mut rng = Rng::new(u64::from(number) << 8 | u64::from(bits));
    let ip = std::net::Ipv4Addr::from(0x0200_0001 + (number << 8));
    Contact { id: OWN.random_at(bits, &mut rng), address: (ip, 6881).into() }
}

fn table() -> Table {
    Table::new(OWN, Compliance::Ignored, Time::ZERO)
}

fn seconds(seconds: u64) -> Time {
    Time::ZERO + Duration::from_secs(seconds)
}

fn answer(table: &mut Table, contact: Contact, now: Time) -> bool {
    table.answered(Answered { contact, sent: now, was_prompted: false }, now)
}

#[test]
fn only_the_bucket_of_our_own_id_splits() {
    let mut table = table();
    for number in 0..40 {
        answer(&mut table, node(0, number), Time::ZERO);
    }
    assert_eq!((table.good(), table.buckets.len()), (BUCKET_NODES_MAX, 2));
    for bits in 1..12 {
        (0..9).for_each(|n| {
            answer(&mut table, node(bits, bits * 100 + n), Time::ZERO);
        });
    }
    assert_eq!(table.good(), 12 * BUCKET_NODES_MAX);
    for (index, bucket) in table.buckets.iter().enumerate() {
        for node in bucket.nodes.iter().chain(&bucket.replacements) {
            let bits = OWN.shared_bits(node.contact.id) as usize;
            assert_eq!(index, bits.min(table.buckets.len() - 1));
        }
    }
}

#[test]
fn a_bad_node_is_replaced_and_a_hopeless_one_goes() {
    let mut table = table();
    (0..9).for_each(|number| {
        answer(&mut table, node(0, number), Time::ZERO);
    });
    assert!(!table.closest(OWN, 99).contains(&node(0, 8)));
    let first = node(0, 0).address;
    assert!(!table.failed(first));
    assert!(table.failed(first), "the ninth takes the place of the first");
    assert!(table.closest(OWN, 99).contains(&node(0, 8)));
    let second = node(0, 1).address;
    let lost: Vec<_> = (0..5).map(|_| table.failed(second)).collect();
    assert_eq!(lost, [false, false, false, false, true]);
    assert_eq!(table.good(), 7);
    assert!(!table.failed(second));
}

#[test]
fn a_bad_node_is_not_named_until_it_answers() {
    let mut table = table();
    let node = node(3, 1);
    answer(&mut table, node, Time::ZERO);
    (0..BAD).for_each(|_| assert!(!table.failed(node.address)));
    assert_eq!(table.closest(OWN, 9), []);
    assert!(!answer(&mut table, node, seconds(1)), "it was there all the time");
    assert_eq!(table.closest(OWN, 9), [node]);
}

#[test]
fn a_network_and_an_address_have_shares_unless_they_are_local() {
    let mut table = table();
    let at = |bits, number: u32, address: &str| contact(node(bits, number).id, address);
    assert!(answer(&mut table, at(0, 1, "1.2.3.1:1"), Time::ZERO));
    assert!(!answer(&mut table, at(1, 2, "1.2.3.1:2"), Time::ZERO), "the same address");
    assert!(answer(&mut table, at(0, 3, "1.2.3.2:1"), Time::ZERO));
    assert!(!answer(&mut table, at(0, 4, "1.2.3.3:1"), Time::ZERO), "two of a network");
    assert!(answer(&mut table, at(0, 5, "1.2.4.3:1"), Time::ZERO));
    for port in 1..6 {
        let local = format!("127.0.0.1:{port}");
        assert!(answer(&mut table, at(0, 10 + port, &local), Time::ZERO));
    }
}

#[test]
fn a_network_cannot_fill_the_table_bucket_by_bucket() {
    let mut table = table();
    let mut taken = 0;
    for number in 0..100 {
        // Splitting needs full buckets: others fill them.
        (0..4).for_each(|n| {
            answer(&mut table, node(number % 12, 1000 + number * 4 + n), Time::ZERO);
        });
        let id = node(number % 12, number).id;
        let hostile = contact(id, &format!("6.6.6.{number}:1"));
        taken += usize::from(answer(&mut table, hostile, Time::ZERO));
    }
    assert!(taken <= NETWORK_NODES_MAX && taken > BUCKET_NETWORK_NODES_MAX, "{taken}");
}

#[test]
fn an_address_with_another_id_begins_anew() {
    let mut table = table();
    let (old, new) = (contact(NodeId([1; 20]), "1.2.3.4:5"), contact(NodeId([2; 20]), "1.2.3.4:5"));
    answer(&mut table, old, Time::ZERO);
    assert!(answer(&mut table, new, Time::ZERO));
    assert_eq!(table.closest(OWN, 9), [new]);
    let thief = contact(NodeId([2; 20]), "6.6.6.6:5");
    assert!(!answer(&mut table, thief, Time::ZERO), "an id belongs to who had it first");
}

#[test]
fn nodes_that_strangers_may_not_reach_are_half_of_those_named() {
    let mut table = table();
    let hidden = [node(9, 1), node(8, 2), node(7, 3)];
    let open = [node(2, 4), node(1, 5)];
    for contact in hidden {
        table.answered(Answered { contact, sent: Time::ZERO, was_prompted: true }, Time::ZERO);
    }
    open.iter().for_each(|contact| assert!(answer(&mut table, *contact, Time::ZERO)));
    assert_eq!(table.closest(OWN, 4), [hidden[0], hidden[1], open[0], open[1]]);
    assert_eq!(table.closest(OWN, 5), [&hidden[..], &open].concat());
    // They are pinged as soon as their routers must have forgotten us.
    assert_eq!(table.next_ping(seconds(180)), None);
    assert!(hidden.contains(&table.next_ping(seconds(181)).expect("a silent node")));
    answer(&mut table, hidden[2], seconds(181));
    assert_eq!(table.closest(OWN, 4), [&hidden[..], &open[..1]].concat());
}

#[test]
fn compliant_nodes_take_the_place_of_others() {
    let compliant = |number: u32| {
        let Contact { address, .. } = node(0, number);
        Contact { id: NodeId::for_address(address.ip(), &mut Rng::new(1)), address }
    };
    let far = |contact: &Contact| OWN.shared_bits(contact.id) == 0;
    let good: Vec<_> = (100..200).map(compliant).filter(far).take(3).collect();
    let mut preferred = Table::new(OWN, Compliance::Preferred, Time::ZERO);
    let mut enforced = Table::new(OWN, Compliance::Enforced, Time::ZERO);
    for number in 0..9 {
        assert!(!node(0, number).id.fits(node(0, number).address.ip()));
        answer(&mut preferred, node(0, number), Time::ZERO);
        assert!(!answer(&mut enforced, node(0, number), Time::ZERO));
    }
    assert_eq!(preferred.good(), BUCKET_STRANGERS_MAX);
    for contact in &good {
        assert!(answer(&mut preferred, *contact, Time::ZERO));
        assert!(answer(&mut enforced, *contact, Time::ZERO));
    }
    assert_eq!(preferred.good(), BUCKET_STRANGERS_MAX + 3);
    // In a full bucket they take the others' places.
    let more: Vec<_> = (200..400).map(compliant).filter(far).take(5).collect();
    more.iter().for_each(|contact| assert!(answer(&mut preferred, *contact, Time::ZERO)));
    let named = preferred.closest(OWN, 99);
    assert!(named.len() == 8 && [good, more].concat().iter().all(|node| named.contains(node)));
    assert_eq!(enforced.good(), 3);
}

#[test]
fn silent_nodes_are_pinged_one_by_one_and_stale_buckets_refreshed() {
    let mut table = table();
    (0..3).for_each(|n| {
        answer(&mut table, node(n, n), seconds(n.into()));
    });
    assert_eq!(table.next_ping(seconds(900)), None);
    assert_eq!(table.next_ping(seconds(950)), Some(node(0, 0)));
    assert_eq!(table.next_ping(seconds(950)), Some(node(1, 1)));
    table.heard(node(2, 2), seconds(940));
    assert_eq!(table.next_ping(seconds(950)), None);
    assert_eq!(table.next_ping(seconds(1011)), Some(node(0, 0)));

    assert!(table.next_refresh(seconds(10), &mut Rng::new(1)).is_some(), "it has room");
    assert_eq!(table.next_refresh(seconds(10), &mut Rng::new(1)), None);
    let target = table.next_refresh(seconds(2000), &mut Rng::new(1)).expect("one bucket");
    assert_eq!(OWN.shared_bits(target), 0);
    assert_eq!(table.next_refresh(seconds(2000), &mut Rng::new(1)), None);
}

#[test]
fn a_new_id_keeps_the_nodes() {
    let mut table = table();
    (0..8).for_each(|n| {
        answer(&mut table, node(n, n), Time::ZERO);
    });
    table.rename(NodeId([0xff; 20]), seconds(1));
    assert_eq!((table.good(), table.own), (8, NodeId([0xff; 20])));
}

proptest! {
    #[test]
    fn no_history_breaks_the_limits(
        steps in prop::collection::vec((0_u32..20, 0_u32..40, 0_u8..4, 0_u64..400), 0..150),
    ) {
        let mut table = Table::new(OWN, Compliance::Preferred, Time::ZERO);
        let mut now = Time::ZERO;
        for (bits, number, step, gap) in steps {
            now += Duration::from_secs(gap);
            let contact = Contact { address: node(0, number).address, ..node(bits, number) };
            match step {
                0 | 1 => _ = answer(&mut table, contact, now),
                2 => _ = table.failed(contact.address),
                _ => _ = table.next_ping(now),
            }
            let mut addresses: Vec<_> = table.nodes().map(|n| n.contact.address).collect();
            addresses.sort();
            let count = addresses.len();
            addresses.dedup();
            prop_assert_eq!(addresses.len(), count);
            for bucket in &table.buckets {
                prop_assert!(bucket.nodes.len() <= BUCKET_NODES_MAX);
                prop_assert!(bucket.replacements.len() <= BUCKET_NODES_MAX);
            }
            let near = table.closest(NodeId([0x80; 20]), 8);
            prop_assert!(near.len() <= 8 && near.len() == table.good().min(8));
        }
    }
}
