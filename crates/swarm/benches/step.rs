//! What one block costs the machine, apart from sockets, hashing and disk.

use divan::counter::ItemsCount;
use piecework_swarm::{
    Asker, Class, Config, Content, Hello, Input, Origin, Output, Part, Picker, QUANTUM_BYTES,
    Speed, Swarm, TURN_QUANTA, Uplink, UplinkConfig, Work,
};
use piecework_types::{
    BLOCK_BYTES, Bitfield, Block, ChunkId, InfoHashes, PeerId, PeerSlot, PieceGrid, PieceIndex,
    Rng, Sha1Digest, Time,
};
use piecework_wire::{Message, Request};
use std::time::Duration;

const BLOCKS: u32 = 10_000;

fn main() {
    divan::main();
}

/// Picking: one fast peer with everything, `pieces` of 1 MiB.
#[divan::bench(args = [1_000, 100_000])]
fn pick(bencher: divan::Bencher<'_, '_>, pieces: u32) {
    let grid = grid(pieces);
    let have = Bitfield::full(pieces);
    bencher
        .counter(ItemsCount::new(BLOCKS))
        .with_inputs(|| {
            let none = Bitfield::new(pieces);
            let wanted = vec![4; pieces as usize];
            let mut picker = Picker::new(grid.clone(), none, &wanted, Rng::new(1));
            picker.peer_joined(&have);
            picker
        })
        .bench_local_values(|mut picker| {
            let asker = Asker {
                slot: PeerSlot(0),
                have: &have,
                speed: Speed::Fast,
                is_snubbed: false,
                is_alone: false,
                finishes: None,
                side_by_side: 8,
                suggested: &[],
                queue_time: Duration::ZERO,
            };
            let mut work = Work::default();
            for _ in 0..BLOCKS {
                let block = picker.pick(&asker, &mut work).expect("enough blocks");
                divan::black_box(picker.receive(block, Origin(0), true));
            }
            picker
        });
}

/// Leeching: a block comes, goes to the store, and its successor is asked; `peers` are connected.
#[divan::bench(args = [1, 50, 200])]
fn leech(bencher: divan::Bencher<'_, '_>, peers: u32) {
    bencher.counter(ItemsCount::new(BLOCKS)).with_inputs(|| Leech::new(peers)).bench_local_values(
        |mut leech| {
            for nth in 0..BLOCKS {
                leech.turn(nth);
            }
            leech
        },
    );
}

/// Seeding: a request comes and its block leaves; `peers` are connected.
#[divan::bench(args = [1, 50])]
fn seed(bencher: divan::Bencher<'_, '_>, peers: u32) {
    let pieces = 4096;
    bencher
        .counter(ItemsCount::new(BLOCKS))
        .with_inputs(|| connected(peers, Bitfield::full(pieces), &Message::HaveNone))
        .bench_local_values(|mut swarm| {
            let slot = PeerSlot(0);
            swarm.handle(Input::Received { slot, message: Message::Interested }, Time::ZERO);
            while swarm.poll().is_some() {}
            for nth in 0..BLOCKS {
                let now = Time::from_micros(u64::from(nth) * 16);
                let length = BLOCK_BYTES;
                let request = Request { piece: nth / 64, begin: nth % 64 * length, length };
                let message = Message::Request(request);
                swarm.handle(Input::Room { slot, bytes: 1 << 20 }, now);
                swarm.handle(Input::Received { slot, message }, now);
                while let Some(output) = swarm.poll() {
                    divan::black_box(output);
                }
            }
            swarm
        });
}

/// The uplink's turns under a limit, while `peers` compete: each block that leaves is asked for anew.
#[divan::bench(args = [1, 50, 1_000])]
fn uplink_turn(bencher: divan::Bencher<'_, '_>, peers: u32) {
    bencher.counter(ItemsCount::new(BLOCKS)).with_inputs(|| busy_uplink(peers)).bench_local_values(
        |mut uplink| {
            let mut sent = 0;
            while sent < BLOCKS {
                divan::black_box(uplink.quota_wanted(Part::Open, Time::ZERO));
                uplink.grant(Part::Open, TURN_QUANTA * QUANTUM_BYTES);
                while let Some((slot, block)) = uplink.poll() {
                    uplink.push(slot, divan::black_box(block)).expect("it has left the queue");
                    sent += 1;
                }
            }
            uplink
        },
    );
}

/// Peers of two classes with sixteen blocks queued and room for all that is sent.
fn busy_uplink(peers: u32) -> Uplink {
    let mut uplink = Uplink::new(&UplinkConfig::default());
    uplink.set_limited(true);
    for slot in (0..peers).map(PeerSlot) {
        let class = if slot.0 % 5 == 0 { Class::ALTRUISTIC } else { Class::RECIPROCAL };
        uplink.join(slot, class);
        uplink.set_room(slot, u64::from(BLOCKS) * u64::from(BLOCK_BYTES) * 2);
        for piece in (0..16).map(PieceIndex::trusted) {
            let block = Block { piece, begin: 0, length: BLOCK_BYTES };
            uplink.push(slot, block).expect("an empty queue has room");
        }
    }
    uplink
}

struct Leech {
    swarm: Swarm,
    asked: std::collections::VecDeque<(PeerSlot, Request)>,
    missing: Vec<u32>,
}

impl Leech {
    fn new(peers: u32) -> Self {
        let pieces = 4096;
        let mut swarm = connected(peers, Bitfield::new(pieces), &Message::HaveAll);
        for slot in (0..peers).map(PeerSlot) {
            let message = Message::Unchoke;
            swarm.handle(Input::Received { slot, message }, Time::ZERO);
        }
        let mut leech = Self { swarm, asked: [].into(), missing: vec![64; pieces as usize] };
        leech.drain(Time::ZERO);
        leech
    }

    fn turn(&mut self, nth: u32) {
        let now = Time::from_micros(u64::from(nth) * 16);
        let (slot, request) = self.asked.pop_front().expect("a busy torrent");
        assert!(self.swarm.is_wanted(slot, request));
        self.swarm.handle(Input::BlockArrived { slot, request, chunk: ChunkId(nth) }, now);
        self.drain(now);
    }

    fn drain(&mut self, now: Time) {
        while let Some(output) = self.swarm.poll() {
            match output {
                Output::Send { slot, message: Message::Request(request) } => {
                    self.asked.push_back((slot, request));
                }
                Output::Store { block, .. } => {
                    let missing = &mut self.missing[block.piece.as_usize()];
                    *missing -= 1;
                    if *missing == 0 {
                        self.swarm.handle(Input::PieceVerified { piece: block.piece }, now);
                    }
                }
                other => drop(divan::black_box(other)),
            }
        }
    }
}

fn grid(pieces: u32) -> PieceGrid {
    PieceGrid::contiguous(u64::from(pieces) << 20, 1 << 20).expect("a grid")
}

/// A machine with this content and peers that have said `introduction`.
fn connected(peers: u32, have: Bitfield, introduction: &Message) -> Swarm {
    let config = Config {
        info_hashes: InfoHashes { v1: Some(Sha1Digest([1; 20])), v2: None },
        our_id: PeerId([0xff; 20]),
        ..Config::default()
    };
    let mut swarm = Swarm::new(config, Time::ZERO);
    let priorities = vec![4; have.len() as usize];
    let content = Content {
        grid: grid(have.len()),
        have,
        priorities,
        metadata: b"de".as_slice().into(),
        layers: None,
    };
    swarm.handle(Input::ContentReady(content), Time::ZERO);
    for slot in (0..peers).map(PeerSlot) {
        let mut peer_id = [0; 20];
        peer_id[..4].copy_from_slice(&slot.0.to_be_bytes());
        let hello = Hello {
            address: ([127, 0, 0, 1], 1024).into(),
            peer_id: PeerId(peer_id),
            outgoing: true,
            fast: true,
            extended: true,
            dht: false,
            v2: false,
        };
        swarm.handle(Input::Connected { slot, hello }, Time::ZERO);
        let message = introduction.clone();
        swarm.handle(Input::Received { slot, message }, Time::ZERO);
    }
    while swarm.poll().is_some() {}
    swarm
}
