//! A reader comes or jumps while one slow peer owes a long queue: a link in virtual time that answers in
//! order, at its rate.

#![allow(clippy::unwrap_used)]

use piecework_hash::sha1;
use piecework_swarm::{Config, Content, Hello, Input, Output, StreamWindow, Swarm};
use piecework_types::{
    Bitfield, ChunkId, InfoHashes, PeerId, PeerSlot, PieceGrid, PieceIndex, Time,
};
use piecework_wire::extension::{ExtensionHandshake, ExtensionMessage};
use piecework_wire::{Message, Request};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const SLOT: PeerSlot = PeerSlot(0);
const PIECE_BYTES: u32 = 256 * 1024;
const PIECES: u32 = 512;
const MIB: u64 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);

/// What a peer does about cancels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cancels {
    /// Obeys, and rejects what it does not send (BEP 6).
    Answers,
    /// Obeys without a word.
    Obeys,
    /// Sends what it was asked for.
    Ignores,
}

/// A seed that sends one block after the other.
struct Seed {
    cancels: Cancels,
    rate_bytes: u64,
    /// What it sends at once before that.
    burst_bytes: u64,
    queue: VecDeque<Request>,
    /// What it sends now, and when that has left.
    sends: Option<(Request, Time)>,
    cancelled: usize,
}

impl Seed {
    fn begin(&mut self, now: Time) {
        if self.sends.is_none()
            && let Some(request) = self.queue.pop_front()
        {
            let bytes = u64::from(request.length);
            let in_burst = bytes.min(self.burst_bytes);
            self.burst_bytes -= in_burst;
            let micros = (bytes - in_burst) * 1_000_000 / self.rate_bytes;
            self.sends = Some((request, now + Duration::from_micros(micros)));
        }
    }

    /// What it answers at once.
    fn hear(&mut self, message: &Message, now: Time) -> Option<Message> {
        match *message {
            Message::Request(request) => {
                self.queue.push_back(request);
                self.begin(now);
                None
            }
            Message::Cancel(request) => {
                self.cancelled += 1;
                let at = self.queue.iter().position(|queued| *queued == request)?;
                if self.cancels == Cancels::Ignores {
                    return None;
                }
                self.queue.remove(at);
                (self.cancels == Cancels::Answers).then_some(Message::Reject(request))
            }
            _ => None,
        }
    }
}

enum Frame {
    Message(Message),
    Block(Request),
}

struct Bench {
    swarm: Swarm,
    now: Time,
    /// One way.
    delay: Duration,
    seed: Seed,
    to_seed: VecDeque<(Time, Message)>,
    to_us: VecDeque<(Time, Frame)>,
    chunk: u32,
    stored: BTreeMap<PieceIndex, u32>,
    /// When each piece was whole.
    whole: BTreeMap<u32, Time>,
}

impl Bench {
    /// A download from one seed that has run for five seconds.
    fn running(fast: bool, cancels: Cancels, delay: Duration, rate_bytes: u64) -> Self {
        Self::running_after_burst(fast, cancels, delay, (0, rate_bytes))
    }

    fn running_after_burst(
        fast: bool,
        cancels: Cancels,
        delay: Duration,
        burst: (u64, u64),
    ) -> Self {
        let mut bench = Self::beginning(fast, cancels, delay, burst);
        bench.run(5 * SECOND);
        bench
    }

    /// A seed that has just come, what it sends at once, and its rate from then on.
    fn beginning(
        fast: bool,
        cancels: Cancels,
        delay: Duration,
        (burst_bytes, rate_bytes): (u64, u64),
    ) -> Self {
        let info_hashes = InfoHashes { v1: Some(sha1(b"a torrent")), v2: None };
        let config = Config { info_hashes, our_id: PeerId([9; 20]), seed: 3, ..Config::default() };
        let (queue, sends) = (VecDeque::new(), None);
        let seed = Seed { cancels, rate_bytes, burst_bytes, queue, sends, cancelled: 0 };
        let mut bench = Self {
            swarm: Swarm::new(config, Time::ZERO),
            now: Time::ZERO,
            delay,
            seed,
            to_seed: VecDeque::new(),
            to_us: VecDeque::new(),
            chunk: 0,
            stored: BTreeMap::new(),
            whole: BTreeMap::new(),
        };
        bench.tell(Input::ContentReady(Content {
            grid: grid(),
            have: Bitfield::new(PIECES),
            priorities: vec![4; PIECES as usize],
            metadata: b"a torrent".as_slice().into(),
            layers: None,
        }));
        let address = ([10, 0, 0, 2], 6881).into();
        let (peer_id, outgoing) = (PeerId([1; 20]), true);
        let hello =
            Hello { address, peer_id, outgoing, fast, extended: true, dht: false, v2: false };
        bench.tell(Input::Connected { slot: SLOT, hello });
        let shake = ExtensionHandshake { requests_max: Some(2000), ..Default::default() };
        let payload = ExtensionMessage::Handshake(shake).encode();
        for message in [
            Message::Bitfield(Bitfield::full(PIECES).to_wire()),
            Message::Extended { id: 0, payload },
            Message::Unchoke,
        ] {
            bench.tell(Input::Received { slot: SLOT, message });
        }
        bench
    }

    fn tell(&mut self, input: Input) {
        self.swarm.handle(input, self.now);
        while let Some(output) = self.swarm.poll() {
            match output {
                Output::Send { message, .. } => {
                    self.to_seed.push_back((self.now + self.delay, message));
                }
                Output::Store { block, .. } => {
                    let stored = self.stored.entry(block.piece).or_default();
                    *stored += 1;
                    if *stored == grid().block_count(block.piece) {
                        self.whole.insert(block.piece.get(), self.now);
                        self.swarm.handle(Input::PieceVerified { piece: block.piece }, self.now);
                    }
                }
                Output::Disconnect { reason, .. } => {
                    assert!(self.swarm.view().is_complete, "dropped: {reason:?}");
                }
                _ => {}
            }
        }
    }

    fn read_from(&mut self, piece: u32) {
        let position = u64::from(piece) * u64::from(PIECE_BYTES);
        let window = StreamWindow { position, bitrate_bytes: 0 };
        self.tell(Input::Stream(Some(window)));
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until the piece is whole, at most for so long; how long it took.
    fn wait_for(&mut self, piece: u32, most: Duration) -> Option<Duration> {
        let (since, end) = (self.now, self.now + most);
        while !self.whole.contains_key(&piece) && self.step(end) {}
        self.whole.get(&piece).map(|at| at.since(since))
    }

    /// The next thing happens, unless that is later.
    fn step(&mut self, end: Time) -> bool {
        let heard = self.to_seed.front().map(|(at, _)| *at);
        let came = self.to_us.front().map(|(at, _)| *at);
        let sent = self.seed.sends.map(|(_, at)| at);
        let woken = self.swarm.poll_timeout().map(|(at, _)| at);
        let Some(at) = [heard, came, sent, woken].into_iter().flatten().min() else { return false };
        if at > end {
            return false;
        }
        self.now = self.now.max(at);
        if heard == Some(at) {
            let (_, message) = self.to_seed.pop_front().unwrap();
            if let Some(answer) = self.seed.hear(&message, self.now) {
                self.to_us.push_back((self.now + self.delay, Frame::Message(answer)));
            }
        } else if sent == Some(at) {
            let (request, _) = self.seed.sends.take().unwrap();
            self.to_us.push_back((self.now + self.delay, Frame::Block(request)));
            self.seed.begin(self.now);
        } else if came == Some(at) {
            match self.to_us.pop_front().unwrap().1 {
                Frame::Message(message) => self.tell(Input::Received { slot: SLOT, message }),
                Frame::Block(request) => {
                    self.chunk += 1;
                    let chunk = ChunkId(self.chunk);
                    self.tell(Input::BlockArrived { slot: SLOT, request, chunk });
                }
            }
        } else {
            self.tell(Input::Timeout);
        }
        true
    }

    /// What came and was of no use, in blocks.
    fn wasted(&self) -> u64 {
        self.swarm.view().wasted_bytes / u64::from(piecework_types::BLOCK_BYTES)
    }

    /// A piece that nobody has asked for, from this one on.
    fn untouched(&self, from: u32) -> u32 {
        let asked = |piece: &u32| {
            self.stored.contains_key(&PieceIndex::trusted(*piece))
                || self.seed.queue.iter().any(|request| request.piece == *piece)
        };
        (from..PIECES).find(|piece| !asked(piece)).unwrap()
    }
}

fn grid() -> PieceGrid {
    PieceGrid::contiguous(u64::from(PIECES) * u64::from(PIECE_BYTES), PIECE_BYTES).unwrap()
}

const fn answers(fast: bool) -> Cancels {
    if fast { Cancels::Answers } else { Cancels::Obeys }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_reader_has_its_first_piece_in_a_second_though_seconds_were_asked_of_a_slow_peer_before_it(
        fast in any::<bool>(),
        delay_ms in 1_u64..60,
        queued in 250_usize..500,
        from in 0..PIECES / 2,
    ) {
        let delay = Duration::from_millis(delay_ms);
        // So much is asked of a peer that sends this; then it becomes slow.
        let before = queued as u64 * 16 * 1024 * 1000 / (1000 + 3 * delay_ms);
        let mut bench = Bench::running(fast, answers(fast), delay, before);
        bench.seed.rate_bytes = 2 * MIB;
        bench.run(Duration::from_millis(300));
        let owed = bench.seed.queue.len();
        prop_assert!(owed >= 200, "{owed} requests");
        let piece = bench.untouched(from);
        bench.read_from(piece);
        let waited = bench.wait_for(piece, 60 * SECOND);
        prop_assert!(waited.is_some_and(|waited| waited <= SECOND), "{waited:?} behind {owed}");
        // What follows it comes at the peer's full rate, and nothing of all that is lost.
        let waited = bench.wait_for(piece + 7, 60 * SECOND);
        prop_assert!(waited.is_some_and(|waited| waited <= SECOND), "{waited:?} for the next seven");
        bench.tell(Input::Stream(None));
        bench.seed.rate_bytes = 100 * MIB;
        bench.run(20 * SECOND);
        prop_assert!(bench.swarm.view().is_complete);
        prop_assert!(bench.wasted() <= 4, "{} blocks came twice", bench.wasted());
    }

    #[test]
    fn a_download_survives_a_peer_that_obeys_no_cancel(
        fast in any::<bool>(),
        delay_ms in 1_u64..60,
        jumps in prop::collection::vec((0..PIECES, 0_u64..3_000), 1..12),
    ) {
        let delay = Duration::from_millis(delay_ms);
        let mut bench = Bench::running(fast, Cancels::Ignores, delay, 8 * MIB);
        bench.seed.rate_bytes = 2 * MIB;
        for (piece, millis) in jumps {
            bench.read_from(piece);
            bench.run(Duration::from_millis(millis));
        }
        bench.tell(Input::Stream(None));
        bench.seed.rate_bytes = 100 * MIB;
        bench.run(100 * SECOND);
        prop_assert!(bench.swarm.view().is_complete);
    }
}

#[test]
fn a_reader_that_jumps_all_the_time_makes_no_flood_and_is_served_where_it_stays() {
    for fast in [false, true] {
        let mut bench = Bench::running(fast, answers(fast), Duration::from_millis(20), 16 * MIB);
        bench.seed.rate_bytes = 2 * MIB;
        let before = bench.seed.cancelled;
        for jump in 0..100 {
            bench.read_from((jump * 37) % 400);
            bench.run(Duration::from_millis(10));
        }
        let cancelled = bench.seed.cancelled - before;
        assert!((500..=4096).contains(&cancelled), "{cancelled} cancels");
        let piece = bench.untouched(400);
        bench.read_from(piece);
        let waited = bench.wait_for(piece, 60 * SECOND);
        assert!(waited.is_some_and(|waited| waited <= 3 * SECOND), "{waited:?}");
    }
}

#[test]
fn a_reader_that_jumps_and_jumps_again_has_each_piece_at_once_however_long_ago_a_burst_was() {
    let delay = Duration::from_millis(1);
    for (burst, after_ms) in (10..30).flat_map(|at| [(MIB / 2, 100 * at), (2 * MIB, 100 * at)]) {
        let mut bench = Bench::beginning(true, Cancels::Answers, delay, (burst, 2 * MIB));
        bench.run(Duration::from_millis(after_ms));
        for from in [400, 150, 300] {
            let piece = bench.untouched(from);
            bench.read_from(piece);
            let waited = bench.wait_for(piece, 60 * SECOND);
            let is_soon = waited.is_some_and(|waited| waited <= Duration::from_millis(400));
            assert!(is_soon, "{waited:?} for {piece}, {after_ms} ms later, burst of {burst}");
        }
    }
}

#[test]
fn a_reader_that_goes_on_takes_nothing_back() {
    let mut bench = Bench::running(true, Cancels::Answers, Duration::from_millis(20), 4 * MIB);
    bench.read_from(400);
    bench.wait_for(400, 10 * SECOND).unwrap();
    let before = bench.seed.cancelled;
    assert!(before > 0);
    for piece in 401..440 {
        bench.wait_for(piece, 10 * SECOND).unwrap();
        bench.read_from(piece);
    }
    assert_eq!(bench.seed.cancelled, before);
}

#[test]
fn a_reader_goes_on_at_the_rate_of_a_peer_that_has_begun_with_a_burst() {
    for fast in [false, true] {
        let (delay, burst) = (Duration::from_millis(1), (32 * MIB, 2 * MIB));
        let mut bench = Bench::running_after_burst(fast, answers(fast), delay, burst);
        let first = bench.untouched(300);
        let since = bench.now;
        for piece in first..first + 24 {
            bench.read_from(piece);
            bench.wait_for(piece, 60 * SECOND).unwrap();
        }
        let took = bench.now.since(since);
        assert!(took <= 5 * SECOND, "{took:?} for 6 MiB at 2 MiB/s");
    }
}

#[test]
fn a_reader_that_jumps_when_a_burst_is_over_goes_on_at_the_rate_that_is_left() {
    for (fast, after_ms) in [false, true].into_iter().flat_map(|fast| [(fast, 20), (fast, 800)]) {
        let (delay, burst) = (Duration::from_millis(1), 16 * MIB);
        let mut bench = Bench::running(fast, answers(fast), delay, burst);
        bench.seed.rate_bytes = 2 * MIB;
        bench.run(Duration::from_millis(after_ms));
        let first = bench.untouched(300);
        let since = bench.now;
        for piece in first..first + 24 {
            bench.read_from(piece);
            bench.wait_for(piece, 60 * SECOND).unwrap();
        }
        let took = bench.now.since(since);
        assert!(took <= 5 * SECOND, "{took:?} for 6 MiB at 2 MiB/s, {after_ms} ms after");
    }
}

#[test]
fn a_peer_far_away_is_not_starved_by_a_reader_that_needs_nothing_of_it() {
    let delay = Duration::from_millis(250);
    let mut bench = Bench::running(true, Cancels::Answers, delay, 4 * MIB);
    bench.read_from(PIECES - 1);
    bench.wait_for(PIECES - 1, 10 * SECOND).unwrap();
    bench.run(5 * SECOND);
    let blocks = |bench: &Bench| bench.stored.values().sum::<u32>();
    let before = blocks(&bench);
    bench.run(10 * SECOND);
    let bytes = u64::from(blocks(&bench) - before) * 16 * 1024;
    assert!(bytes >= 36 * MIB, "{bytes} bytes in ten seconds at 4 MiB/s");
}

#[test]
fn what_a_peer_will_have_sent_before_it_knows_is_not_taken_back() {
    let delay = Duration::from_millis(50);
    let mut bench = Bench::running(true, Cancels::Answers, delay, 4 * MIB);
    let owed: Vec<Request> = bench.seed.queue.iter().copied().collect();
    let piece = bench.untouched(300);
    bench.read_from(piece);
    bench.run(delay);
    // A round trip of the rate, and a little more: these were under way when they could have been cancelled.
    let kept = bench.seed.queue.iter().filter(|request| owed.contains(request)).count();
    let round_trip = 4 * MIB as usize / 10 / 16_384;
    assert!((round_trip / 2..3 * round_trip).contains(&kept), "{kept} of {}", owed.len());
}
