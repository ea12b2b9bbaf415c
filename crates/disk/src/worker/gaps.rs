//! Pieces of which a part was written before its turn: step after step, without lanes.
//!
//! The way under memory pressure. Invariant: as in `runs`; besides, no more than a window of blocks is
//! in memory again at once.

use piecework_hash::{Hasher, Job, Sha1, Sha256};
use std::sync::Arc;

use super::piece::Progress;
use super::runs::{contents, discard, fail, lose, verified, write_span};
use super::{Outbox, PieceWork, Step};
use crate::assembly::{Cell, Run};
use crate::chunk::{CHUNK_BYTES, Chunk};
use crate::fault::LocalFault;

/// Blocks of a run that are read again at once: 256 KiB.
const REREAD_BLOCKS: usize = 16;

/// Does steps one after the other.
pub(super) fn run_in_order(
    work: &Arc<PieceWork>,
    hasher: &Hasher,
    steps: Vec<Step>,
    used: &mut Vec<Chunk>,
    outbox: &mut Outbox,
) {
    for step in steps {
        if work.is_over() {
            discard(work, vec![step], used, outbox);
            continue;
        }
        let done = match step {
            Step::Spill(blocks) => spill(work, blocks, used, outbox),
            Step::Run(run) => run_with_gaps(work, hasher, run, used, outbox),
        };
        if let Err(fault) = done {
            work.store.block(&fault, outbox);
            lose(work, fault, outbox);
        }
    }
}

fn spill(
    work: &PieceWork,
    blocks: Vec<(u32, Chunk)>,
    used: &mut Vec<Chunk>,
    outbox: &mut Outbox,
) -> Result<(), LocalFault> {
    let (numbers, mut chunks): (Vec<_>, Vec<_>) = blocks.into_iter().unzip();
    let mut written = Ok(());
    let mut at = 0;
    for group in numbers.chunk_by(|a, b| a + 1 == *b) {
        let slices = contents(work, group[0], &chunks[at..at + group.len()]);
        // As many as a piece has blocks.
        let span = work.span(group[0], group.len() as u32);
        written = written.and_then(|()| write_span(work, span, &slices, outbox));
        at += group.len();
    }
    used.append(&mut chunks);
    written
}

/// Hashes a run of which some blocks have to be read again, a window at a time.
fn run_with_gaps(
    work: &Arc<PieceWork>,
    hasher: &Hasher,
    run: Run<Chunk>,
    used: &mut Vec<Chunk>,
    outbox: &mut Outbox,
) -> Result<(), LocalFault> {
    let mut scratch = vec![0; REREAD_BLOCKS * CHUNK_BYTES];
    let mut cells = run.cells.into_iter();
    let mut first = run.first;
    let mut result = Ok(());
    loop {
        let window: Vec<_> = cells.by_ref().take(REREAD_BLOCKS).collect();
        let is_last = run.is_last && cells.len() == 0;
        if window.is_empty() {
            break;
        }
        result = result.and_then(|()| load(work, first, &window, &mut scratch));
        if result.is_ok() {
            hash_window(work, hasher, (first, is_last), &window, &scratch);
            // As many as a window has.
            first += window.len() as u32;
            let in_memory = (first - window.len() as u32..).zip(window);
            let in_memory = in_memory.filter_map(|(number, cell)| match cell {
                Cell::Memory(chunk) => Some((number, chunk)),
                Cell::Stored => None,
            });
            result = spill(work, in_memory.collect(), used, outbox);
        }
    }
    result?;
    if !run.is_last {
        return Ok(());
    }
    if work.is_good(&work.progress()) {
        verified(work, outbox);
    } else {
        // Everything is written, so all of it is read again.
        fail(work, work.bytes.div_ceil(CHUNK_BYTES as u32), &[], outbox);
    }
    Ok(())
}

/// Reads the blocks of a window that are not in memory, each to its place in `scratch`.
fn load(
    work: &PieceWork,
    first: u32,
    window: &[Cell<Chunk>],
    scratch: &mut [u8],
) -> Result<(), LocalFault> {
    for ((number, cell), place) in (first..).zip(window).zip(scratch.chunks_mut(CHUNK_BYTES)) {
        if let Cell::Stored = cell {
            let place = &mut place[..work.block_bytes(number)];
            let read = work.store.storage.read(work.span(number, 1), vec![place]);
            read.map_err(|failed| failed.fault)?;
        }
    }
    Ok(())
}

fn hash_window(
    work: &PieceWork,
    hasher: &Hasher,
    (first, is_last): (u32, bool),
    window: &[Cell<Chunk>],
    scratch: &[u8],
) {
    let places = scratch.chunks(CHUNK_BYTES);
    let blocks: Vec<(u32, &[u8])> = (first..)
        .zip(window.iter().zip(places))
        .map(|(number, (cell, place))| match cell {
            Cell::Memory(chunk) => (number, &chunk[..]),
            Cell::Stored => (number, place),
        })
        .collect();
    let mut progress = work.progress();
    if work.v1.is_some() {
        let slices: Vec<&[u8]> =
            blocks.iter().map(|(number, block)| &block[..work.block_bytes(*number)]).collect();
        extend_sha1(&mut progress, hasher, &slices, is_last);
    }
    let leaves = blocks.iter().map(|(number, block)| &block[..work.leaf_bytes(*number)]);
    let leaves: Vec<&[u8]> = leaves.filter(|leaf| !leaf.is_empty()).collect();
    progress.leaves.extend(hasher.hash_messages::<Sha256>(&leaves));
}

fn extend_sha1(progress: &mut Progress, hasher: &Hasher, slices: &[&[u8]], is_last: bool) {
    let from = progress.sha1;
    let job = if is_last { Job::finish(from, slices) } else { Job::extend(from, slices) };
    let job: Job<'_, Sha1> = job.expect("only the last block of a piece is shorter than a block");
    for outcome in hasher.hash(&[job]) {
        progress.sha1_digest = outcome.digest();
        progress.sha1 = outcome.midstate().unwrap_or_default();
    }
}
