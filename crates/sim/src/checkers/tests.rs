#![allow(clippy::unwrap_used)]

use super::*;
use crate::seen::EndId;
use piecework_types::{BLOCK_BYTES, Bitfield, Block, PieceGrid, PieceIndex};
use piecework_wire::extension::{Extension, ExtensionHandshake, ExtensionIds, HANDSHAKE_ID, Pex};
use piecework_wire::{Message, Request};
use std::time::Duration;

const NODE: NodeId = NodeId(0);
const A: EndId = EndId(0);
const B: EndId = EndId(2);

/// One honest node with two peers, A and B, that unchoked it; two pieces of two blocks.
struct Bench {
    checkers: Checkers,
    now: Time,
}

impl Bench {
    fn new() -> Self {
        let limit = Some(UploadLimit { rate_bytes: 1_000, burst_bytes: 20_000 });
        let honest = Expected { honest: true, link_bytes: 1_000, limit, ..Expected::default() };
        let grid = PieceGrid::contiguous(4 * u64::from(BLOCK_BYTES), 2 * BLOCK_BYTES).unwrap();
        let checkers = Checkers::new(Facts::new(grid, 3), vec![honest; 3]);
        let mut bench = Self { checkers, now: Time::ZERO };
        bench.see(&Seen::Joined { have: &Bitfield::new(2) });
        for (end, peer) in [(A, 1), (B, 2)] {
            bench.see(&Seen::Opened { end, peer: NodeId(peer) });
            bench.receive(end, &Message::Unchoke);
        }
        bench
    }

    fn see(&mut self, seen: &Seen<'_>) {
        self.checkers.see(&Scene { now: self.now, node: NODE }, seen);
    }

    fn send(&mut self, end: EndId, message: &Message) {
        self.see(&Seen::Sent { end, message });
    }

    fn receive(&mut self, end: EndId, message: &Message) {
        self.see(&Seen::Received { end, message });
    }

    fn store(&mut self, end: EndId, piece: u32, number: u32) {
        let request = request(piece, number);
        self.see(&Seen::BlockReceived { end, request, chunk: 0 });
        self.see(&Seen::Stored { end, block: block(piece, number), chunk: 0 });
    }

    fn found(self) -> Option<&'static str> {
        self.checkers.violations.first().map(|violation| violation.checker)
    }
}

const fn block(piece: u32, number: u32) -> Block {
    let begin = number * BLOCK_BYTES;
    Block { piece: PieceIndex::trusted(piece), begin, length: BLOCK_BYTES }
}

fn request(piece: u32, number: u32) -> Request {
    Facts::request_of(block(piece, number))
}

fn ask(piece: u32, number: u32) -> Message {
    Message::Request(request(piece, number))
}

fn list() -> Message {
    Message::Extended { id: Extension::Pex.our_id(), payload: Pex::default().encode() }
}

#[test]
fn bearing_a_flood_of_lists_is_found() {
    let mut bench = Bench::new();
    (0..14).for_each(|_| bench.receive(A, &list()));
    assert!(bench.checkers.violations.is_empty());
    bench.receive(A, &list());
    assert_eq!(bench.found(), Some("lists of peers keep their pace"));
}

#[test]
fn two_lists_within_a_minute_are_found() {
    let mut bench = Bench::new();
    let ids = ExtensionIds::ours(|_| true);
    let shake = ExtensionHandshake { ids, ..ExtensionHandshake::default() };
    bench.receive(A, &Message::Extended { id: HANDSHAKE_ID, payload: shake.encode() });
    bench.send(A, &list());
    bench.now += Duration::from_secs(60);
    bench.send(A, &list());
    assert!(bench.checkers.violations.is_empty());
    bench.now += Duration::from_secs(59);
    bench.send(A, &list());
    assert_eq!(bench.found(), Some("lists of peers keep their pace"));
}

#[test]
fn dials_that_gossip_must_not_cause_are_found() {
    for address in ["127.0.0.1:6881", "10.1.1.1:6881", "8.8.8.8:80"] {
        let mut bench = Bench::new();
        bench.see(&Seen::Dialled { address: address.parse().unwrap() });
        assert_eq!(bench.found(), Some("gossip sends nobody where it must not"), "{address}");
    }
    let mut bench = Bench::new();
    (2000..2005).for_each(|port| bench.see(&Seen::Dialled { address: ([8; 4], port).into() }));
    assert_eq!(bench.found(), Some("gossip sends nobody where it must not"));
}

#[test]
fn a_blameless_exchange_violates_nothing() {
    let mut bench = Bench::new();
    bench.receive(A, &Message::Interested);
    bench.send(A, &Message::Unchoke);
    bench.send(A, &ask(0, 0));
    bench.send(B, &ask(0, 1));
    bench.store(A, 0, 0);
    bench.store(B, 0, 1);
    bench.see(&Seen::Settled);
    bench.see(&Seen::Verified { piece: PieceIndex::trusted(0), intact: true });
    bench.receive(A, &ask(0, 1));
    bench.see(&Seen::Room { end: A, bytes: BLOCK_BYTES.into() });
    bench.see(&Seen::BlockSent { end: A, block: block(0, 1) });
    bench.see(&Seen::Settled);
    assert_eq!(bench.found(), None);
}

#[test]
fn finds_requests_for_what_is_held() {
    let mut bench = Bench::new();
    bench.send(A, &ask(0, 0));
    bench.store(A, 0, 0);
    bench.send(B, &ask(0, 0));
    assert_eq!(bench.found(), Some("nothing is asked that is held"));
}

#[test]
fn finds_requests_while_choked_unless_the_piece_is_allowed() {
    let mut bench = Bench::new();
    bench.receive(A, &Message::Choke);
    bench.receive(A, &Message::AllowedFast(1));
    bench.send(A, &ask(1, 0));
    assert_eq!(bench.checkers.violations, []);
    bench.send(A, &ask(0, 0));
    assert_eq!(bench.found(), Some("no request while choked"));
}

#[test]
fn finds_duplicates_outside_the_end_game_only() {
    let mut bench = Bench::new();
    bench.send(A, &ask(0, 0));
    bench.send(B, &ask(0, 1));
    bench.send(B, &ask(1, 0));
    bench.send(A, &ask(1, 1));
    bench.send(B, &ask(0, 0));
    assert_eq!(bench.checkers.violations, [], "every block is asked: the end game");
    let mut bench = Bench::new();
    bench.send(A, &ask(0, 0));
    bench.now += Duration::from_secs(6);
    bench.send(B, &ask(0, 0));
    assert_eq!(bench.checkers.violations, [], "the first request is overdue");
    bench.send(B, &ask(0, 1));
    bench.send(A, &ask(0, 1));
    assert_eq!(bench.found(), Some("no duplicate request"));
}

#[test]
fn finds_a_cancel_that_is_owed_when_the_machine_has_settled() {
    for cancels in [true, false] {
        let mut bench = Bench::new();
        for (end, piece, number) in [(A, 0, 0), (A, 0, 1), (A, 1, 0), (A, 1, 1), (B, 0, 0)] {
            bench.send(end, &ask(piece, number));
        }
        bench.store(A, 0, 0);
        if cancels {
            bench.send(B, &Message::Cancel(request(0, 0)));
        }
        bench.see(&Seen::Settled);
        let expected = (!cancels).then_some("duplicates are cancelled at once");
        assert_eq!(bench.found(), expected);
    }
}

#[test]
fn finds_an_unchoke_before_interest() {
    let mut bench = Bench::new();
    bench.send(A, &Message::Unchoke);
    assert_eq!(bench.found(), Some("unchoke only after interest"));
}

#[test]
fn finds_blocks_sent_without_request_right_or_room() {
    let service = Some("only what was asked and is held is sent");
    for (held, asked, unchoked, room, expected) in [
        (true, true, true, true, None),
        (false, true, true, true, service),
        (true, false, true, true, service),
        (true, true, false, true, service),
        (true, true, true, false, Some("blocks wait for room")),
    ] {
        let mut bench = Bench::new();
        bench.receive(A, &Message::Interested);
        if held {
            bench.see(&Seen::Verified { piece: PieceIndex::trusted(0), intact: true });
        }
        if unchoked {
            bench.send(A, &Message::Unchoke);
        }
        if asked {
            bench.receive(A, &ask(0, 0));
        }
        let bytes = if room { BLOCK_BYTES.into() } else { 5 };
        bench.see(&Seen::Room { end: A, bytes });
        bench.see(&Seen::BlockSent { end: A, block: block(0, 0) });
        assert_eq!(bench.found(), expected);
    }
}

#[test]
fn finds_chunks_that_are_lost_or_stored_twice() {
    let mut bench = Bench::new();
    bench.send(A, &ask(0, 0));
    bench.see(&Seen::BlockReceived { end: A, request: request(0, 0), chunk: 3 });
    bench.see(&Seen::Settled);
    assert_eq!(bench.found(), Some("every chunk is stored or returned"));
    let mut bench = Bench::new();
    bench.see(&Seen::Discarded { chunk: 3 });
    assert_eq!(bench.found(), Some("every chunk is stored or returned"));
}

#[test]
fn finds_more_bytes_than_the_limit_and_the_link_carry() {
    let mut bench = Bench::new();
    bench.receive(A, &Message::Interested);
    bench.send(A, &Message::Unchoke);
    bench.see(&Seen::Verified { piece: PieceIndex::trusted(0), intact: true });
    for number in [0, 1] {
        bench.receive(A, &ask(0, number));
        bench.see(&Seen::Room { end: A, bytes: BLOCK_BYTES.into() });
        bench.see(&Seen::BlockSent { end: A, block: block(0, number) });
    }
    assert_eq!(bench.found(), Some("upload never exceeds its limit"));
    let mut bench = Bench::new();
    bench.see(&Seen::BlockLeft { bytes: 65 * u64::from(BLOCK_BYTES) });
    assert_eq!(bench.found(), Some("upload never exceeds the link"));
}

#[test]
fn finds_who_is_never_unchoked() {
    let mut bench = Bench::new();
    bench.receive(A, &Message::Interested);
    bench.receive(B, &Message::Interested);
    bench.send(A, &Message::Unchoke);
    bench.now += Duration::from_secs(100);
    bench.send(A, &Message::Choke);
    assert_eq!(bench.checkers.violations, []);
    bench.now += Duration::from_secs(100);
    bench.send(A, &Message::Unchoke);
    assert_eq!(bench.found(), Some("each peer gets its optimistic turn"));
}

#[test]
fn finds_a_verified_piece_that_differs_and_an_honest_peer_that_is_blamed() {
    let mut bench = Bench::new();
    bench.see(&Seen::Verified { piece: PieceIndex::trusted(1), intact: false });
    assert_eq!(bench.found(), Some("content equals the origin"));
    let mut bench = Bench::new();
    bench.see(&Seen::Dropped { end: A, ban: false, blamed: false, reason: "idle" });
    assert_eq!(bench.checkers.violations, []);
    bench.see(&Seen::Dropped { end: B, ban: true, blamed: true, reason: "bad data" });
    assert_eq!(bench.found(), Some("no honest peer is blamed"));
}
