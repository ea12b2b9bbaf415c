//! The request queue against a link that is a formula.

use super::*;
use piecework_types::{PieceGrid, PieceIndex};
use proptest::prelude::*;

fn at(micros: u64) -> Time {
    Time::from_micros(micros)
}

fn blocks() -> impl Iterator<Item = Block> {
    let grid = PieceGrid::contiguous(1 << 40, 1 << 20).expect("a grid");
    (0_u32..).flat_map(move |piece| grid.blocks(PieceIndex::trusted(piece)).collect::<Vec<_>>())
}

const fn request(block: Block) -> Request {
    Request { piece: block.piece.get(), begin: block.begin, length: block.length }
}

/// A peer that answers in order, after `delay`, at `rate_bytes`.
struct Link {
    queue: RequestQueue,
    source: Box<dyn Iterator<Item = Block>>,
    under_way: VecDeque<(Block, Time)>,
    delay: Duration,
    rate_bytes: u64,
    free_at: Time,
    now: Time,
}

impl Link {
    fn new(delay: Duration, rate_bytes: u64) -> Self {
        let mut queue = RequestQueue::new(at(0));
        queue.set_reqq(2000);
        Self {
            queue,
            source: Box::new(blocks()),
            under_way: VecDeque::new(),
            delay,
            rate_bytes,
            free_at: at(0),
            now: at(0),
        }
    }

    fn ask(&mut self) {
        for _ in 0..self.queue.room() {
            let block = self.source.next().expect("an endless torrent");
            self.queue.push(block, self.now);
            let transfer =
                Duration::from_nanos(u64::from(block.length) * 1_000_000_000 / self.rate_bytes);
            self.free_at = self.free_at.max(self.now + self.delay) + transfer;
            self.under_way.push_back((block, self.free_at));
        }
    }

    /// Runs for so long; bytes that came.
    fn run(&mut self, span: Duration) -> u64 {
        let end = self.now + span;
        let mut bytes = 0;
        self.ask();
        while let Some((block, due)) =
            self.under_way.front().copied().filter(|(_, due)| *due <= end)
        {
            self.under_way.pop_front();
            self.now = due;
            bytes += u64::from(block.length);
            assert!(self.queue.take(request(block), due).is_some());
            self.ask();
        }
        self.now = end;
        bytes
    }
}

#[test]
fn a_fast_short_link_is_filled_within_milliseconds() {
    let rate = 1_250_000_000;
    let mut link = Link::new(Duration::from_micros(100), rate);
    link.run(Duration::from_millis(4));
    let bytes = link.run(Duration::from_millis(4));
    assert!(bytes >= rate * 4 / 1000 * 9 / 10, "{bytes}, depth {}", link.queue.depth());
}

#[test]
fn a_long_fat_link_is_filled_within_a_dozen_round_trips() {
    let rate = 100_000_000;
    let mut link = Link::new(Duration::from_millis(100), rate);
    link.run(Duration::from_millis(1500));
    let bytes = link.run(Duration::from_secs(1));
    assert!(bytes >= rate * 9 / 10, "{bytes}, depth {}", link.queue.depth());
}

#[test]
fn a_slow_peer_is_asked_for_about_a_second_and_a_half_and_not_less_than_four_blocks() {
    let mut link = Link::new(Duration::from_millis(50), 1_000_000);
    link.run(Duration::from_secs(20));
    assert!((55..=100).contains(&link.queue.depth()), "{}", link.queue.depth());
    let mut link = Link::new(Duration::from_millis(50), 5_000);
    link.run(Duration::from_secs(60));
    assert_eq!(link.queue.depth(), 4);
}

#[test]
fn the_depth_follows_a_link_that_becomes_slow() {
    let mut link = Link::new(Duration::from_millis(20), 10_000_000);
    link.run(Duration::from_secs(5));
    assert!(link.queue.depth() > 500);
    link.rate_bytes = 500_000;
    link.run(Duration::from_secs(120));
    assert!(link.queue.depth() < 100, "{}", link.queue.depth());
}

#[test]
fn no_more_is_asked_than_the_peer_takes() {
    let mut link = Link::new(Duration::from_millis(1), 1_000_000_000);
    link.queue.set_reqq(50);
    link.run(Duration::from_secs(1));
    assert_eq!(link.queue.len(), 50);
    assert_eq!(RequestQueue::new(at(0)).room(), DEPTH_START);
    link.queue.set_reqq(0);
    assert_eq!(link.queue.depth(), 1);
}

#[test]
fn who_is_to_be_paid_is_asked_for_more_at_once_and_then_as_anybody() {
    let mut link = Link::new(Duration::from_millis(20), 100_000);
    link.run(Duration::from_secs(60));
    let measured = link.queue.depth();
    link.queue.deepen();
    assert!(measured < DEPTH_SOLE && link.queue.depth() == DEPTH_SOLE);
    link.run(Duration::from_secs(60));
    assert_eq!(link.queue.depth(), measured);
}

#[test]
fn silence_snubs_after_five_seconds_and_frees_the_blocks() {
    let mut queue = RequestQueue::new(at(0));
    let asked: Vec<_> = blocks().take(3).collect();
    asked.iter().for_each(|block| queue.push(*block, at(0)));
    assert_eq!(queue.snubbed_at(), Some(at(5_000_000)));
    let mut released = Vec::new();
    queue.snub(|block| released.push(block));
    assert_eq!((released, queue.is_snubbed(), queue.room()), (asked.clone(), true, 0));
    assert_eq!(queue.snubbed_at(), None);
    // What comes late is still known, and ends the snub.
    let late = queue.take(request(asked[0]), at(9_000_000));
    assert_eq!(late, Some((asked[0], Standing::Released)));
    assert!(!queue.is_snubbed() && queue.reclaim(asked[1]) && !queue.reclaim(asked[0]));
}

#[test]
fn a_peer_known_to_be_slow_is_given_more_time() {
    let mut link = Link::new(Duration::from_millis(50), 1_500);
    link.run(Duration::from_secs(100));
    let due = link.queue.snubbed_at().expect("something is asked");
    assert!(due.since(link.now) > Duration::from_secs(20));
}

#[test]
fn a_byte_a_second_is_no_sign_of_life_and_a_kibibyte_is_one_for_a_minute() {
    let mut queue = RequestQueue::new(at(0));
    queue.push(blocks().next().expect("a block"), at(0));
    (0..4).for_each(|second| queue.progressed(1, at(second * 1_000_000)));
    assert_eq!(queue.snubbed_at(), Some(at(5_000_000)));
    (4..80).for_each(|second| queue.progressed(1024, at(second * 1_000_000)));
    assert_eq!(queue.snubbed_at(), Some(at(60_000_000)));
}

#[test]
fn a_cancelled_block_stays_queued_only_where_an_answer_is_due() {
    let asked: Vec<_> = blocks().take(2).collect();
    let mut queue = RequestQueue::new(at(0));
    asked.iter().for_each(|block| queue.push(*block, at(0)));
    assert_eq!(queue.cancel(asked[0], false), Some(Standing::Counted));
    assert!(!queue.contains(request(asked[0])));
    assert_eq!(queue.cancel(asked[1], true), Some(Standing::Counted));
    assert_eq!(queue.cancel(asked[1], true), None);
    assert_eq!(queue.reject(request(asked[1])), Some((asked[1], Standing::Cancelled)));
    assert!(queue.is_empty());
}

proptest! {
    #[test]
    fn the_books_balance_whatever_happens(
        steps in prop::collection::vec((0_u8..7, any::<usize>(), 0_u64..3_000_000), 0..200),
    ) {
        let mut queue = RequestQueue::new(at(0));
        let mut source = blocks();
        let mut now = 0;
        for (step, nth, micros) in steps {
            now += micros;
            let known: Vec<_> = queue.iter().collect();
            let chosen = nth.checked_rem(known.len()).map(|nth| known[nth].0);
            match (step, chosen) {
                (0 | 1, _) => {
                    for _ in 0..queue.room() {
                        queue.push(source.next().expect("endless"), at(now));
                    }
                }
                (2, Some(block)) => drop(queue.take(request(block), at(now))),
                (3, Some(block)) => drop(queue.reject(request(block))),
                (4, Some(block)) => drop(queue.cancel(block, nth % 2 == 0)),
                (5, _) => queue.snub(|_| ()),
                (6, _) => queue.clear(|_| ()),
                _ => {}
            }
            let count = |standing| queue.iter().filter(|(_, of)| *of == standing).count() as u32;
            prop_assert_eq!(queue.counted, count(Standing::Counted));
            prop_assert_eq!(queue.released, count(Standing::Released));
            prop_assert!(queue.depth() <= REQQ_ASSUMED && queue.depth() >= 1);
        }
    }
}
