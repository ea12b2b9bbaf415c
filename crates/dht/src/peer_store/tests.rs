use super::*;
use std::collections::BTreeSet;
use std::net::IpAddr;

const HASH: InfoHash = InfoHash([1; 20]);

fn announce(info_hash: InfoHash, peer: &str, is_seed: bool) -> Announce {
    Announce { info_hash, peer: peer.parse().expect("an address"), is_seed }
}

fn numbered(number: u32) -> SocketAddr {
    (IpAddr::V4((0x0100_0000 + number).into()), 6881).into()
}

fn wish(family: Family, most: usize) -> Wish {
    Wish { info_hash: HASH, family, no_seeds: false, most }
}

fn named(store: &mut PeerStore, wish: Wish, now: Time) -> BTreeSet<String> {
    let peers = store.peers(wish, now, &mut Rng::new(1));
    peers.into_iter().map(|peer| peer.to_string()).collect()
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(String::from).into()
}

#[test]
fn an_address_stands_once_and_its_port_follows_the_last_announce() {
    let mut store = PeerStore::new(10);
    for peer in ["1.2.3.4:1", "1.2.3.4:2", "1.2.3.5:1", "[2001:db8::1]:3"] {
        assert!(store.announce(announce(HASH, peer, false), Time::ZERO));
    }
    assert_eq!(store.len(), (1, 3));
    let v4 = named(&mut store, wish(Family::V4, 9), Time::ZERO);
    assert_eq!(v4, names(["1.2.3.4:2", "1.2.3.5:1"]));
    assert_eq!(named(&mut store, wish(Family::V6, 9), Time::ZERO), names(["[2001:db8::1]:3"]));
}

#[test]
fn a_peer_is_forgotten_unless_it_announces_again() {
    let mut store = PeerStore::new(10);
    let half = Time::ZERO + PEER_LIFE / 2;
    store.announce(announce(HASH, "1.2.3.4:1", false), Time::ZERO);
    store.announce(announce(HASH, "1.2.3.5:1", false), Time::ZERO);
    store.announce(announce(HASH, "1.2.3.4:1", false), half);
    let late = Time::ZERO + PEER_LIFE;
    assert_eq!(named(&mut store, wish(Family::V4, 9), late), names(["1.2.3.4:1"]));
    assert!(named(&mut store, wish(Family::V4, 9), half + PEER_LIFE).is_empty());
    assert!(store.filters(HASH, half + PEER_LIFE * 2).is_none());
    assert_eq!(store.len(), (0, 0));
    assert!(store.senders.is_empty());
}

#[test]
fn seeds_come_last_if_they_are_not_wished() {
    let mut store = PeerStore::new(10);
    for last in 0..20 {
        let peer = format!("1.2.3.{last}:1");
        store.announce(announce(HASH, &peer, last >= 2), Time::ZERO);
    }
    let wish = Wish { no_seeds: true, ..wish(Family::V4, 2) };
    assert_eq!(named(&mut store, wish, Time::ZERO), names(["1.2.3.0:1", "1.2.3.1:1"]));
    let filters = store.filters(HASH, Time::ZERO).expect("a known torrent");
    let (seeds, peers) = (filters.seeds.estimate(), filters.peers.estimate());
    assert!((seeds - 18.0).abs() < 1.0 && (peers - 2.0).abs() < 0.5, "{seeds} {peers}");
}

#[test]
fn a_torrent_and_a_sender_have_limits() {
    let mut store = PeerStore::new(10_000);
    let taken = |number| announce_number(&mut store, number);
    let count = (0..TORRENT_PEERS_MAX as u32 + 50).map(taken).filter(|taken| *taken).count();
    assert_eq!(count, TORRENT_PEERS_MAX);
    assert!(!store.has_room(HASH) && store.has_room(InfoHash([2; 20])));

    let mut store = PeerStore::new(10_000);
    let hash = |number: u32| {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        InfoHash(bytes)
    };
    let taken = |number| {
        let announce = Announce { info_hash: hash(number), peer: numbered(1), is_seed: false };
        store.announce(announce, Time::ZERO)
    };
    let count = (0..SENDER_PEERS_MAX + 50).map(taken).filter(|taken| *taken).count();
    assert_eq!(count, SENDER_PEERS_MAX as usize);
}

fn announce_number(store: &mut PeerStore, number: u32) -> bool {
    let announce = Announce { info_hash: HASH, peer: numbered(number), is_seed: false };
    store.announce(announce, Time::ZERO)
}

#[test]
fn a_full_store_drops_the_smallest_torrent_for_a_new_one() {
    let mut store = PeerStore::new(2);
    store.announce(announce(InfoHash([2; 20]), "1.2.3.1:1", false), Time::ZERO);
    store.announce(announce(HASH, "1.2.3.1:1", false), Time::ZERO);
    store.announce(announce(HASH, "1.2.3.2:1", false), Time::ZERO);
    store.announce(announce(InfoHash([3; 20]), "1.2.3.1:1", false), Time::ZERO);
    assert_eq!(store.len(), (2, 3));
    assert!(store.filters(HASH, Time::ZERO).is_some());
    assert!(store.filters(InfoHash([2; 20]), Time::ZERO).is_none());
}

#[test]
fn everybody_gets_the_same_sample_until_it_ends() {
    let mut store = PeerStore::new(1000);
    for number in 0..100 {
        let info_hash = InfoHash([number; 20]);
        let announce = Announce { info_hash, peer: numbered(number.into()), is_seed: true };
        store.announce(announce, Time::ZERO);
    }
    let mut rng = Rng::new(5);
    let now = Time::ZERO + Duration::from_secs(1);
    let first = store.sample(50, now, &mut rng);
    assert_eq!((first.info_hashes.len(), first.total), (SAMPLE_HASHES_MAX, Some(100)));
    assert_eq!(first.interval_seconds, Some(300));
    assert_eq!(store.sample(50, now, &mut rng), first);
    assert_eq!(store.sample(3, now, &mut rng).info_hashes, first.info_hashes[..3]);
    let later = store.sample(50, now + SAMPLE_LIFE, &mut rng);
    assert_ne!(later.info_hashes, first.info_hashes);
}
