//! Jobs on their way through the lanes: which job sits in which lane, and what it compresses next.
//!
//! Invariant: a job is waiting, in exactly one lane, or has its outcome. A lane is filled again as
//! soon as its job ends. Knows neither CPUs nor which kernel is best: it is given one.

use std::slice;

use crate::algorithm::{Algorithm, BLOCK_BYTES, Block, Words};
use crate::job::{Job, Outcome, State};
use crate::kernel::{CompressFn, Lanes};
use crate::oneshot::Stream;

/// Where the length of the message stands in the last block (FIPS 180-4, section 5.1.1).
const LENGTH_AT: usize = BLOCK_BYTES - size_of::<u64>();

/// A set of jobs with what has become of them.
pub(crate) struct Batch<'j, 'a, A: Algorithm> {
    jobs: &'j [Job<'a, A>],
    /// The first job that no lane has seen yet.
    next: usize,
    /// Jobs taken out of lanes before their end.
    unfinished: Vec<Cursor<'a>>,
    outcomes: Vec<Outcome<A>>,
}

impl<'j, 'a, A: Algorithm> Batch<'j, 'a, A> {
    pub(crate) fn new(jobs: &'j [Job<'a, A>]) -> Self {
        let outcomes = jobs.iter().map(|job| Outcome::Midstate(job.from)).collect();
        Self { jobs, next: 0, unfinished: Vec::new(), outcomes }
    }

    /// What each job yielded, in the order of the jobs.
    pub(crate) fn into_outcomes(self) -> Vec<Outcome<A>> {
        debug_assert!(self.unfinished.is_empty() && self.next == self.jobs.len());
        self.outcomes
    }

    /// Jobs that have no outcome yet and sit in no lane.
    fn waiting(&self) -> usize {
        self.unfinished.len() + self.jobs.len() - self.next
    }

    /// Runs jobs in the lanes of `compress` for as long as at least `lanes_min` lanes are busy.
    pub(crate) fn run<const L: usize>(&mut self, compress: CompressFn<L>, lanes_min: usize) {
        if self.waiting() < lanes_min.max(1) {
            return;
        }
        let mut lanes: Lanes<L> = [[0; L]; 8];
        let mut cursors: [Option<Cursor<'a>>; L] = [const { None }; L];
        loop {
            for (lane, cursor) in cursors.iter_mut().enumerate() {
                if cursor.is_none() {
                    *cursor = self.take();
                    if let Some(taken) = cursor {
                        insert(&mut lanes, lane, &taken.words);
                    }
                }
            }
            if cursors.iter().flatten().count() < lanes_min.max(1) {
                break;
            }
            step(compress, &mut lanes, &mut cursors);
            for (lane, cursor) in cursors.iter_mut().enumerate() {
                if let Some(ended) = cursor.take_if(|cursor| cursor.run().is_empty()) {
                    self.settle(ended.job, &extract(&lanes, lane));
                }
            }
        }
        for (lane, cursor) in cursors.into_iter().enumerate() {
            let Some(mut cursor) = cursor else { continue };
            cursor.words = extract(&lanes, lane);
            self.unfinished.push(cursor);
        }
    }

    /// Hashes those whole messages by the reference implementation that no lane has begun.
    pub(crate) fn run_by_reference(&mut self) {
        let mut begun = Vec::new();
        while let Some(cursor) = self.take() {
            let job = &self.jobs[cursor.job];
            if cursor.begun || !job.is_whole() {
                begun.push(cursor);
                continue;
            }
            let mut stream = Stream::<A>::new();
            job.slices.iter().for_each(|slice| stream.update(slice));
            self.outcomes[cursor.job] = Outcome::Digest(stream.finish());
        }
        self.unfinished = begun;
    }

    /// The next job with something to compress.
    fn take(&mut self) -> Option<Cursor<'a>> {
        if let Some(cursor) = self.unfinished.pop() {
            return Some(cursor);
        }
        while let Some(job) = self.jobs.get(self.next) {
            let cursor = Cursor::new(self.next, job);
            self.next += 1;
            if !cursor.run().is_empty() {
                return Some(cursor);
            }
            self.settle(cursor.job, &cursor.words);
        }
        None
    }

    fn settle(&mut self, index: usize, words: &Words) {
        let job = &self.jobs[index];
        self.outcomes[index] = if job.finishes {
            Outcome::Digest(digest_of::<A>(words))
        } else {
            Outcome::Midstate(State::after(*words, job.bytes_total()))
        };
    }
}

/// Compresses as many blocks as every busy lane can give without a look at the next slice.
fn step<const L: usize>(
    compress: CompressFn<L>,
    lanes: &mut Lanes<L>,
    cursors: &mut [Option<Cursor<'_>>; L],
) {
    let runs = cursors.iter().flatten().map(Cursor::run);
    let Some(shortest) = runs.min_by_key(|run| run.len()) else { return };
    let blocks = shortest.len();
    // An idle lane compresses what another one does; nobody looks at the result.
    let mut inputs = [shortest; L];
    for (input, cursor) in inputs.iter_mut().zip(&*cursors) {
        if let Some(cursor) = cursor {
            *input = &cursor.run()[..blocks];
        }
    }
    compress(lanes, &inputs);
    for cursor in cursors.iter_mut().flatten() {
        cursor.advance(blocks);
    }
}

fn insert<const L: usize>(lanes: &mut Lanes<L>, lane: usize, words: &Words) {
    for (word, value) in lanes.iter_mut().zip(words) {
        word[lane] = *value;
    }
}

fn extract<const L: usize>(lanes: &Lanes<L>, lane: usize) -> Words {
    std::array::from_fn(|word| lanes[word][lane])
}

/// The digest that a chaining value is after the last block.
pub(crate) fn digest_of<A: Algorithm>(words: &Words) -> A::Digest {
    A::digest(words.map(u32::to_be_bytes).as_flattened())
}

/// How far a job has come.
struct Cursor<'a> {
    job: usize,
    /// The chaining value while the job is in no lane.
    words: Words,
    /// What is left of the slice at hand; empty only if the tail is all that is left.
    blocks: &'a [Block],
    slices: slice::Iter<'a, &'a [u8]>,
    tail: Tail,
    begun: bool,
}

impl<'a> Cursor<'a> {
    fn new<A: Algorithm>(index: usize, job: &Job<'a, A>) -> Self {
        let tail = if job.finishes { Tail::new(job) } else { Tail::EMPTY };
        let (words, slices) = (job.from.words, job.slices.iter());
        let mut cursor = Self { job: index, words, blocks: &[], slices, tail, begun: false };
        cursor.skip_empty();
        cursor
    }

    /// The blocks to compress next; empty if the job has ended.
    fn run(&self) -> &[Block] {
        if self.blocks.is_empty() { self.tail.left() } else { self.blocks }
    }

    /// Leaves behind `blocks` blocks of the run.
    fn advance(&mut self, blocks: usize) {
        self.begun = true;
        if self.blocks.is_empty() {
            self.tail.start += blocks;
        } else {
            self.blocks = &self.blocks[blocks..];
            self.skip_empty();
        }
    }

    /// Goes on to the next slice that has a whole block, if the one at hand is used up.
    fn skip_empty(&mut self) {
        while self.blocks.is_empty() {
            let Some(slice) = self.slices.next() else { return };
            // The rest of the last slice is in the tail; no other slice has one.
            self.blocks = slice.as_chunks().0;
        }
    }
}

/// The end of a message: its last incomplete block and the padding (FIPS 180-4, section 5.1.1).
struct Tail {
    blocks: [Block; 2],
    start: usize,
    end: usize,
}

impl Tail {
    const EMPTY: Self = Self { blocks: [[0; BLOCK_BYTES]; 2], start: 0, end: 0 };

    fn new<A: Algorithm>(job: &Job<'_, A>) -> Self {
        let rest = job.slices.last().map_or(&[][..], |last| last.as_chunks::<BLOCK_BYTES>().1);
        let mut tail = Self::EMPTY;
        tail.blocks[0][..rest.len()].copy_from_slice(rest);
        tail.blocks[0][rest.len()] = 0x80;
        tail.end = if rest.len() < LENGTH_AT { 1 } else { 2 };
        let bits = job.bytes_total() << 3;
        tail.blocks[tail.end - 1][LENGTH_AT..].copy_from_slice(&bits.to_be_bytes());
        tail
    }

    fn left(&self) -> &[Block] {
        &self.blocks[self.start..self.end]
    }
}
