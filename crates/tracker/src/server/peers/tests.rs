//! The list against a plain one, and what is drawn from it.

use super::*;
use proptest::prelude::{Just, Strategy, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

fn address(number: u16, family: Family) -> SocketAddr {
    match family {
        Family::V4 => ([10, 0, 0, 1], 1000 + number).into(),
        Family::V6 => (Ipv6Addr::new(0x2001, 0xdb8, 0, number % 3, 0, 0, 0, number), 7).into(),
    }
}

fn peer(number: u16, family: Family, stage: Stage) -> Peer {
    let mut id = [0; 20];
    id[..2].copy_from_slice(&number.to_be_bytes());
    let expires = Time::ZERO + Duration::from_secs(u64::from(number) + 1);
    Peer { address: address(number, family), peer_id: PeerId(id), key: 9, stage, expires }
}

fn wish(count: usize) -> Wish {
    let address = ([1, 1, 1, 1], 1).into();
    Wish { peer_id: PeerId([0xff; 20]), address, wants_seeds: true, family: None, count }
}

#[derive(Clone, Debug)]
enum Step {
    Put(u16, Family, Stage),
    Remove(u16, Family),
    Forget(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let family = prop_oneof![Just(Family::V4), Just(Family::V6)];
    let stage = prop_oneof![Just(Stage::Leecher), Just(Stage::PartialSeed), Just(Stage::Seed)];
    prop_oneof![
        4 => (0_u16..20, family.clone(), stage).prop_map(|(n, f, s)| Step::Put(n, f, s)),
        2 => (0_u16..20, family).prop_map(|(n, f)| Step::Remove(n, f)),
        1 => (0_u64..30).prop_map(Step::Forget),
    ]
}

proptest! {
    #[test]
    fn the_list_is_what_a_plain_one_would_be(steps in prop::collection::vec(step(), 1..80)) {
        let (mut list, mut plain) = (TorrentPeers::default(), BTreeMap::new());
        let mut now = Time::ZERO;
        for step in steps {
            match step {
                Step::Put(number, family, stage) => {
                    let peer = peer(number, family, stage);
                    list.put(peer, false);
                    plain.insert(peer.address, peer);
                }
                Step::Remove(number, family) => {
                    let address = address(number, family);
                    let removed = list.remove(&address).map(|peer| peer.address);
                    prop_assert_eq!(removed, plain.remove(&address).map(|peer| peer.address));
                }
                Step::Forget(seconds) => {
                    now = now.max(Time::ZERO + Duration::from_secs(seconds));
                    let gone: BTreeSet<_> = list.forget(now).into_iter().collect();
                    for address in &gone {
                        prop_assert!(plain.remove(address).is_some_and(|peer| peer.expires <= now));
                    }
                    let is_late = |peer: &Peer| now.since(peer.expires) >= SEARCH_AFTER;
                    prop_assert!(!plain.values().any(is_late));
                }
            }
            let count = |stage| plain.values().filter(|peer| peer.stage == stage).count() as u32;
            prop_assert_eq!(list.len(), plain.len());
            prop_assert_eq!(list.counts().complete, count(Stage::Seed));
            prop_assert_eq!(list.partial_seeds(), count(Stage::PartialSeed));
            let all = list.choose(&wish(100), &mut Rng::new(1));
            let all: BTreeSet<_> = all.iter().map(|peer| peer.address).collect();
            prop_assert!(all.iter().eq(plain.keys()));
            prop_assert_eq!(list.names.len(), plain.len());
        }
    }

    #[test]
    fn what_is_drawn_is_different_and_within_bounds(seed: u64, count in 0_usize..40, total in 0_usize..40) {
        let drawn = draw(count, total, &mut Rng::new(seed));
        prop_assert_eq!(drawn.len(), count.min(total));
        prop_assert!(drawn.iter().all(|number| *number < total));
    }
}

#[test]
fn seeds_are_given_to_those_who_want_something_and_to_no_others() {
    let mut list = TorrentPeers::default();
    list.put(peer(1, Family::V4, Stage::Seed), false);
    list.put(peer(2, Family::V4, Stage::PartialSeed), false);
    list.put(peer(3, Family::V4, Stage::Leecher), false);
    list.put(peer(4, Family::V6, Stage::Leecher), false);
    let given = |wish: Wish| {
        let peers = list.choose(&wish, &mut Rng::new(7));
        peers.iter().map(|peer| peer.peer_id.0[1]).collect::<BTreeSet<_>>()
    };
    assert_eq!(given(wish(9)), BTreeSet::from([1, 2, 3, 4]));
    assert_eq!(given(Wish { wants_seeds: false, ..wish(9) }), BTreeSet::from([3, 4]));
    assert_eq!(given(Wish { family: Some(Family::V4), ..wish(9) }), BTreeSet::from([1, 2, 3]));
    assert_eq!(given(Wish { family: Some(Family::V6), ..wish(9) }), BTreeSet::from([4]));
    // Its own address, or the other address of the same peer.
    assert_eq!(
        given(Wish { address: address(1, Family::V4), ..wish(9) }),
        BTreeSet::from([2, 3, 4])
    );
    let own = peer(4, Family::V6, Stage::Leecher).peer_id;
    assert_eq!(given(Wish { peer_id: own, ..wish(9) }), BTreeSet::from([1, 2, 3]));
}

#[test]
fn everybody_is_met_by_somebody_before_long() {
    let mut list = TorrentPeers::default();
    (0..200).for_each(|number| list.put(peer(number, Family::V4, Stage::Leecher), false));
    let (mut rng, mut met) = (Rng::new(3), BTreeSet::new());
    for _ in 0..60 {
        let peers = list.choose(&wish(20), &mut rng);
        assert_eq!(peers.len(), 20);
        met.extend(peers.iter().map(|peer| peer.address));
    }
    // Each of 200 is missed by 60 fair draws of a tenth with probability 0.0018.
    assert!(met.len() >= 195, "{}", met.len());
}

#[test]
fn a_peer_that_moves_is_known_again_by_its_key_only() {
    let mut list = TorrentPeers::default();
    let at_home = peer(1, Family::V4, Stage::Leecher);
    list.put(at_home, false);
    let moved = Peer { address: ([9, 9, 9, 9], 9).into(), ..at_home };
    assert_eq!(list.former(&moved), Some(at_home.address));
    assert_eq!(list.former(&at_home), None, "it has not moved");
    assert_eq!(list.former(&Peer { key: 8, ..moved }), None, "somebody else");
    let nameless = Peer { key: 0, ..at_home };
    list.put(nameless, false);
    assert_eq!(list.former(&Peer { key: 0, ..moved }), None, "no key proves nothing");
}

#[test]
fn a_download_is_counted_once_for_an_address() {
    let mut list = TorrentPeers::default();
    let seed = peer(1, Family::V4, Stage::Seed);
    list.put(peer(1, Family::V4, Stage::Leecher), false);
    list.put(seed, true);
    list.put(seed, true);
    list.put(seed, false);
    assert_eq!(list.counts(), ScrapeCounts { complete: 1, downloaded: 1, incomplete: 0 });
}

#[test]
fn peers_of_one_64_are_one_sender() {
    let mut list = TorrentPeers::default();
    for number in 0..9 {
        list.put(peer(number, Family::V6, Stage::Leecher), false);
        list.put(peer(number, Family::V4, Stage::Leecher), false);
    }
    let of = |number, family| list.of_sender(address(number, family).ip());
    assert_eq!(of(1, Family::V6), (3, Some(address(1, Family::V6))));
    assert_eq!(of(1, Family::V4), (9, Some(address(0, Family::V4))));
    assert_eq!(list.of_sender([10, 0, 0, 2].into()), (0, None));
}
