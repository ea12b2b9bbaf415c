//! Hashing runs side by side, writing them, and judging pieces.
//!
//! Invariant: a piece is verified after its hash is right and its last write returned, never before.

use piecework_hash::{Hasher, Job, Sha1, Sha256, sha256};
use piecework_types::{Block, Sha256Digest};
use std::ops::Range;
use std::sync::Arc;

use super::gaps::run_in_order;
use super::{Outbox, PieceWork, Step};
use crate::assembly::Cell;
use crate::chunk::{CHUNK_BYTES, Chunk};
use crate::disk::Disk;
use crate::fault::{FaultKind, LocalFault};
use crate::mailbox::StoreEvent;
use crate::store::StoreShared;

/// A run that was hashed and not written.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) work: Arc<PieceWork>,
    pub(crate) chunks: Vec<Chunk>,
    first: u32,
    /// With it the piece is complete, and its hash is right.
    completes: bool,
}

/// A run that lies in memory as a whole.
struct Plain {
    work: Arc<PieceWork>,
    first: u32,
    chunks: Vec<Chunk>,
    is_last: bool,
}

/// Works through everything that waits for these pieces.
pub(super) fn run(disk: &Disk, hasher: &Hasher, pieces: Vec<Arc<PieceWork>>, outbox: &mut Outbox) {
    let mut used = Vec::new();
    let mut plain = Vec::with_capacity(pieces.len());
    let mut ended = Vec::with_capacity(pieces.len());
    for work in pieces {
        let steps = work.take_steps();
        if work.is_over() || work.store.is_blocked() || work.store.is_closed() {
            discard(&work, steps, &mut used, outbox);
            ended.push(work);
            continue;
        }
        match join(&work, steps) {
            Ok(run) => plain.push(run),
            Err(steps) => {
                run_in_order(&work, hasher, steps, &mut used, outbox);
                ended.push(work);
            }
        }
    }
    hash(hasher, &plain);
    for run in plain {
        let work = Arc::clone(&run.work);
        if write(run, &mut used, outbox) {
            ended.push(work);
        }
    }
    // Chunks first: whoever hears of a finished piece may want to receive the next one.
    disk.pool().give_back(&mut used);
    outbox.flush();
    end_turns(disk, ended);
}

/// Pieces that got more to do go back into the queue.
fn end_turns(disk: &Disk, ended: Vec<Arc<PieceWork>>) {
    let (more, done): (Vec<_>, Vec<_>) = ended.into_iter().partition(|work| work.end_turn());
    if !more.is_empty() {
        disk.queue().push_back(more);
    }
    for work in done {
        work.store.work_ended();
    }
}

/// The steps as one run in memory, if that is what they are.
fn join(work: &Arc<PieceWork>, mut steps: Vec<Step>) -> Result<Plain, Vec<Step>> {
    let is_plain = |step: &Step| match step {
        Step::Run(run) => run.cells.iter().all(|cell| matches!(cell, Cell::Memory(_))),
        Step::Spill(_) => false,
    };
    if steps.is_empty() || !steps.iter().all(is_plain) {
        return Err(steps);
    }
    let mut joined = Plain { work: Arc::clone(work), first: 0, chunks: Vec::new(), is_last: false };
    for (at, step) in steps.drain(..).enumerate() {
        let Step::Run(run) = step else { continue };
        if at == 0 {
            joined.first = run.first;
        }
        joined.is_last = run.is_last;
        joined.chunks.extend(run.cells.into_iter().filter_map(|cell| match cell {
            Cell::Memory(chunk) => Some(chunk),
            Cell::Stored => None,
        }));
    }
    Ok(joined)
}

/// The bytes of the blocks in `chunks`, the first of which has number `first`.
pub(super) fn contents<'a>(work: &PieceWork, first: u32, chunks: &'a [Chunk]) -> Vec<&'a [u8]> {
    let numbered = (first..).zip(chunks);
    numbered.map(|(number, chunk)| &chunk[..work.block_bytes(number)]).collect()
}

/// Hashes all runs, side by side.
fn hash(hasher: &Hasher, runs: &[Plain]) {
    let mut slices: Vec<&[u8]> = Vec::new();
    let mut leaves: Vec<&[u8]> = Vec::new();
    let mut ranges: Vec<(Range<usize>, Range<usize>)> = Vec::with_capacity(runs.len());
    for run in runs {
        let (start, leaf_start) = (slices.len(), leaves.len());
        for (number, chunk) in (run.first..).zip(&run.chunks) {
            if run.work.v1.is_some() {
                slices.push(&chunk[..run.work.block_bytes(number)]);
            }
            match run.work.leaf_bytes(number) {
                0 => {}
                bytes => leaves.push(&chunk[..bytes]),
            }
        }
        ranges.push((start..slices.len(), leaf_start..leaves.len()));
    }
    let has_v1 = |run: &&Plain| run.work.v1.is_some();
    let jobs: Vec<Job<'_, Sha1>> = runs
        .iter()
        .zip(&ranges)
        .filter(|(run, _)| has_v1(run))
        .map(|(run, (range, _))| sha1_job(run, &slices[range.clone()]))
        .collect();
    for (run, outcome) in runs.iter().filter(has_v1).zip(hasher.hash(&jobs)) {
        let mut progress = run.work.progress();
        progress.sha1_digest = outcome.digest();
        progress.sha1 = outcome.midstate().unwrap_or_default();
    }
    let digests = hasher.hash_messages::<Sha256>(&leaves);
    for (run, (_, range)) in runs.iter().zip(ranges) {
        if !range.is_empty() {
            run.work.progress().leaves.extend_from_slice(&digests[range]);
        }
    }
}

fn sha1_job<'a>(run: &Plain, slices: &'a [&'a [u8]]) -> Job<'a, Sha1> {
    let from = run.work.progress().sha1;
    let job = if run.is_last { Job::finish(from, slices) } else { Job::extend(from, slices) };
    job.expect("only the last block of a piece is shorter than a block")
}

/// Writes a hashed run and judges its piece if it is complete. False if the piece is not to be given
/// back because its data wait for the storage to recover.
fn write(run: Plain, used: &mut Vec<Chunk>, outbox: &mut Outbox) -> bool {
    let Plain { work, first, mut chunks, is_last } = run;
    let is_good = is_last && work.is_good(&work.progress());
    if is_last && !is_good {
        fail(&work, first, &chunks, outbox);
        used.append(&mut chunks);
        return true;
    }
    write_pending(Pending { work, first, chunks, completes: is_good }, used, outbox)
}

fn write_pending(mut pending: Pending, used: &mut Vec<Chunk>, outbox: &mut Outbox) -> bool {
    let work = &pending.work;
    let slices = contents(work, pending.first, &pending.chunks);
    // As many as a piece has blocks.
    let span = work.span(pending.first, slices.len() as u32);
    match write_span(work, span, &slices, outbox) {
        Ok(()) => {
            if pending.completes {
                verified(work, outbox);
            }
            used.append(&mut pending.chunks);
            true
        }
        Err(fault) => {
            let store = Arc::clone(&work.store);
            !store.hold(pending, fault, used, outbox)
        }
    }
}

/// Writes the bytes of a span. If a file was taken away its pieces are reported missing and it is made
/// anew.
pub(super) fn write_span(
    work: &PieceWork,
    span: Block,
    slices: &[&[u8]],
    outbox: &mut Outbox,
) -> Result<(), LocalFault> {
    let store = &work.store;
    store.before_write();
    // A span touches at most so many files, each of which can be missed once.
    let mut tries = store.storage.info.layout().segments(span).count();
    loop {
        match store.storage.write(span, slices) {
            Err(failed) if failed.fault.kind() == FaultKind::Missing && tries > 0 => {
                tries -= 1;
                store.file_failed(failed.file, &failed.fault, outbox);
            }
            result => return result.map_err(|failed| failed.fault),
        }
    }
}

pub(super) fn verified(work: &PieceWork, outbox: &mut Outbox) {
    if work.end() {
        work.store.piece_verified(work.piece);
        outbox.push(&work.store, StoreEvent::PieceVerified { piece: work.piece });
    }
}

/// Tries again what could not be written.
pub(super) fn retry(disk: &Disk, pending: Pending, outbox: &mut Outbox) {
    let work = Arc::clone(&pending.work);
    let mut used = Vec::new();
    if write_pending(pending, &mut used, outbox) {
        work.store.unblock(outbox);
        end_turns(disk, vec![work]);
    }
    disk.pool().give_back(&mut used);
}

/// The piece's hash is wrong: says so, with the digest of each block as it came. The last run was not
/// written; the earlier ones are read again.
pub(super) fn fail(work: &PieceWork, first: u32, chunks: &[Chunk], outbox: &mut Outbox) {
    let mut block_digests = Vec::new();
    let mut block = vec![0; CHUNK_BYTES];
    for number in 0..first {
        let bytes = work.block_bytes(number);
        let read = work.store.storage.read(work.span(number, 1), vec![&mut block[..bytes]]);
        if read.is_err() {
            break;
        }
        block_digests.push(sha256(&block[..bytes]));
    }
    if block_digests.len() == first as usize {
        let last = contents(work, first, chunks);
        block_digests.extend(last.into_iter().map(sha256));
    } else {
        block_digests.clear();
    }
    failed(work, block_digests, outbox);
}

fn failed(work: &PieceWork, block_digests: Vec<Sha256Digest>, outbox: &mut Outbox) {
    if work.end() {
        outbox.push(&work.store, StoreEvent::PieceFailed { piece: work.piece, block_digests });
    }
}

/// The piece cannot be completed, through no fault of a peer.
pub(crate) fn lose(work: &PieceWork, fault: LocalFault, outbox: &mut Outbox) {
    if work.end() {
        outbox.push(&work.store, StoreEvent::PieceLost { piece: work.piece, fault });
    }
}

/// Takes the chunks out of steps that nobody will do.
pub(super) fn discard(
    work: &PieceWork,
    steps: Vec<Step>,
    used: &mut Vec<Chunk>,
    outbox: &mut Outbox,
) {
    for step in steps {
        match step {
            Step::Run(run) => used.extend(run.cells.into_iter().filter_map(|cell| match cell {
                Cell::Memory(chunk) => Some(chunk),
                Cell::Stored => None,
            })),
            Step::Spill(blocks) => used.extend(blocks.into_iter().map(|(_, chunk)| chunk)),
        }
    }
    if let Some(fault) = work.store.blocked_by() {
        lose(work, fault, outbox);
    }
}

/// Changes which files are wanted.
pub(super) fn set_wanted(store: &StoreShared, wanted: &[bool], outbox: &mut Outbox) {
    for file in 0..store.storage.info.files().len() {
        if !wanted.get(file).copied().unwrap_or(true) {
            store.storage.unwant(file);
        } else if let Err(fault) = store.storage.want(file) {
            store.block(&fault, outbox);
        }
    }
    if let Err(fault) = store.storage.create_empty() {
        store.block(&fault, outbox);
    }
}
