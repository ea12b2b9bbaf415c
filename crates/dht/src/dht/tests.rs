mod net;
mod refusing;
mod serving;
mod storing;

use super::*;
use crate::config::Outcome;
use crate::{AddressScope, Compliance};
use net::{HERE, Net, address, quiet};
use piecework_types::InfoHash;
use std::collections::BTreeSet;
use std::time::Duration;

const HASH: InfoHash = InfoHash([0x42; 20]);
const PEERS: Goal = Goal::Peers { info_hash: HASH, no_seeds: false, scrape: false };

#[test]
fn nodes_that_know_one_router_find_one_another() {
    let mut net = Net::new(30);
    net.run(SETTLED);
    for number in 0..30 {
        let view = net.node(number).endpoint(HERE).expect("an endpoint");
        assert!(view.good >= 15, "node {number} knows {}", view.good);
    }
    let id = |number: usize| net.node(number).endpoint(HERE).expect("an endpoint").id;
    let wanted = id(17);
    let mut closest: Vec<_> = (0..30).map(id).filter(|other| *other != id(3)).collect();
    closest.sort_by_key(|other| wanted.distance(*other));
    let outcome = net.look_up(3, Goal::Nodes(wanted));
    let found: Vec<_> = outcome.closest.iter().map(|contact| contact.id).collect();
    assert_eq!(found, closest[..BUCKET]);
}

/// By then everybody knows whom strangers reach.
const SETTLED: Duration = Duration::from_secs(10 * 60);

const BUCKET: usize = BUCKET_NODES_MAX;

#[test]
fn a_peer_that_is_announced_is_found() {
    let mut net = Net::new(30);
    net.run(Duration::from_secs(60));
    let announce = Goal::Announce { info_hash: HASH, port: Some(7000), seed: true };
    let outcome = net.look_up(1, announce);
    assert_eq!((outcome.stored, outcome.refusals.len()), (8, 0));
    let implied = Goal::Announce { info_hash: HASH, port: None, seed: false };
    assert_eq!(net.look_up(2, implied).stored, 8);

    let outcome = net.look_up(20, PEERS);
    let mut listens = address(1);
    listens.set_port(7000);
    assert_eq!(net.peers_told(20), BTreeSet::from([listens, address(2)]));
    assert_eq!(outcome.peers, 2);
    assert!(outcome.asked <= 60 && outcome.scrape.is_none());

    let none = net
        .look_up(21, Goal::Peers { info_hash: InfoHash([1; 20]), no_seeds: false, scrape: false });
    assert_eq!((none.peers, none.closest.len()), (0, 8));
}

#[test]
fn a_scrape_counts_seeds_and_others_across_nodes() {
    let mut net = Net::new(40);
    net.run(Duration::from_secs(60));
    for number in 1..=12 {
        let goal = Goal::Announce { info_hash: HASH, port: Some(1), seed: number <= 4 };
        net.look_up(number, goal);
    }
    let goal = Goal::Peers { info_hash: HASH, no_seeds: true, scrape: true };
    let scrape = net.look_up(30, goal).scrape.expect("some nodes count");
    assert!((scrape.seeds - 4.0).abs() < 0.5 && (scrape.peers - 8.0).abs() < 0.5, "{scrape:?}");
}

#[test]
fn nodes_tell_which_torrents_they_know() {
    let mut net = Net::new(20);
    net.run(Duration::from_secs(60));
    let hashes: BTreeSet<_> = (0..6).map(|number| InfoHash([number * 40; 20])).collect();
    for info_hash in &hashes {
        net.look_up(1, Goal::Announce { info_hash: *info_hash, port: None, seed: false });
    }
    // A lookup asks those who are near its target; an indexer tries several.
    for target in [0x00, 0x40, 0x80, 0xc0] {
        net.look_up(5, Goal::Sample(NodeId([target; 20])));
    }
    let told = net.told(5).iter().filter_map(|output| match output {
        Output::TorrentsSampled { samples, .. } => Some(samples.info_hashes.clone()),
        _ => None,
    });
    assert_eq!(told.flatten().collect::<BTreeSet<_>>(), hashes);
}

#[test]
fn a_restart_finds_its_way_without_routers() {
    let mut net = Net::new(20);
    net.run(Duration::from_secs(60));
    let saved = Saved::decode(&net.node(7).saved().encode());
    let [before] = &saved.endpoints[..] else { panic!("one endpoint") };
    assert!(before.nodes.len() >= 10);
    let mut config = quiet(Family::V4);
    config.endpoints[0].id = Some(before.id);
    config.endpoints[0].nodes.clone_from(&before.nodes);
    net.replace(7, config);
    assert_eq!(net.node(7).endpoint(HERE).expect("an endpoint").good, 0);
    net.run(Duration::from_secs(10));
    let view = net.node(7).endpoint(HERE).expect("an endpoint");
    assert!(view.good >= 10 && view.id == before.id, "{view:?}");
}

#[test]
fn a_node_learns_its_address_and_takes_an_id_that_fits() {
    let mut net = Net::new(20);
    net.run(Duration::from_secs(120));
    for number in 0..20 {
        let elected = net.told(number).iter().find_map(|output| match output {
            Output::AddressElected { ip, id, .. } => Some((*ip, *id)),
            _ => None,
        });
        let (ip, id) = elected.expect("enough voters");
        assert_eq!(ip, address(number).ip());
        assert!(id.fits(ip));
        let view = net.node(number).endpoint(HERE).expect("an endpoint");
        assert_eq!((view.id, view.external), (id, Some(ip)));
        assert!(view.good >= 10, "{view:?}");
    }
}

#[test]
fn both_families_help_one_another_to_begin() {
    let mut net = Net::dual(16);
    net.run(Duration::from_secs(120));
    for number in 0..16 {
        // But for two nodes, routers are known for IPv4 only.
        let view = net.node(number).endpoint(EndpointIndex(1)).expect("a second endpoint");
        assert_eq!(view.family, Family::V6);
        assert!(view.good >= 8, "node {number}: {view:?}");
        let first = net.node(number).endpoint(HERE).expect("a first endpoint");
        assert_ne!(first.id, view.id, "each endpoint has its own id");
    }
    let announce = Goal::Announce { info_hash: HASH, port: None, seed: false };
    assert!(net.look_up_from(EndpointIndex(1), 2, announce).stored >= 6);
    net.look_up_from(EndpointIndex(1), 9, PEERS);
    assert!(net.peers_told(9).iter().all(SocketAddr::is_ipv6));
    assert_eq!(net.peers_told(9).len(), 1);
}

#[test]
fn silent_nodes_leave_the_table_but_not_while_everybody_is_silent() {
    let mut net = Net::new(20);
    net.run(Duration::from_secs(60));
    let good = |net: &Net, number: usize| net.node(number).endpoint(HERE).expect("one").good;
    let before = good(&net, 1);
    // The cable is pulled: lookups fail, but nobody is to blame.
    net.cut(1);
    let outcome = net.look_up(1, PEERS);
    assert_eq!(outcome.answered, 0);
    net.look_up(1, PEERS);
    assert_eq!(good(&net, 1), before);
    net.mend(1);
    (10..20).for_each(|number| net.cut(number));
    net.run(Duration::from_secs(40 * 60));
    let after = good(&net, 1);
    assert!((6..=9).contains(&after), "{before} then {after}");
}

#[test]
fn a_read_only_node_finds_and_is_never_found() {
    let mut net = Net::new(20);
    let mut config = quiet(Family::V4);
    config.is_read_only = true;
    config.endpoints[0].routers = vec![address(0)];
    net.replace(5, config);
    net.run(Duration::from_secs(300));
    let id = net.node(5).endpoint(HERE).expect("an endpoint").id;
    assert!(net.node(5).endpoint(HERE).expect("an endpoint").good >= 8);
    for number in (0..20).filter(|number| *number != 5) {
        let saved = net.node(number).saved();
        assert!(saved.endpoints[0].nodes.iter().all(|node| node.id != id), "{number}");
    }
    assert_eq!(net.node(5).counters().answered, 0);
}

#[test]
fn lookups_wait_in_line_and_each_ends_once_unless_cancelled() {
    let mut net = Net::new(20);
    net.run(Duration::from_secs(60));
    let count = LOOKUPS_MAX * 3;
    let ids: Vec<_> = (0..count).map(|_| net.start(4, PEERS)).collect();
    assert_eq!(net.node(4).load().0, count);
    let (gone, kept) = ids.split_at(5);
    let now = net.now;
    gone.iter().for_each(|id| net.node_mut(4).cancel(*id, now));
    net.run(Duration::from_secs(30));
    let finished: Vec<_> = net
        .told(4)
        .iter()
        .filter_map(|output| match output {
            Output::Finished { lookup, .. } => Some(*lookup),
            _ => None,
        })
        .collect();
    assert_eq!(finished.iter().copied().collect::<BTreeSet<_>>(), kept.iter().copied().collect());
    assert_eq!((finished.len(), net.node(4).load()), (kept.len(), (0, 0)));
}

#[test]
fn too_many_lookups_and_unknown_endpoints_are_refused() {
    let mut net = Net::new(1);
    let node = net.node_mut(0);
    let elsewhere = EndpointIndex(1);
    assert_eq!(node.start(elsewhere, PEERS, Time::ZERO), Err(StartError::NoEndpoint(elsewhere)));
    // A node that knows nobody ends its lookups at once.
    for _ in 0..LOOKUPS_WAITING_MAX * 2 {
        assert!(node.start(HERE, PEERS, Time::ZERO).is_ok());
    }
    let outcomes = std::iter::from_fn(|| node.poll());
    assert!(outcomes.filter(|output| matches!(output, Output::Finished { .. })).count() > 8000);
    node.add_node(HERE, address(9), Time::ZERO);
    node.here_mut(HERE).routers = vec![address(9)];
    let started =
        (0..LOOKUPS_WAITING_MAX * 2).filter(|_| node.start(HERE, PEERS, Time::ZERO).is_ok());
    assert_eq!(started.count(), LOOKUPS_WAITING_MAX + LOOKUPS_MAX);
}

#[test]
fn a_named_node_is_pinged_and_joins_the_table() {
    let mut net = Net::new(2);
    net.replace(0, quiet(Family::V4));
    net.replace(1, quiet(Family::V4));
    let now = net.now;
    net.node_mut(0).add_node(HERE, address(1), now);
    net.node_mut(0).add_node(HERE, "10.0.0.1:1".parse().expect("an address"), now);
    net.run(Duration::from_secs(20));
    assert_eq!(net.node(0).endpoint(HERE).expect("an endpoint").good, 1);
    // And the other has heard of it.
    assert_eq!(net.node(1).endpoint(HERE).expect("an endpoint").good, 1);
}
