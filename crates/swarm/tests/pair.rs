//! Two machines joined by a pipe in virtual time: whole transfers, from the handshake to the last piece.

#![allow(clippy::unwrap_used)]

use piecework_bencode::encode_dict;
use piecework_hash::{sha1, sha256};
use piecework_metainfo::{Info, PieceLayers};
use piecework_swarm::{
    Config, Content, DropReason, Hello, Input, Output, Part, PeerCounts, Reserve, StreamWindow,
    Swarm,
};
use piecework_types::{
    Bitfield, Block, ChunkId, InfoHashes, PeerId, PeerSlot, PieceGrid, PieceIndex, Time,
};
use piecework_wire::Message;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

const LATENCY: Duration = Duration::from_millis(5);
const ROOM: u64 = 256 * 1024;
const SLOT: PeerSlot = PeerSlot(0);

/// What crosses the pipe.
enum Frame {
    Message(Message),
    Block(Block),
    End,
}

/// A machine with the least that can pass for a driver: a store that believes every block.
struct Node {
    swarm: Swarm,
    grid: PieceGrid,
    content: Option<Content>,
    stored: BTreeMap<PieceIndex, u32>,
    chunk: u32,
    /// Frames on their way to this node, with the time of their arrival.
    inbox: VecDeque<(Time, Frame)>,
    is_open: bool,
    log: Log,
}

/// What a node was seen to do.
#[derive(Default)]
struct Log {
    complete: usize,
    order: Vec<PieceIndex>,
    layers: usize,
    dropped: Option<DropReason>,
    requests: Vec<piecework_wire::Request>,
    haves: Vec<u32>,
    speaks: usize,
    ended: usize,
    carried: Vec<Vec<u8>>,
    carried_at: Vec<PeerCounts>,
    counted: usize,
}

struct Pair {
    now: Time,
    nodes: [Node; 2],
}

impl Pair {
    fn new(nodes: [Node; 2]) -> Self {
        let mut pair = Self { now: Time::ZERO, nodes };
        for at in 0..2 {
            let hello = Hello {
                address: ([10, 0, 0, 2 - at as u8], 6881).into(),
                peer_id: PeerId([1 - at as u8; 20]),
                outgoing: at == 0,
                fast: true,
                extended: true,
                dht: true,
                v2: true,
            };
            pair.give(at, Input::Connected { slot: SLOT, hello });
            pair.give(at, Input::Room { slot: SLOT, bytes: ROOM });
        }
        pair
    }

    /// Runs until nothing happens any more, or for so long.
    fn run(&mut self, limit: Duration) {
        let end = self.now + limit;
        loop {
            (0..2).for_each(|at| self.drain(at));
            let next = |node: &Node| {
                let frame = node.inbox.front().map_or(Time::NEVER, |(at, _)| *at);
                frame.min(node.swarm.poll_timeout().map_or(Time::NEVER, |(at, _)| at))
            };
            let at = next(&self.nodes[0]).min(next(&self.nodes[1]));
            if at > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(at);
            (0..2).for_each(|at| self.deliver(at));
        }
    }

    fn deliver(&mut self, at: usize) {
        let now = self.now;
        while self.nodes[at].inbox.front().is_some_and(|(due, _)| *due <= now) {
            let (_, frame) = self.nodes[at].inbox.pop_front().unwrap();
            let node = &mut self.nodes[at];
            if !node.is_open {
                continue;
            }
            let input = match frame {
                Frame::Message(message) => Input::Received { slot: SLOT, message },
                Frame::Block(block) => node.arrival(block),
                Frame::End => {
                    node.is_open = false;
                    Input::Disconnected { slot: SLOT }
                }
            };
            self.give(at, input);
        }
        if self.nodes[at].swarm.poll_timeout().is_some_and(|(due, _)| due <= now) {
            self.give(at, Input::Timeout);
        }
    }

    fn give(&mut self, at: usize, input: Input) {
        self.nodes[at].swarm.handle(input, self.now);
        self.drain(at);
    }

    fn drain(&mut self, at: usize) {
        while let Some(output) = self.nodes[at].swarm.poll() {
            let [left, right] = &mut self.nodes;
            let (node, peer) = if at == 0 { (left, right) } else { (right, left) };
            let arrival = self.now + LATENCY;
            match output {
                Output::Send { message, .. } => {
                    match &message {
                        Message::Request(request) => node.log.requests.push(*request),
                        Message::Have(piece) => node.log.haves.push(*piece),
                        _ => {}
                    }
                    peer.inbox.push_back((arrival, Frame::Message(message)));
                }
                Output::SendBlock { block, .. } => {
                    peer.inbox.push_back((arrival, Frame::Block(block)));
                    node.swarm.handle(Input::Room { slot: SLOT, bytes: ROOM }, self.now);
                }
                Output::Disconnect { reason, .. } => {
                    node.is_open = false;
                    node.log.dropped = Some(reason);
                    peer.inbox.push_back((arrival, Frame::End));
                }
                other => node.perform(other, self.now),
            }
        }
    }
}

impl Node {
    fn new(torrent: &Torrent, id: u8, config: Config) -> Self {
        let config = Config {
            info_hashes: torrent.info_hashes,
            our_id: PeerId([id; 20]),
            seed: id.into(),
            ..config
        };
        Self {
            swarm: Swarm::new(config, Time::ZERO),
            grid: torrent.grid.clone(),
            content: None,
            stored: BTreeMap::new(),
            chunk: 0,
            inbox: VecDeque::new(),
            is_open: true,
            log: Log::default(),
        }
    }

    fn seed(torrent: &Torrent) -> Self {
        let mut node = Self::new(torrent, 0, Config::default());
        let have = Bitfield::full(torrent.grid.piece_count());
        node.swarm.handle(Input::ContentReady(torrent.content(have)), Time::ZERO);
        node
    }

    fn leech(torrent: &Torrent) -> Self {
        let mut node = Self::new(torrent, 1, Config::default());
        let have = Bitfield::new(torrent.grid.piece_count());
        node.swarm.handle(Input::ContentReady(torrent.content(have)), Time::ZERO);
        node
    }

    /// A node that knows the info-hash alone.
    fn magnet(torrent: &Torrent) -> Self {
        let mut node = Self::new(torrent, 1, Config::default());
        let have = Bitfield::new(torrent.grid.piece_count());
        let layers = torrent.bare_layers.clone();
        node.content = Some(Content { layers, ..torrent.content(have) });
        node
    }

    fn arrival(&mut self, block: Block) -> Input {
        let Block { piece, begin, length } = block;
        let request = piecework_wire::Request { piece: piece.get(), begin, length };
        assert!(self.swarm.is_wanted(SLOT, request), "a block that was not asked");
        self.chunk += 1;
        Input::BlockArrived { slot: SLOT, request, chunk: ChunkId(self.chunk) }
    }

    fn perform(&mut self, output: Output, now: Time) {
        match output {
            Output::Store { block, .. } => {
                let stored = self.stored.entry(block.piece).or_default();
                *stored += 1;
                if *stored == self.grid.block_count(block.piece) {
                    self.log.order.push(block.piece);
                    self.swarm.handle(Input::PieceVerified { piece: block.piece }, now);
                }
            }
            Output::MetadataReceived(metadata) => {
                let content = self.content.take().unwrap();
                assert_eq!(*content.metadata, metadata);
                self.swarm.handle(Input::ContentReady(content), now);
            }
            Output::LayerReceived { .. } => self.log.layers += 1,
            Output::WantedComplete => self.log.complete += 1,
            Output::SpeaksPay { .. } => self.log.speaks += 1,
            Output::PayEnded { .. } => self.log.ended += 1,
            Output::PayReceived { message, .. } => {
                self.log.carried.push(message.payload);
                self.log.carried_at.push(message.counts);
            }
            Output::Counted { .. } => self.log.counted += 1,
            Output::Discard { .. } | Output::DigestsWanted { .. } | Output::Ban { .. } => {}
            Output::PeersLearned { .. }
            | Output::SeenAs { .. }
            | Output::NodeTold { .. }
            | Output::Fetch { .. }
            | Output::StopFetch { .. }
            | Output::WebSeedDropped { .. }
            | Output::UploadQuotaWanted { .. } => {}
            Output::Send { .. } | Output::SendBlock { .. } | Output::Disconnect { .. } => {
                unreachable!("handled by the pair")
            }
        }
    }
}

/// A torrent whose payload nobody looks at.
struct Torrent {
    grid: PieceGrid,
    metadata: Arc<[u8]>,
    info_hashes: InfoHashes,
    layers: Option<PieceLayers>,
    bare_layers: Option<PieceLayers>,
}

impl Torrent {
    fn v1(bytes: u64, piece_bytes: u32) -> Self {
        let grid = PieceGrid::contiguous(bytes, piece_bytes).unwrap();
        let metadata: Arc<[u8]> = encode_dict(|dict| {
            dict.bytes("name", "a torrent");
            dict.bytes("pieces", vec![7; 20 * grid.piece_count() as usize]);
        })
        .into();
        let info_hashes = InfoHashes { v1: Some(sha1(&metadata)), v2: None };
        Self { grid, metadata, info_hashes, layers: None, bare_layers: None }
    }

    /// One file of `pieces` pieces whose layer is made of counting digests.
    fn v2(pieces: u32, piece_bytes: u32) -> Self {
        use piecework_metainfo::merkle::{Tree, TreeShape};
        let bytes = u64::from(pieces) * u64::from(piece_bytes);
        let shape = TreeShape::new(bytes, piece_bytes).unwrap();
        let hashes: Vec<_> = (0..pieces).map(|index| sha256(&index.to_be_bytes())).collect();
        let root = Tree::new(shape, hashes.clone()).unwrap().root();
        let metadata = encode_dict(|top| {
            top.dict("file tree", |tree| {
                tree.dict("file", |file| {
                    file.dict("", |leaf| {
                        leaf.int("length", bytes);
                        leaf.bytes("pieces root", root);
                    });
                });
            });
            top.int("meta version", 2);
            top.bytes("name", "file");
            top.int("piece length", piece_bytes);
        });
        let info = Info::parse(metadata.as_slice()).unwrap();
        let bare = info.unknown_layers();
        let mut layers = bare.clone().unwrap();
        layers.insert(&root, hashes).unwrap();
        Self {
            grid: info.grid().clone(),
            info_hashes: InfoHashes { v1: None, v2: Some(sha256(&metadata)) },
            metadata: metadata.into(),
            layers: Some(layers),
            bare_layers: bare,
        }
    }

    fn content(&self, have: Bitfield) -> Content {
        Content {
            grid: self.grid.clone(),
            have,
            priorities: vec![4; self.grid.piece_count() as usize],
            metadata: Arc::clone(&self.metadata),
            layers: self.layers.clone(),
        }
    }
}

fn assert_complete(pair: &Pair) {
    let view = pair.nodes[1].swarm.view();
    assert!(view.have.is_full() && view.is_complete, "{view:?}");
    assert_eq!(pair.nodes[1].log.complete, 1);
    assert_eq!(view.wasted_bytes, 0);
    assert_eq!(view.down_bytes, pair.nodes[1].grid.payload_bytes());
    // Both only upload from now on.
    assert!(pair.nodes.iter().any(|node| node.log.dropped == Some(DropReason::SeedToSeed)));
}

#[test]
fn a_v1_torrent_goes_from_seed_to_leech() {
    let torrent = Torrent::v1(10_000_000, 65_536);
    let mut pair = Pair::new([Node::seed(&torrent), Node::leech(&torrent)]);
    pair.run(Duration::from_secs(10));
    assert_complete(&pair);
}

#[test]
fn a_magnet_gets_its_metadata_and_then_its_content() {
    let torrent = Torrent::v1(100_000_000, 65_536);
    assert!(torrent.metadata.len() > 16 << 10, "metadata of more than one block");
    let mut pair = Pair::new([Node::seed(&torrent), Node::magnet(&torrent)]);
    pair.run(Duration::from_secs(20));
    assert_complete(&pair);
}

#[test]
fn a_v2_magnet_gets_its_piece_layer_too() {
    let torrent = Torrent::v2(1500, 16_384);
    let mut pair = Pair::new([Node::seed(&torrent), Node::magnet(&torrent)]);
    pair.run(Duration::from_secs(20));
    assert_complete(&pair);
    assert_eq!(pair.nodes[1].log.layers, 1);
}

#[test]
fn a_hybrid_magnet_downloads_at_once_and_gets_its_layer_beside() {
    let torrent = Torrent {
        bare_layers: Torrent::v2(40, 16_384).bare_layers,
        ..Torrent::v1(640 << 10, 16_384)
    };
    let full = Torrent::v2(40, 16_384).layers;
    let seeding = Torrent { layers: full, ..Torrent::v1(640 << 10, 16_384) };
    let mut pair = Pair::new([Node::seed(&seeding), Node::magnet(&torrent)]);
    pair.run(Duration::from_secs(20));
    assert_complete(&pair);
}

#[test]
fn two_halves_make_each_other_whole() {
    let torrent = Torrent::v1(4_000_000, 65_536);
    let half = |at: u32| {
        let mut have = Bitfield::new(torrent.grid.piece_count());
        torrent.grid.pieces().filter(|piece| piece.get() % 2 == at).for_each(|piece| {
            have.insert(piece);
        });
        let mut node = Node::new(&torrent, at as u8, Config::default());
        node.swarm.handle(Input::ContentReady(torrent.content(have)), Time::ZERO);
        node
    };
    let mut pair = Pair::new([half(0), half(1)]);
    pair.run(Duration::from_secs(20));
    assert!(pair.nodes.iter().all(|node| node.swarm.view().have.is_full()));
}

#[test]
fn a_super_seed_gives_a_lone_peer_everything_piece_by_piece() {
    let torrent = Torrent::v1(2_000_000, 65_536);
    let mut seed = Node::seed(&torrent);
    seed.swarm.handle(Input::SuperSeed(true), Time::ZERO);
    let mut pair = Pair::new([seed, Node::leech(&torrent)]);
    pair.run(Duration::from_secs(60));
    assert!(pair.nodes[1].swarm.view().have.is_full());
    assert_eq!(pair.nodes[0].log.haves.len(), torrent.grid.piece_count() as usize);
}

#[test]
fn sequential_mode_finishes_pieces_in_order() {
    let torrent = Torrent::v1(3_000_000, 32_768);
    let mut leech = Node::leech(&torrent);
    leech.swarm.handle(Input::Sequential(true), Time::ZERO);
    let mut pair = Pair::new([Node::seed(&torrent), leech]);
    pair.run(Duration::from_secs(20));
    assert_complete(&pair);
    assert!(pair.nodes[1].log.order.is_sorted());
}

#[test]
fn a_reader_gets_the_pieces_at_its_position_first() {
    let torrent = Torrent::v1(6_553_600, 65_536);
    let mut leech = Node::leech(&torrent);
    let window = StreamWindow { position: 50 * 65_536, bitrate_bytes: 200_000 };
    leech.swarm.handle(Input::Stream(Some(window)), Time::ZERO);
    let mut pair = Pair::new([Node::seed(&torrent), leech]);
    pair.run(Duration::from_secs(20));
    assert_complete(&pair);
    let order: Vec<u32> = pair.nodes[1].log.order.iter().map(|piece| piece.get()).collect();
    assert_eq!(order[..8], [50, 51, 52, 53, 54, 55, 56, 57]);
}

#[test]
fn only_what_is_wanted_is_asked() {
    let torrent = Torrent::v1(2_000_000, 65_536);
    let mut leech = Node::leech(&torrent);
    let count = torrent.grid.piece_count() as usize;
    let priorities = (0..count).map(|piece| if piece < 5 { 4 } else { 0 }).collect();
    leech.swarm.handle(Input::Prioritise(priorities), Time::ZERO);
    let mut pair = Pair::new([Node::seed(&torrent), leech]);
    pair.run(Duration::from_secs(20));
    let node = &pair.nodes[1];
    assert!(node.log.requests.iter().all(|request| request.piece < 5));
    assert_eq!((node.log.complete, node.swarm.view().have.count()), (1, 5));
}

#[test]
fn everything_there_already_is_complete_at_once() {
    let torrent = Torrent::v1(2_000_000, 65_536);
    let mut seed = Node::seed(&torrent);
    let said: Vec<_> = std::iter::from_fn(|| seed.swarm.poll()).collect();
    assert!(matches!(said[..], [Output::WantedComplete]), "{said:?}");
}

#[test]
fn a_reserve_ends_at_its_count_on_both_sides_and_the_rest_follows_when_it_is_raised() {
    let torrent = Torrent::v1(4_000_000, 65_536);
    let mut nodes = [Node::seed(&torrent), Node::leech(&torrent)];
    nodes.iter_mut().for_each(|node| node.swarm.handle(Input::CarryPay(true), Time::ZERO));
    let mut pair = Pair::new(nodes);
    let reserve = |until| {
        let reserve = Some(Reserve { rate: 1 << 20, most: 0, until });
        Input::Reserve { slot: SLOT, reserve }
    };
    let counts = |pair: &Pair, at: usize| pair.nodes[at].swarm.counts(SLOT).unwrap();
    pair.give(1, Input::Sole { slot: SLOT, is_sole: true });
    for until in [1_000_000, 3_000_000] {
        pair.give(0, reserve(until));
        pair.run(Duration::from_secs(4));
        let sent = counts(&pair, 0).sent;
        assert!(sent <= until && until - sent < 16 * 1024, "{sent} of {until}");
        let PeerCounts { came, verified, .. } = counts(&pair, 1);
        assert!(came == sent && verified <= came && came - verified < 65_536, "{verified}");
        assert_eq!(pair.nodes[1].log.complete, 0, "what is not kept for it waits");
    }
    assert!(pair.nodes[1].log.counted > 10 && pair.nodes[0].log.counted > 1);
    pair.give(1, Input::SendPay { slot: SLOT, payload: b"a bid".to_vec() });
    pair.give(0, reserve(u64::MAX));
    pair.run(Duration::from_secs(20));
    assert_eq!(pair.nodes.each_ref().map(|node| node.log.speaks), [1, 1]);
    assert_eq!(pair.nodes[0].log.carried, [b"a bid"]);
    assert_complete(&pair);
}

#[test]
fn less_than_a_piece_of_a_seller_is_unverified_wherever_its_reserve_begins_and_ends() {
    const BLOCK: u64 = 16 << 10;
    let torrent = Torrent::v1(64_000_000, 65_536);
    for (begin, end) in (0..8).flat_map(|begin| (0..4).map(move |end| (begin, end))) {
        let mut nodes = [Node::seed(&torrent), Node::leech(&torrent)];
        nodes[0].swarm.handle(Input::UploadLimited(true), Time::ZERO);
        nodes.iter_mut().for_each(|node| node.swarm.handle(Input::CarryPay(true), Time::ZERO));
        let mut pair = Pair::new(nodes);
        pair.run(Duration::from_secs(1));
        pair.give(0, Input::UploadQuota { part: Part::Open, bytes: 2_000_000 + begin * BLOCK });
        pair.run(Duration::from_secs(1));
        pair.give(1, Input::Sole { slot: SLOT, is_sole: true });
        let until = pair.nodes[0].swarm.counts(SLOT).unwrap().sent;
        // Beyond all that is asked when its pieces become its alone.
        let until = until + 8_000_000 + end * BLOCK;
        let reserve = Some(Reserve { rate: 8 << 20, most: 0, until });
        pair.give(0, Input::Reserve { slot: SLOT, reserve });
        pair.give(0, Input::UploadLimited(false));
        pair.run(Duration::from_secs(2));
        let PeerCounts { came, verified, .. } = pair.nodes[1].swarm.counts(SLOT).unwrap();
        assert!(came + BLOCK > until, "{begin} {end}: {came} of {until}");
        assert!(came - verified < 65_536, "{begin} {end}: {verified} of {came}");
    }
}

#[test]
fn a_message_about_payments_comes_with_the_counts_of_its_moment() {
    let torrent = Torrent::v1(64_000_000, 65_536);
    let mut nodes = [Node::seed(&torrent), Node::leech(&torrent)];
    nodes[0].swarm.handle(Input::UploadLimited(true), Time::ZERO);
    nodes.iter_mut().for_each(|node| node.swarm.handle(Input::CarryPay(true), Time::ZERO));
    let mut pair = Pair::new(nodes);
    // Until it asks for many at a time.
    pair.give(0, Input::UploadQuota { part: Part::Open, bytes: 4_000_000 });
    pair.run(Duration::from_secs(1));
    let sent = |pair: &Pair| pair.nodes[0].swarm.counts(SLOT).unwrap().sent;
    pair.give(0, Input::UploadQuota { part: Part::Open, bytes: 2_000_000 });
    let before = sent(&pair);
    pair.give(0, Input::SendPay { slot: SLOT, payload: b"a price".to_vec() });
    pair.give(0, Input::UploadQuota { part: Part::Open, bytes: 2_000_000 });
    assert!(before > 1_000_000 && sent(&pair) > before + 500_000, "{before}");
    // One read brings it all.
    let now = pair.now + LATENCY;
    let node = &mut pair.nodes[1];
    for (_, frame) in std::mem::take(&mut node.inbox) {
        let input = match frame {
            Frame::Message(message) => Input::Received { slot: SLOT, message },
            Frame::Block(block) => node.arrival(block),
            Frame::End => unreachable!("nobody leaves"),
        };
        node.swarm.handle(input, now);
    }
    pair.drain(1);
    assert_eq!(pair.nodes[1].log.carried, [b"a price"]);
    assert_eq!(pair.nodes[1].log.carried_at[0].came, before);
    assert_eq!(pair.nodes[1].swarm.counts(SLOT).unwrap().came, sent(&pair));
}

#[test]
fn payments_that_are_switched_off_are_spoken_of_no_more() {
    let torrent = Torrent::v1(4_000_000, 65_536);
    let mut nodes = [Node::seed(&torrent), Node::leech(&torrent)];
    // So slow that it lasts.
    nodes[0].swarm.handle(Input::UploadLimited(true), Time::ZERO);
    let mut pair = Pair::new(nodes);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.nodes.each_ref().map(|node| node.log.speaks), [0, 0]);
    pair.give(0, Input::CarryPay(true));
    pair.give(1, Input::CarryPay(true));
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.nodes.each_ref().map(|node| node.log.speaks), [1, 1]);
    pair.give(1, Input::CarryPay(false));
    pair.run(Duration::from_secs(1));
    pair.give(0, Input::SendPay { slot: SLOT, payload: b"a bid".to_vec() });
    pair.run(Duration::from_secs(1));
    assert!(pair.nodes[1].log.carried.is_empty());
    assert_eq!(pair.nodes.each_ref().map(|node| node.log.ended), [1, 1]);
    pair.give(1, Input::CarryPay(true));
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.nodes.each_ref().map(|node| node.log.speaks), [2, 2], "it is spoken anew");
}

#[test]
fn payments_that_begin_and_begin_anew_while_bytes_are_under_way_are_counted_alike_on_both_sides() {
    let torrent = Torrent::v1(64_000_000, 65_536);
    for sides in [[true, true], [false, true], [true, false]] {
        let mut seed = Node::seed(&torrent);
        seed.swarm.handle(Input::UploadLimited(true), Time::ZERO);
        let mut pair = Pair::new([seed, Node::leech(&torrent)]);
        pair.run(Duration::from_secs(1));
        for carries in [true, false, true] {
            // On their way when one side hears of it, and when the other does.
            pair.give(0, Input::UploadQuota { part: Part::Open, bytes: 2_000_000 });
            pair.run(LATENCY / 2);
            (0..2).filter(|&at| sides[at] || carries).for_each(|at| {
                pair.give(at, Input::CarryPay(carries));
            });
            pair.give(0, Input::UploadQuota { part: Part::Open, bytes: 2_000_000 });
            pair.run(LATENCY / 2);
        }
        pair.run(Duration::from_secs(1));
        let counts = [0, 1].map(|at| pair.nodes[at].swarm.counts(SLOT).unwrap());
        assert!(counts[0].sent > 8_000_000, "{counts:?}");
        assert_eq!(counts[0].sent, counts[1].came, "{sides:?}");
    }
}

#[test]
fn what_is_served_for_nothing_counts_as_well_and_who_was_traded_with_stays_for_a_last_payment() {
    let torrent = Torrent::v1(4_000_000, 65_536);
    let mut nodes = [Node::seed(&torrent), Node::leech(&torrent)];
    nodes[0].swarm.handle(Input::UploadLimited(true), Time::ZERO);
    nodes.iter_mut().for_each(|node| node.swarm.handle(Input::CarryPay(true), Time::ZERO));
    let mut pair = Pair::new(nodes);
    pair.run(Duration::from_secs(1));
    pair.give(0, Input::UploadQuota { part: Part::Open, bytes: 1_000_000 });
    pair.run(Duration::from_secs(1));
    let counts = |pair: &Pair, at: usize| pair.nodes[at].swarm.counts(SLOT);
    let (sent, got) = (counts(&pair, 0).unwrap().sent, counts(&pair, 1).unwrap());
    assert!(sent > 500_000 && got.came == sent && got.verified > 500_000, "{sent} {got:?}");
    pair.give(1, Input::Sole { slot: SLOT, is_sole: true });
    let reserve = Some(Reserve { rate: 1 << 20, most: 0, until: sent });
    pair.give(0, Input::Reserve { slot: SLOT, reserve });
    pair.give(0, Input::Reserve { slot: SLOT, reserve: None });
    pair.give(0, Input::UploadLimited(false));
    pair.run(Duration::from_secs(8));
    let got = counts(&pair, 1).map(|counts| (counts.came, counts.verified));
    // Ten pieces are of the allowed-fast set, and count for nobody.
    let billable = 4_000_000 - 10 * 65_536;
    assert_eq!(got, Some((billable, billable)), "it stays");
    pair.run(Duration::from_secs(8));
    assert_eq!(counts(&pair, 1), None, "and not for ever");
    assert_complete(&pair);
}
