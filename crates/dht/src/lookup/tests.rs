use super::*;
use piecework_types::Rng;

const TARGET: NodeId = NodeId([0; 20]);

/// A node whose distance to the target is its number, in a network of its own.
fn node(number: u32) -> Contact {
    let mut id = [0; 20];
    id[16..].copy_from_slice(&number.to_be_bytes());
    let ip = std::net::Ipv4Addr::from(0x0200_0001 + (number << 8));
    Contact { id: NodeId(id), address: (ip, 6881).into() }
}

fn nodes(numbers: impl IntoIterator<Item = u32>) -> Vec<Contact> {
    numbers.into_iter().map(node).collect()
}

fn lookup(known: &[Contact]) -> Lookup {
    Lookup::new(TARGET, known, Compliance::Ignored)
}

fn asked(lookup: &mut Lookup) -> Vec<Contact> {
    std::iter::from_fn(|| lookup.next()).collect()
}

#[test]
fn it_asks_ever_closer_nodes_until_the_closest_have_answered() {
    let mut lookup = lookup(&nodes([1024]));
    let mut total = 0;
    while !lookup.is_done() {
        for contact in asked(&mut lookup) {
            total += 1;
            let number = u32::from_be_bytes(contact.id.0[16..].try_into().expect("four bytes"));
            // Everybody knows eight nodes at half the distance and beyond.
            let named = (0..8).map(|n| number / 2 + n).filter(|n| *n > 0);
            lookup.answered(contact, Given::default(), &nodes(named));
        }
    }
    let closest: Vec<_> = lookup.closest().into_iter().map(|(contact, _)| contact).collect();
    assert_eq!(closest, nodes(1..=8));
    assert_eq!(lookup.asked(), total);
    assert!(total < 40, "{total}");
}

#[test]
fn late_nodes_give_their_turn_to_others_and_may_still_answer() {
    let mut lookup = lookup(&nodes(1..=6));
    assert_eq!(asked(&mut lookup), nodes(1..=4));
    lookup.late(node(1).address);
    assert_eq!(asked(&mut lookup), nodes(5..=5));
    lookup.answered(node(1), Given::default(), &[]);
    assert_eq!(asked(&mut lookup), []);
    (2..=5).for_each(|number| lookup.failed(node(number).address));
    assert!(!lookup.is_done());
    assert_eq!(asked(&mut lookup), nodes(6..=6));
    lookup.late(node(6).address);
    assert!(!lookup.is_done(), "nobody else is left: it waits");
    lookup.failed(node(6).address);
    assert!(lookup.is_done());
    assert_eq!((lookup.asked(), lookup.answers()), (6, 1));
}

#[test]
fn a_late_node_does_not_hold_up_a_lookup_that_has_enough() {
    let mut lookup = lookup(&nodes(1..=9));
    let first = asked(&mut lookup);
    lookup.late(first[0].address);
    for contact in &first[1..] {
        lookup.answered(*contact, Given::default(), &[]);
    }
    while let Some(contact) = lookup.next() {
        lookup.answered(contact, Given::default(), &[]);
    }
    assert!(lookup.is_done());
    assert_eq!(lookup.answers(), 8);
}

#[test]
fn a_network_and_an_address_have_a_share_of_the_candidates() {
    let at = |number: u32, address: &str| Contact {
        address: address.parse().expect("an address"),
        ..node(number)
    };
    let hostile: Vec<_> = (1..9).map(|n| at(n, &format!("6.6.6.{n}:1"))).collect();
    let same = [at(20, "7.7.7.7:1"), at(21, "7.7.7.7:2")];
    let mut lookup = lookup(&[&hostile[..], &same].concat());
    assert_eq!(asked(&mut lookup), [&hostile[..3], &same[..1]].concat());
    let local: Vec<_> = (1..=4).map(|n| at(n, &format!("127.0.0.1:{n}"))).collect();
    assert_eq!(asked(&mut self::lookup(&local)), local);
}

#[test]
fn who_names_dead_nodes_is_believed_on_credit_only() {
    let mut lookup = lookup(&nodes([500, 600]));
    assert_eq!(asked(&mut lookup), nodes([500, 600]));
    lookup.answered(node(500), Given::default(), &nodes(1..=8));
    let poisoned = asked(&mut lookup);
    assert_eq!(poisoned, nodes(1..=3), "as many as its credit");
    poisoned.iter().for_each(|contact| lookup.late(contact.address));
    assert_eq!(asked(&mut lookup), [], "it waits for their answers");
    // Somebody else names one of them too, and another node.
    lookup.answered(node(600), Given::default(), &nodes([4, 50]));
    assert_eq!(asked(&mut lookup), nodes([4, 50]));
    lookup.answered(node(4), Given::default(), &[]);
    lookup.answered(node(50), Given::default(), &[]);
    poisoned.iter().for_each(|contact| lookup.failed(contact.address));
    assert_eq!(asked(&mut lookup), []);
    assert!(lookup.is_done());
    assert_eq!((lookup.asked(), lookup.answers()), (7, 4));
}

#[test]
fn each_answer_earns_its_source_more_credit() {
    let mut lookup = lookup(&nodes([500]));
    let first = asked(&mut lookup);
    lookup.answered(first[0], Given::default(), &nodes(1..=8));
    assert_eq!(asked(&mut lookup), nodes(1..=3));
    lookup.failed(node(1).address);
    assert_eq!(asked(&mut lookup), []);
    lookup.answered(node(2), Given::default(), &[]);
    lookup.answered(node(3), Given::default(), &[]);
    assert_eq!(asked(&mut lookup), nodes(4..=7));
}

#[test]
fn strangers_are_counted_up_to_half_or_not_at_all() {
    let mut rng = Rng::new(1);
    let compliant: Vec<_> = (100..120)
        .map(|number| {
            let Contact { address, .. } = node(number);
            Contact { id: NodeId::for_address(address.ip(), &mut rng), address }
        })
        .collect();
    let strangers = nodes(1..=20);
    assert!(strangers.iter().all(|contact| !contact.id.fits(contact.address.ip())));
    for (compliance, expected) in
        [(Compliance::Ignored, 8), (Compliance::Preferred, 4), (Compliance::Enforced, 0)]
    {
        let mut lookup = Lookup::new(TARGET, &[&strangers[..], &compliant].concat(), compliance);
        while let Some(contact) = lookup.next() {
            lookup.answered(contact, Given::default(), &[]);
        }
        assert!(lookup.is_done());
        let closest = lookup.closest();
        let of_strangers = closest.iter().filter(|(node, _)| strangers.contains(node)).count();
        assert_eq!((closest.len(), of_strangers), (8, expected), "{compliance:?}");
    }
}

#[test]
fn half_of_the_questions_go_to_compliant_nodes_if_there_are_any() {
    let Contact { address, .. } = node(900);
    let compliant = Contact { id: NodeId::for_address(address.ip(), &mut Rng::new(1)), address };
    let known = [nodes(1..=8), vec![compliant]].concat();
    let mut lookup = Lookup::new(TARGET, &known, Compliance::Preferred);
    assert_eq!(asked(&mut lookup), [node(1), node(2), compliant, node(3)]);
}

#[test]
fn an_endless_supply_of_closer_nodes_ends_at_the_limit() {
    let mut lookup = lookup(&nodes([1 << 20]));
    let mut next = 1 << 20;
    while let Some(contact) = lookup.next() {
        next -= 8;
        lookup.answered(contact, Given::default(), &nodes(next..next + 8));
        assert!(lookup.candidates.len() <= CANDIDATES_MAX);
    }
    assert!(lookup.is_done());
    assert_eq!(lookup.asked(), QUERIES_MAX);
}

#[test]
fn an_address_without_id_is_asked_once_and_learns_its_id() {
    let mut lookup = lookup(&[]);
    assert!(lookup.is_done());
    lookup.add_addresses(&[node(7).address, node(8).address, node(7).address]);
    assert_eq!(asked(&mut lookup).len(), 2);
    lookup.answered(node(7), Given::default(), &nodes([8]));
    lookup.failed(node(8).address);
    assert!(lookup.is_done());
    assert_eq!(lookup.closest().len(), 1);
    assert_eq!(lookup.closest()[0].0, node(7));
}

#[test]
fn strangers_answers_change_nothing() {
    let mut lookup = lookup(&nodes([1]));
    lookup.answered(node(9), Given::default(), &nodes([2, 3]));
    lookup.failed(node(9).address);
    lookup.late(node(1).address);
    assert_eq!(asked(&mut lookup), nodes([1]));
}
