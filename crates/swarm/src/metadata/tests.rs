//! Metadata from peers that are honest, slow, silent or lying.

use super::*;
use proptest::prelude::*;

const A: PeerSlot = PeerSlot(1);
const B: PeerSlot = PeerSlot(2);

fn metadata() -> Vec<u8> {
    (0..100_000_u32).map(|byte| byte as u8).collect()
}

fn exchange(metadata: &[u8]) -> MetadataExchange {
    MetadataExchange::new(InfoHashes { v1: Some(sha1(metadata)), v2: None })
}

fn at(seconds: u64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

fn requests(exchange: &mut MetadataExchange, now: Time) -> Vec<(PeerSlot, u32)> {
    let mut out = Vec::new();
    exchange.request(now, &mut out);
    out
}

fn block(metadata: &[u8], number: u32) -> &[u8] {
    let start = number as usize * METADATA_BLOCK_BYTES;
    &metadata[start..metadata.len().min(start + METADATA_BLOCK_BYTES)]
}

/// Answers every request, peer `liar`'s with zeros, until nothing more is asked.
fn answer_all(exchange: &mut MetadataExchange, liar: Option<PeerSlot>, now: Time) -> Received {
    let metadata = metadata();
    loop {
        let asked = requests(exchange, now);
        if asked.is_empty() {
            return Received::Nothing;
        }
        for (slot, number) in asked {
            let good = block(&metadata, number);
            let sent = if liar == Some(slot) { vec![0; good.len()] } else { good.to_vec() };
            match exchange.receive(slot, number, metadata.len() as u32, &sent, now) {
                Received::Nothing => {}
                end => return end,
            }
        }
    }
}

#[test]
fn blocks_come_from_several_peers_at_once() {
    let mut exchange = exchange(&metadata());
    exchange.join(A, Some(200_000));
    exchange.join(B, Some(200_000));
    let asked = requests(&mut exchange, at(0));
    assert_eq!(asked.iter().filter(|(slot, _)| *slot == A).count(), IN_FLIGHT_MAX);
    assert_eq!(asked.len(), 13);
    assert_eq!(requests(&mut exchange, at(0)), []);
}

#[test]
fn whole_metadata_with_the_right_hash_is_handed_out() {
    let mut exchange = exchange(&metadata());
    exchange.join(A, Some(100_000));
    assert_eq!(answer_all(&mut exchange, None, at(0)), Received::Whole(metadata()));
}

#[test]
fn a_liar_among_two_is_found_and_the_other_one_is_enough() {
    let mut exchange = exchange(&metadata());
    exchange.join(A, Some(100_000));
    exchange.join(B, Some(100_000));
    // With 7 blocks A alone gets all; a busy A leaves some to B.
    exchange.peers.get_mut(&A).expect("it joined").asked = 5;
    let mixed = answer_all(&mut exchange, Some(A), at(0));
    assert_eq!(mixed, Received::Liar(A), "after a mix only one peer is asked");
    exchange.leave(A);
    assert_eq!(answer_all(&mut exchange, Some(A), at(0)), Received::Whole(metadata()));
}

#[test]
fn a_silent_peer_is_passed_over_after_ten_seconds() {
    let mut exchange = exchange(&metadata());
    exchange.join(A, Some(100_000));
    assert_eq!(requests(&mut exchange, at(0)).len(), 7);
    exchange.join(B, Some(100_000));
    assert_eq!(requests(&mut exchange, at(9)), []);
    let asked = requests(&mut exchange, at(10));
    assert!(asked.len() == 7 && asked.iter().all(|(slot, _)| *slot == B));
}

#[test]
fn a_wrong_size_only_costs_a_detour() {
    let mut exchange = exchange(&metadata());
    exchange.join(A, Some(64 << 20));
    assert_eq!(requests(&mut exchange, at(0)).len(), IN_FLIGHT_MAX);
    exchange.join(B, Some(100_000));
    assert_eq!(requests(&mut exchange, at(5)), []);
    exchange.reject(A, at(6));
    assert_eq!(answer_all(&mut exchange, None, at(6)), Received::Whole(metadata()));
}

#[test]
fn a_claim_that_yields_block_after_block_gives_way_once_its_turn_is_over() {
    let mut exchange = exchange(&metadata());
    exchange.join(A, Some(64 << 20));
    let mut asked = requests(&mut exchange, at(0));
    for second in 1..60 {
        asked.extend(requests(&mut exchange, at(second)));
        for (slot, number) in asked.drain(..) {
            assert_eq!((slot, exchange.bytes), (A, 64 << 20), "nobody else claims anything");
            exchange.receive(A, number, 64 << 20, &[0; METADATA_BLOCK_BYTES], at(second));
        }
    }
    exchange.join(B, Some(100_000));
    asked = requests(&mut exchange, at(60));
    for second in 61..89 {
        for (slot, number) in asked.drain(..) {
            assert_eq!(slot, A);
            exchange.receive(A, number, 64 << 20, &[0; METADATA_BLOCK_BYTES], at(second));
        }
        asked = requests(&mut exchange, at(second));
    }
    assert_eq!(answer_all(&mut exchange, None, at(89)), Received::Whole(metadata()));
}

#[test]
fn a_slow_honest_peer_gets_longer_turns_until_one_is_enough() {
    let mut exchange = exchange(&metadata());
    exchange.join(A, Some(100_000));
    exchange.join(B, Some(20 * 16_384));
    // Of what they are asked at once both answer one block, after 9 s, and get a pause for the others:
    // 7 blocks take about 280 s.
    let mut due: Vec<(u64, PeerSlot, u32)> = Vec::new();
    for second in 0..3_000 {
        due.extend(requests(&mut exchange, at(second)).iter().map(|of| (second + 9, of.0, of.1)));
        let now = due.iter().position(|(when, ..)| *when == second);
        let Some((_, slot, number)) = now.map(|first| due.remove(first)) else { continue };
        due.retain(|(when, ..)| *when > second);
        let total = if slot == A { 100_000 } else { 20 * 16_384 };
        let bytes = if slot == A { block(&metadata(), number).to_vec() } else { vec![0; 16_384] };
        match exchange.receive(slot, number, total, &bytes, at(second)) {
            Received::Nothing => {}
            whole => return assert_eq!(whole, Received::Whole(metadata())),
        }
    }
    panic!("never got the metadata");
}

/// What a peer does when it is asked for a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Manner {
    Honest,
    /// Claims the largest size there is and says nothing.
    Silent,
    /// The right size, nothing else.
    Mute,
    /// Claims a size of its own and rejects.
    Rejecting,
    /// Claims a huge size, of its own or as others do, and sends just in time.
    Dripping {
        bytes: u32,
    },
    /// The right size, wrong bytes.
    Lying,
    /// The same, just in time.
    LyingSlowly,
    /// Claims another size whenever it is asked.
    Shifting,
    /// Comes back as a new peer whenever it is asked.
    Returning,
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![
        Just(Manner::Silent),
        Just(Manner::Mute),
        Just(Manner::Rejecting),
        Just(Manner::Dripping { bytes: 64 << 20 }),
        (60_u32..4_000).prop_map(|blocks| Manner::Dripping { bytes: blocks << 14 }),
        Just(Manner::Lying),
        Just(Manner::LyingSlowly),
        Just(Manner::Shifting),
        Just(Manner::Returning),
    ]
}

/// Peers of several manners, and the answers that are on their way.
struct Crowd {
    exchange: MetadataExchange,
    metadata: Vec<u8>,
    peers: BTreeMap<PeerSlot, Manner>,
    due: BTreeSet<(u64, PeerSlot, u32)>,
    /// A lower slot must not be an advantage.
    next_slot: u32,
}

impl Crowd {
    fn new(manners: &[Manner]) -> Self {
        let metadata = metadata();
        let mut crowd = Self {
            exchange: exchange(&metadata),
            metadata,
            peers: BTreeMap::new(),
            due: BTreeSet::new(),
            next_slot: 1_000_000,
        };
        manners.iter().for_each(|manner| crowd.join(*manner));
        crowd
    }

    fn join(&mut self, manner: Manner) {
        self.next_slot -= 1;
        let slot = PeerSlot(self.next_slot);
        self.peers.insert(slot, manner);
        self.exchange.join(slot, Some(self.claim(manner)));
    }

    fn claim(&self, manner: Manner) -> u32 {
        match manner {
            Manner::Honest | Manner::Mute | Manner::Lying | Manner::LyingSlowly => 100_000,
            Manner::Silent => 64 << 20,
            Manner::Dripping { bytes } => bytes,
            Manner::Rejecting | Manner::Shifting | Manner::Returning => self.next_slot,
        }
    }

    fn ask(&mut self, second: u64) {
        for (slot, number) in requests(&mut self.exchange, at(second)) {
            let wait = match self.peers.get(&slot).expect("only peers are asked") {
                Manner::Honest | Manner::Lying | Manner::Rejecting => 1,
                Manner::Dripping { .. } | Manner::LyingSlowly => 9,
                Manner::Shifting | Manner::Returning => 8,
                Manner::Silent | Manner::Mute => continue,
            };
            self.due.insert((second + wait, slot, number));
        }
    }

    fn answer(&mut self, slot: PeerSlot, number: u32, now: Time) -> Received {
        let Some(&manner) = self.peers.get(&slot) else { return Received::Nothing };
        let total = self.claim(manner);
        match manner {
            Manner::Silent | Manner::Mute => Received::Nothing,
            Manner::Honest => {
                let data = block(&self.metadata, number);
                self.exchange.receive(slot, number, total, data, now)
            }
            Manner::Lying | Manner::LyingSlowly | Manner::Dripping { .. } => {
                let data = vec![0; MetadataMessage::block_bytes(number, total)];
                self.exchange.receive(slot, number, total, &data, now)
            }
            Manner::Rejecting => {
                self.exchange.reject(slot, now);
                Received::Nothing
            }
            Manner::Shifting => {
                self.next_slot -= 1;
                self.exchange.join(slot, Some(self.next_slot));
                Received::Nothing
            }
            Manner::Returning => {
                self.peers.remove(&slot);
                self.exchange.leave(slot);
                self.join(manner);
                Received::Nothing
            }
        }
    }

    /// The second at which the metadata is whole.
    fn run(&mut self, seconds_max: u64) -> Option<u64> {
        for second in 0..seconds_max {
            self.ask(second);
            while let Some(&(when, slot, number)) = self.due.first()
                && when <= second
            {
                self.due.pop_first();
                match self.answer(slot, number, at(second)) {
                    Received::Nothing => {}
                    Received::Liar(liar) => {
                        assert_ne!(self.peers.remove(&liar), Some(Manner::Honest));
                        self.exchange.leave(liar);
                    }
                    Received::Whole(metadata) => {
                        assert_eq!(metadata, self.metadata);
                        return Some(second);
                    }
                }
            }
        }
        None
    }
}

#[test]
fn one_honest_peer_is_enough_whatever_a_hundred_liars_of_one_kind_do() {
    let kinds = [
        Manner::Silent,
        Manner::Mute,
        Manner::Rejecting,
        Manner::Dripping { bytes: 64 << 20 },
        Manner::Lying,
        Manner::LyingSlowly,
        Manner::Shifting,
        Manner::Returning,
    ];
    let got = kinds.map(|kind| {
        let mut manners = vec![kind; 100];
        manners.push(Manner::Honest);
        Crowd::new(&manners).run(10_000)
    });
    assert!(got.iter().all(Option::is_some), "{got:?}");
}

#[test]
fn what_was_not_asked_is_ignored() {
    let mut exchange = exchange(&metadata());
    exchange.join(A, Some(100_000));
    requests(&mut exchange, at(0));
    for (slot, number) in [(B, 0), (A, 99), (A, u32::MAX)] {
        assert_eq!(exchange.receive(slot, number, 100_000, &[0], at(0)), Received::Nothing);
    }
    assert_eq!(exchange.held, 0);
}

#[test]
fn serves_known_metadata_block_by_block_at_a_bounded_rate() {
    let metadata = metadata();
    let mut exchange = exchange(&metadata);
    assert_eq!(exchange.serve(A, 0), None);
    exchange.set_known(metadata.as_slice().into());
    let data = block(&metadata, 6);
    let last = MetadataMessage::Data { block: 6, total_bytes: 100_000, data };
    assert_eq!(exchange.serve(A, 6), Some(last));
    assert_eq!(exchange.serve(A, 7), None);
    assert_eq!(exchange.serve(A, u32::MAX), None);
    let mut serve = |second| exchange.has_share(B, at(second)) && exchange.serve(B, 0).is_some();
    assert_eq!((0..2_000).filter(|_| serve(1)).count(), SERVED_MAX as usize);
    assert!(serve(2));
}

proptest! {
    /// Each liar that stands before the honest peer has two turns at most: one for its size, one alone.
    #[test]
    fn one_honest_peer_among_liars_is_enough_within_a_bounded_time(
        before in prop::collection::vec(manner(), 0..12),
        after in prop::collection::vec(manner(), 0..12),
    ) {
        let manners = [before.as_slice(), &[Manner::Honest], &after].concat();
        let bound = 60 * (1 + manners.len() as u64) + 30;
        prop_assert!(Crowd::new(&manners).run(bound).is_some());
    }

    #[test]
    fn the_books_balance_whatever_peers_do(
        steps in prop::collection::vec((0_u8..7, 0_u32..4, 0_u32..8, 0_u64..12), 0..150),
    ) {
        let metadata = metadata();
        let mut exchange = exchange(&metadata);
        let mut now = 0;
        for (step, slot, number, seconds) in steps {
            now += seconds / 6;
            let slot = PeerSlot(slot);
            match step {
                0 => exchange.join(slot, Some(if number == 7 { 5_000_000 } else { 100_000 })),
                1 => exchange.leave(slot),
                2 => exchange.reject(slot, at(now)),
                3 => drop(requests(&mut exchange, at(now))),
                4 if number == 0 => exchange.refused(at(now)),
                _ => {
                    let data = vec![number as u8; 16_384];
                    let total = exchange.bytes;
                    exchange.receive(slot, number, total, &data, at(now));
                }
            }
            for (slot, peer) in &exchange.peers {
                let is_asked =
                    |block: &&Block| matches!(block, Block::Asked { slot: of, .. } if of == slot);
                prop_assert_eq!(exchange.blocks.iter().filter(is_asked).count(), peer.asked);
                prop_assert!(peer.asked <= IN_FLIGHT_MAX);
            }
            let held = exchange.blocks.iter().filter(|block| matches!(block, Block::Held { .. }));
            prop_assert_eq!(held.count(), exchange.held);
        }
    }
}
