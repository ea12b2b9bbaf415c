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
fn of_two_sizes_with_one_claim_each_the_smaller_one_is_tried() {
    let mut exchange = exchange(&metadata());
    exchange.join(A, Some(64 << 20));
    exchange.join(B, Some(100_000));
    assert_eq!(answer_all(&mut exchange, Some(A), at(0)), Received::Whole(metadata()));
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
    assert_eq!(exchange.serve(A, 0, at(0)), MetadataMessage::Reject { block: 0 });
    exchange.set_known(metadata.as_slice().into());
    let data = block(&metadata, 6);
    let last = MetadataMessage::Data { block: 6, total_bytes: 100_000, data };
    assert_eq!(exchange.serve(A, 6, at(0)), last);
    assert_eq!(exchange.serve(A, 7, at(0)), MetadataMessage::Reject { block: 7 });
    let served = (0..200)
        .filter(|_| matches!(exchange.serve(B, 0, at(1)), MetadataMessage::Data { .. }))
        .count();
    assert_eq!(served, SERVED_MAX as usize);
    assert!(matches!(exchange.serve(B, 0, at(2)), MetadataMessage::Data { .. }));
}

proptest! {
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
