//! One machine, web seeds that follow a script, and a peer or two beside them.

#![allow(clippy::unwrap_used)]

use piecework_hash::sha1;
use piecework_swarm::{
    Config, Content, FetchFault, FetchId, Hello, Input, Output, StreamWindow, Swarm, WEB_SEEDS_MAX,
    WebSeedEnd, WebSeedId,
};
use piecework_types::{
    BLOCK_BYTES, Bitfield, Block, ChunkId, InfoHashes, PeerId, PeerSlot, PieceGrid, PieceIndex,
    Sha256Digest, Time,
};
use piecework_wire::{Message, Request};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

const PEER: PeerSlot = PeerSlot(0);
const FIRST: WebSeedId = WebSeedId(0);
const SECOND: WebSeedId = WebSeedId(1);
/// Sixteen mebibytes in pieces of four blocks.
const PIECES: u32 = 256;
const BLOCKS: u32 = 4;

/// A machine that downloads, what its web seeds owe, and what became of all it said.
struct Bench {
    swarm: Swarm,
    now: Time,
    chunk: u32,
    owed: BTreeMap<FetchId, (WebSeedId, VecDeque<Block>)>,
    stopped: Vec<FetchId>,
    dropped: Vec<(WebSeedId, WebSeedEnd)>,
    stored: Vec<Block>,
    stored_count: u32,
    discarded: u32,
    requests: Vec<Request>,
    complete: u32,
}

impl Bench {
    fn new(priorities: Vec<u8>) -> Self {
        let config = Config {
            info_hashes: InfoHashes { v1: Some(sha1(b"le")), v2: None },
            our_id: PeerId([9; 20]),
            seed: 5,
            ..Config::default()
        };
        let mut bench = Self {
            swarm: Swarm::new(config, Time::ZERO),
            now: Time::ZERO,
            chunk: 0,
            owed: BTreeMap::new(),
            stopped: Vec::new(),
            dropped: Vec::new(),
            stored: Vec::new(),
            stored_count: 0,
            discarded: 0,
            requests: Vec::new(),
            complete: 0,
        };
        bench.tell(Input::ContentReady(Content {
            grid: grid(),
            have: Bitfield::new(PIECES),
            priorities,
            metadata: b"le".as_slice().into(),
            layers: None,
        }));
        bench
    }

    fn leech() -> Self {
        Self::new(vec![4; PIECES as usize])
    }

    fn with_seeds(count: u32) -> Self {
        let mut bench = Self::leech();
        (0..count).for_each(|id| bench.tell(Input::WebSeedAdded { seed: WebSeedId(id) }));
        bench
    }

    fn tell(&mut self, input: Input) {
        self.swarm.handle(input, self.now);
        while let Some(output) = self.swarm.poll() {
            match output {
                Output::Fetch { seed, fetch, blocks } => {
                    assert!(self.owed.insert(fetch, (seed, blocks.into())).is_none());
                }
                Output::StopFetch { fetch } => {
                    assert!(self.owed.remove(&fetch).is_some(), "stopped what is not under way");
                    self.stopped.push(fetch);
                }
                Output::WebSeedDropped { seed, reason } => self.dropped.push((seed, reason)),
                Output::Store { block, .. } => {
                    self.stored.push(block);
                    self.stored_count += 1;
                }
                Output::Discard { .. } => self.discarded += 1,
                Output::Send { message: Message::Request(request), .. } => {
                    self.requests.push(request);
                }
                Output::WantedComplete => self.complete += 1,
                _ => {}
            }
        }
    }

    /// Time passes, with every wake-up the machine asks for.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((at, _)) = self.swarm.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = at;
            self.tell(Input::Timeout);
        }
        self.now = end;
    }

    /// Fetches of a web seed, oldest first.
    fn fetches(&self, seed: WebSeedId) -> Vec<FetchId> {
        let its = self.owed.iter().filter(|(_, (of, _))| *of == seed);
        its.map(|(fetch, _)| *fetch).collect()
    }

    fn blocks(&self, fetch: FetchId) -> Vec<Block> {
        self.owed[&fetch].1.iter().copied().collect()
    }

    /// So many blocks of a fetch come.
    fn come(&mut self, fetch: FetchId, count: usize) {
        for _ in 0..count {
            let Some((_, blocks)) = self.owed.get_mut(&fetch) else { return };
            let Some(block) = blocks.pop_front() else { return };
            if blocks.is_empty() {
                self.owed.remove(&fetch);
            }
            self.chunk += 1;
            self.tell(Input::WebBlockArrived { fetch, block, chunk: ChunkId(self.chunk) });
        }
    }

    fn fail(&mut self, fetch: FetchId, fault: FetchFault) {
        self.owed.remove(&fetch);
        self.tell(Input::FetchFailed { fetch, fault });
    }

    fn failed(&mut self, fetch: FetchId) {
        self.fail(fetch, FetchFault::Failed("it went away".into()));
    }

    /// A peer that has these pieces and lets us ask.
    fn peer(&mut self, have: &Bitfield) {
        let hello = Hello {
            address: ([80, 4, 4, 200], 6881).into(),
            peer_id: PeerId([3; 20]),
            outgoing: false,
            fast: true,
            extended: false,
            dht: false,
            v2: false,
        };
        self.tell(Input::Connected { slot: PEER, hello });
        for message in [Message::Bitfield(have.to_wire()), Message::Unchoke] {
            self.tell(Input::Received { slot: PEER, message });
        }
    }

    /// The peer answers its oldest request.
    fn peer_answers(&mut self) {
        let request = self.requests.remove(0);
        self.chunk += 1;
        self.tell(Input::BlockArrived { slot: PEER, request, chunk: ChunkId(self.chunk) });
    }

    /// Tells of every piece whose blocks are all stored that its hash passed.
    fn verify(&mut self) {
        for piece in grid().pieces() {
            if self.stored.iter().filter(|block| block.piece == piece).count() == BLOCKS as usize {
                self.stored.retain(|block| block.piece != piece);
                self.tell(Input::PieceVerified { piece });
            }
        }
    }
}

fn grid() -> PieceGrid {
    let piece_bytes = BLOCKS * BLOCK_BYTES;
    PieceGrid::contiguous(u64::from(PIECES) * u64::from(piece_bytes), piece_bytes).unwrap()
}

fn pieces(blocks: &[Block]) -> Vec<u32> {
    let pieces: BTreeSet<u32> = blocks.iter().map(|block| block.piece.get()).collect();
    pieces.into_iter().collect()
}

fn some(range: std::ops::Range<u32>) -> Bitfield {
    let mut have = Bitfield::new(PIECES);
    for index in range {
        have.insert(PieceIndex::trusted(index));
    }
    have
}

#[test]
fn a_lone_web_seed_gives_the_whole_torrent_in_order_and_in_few_fetches() {
    let mut bench = Bench::with_seeds(1);
    let mut asked = Vec::new();
    let mut fetches = BTreeSet::new();
    while let Some(&fetch) = bench.fetches(FIRST).first() {
        if fetches.insert(fetch) {
            asked.extend(bench.blocks(fetch));
        }
        bench.pass(Duration::from_millis(10));
        bench.come(fetch, 1);
        bench.verify();
    }
    let grid = grid();
    let expected: Vec<Block> = grid.pieces().flat_map(|piece| grid.blocks(piece)).collect();
    assert_eq!(asked, expected);
    assert_eq!((bench.complete, bench.discarded), (1, 0));
    assert!(fetches.len() <= 6, "{} fetches for 16 MiB", fetches.len());
    assert!(bench.swarm.view().is_complete);
}

#[test]
fn a_web_seed_owes_two_fetches_at_most_and_the_second_only_when_the_first_is_half_done() {
    let mut bench = Bench::with_seeds(1);
    let first = bench.fetches(FIRST)[0];
    let count = bench.blocks(first).len();
    assert_eq!(count as u64 * u64::from(BLOCK_BYTES), 1 << 20);
    bench.come(first, count / 2 - 1);
    assert_eq!(bench.fetches(FIRST), [first]);
    bench.come(first, 1);
    assert_eq!(bench.fetches(FIRST).len(), 2);
    bench.come(first, count / 2 - 1);
    bench.pass(Duration::from_secs(3));
    assert_eq!(bench.fetches(FIRST).len(), 2);
}

#[test]
fn a_fast_server_is_asked_for_more_at_a_time_and_never_for_more_than_sixteen_mebibytes() {
    let piece_bytes = 1 << 20;
    let grid = PieceGrid::contiguous(200 << 20, piece_bytes).unwrap();
    let mut bench = Bench::leech();
    bench.swarm = Swarm::new(Config { seed: 1, ..Config::default() }, Time::ZERO);
    bench.tell(Input::ContentReady(Content {
        have: Bitfield::new(grid.piece_count()),
        priorities: vec![4; grid.piece_count() as usize],
        grid,
        metadata: b"le".as_slice().into(),
        layers: None,
    }));
    bench.tell(Input::WebSeedAdded { seed: FIRST });
    let mut longest = 0;
    for _ in 0..4 {
        let fetch = bench.fetches(FIRST)[0];
        longest = longest.max(bench.blocks(fetch).len() as u64 * u64::from(BLOCK_BYTES));
        bench.pass(Duration::from_millis(100));
        bench.come(fetch, usize::MAX);
    }
    assert_eq!(longest, 16 << 20);
}

#[test]
fn a_web_seed_whose_piece_fails_is_given_up_and_its_blocks_are_asked_of_another() {
    let mut bench = Bench::with_seeds(2);
    let liar = bench.fetches(FIRST)[0];
    bench.come(liar, BLOCKS as usize);
    let piece = bench.stored[0].piece;
    bench.stored.clear();
    let block_digests = vec![Sha256Digest([1; 32]); BLOCKS as usize];
    bench.tell(Input::PieceFailed { piece, block_digests });
    assert_eq!(bench.dropped, [(FIRST, WebSeedEnd::BadData)]);
    assert_eq!(bench.stopped, [liar]);
    for _ in 0..20 {
        if let Some(&fetch) = bench.fetches(SECOND).first() {
            bench.come(fetch, usize::MAX);
            bench.verify();
        }
    }
    assert_eq!((bench.complete, bench.fetches(FIRST).len()), (1, 0));
}

#[test]
fn failures_are_waited_out_ever_longer_and_nine_in_a_row_end_it() {
    let mut bench = Bench::with_seeds(1);
    let mut waits = Vec::new();
    while bench.dropped.is_empty() {
        let fetch = bench.fetches(FIRST)[0];
        let before = bench.now;
        bench.failed(fetch);
        while bench.dropped.is_empty() && bench.fetches(FIRST).is_empty() {
            bench.pass(Duration::from_secs(1));
        }
        waits.push(bench.now.since(before).as_secs());
    }
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 600, 0]);
    let last = FetchFault::Failed("it went away".into());
    assert_eq!(bench.dropped, [(FIRST, WebSeedEnd::Failing(last))]);
    bench.pass(Duration::from_secs(1000));
    assert!(bench.owed.is_empty());
}

#[test]
fn a_fetch_that_comes_whole_forgives_earlier_failures() {
    let mut bench = Bench::with_seeds(1);
    for _ in 0..3 {
        for _ in 0..7 {
            let fetch = bench.fetches(FIRST)[0];
            bench.failed(fetch);
            bench.pass(Duration::from_secs(601));
        }
        let fetch = bench.fetches(FIRST)[0];
        bench.come(fetch, usize::MAX);
        for fetch in bench.fetches(FIRST) {
            bench.failed(fetch);
        }
        bench.pass(Duration::from_secs(601));
    }
    assert_eq!(bench.dropped, []);
}

#[test]
fn three_stalls_in_a_row_end_a_web_seed() {
    let mut bench = Bench::with_seeds(1);
    for stalls in 1..=3 {
        assert_eq!(bench.dropped, []);
        let fetch = bench.fetches(FIRST)[0];
        bench.come(fetch, 1);
        bench.fail(fetch, FetchFault::Stalled);
        bench.pass(Duration::from_secs(100 * stalls));
    }
    assert_eq!(bench.dropped, [(FIRST, WebSeedEnd::Failing(FetchFault::Stalled))]);
}

#[test]
fn a_busy_server_is_left_alone_as_long_as_it_says_within_an_hour() {
    for (told, waited) in [(Some(90), 90), (None, 30), (Some(0), 5), (Some(1 << 40), 3600)] {
        let mut bench = Bench::with_seeds(1);
        for _ in 0..20 {
            let fetch = bench.fetches(FIRST)[0];
            let after = told.map(Duration::from_secs);
            bench.fail(fetch, FetchFault::Busy { after });
            bench.pass(Duration::from_millis(waited * 1000 - 1));
            assert!(bench.owed.is_empty(), "came back too early after {told:?}");
            bench.pass(Duration::from_millis(1001));
            assert_eq!(bench.fetches(FIRST).len(), 1);
        }
        assert_eq!(bench.dropped, []);
    }
}

#[test]
fn a_server_that_cannot_serve_is_given_up_at_once() {
    let mut bench = Bench::with_seeds(1);
    let fetch = bench.fetches(FIRST)[0];
    let fault = FetchFault::Unusable("it answers with HTTP status 404".into());
    bench.fail(fetch, fault.clone());
    assert_eq!(bench.dropped, [(FIRST, WebSeedEnd::Unusable(fault))]);
    bench.pass(Duration::from_secs(30));
    assert!(bench.swarm.poll_timeout().is_none(), "nothing is left to wait for");
}

#[test]
fn what_peers_lack_is_fetched_first() {
    let mut bench = Bench::leech();
    let mut have = Bitfield::full(PIECES);
    for index in 40..44 {
        have.remove(PieceIndex::trusted(index));
    }
    bench.peer(&have);
    bench.tell(Input::WebSeedAdded { seed: FIRST });
    let fetch = bench.fetches(FIRST)[0];
    assert_eq!(pieces(&bench.blocks(fetch))[..4], [40, 41, 42, 43]);
}

#[test]
fn what_a_reader_needs_next_is_fetched_before_anything_else() {
    let mut bench = Bench::leech();
    let position = 100 * u64::from(BLOCKS * BLOCK_BYTES) + 5;
    let window = StreamWindow { position, bitrate_bytes: 100_000 };
    bench.tell(Input::Stream(Some(window)));
    bench.tell(Input::WebSeedAdded { seed: FIRST });
    let fetch = bench.fetches(FIRST)[0];
    assert_eq!(pieces(&bench.blocks(fetch))[..2], [100, 101]);
}

#[test]
fn a_web_seed_is_never_asked_for_a_second_copy_but_peers_may_make_one_of_what_it_owes() {
    let mut bench = Bench::new((0..PIECES).map(|index| u8::from(index < 2)).collect());
    bench.tell(Input::WebSeedAdded { seed: FIRST });
    let fetch = bench.fetches(FIRST)[0];
    assert_eq!(pieces(&bench.blocks(fetch)), [0, 1]);
    bench.tell(Input::WebSeedAdded { seed: SECOND });
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.fetches(SECOND), []);
    bench.peer(&Bitfield::full(PIECES));
    while !bench.requests.is_empty() {
        bench.peer_answers();
        bench.verify();
    }
    assert_eq!(bench.complete, 1, "the peer had to make up for a server that gives nothing");
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.stopped, [fetch]);
    let late = Block { piece: PieceIndex::trusted(0), begin: 0, length: BLOCK_BYTES };
    let before = bench.discarded;
    bench.tell(Input::WebBlockArrived { fetch, block: late, chunk: ChunkId(9999) });
    assert_eq!(bench.discarded, before + 1);
}

#[test]
fn a_server_is_left_alone_while_peers_give_four_times_as_much() {
    let mut bench = Bench::with_seeds(1);
    // A block a second, so that the first fetch ends after 64 seconds, when the second is asked already.
    for second in 0..130 {
        if second == 64 {
            bench.peer(&Bitfield::full(PIECES));
        }
        if let Some(&fetch) = bench.fetches(FIRST).first() {
            bench.come(fetch, 1);
        }
        for _ in 0..8 {
            if !bench.requests.is_empty() {
                bench.peer_answers();
            }
        }
        bench.pass(Duration::from_secs(1));
    }
    assert_eq!(bench.fetches(FIRST), [], "a third fetch was spared");
    bench.tell(Input::Disconnected { slot: PEER });
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.fetches(FIRST).len(), 1, "it is needed again");
}

#[test]
fn nothing_is_fetched_while_nothing_can_be_stored_and_it_goes_on_afterwards() {
    let mut bench = Bench::with_seeds(1);
    let fetch = bench.fetches(FIRST)[0];
    bench.tell(Input::StorageWritable(false));
    assert_eq!(bench.stopped, [fetch]);
    bench.pass(Duration::from_secs(5));
    assert!(bench.owed.is_empty());
    bench.tell(Input::StorageWritable(true));
    assert_eq!(bench.fetches(FIRST).len(), 1);
}

#[test]
fn only_what_is_wanted_is_fetched() {
    let mut bench = Bench::new((0..PIECES).map(|index| u8::from(index % 32 == 5)).collect());
    bench.tell(Input::WebSeedAdded { seed: FIRST });
    let mut asked = Vec::new();
    while let Some(&fetch) = bench.fetches(FIRST).first() {
        asked.extend(pieces(&bench.blocks(fetch)));
        bench.come(fetch, usize::MAX);
        bench.verify();
    }
    assert_eq!(asked, [5, 37, 69, 101, 133, 165, 197, 229]);
    assert_eq!(bench.complete, 1);
}

#[test]
fn at_most_four_of_the_web_seeds_are_asked_at_one_time_and_only_so_many_are_kept() {
    let mut bench = Bench::with_seeds(WEB_SEEDS_MAX as u32 + 5);
    let busy: BTreeSet<WebSeedId> = bench.owed.values().map(|(seed, _)| *seed).collect();
    assert_eq!(busy.len(), 4);
    assert_eq!(bench.swarm.view().web_seed_count, WEB_SEEDS_MAX);
    let fetch = bench.fetches(FIRST)[0];
    bench.failed(fetch);
    let busy: BTreeSet<WebSeedId> = bench.owed.values().map(|(seed, _)| *seed).collect();
    assert!(busy.len() == 4 && !busy.contains(&FIRST), "another takes its turn: {busy:?}");
}

#[test]
fn a_web_seed_that_shared_a_bad_piece_is_suspected_and_cleared_by_the_good_copy() {
    let mut bench = Bench::new((0..PIECES).map(|index| u8::from(index == 0)).collect());
    bench.peer(&some(0..1));
    let first = bench.requests[0];
    bench.requests.truncate(1);
    bench.peer_answers();
    // The peer goes; the rest of its piece comes from the server.
    bench.tell(Input::Disconnected { slot: PEER });
    bench.tell(Input::WebSeedAdded { seed: FIRST });
    let fetch = bench.fetches(FIRST)[0];
    assert_eq!(bench.blocks(fetch).len(), BLOCKS as usize - 1);
    bench.come(fetch, usize::MAX);
    let piece = PieceIndex::trusted(first.piece);
    let digests = |bad: u8| {
        let mut digests = vec![Sha256Digest([1; 32]); BLOCKS as usize];
        digests[(first.begin / BLOCK_BYTES) as usize] = Sha256Digest([bad; 32]);
        digests
    };
    bench.stored.clear();
    bench.tell(Input::PieceFailed { piece, block_digests: digests(7) });
    assert_eq!(bench.dropped, [], "it may have been the peer");
    let again = bench.fetches(FIRST)[0];
    assert_eq!(bench.blocks(again).len(), BLOCKS as usize, "a suspect gets the piece alone");
    bench.come(again, usize::MAX);
    bench.tell(Input::PieceVerified { piece });
    bench.tell(Input::PieceDigests { piece, block_digests: digests(1) });
    assert_eq!((bench.dropped.len(), bench.complete), (0, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The machine's own check of its books runs at every tick.
    #[test]
    fn every_chunk_is_answered_once_and_the_books_agree_whatever_happens(
        steps in prop::collection::vec((0_u8..12, any::<u8>()), 1..200),
    ) {
        let mut bench = Bench::with_seeds(3);
        for (step, number) in steps {
            let fetch = bench.owed.keys().nth(number as usize % bench.owed.len().max(1)).copied();
            let piece = PieceIndex::trusted(u32::from(number) % PIECES);
            match (step, fetch) {
                (0..=3, Some(fetch)) => bench.come(fetch, 1 + number as usize % 9),
                (4, Some(fetch)) => bench.failed(fetch),
                (5, Some(fetch)) => bench.fail(fetch, FetchFault::Busy { after: None }),
                (6, _) => bench.verify(),
                (7, _) => bench.tell(Input::PieceLost { piece }),
                (8, _) => {
                    let block_digests = vec![Sha256Digest([number; 32]); BLOCKS as usize];
                    bench.tell(Input::PieceFailed { piece, block_digests });
                }
                (9, _) => match number % 3 {
                    0 => bench.peer(&Bitfield::full(PIECES)),
                    1 => bench.tell(Input::Disconnected { slot: PEER }),
                    _ => bench.tell(Input::StorageWritable(number % 2 == 0)),
                },
                (10, _) if !bench.requests.is_empty() => bench.peer_answers(),
                _ => bench.pass(Duration::from_millis(u64::from(number) * 10)),
            }
        }
        prop_assert_eq!(bench.stored_count + bench.discarded, bench.chunk);
    }
}
