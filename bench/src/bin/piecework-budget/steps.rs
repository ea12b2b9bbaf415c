//! The two paths that a block takes through a node, without sockets, hashing and disk.

use crate::counted;
use piecework_net::{Received, Receiver, SCRATCH_BYTES, Sender, Sink};
use piecework_swarm::{Config, Content, Hello, Input, Output, Swarm};
use piecework_types::{
    BLOCK_BYTES, Bitfield, ChunkId, InfoHashes, PeerId, PeerSlot, PieceGrid, Sha1Digest, Time,
};
use piecework_wire::{BLOCK_HEADER_BYTES, Limits, Message, Request, block_header, encode};
use std::collections::VecDeque;
use std::hint::black_box;
use std::io::{self, Read};
use std::time::Duration;

/// Pieces of 1 MiB.
const PIECES: u32 = 4096;
/// Peers that are connected.
const PEERS: u32 = 50;
/// What a turn may read, as a shard does on a fast line.
const BUDGET_BYTES: usize = 256 << 10;
/// Between two blocks at a gigabyte a second.
const BLOCK_MICROS: u64 = 16;

/// The other end of a connection: it answers each request at once, from memory.
#[derive(Default)]
struct Remote {
    asked: VecDeque<Request>,
    /// The header of the block that is being sent, and how much of header and payload has left.
    header: [u8; BLOCK_HEADER_BYTES],
    sent: usize,
}

impl Read for Remote {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let Some(request) = self.asked.front() else { break };
            if self.sent == 0 {
                self.header = block_header(*request);
            }
            let room = &mut buffer[filled..];
            let end = BLOCK_HEADER_BYTES + request.length as usize;
            let bytes = if self.sent < BLOCK_HEADER_BYTES {
                let header = &self.header[self.sent..];
                let bytes = header.len().min(room.len());
                room[..bytes].copy_from_slice(&header[..bytes]);
                bytes
            } else {
                // The kernel's copy is no instruction of ours, and nobody looks at the payload.
                (end - self.sent).min(room.len())
            };
            (filled, self.sent) = (filled + bytes, self.sent + bytes);
            if self.sent == end {
                self.asked.pop_front();
                self.sent = 0;
            }
        }
        if filled == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(filled) }
    }
}

/// A node without its effects.
struct Node {
    swarm: Swarm,
    /// Requests that are on their way to the peers.
    asked: Vec<(PeerSlot, Request)>,
    senders: Vec<Sender>,
    /// Blocks missing of each piece.
    missing: Vec<u32>,
    spare: Vec<Vec<u8>>,
    /// Chunks of the current turn, by number.
    stored: u32,
    left: u32,
    now: Time,
}

impl Node {
    fn new(have: Bitfield, introduction: &Message) -> Self {
        let swarm = connected(PEERS, have, introduction);
        Self {
            swarm,
            asked: Vec::new(),
            senders: (0..PEERS).map(|_| Sender::default()).collect(),
            missing: vec![(1 << 20) / BLOCK_BYTES; PIECES as usize],
            spare: Vec::new(),
            stored: 0,
            left: 0,
            now: Time::ZERO,
        }
    }

    fn handle(&mut self, input: Input) {
        self.swarm.handle(input, self.now);
        while let Some(output) = self.swarm.poll() {
            match output {
                Output::Send { slot, message } => {
                    self.senders[slot.0 as usize].message(|bytes| encode(&message, bytes));
                    if let Message::Request(request) = message {
                        self.asked.push((slot, request));
                    }
                }
                Output::Store { block, .. } => {
                    self.stored += 1;
                    let missing = &mut self.missing[block.piece.as_usize()];
                    *missing -= 1;
                    if *missing == 0 {
                        let piece = block.piece;
                        self.swarm.handle(Input::PieceVerified { piece }, self.now);
                    }
                }
                Output::SendBlock { slot, block } => {
                    black_box((slot, block));
                    self.left += 1;
                }
                other => drop(black_box(other)),
            }
        }
    }
}

/// What a shard is to a connection.
struct PeerSink<'a> {
    node: &'a mut Node,
    slot: PeerSlot,
}

impl Sink for PeerSink<'_> {
    type Chunk = Vec<u8>;

    fn message(&mut self, message: Message) -> bool {
        let slot = self.slot;
        if matches!(message, Message::Request(_)) {
            self.node.handle(Input::Room { slot, bytes: 1 << 20 });
        }
        self.node.handle(Input::Received { slot, message });
        true
    }

    fn accept(&mut self, request: Request) -> Option<Vec<u8>> {
        let is_wanted = self.node.swarm.is_wanted(self.slot, request);
        is_wanted.then(|| self.node.spare.pop().unwrap_or_else(|| vec![0; BLOCK_BYTES as usize]))
    }

    fn block(&mut self, request: Request, chunk: Vec<u8>) -> bool {
        self.node.spare.push(chunk);
        let (slot, chunk) = (self.slot, ChunkId(self.node.stored));
        self.node.now += Duration::from_micros(BLOCK_MICROS);
        self.node.handle(Input::BlockArrived { slot, request, chunk });
        true
    }
}

/// Blocks from bytes on the wire to the store, with the requests for their successors.
pub(crate) fn leech(blocks: u32) {
    let mut node = Node::new(Bitfield::new(PIECES), &Message::HaveAll);
    for slot in (0..PEERS).map(PeerSlot) {
        node.handle(Input::Received { slot, message: Message::Unchoke });
    }
    let mut remotes: Vec<Remote> = (0..PEERS).map(|_| Remote::default()).collect();
    let mut receivers: Vec<Receiver<Vec<u8>>> = (0..PEERS).map(|_| Receiver::default()).collect();
    let mut scratch = vec![0; SCRATCH_BYTES];
    counted(&mut || {
        let mut slot = 0;
        while node.stored < blocks {
            for (slot, request) in node.asked.drain(..) {
                remotes[slot.0 as usize].asked.push_back(request);
            }
            let at = slot as usize;
            receive(&mut receivers[at], &mut remotes[at], &mut scratch, &mut node, PeerSlot(slot));
            node.senders[at] = Sender::default();
            slot = (slot + 1) % PEERS;
        }
    });
    assert!(node.stored >= blocks && node.stored < blocks + 64, "{} blocks", node.stored);
}

/// Requests from bytes on the wire to the order to send a block.
pub(crate) fn seed(requests: u32) {
    let mut node = Node::new(Bitfield::full(PIECES), &Message::HaveNone);
    let slot = PeerSlot(0);
    node.handle(Input::Received { slot, message: Message::Interested });
    let per_piece = (1 << 20) / BLOCK_BYTES;
    let mut bytes = Vec::new();
    for nth in 0..requests {
        let (piece, begin) = (nth / per_piece, nth % per_piece * BLOCK_BYTES);
        encode(&Message::Request(Request { piece, begin, length: BLOCK_BYTES }), &mut bytes);
    }
    let mut receiver = Receiver::default();
    let mut scratch = vec![0; SCRATCH_BYTES];
    let mut stream = bytes.as_slice();
    counted(&mut || {
        while !stream.is_empty() {
            receive(&mut receiver, &mut stream, &mut scratch, &mut node, slot);
        }
    });
    assert_eq!(node.left, requests, "each request is answered");
}

fn receive(
    receiver: &mut Receiver<Vec<u8>>,
    stream: &mut impl Read,
    scratch: &mut [u8],
    node: &mut Node,
    slot: PeerSlot,
) {
    let limits = Limits { pieces_max: PIECES, ..Limits::default() };
    let mut sink = PeerSink { node, slot };
    let received = receiver.receive(stream, scratch, BUDGET_BYTES, &limits, &mut sink);
    let received: Received = received.expect("the other end keeps to the protocol");
    black_box(received);
}

/// A machine with this content and peers that have said `introduction`.
fn connected(peers: u32, have: Bitfield, introduction: &Message) -> Swarm {
    let config = Config {
        info_hashes: InfoHashes { v1: Some(Sha1Digest([1; 20])), v2: None },
        our_id: PeerId([0xff; 20]),
        ..Config::default()
    };
    let mut swarm = Swarm::new(config, Time::ZERO);
    let content = Content {
        grid: PieceGrid::contiguous(u64::from(PIECES) << 20, 1 << 20).expect("a grid"),
        have,
        priorities: vec![4; PIECES as usize],
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
            v2: false,
            dht: false,
        };
        swarm.handle(Input::Connected { slot, hello }, Time::ZERO);
        let message = introduction.clone();
        swarm.handle(Input::Received { slot, message }, Time::ZERO);
    }
    while swarm.poll().is_some() {}
    swarm
}
