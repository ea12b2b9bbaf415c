//! The pieces of one torrent on disk, as its shard sees them.
//!
//! Owns the blocks that were received and wait for their neighbours. Invariant: what a shard calls here
//! waits for no drive and no worker. It must not know which peer sent what.

mod losses;
mod shared;

use piecework_metainfo::PieceLayers;
use piecework_types::{BLOCK_BYTES, Bitfield, Block, PieceIndex, Sha256Digest};
use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::sync::Arc;

use crate::assembly::Assembly;
use crate::check::{CancelFlag, CheckStep};
use crate::chunk::Chunk;
use crate::fault::{Action, FaultKind, LocalFault};
use crate::mailbox::{MailSender, TorrentKey};
use crate::resume::ResumeLock;
use crate::storage::Storage;
use crate::worker::{PieceWork, ReadTask, Step, Task};

pub(crate) use shared::StoreShared;

/// Blocks of a run: 256 KiB. Enough that the hand-over and the system call cost little a block, small
/// enough that sixteen runs in lanes stay in cache until they are written.
const RUN_BLOCKS: usize = 16;

/// Blocks behind gaps that a store keeps under memory pressure: 1 MiB, so that relief is worth a write.
const PRESSED_BLOCKS_MAX: usize = 64;

/// What became of a read without waiting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReadNow {
    /// All bytes are in their places.
    Done,
    /// The bytes are not in memory, and what is in the places means nothing: use
    /// [`PieceStore::read_later`].
    WouldBlock,
}

/// Which pieces a check looks at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CheckScope {
    /// All; what was known before is forgotten.
    All,
    /// These; the others stay as they are.
    Pieces(Bitfield),
}

/// What resume data keep besides the pieces.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// Bytes of payload sent, over all runs.
    pub uploaded: u64,
    /// Bytes of payload received, over all runs.
    pub downloaded: u64,
}

/// The pieces of one torrent. Owned by one shard's thread; nothing in it waits for another thread.
/// Dropping it forgets what was not handed over, and silences it.
#[derive(Debug)]
pub struct PieceStore {
    shared: Arc<StoreShared>,
    storage: Storage,
    /// Pieces of which a block has come and no verdict.
    open: BTreeMap<u32, OpenPiece>,
    /// Blocks in memory, over all open pieces.
    held: usize,
    check: Option<CancelFlag>,
}

#[derive(Debug)]
struct OpenPiece {
    assembly: Assembly<Chunk>,
    work: Arc<PieceWork>,
}

impl PieceStore {
    /// A store that has the pieces in `have`, as many as the torrent's. Completions go to `sender`,
    /// marked with `key`. Unless the storage is read-only, empty files and symlinks are made now, by a
    /// worker.
    #[expect(clippy::needless_pass_by_value, reason = "the store takes the set over")]
    pub fn new(storage: Storage, sender: MailSender, key: TorrentKey, have: Bitfield) -> Self {
        let shared = Arc::new(StoreShared::new(&storage, sender, key, &have));
        storage.shared.disk.keeper().watch(&shared);
        if !storage.shared.is_read_only {
            shared.work_began();
            storage.shared.disk.queue().push_urgent(Task::CreateEmpty(Arc::clone(&shared)));
        }
        Self { shared, storage, open: BTreeMap::new(), held: 0, check: None }
    }

    /// Takes a block that was received. Blocks of verified pieces, second copies, and spans that are
    /// no whole block are dropped. With `hurry` the piece's data are hashed at once, without waiting
    /// for other lanes to fill.
    pub fn accept(&mut self, block: Block, chunk: Chunk, hurry: bool) {
        let grid = self.shared.storage.info.grid();
        if grid.block(block.piece, block.number()) != Some(block)
            || self.shared.verified.contains(block.piece)
        {
            return;
        }
        let open = self.open.entry(block.piece.get()).or_insert_with(|| {
            let work = PieceWork::new(&self.shared, block.piece);
            let assembly = Assembly::new(grid.block_count(block.piece));
            OpenPiece { assembly, work: Arc::new(work) }
        });
        if open.work.is_over() {
            // It was lost or failed, and this is the first block of another try.
            self.held -= open.assembly.held();
            let work = PieceWork::new(&self.shared, block.piece);
            let assembly = Assembly::new(grid.block_count(block.piece));
            *open = OpenPiece { assembly, work: Arc::new(work) };
        }
        if open.assembly.insert(block.number(), chunk).is_err() {
            return;
        }
        self.held += 1;
        let is_whole = open.assembly.is_whole();
        if is_whole || open.assembly.run_blocks() >= RUN_BLOCKS {
            hand_over(open, &mut self.held, hurry);
        }
        if is_whole {
            self.forget_finished();
        }
        if self.held >= PRESSED_BLOCKS_MAX && self.storage.shared.disk.pool().pressure() {
            self.relieve();
        }
    }

    /// Hands over what can be hashed now, however little it is: when no request is outstanding, in the
    /// end game, before a shutdown.
    pub fn flush(&mut self, hurry: bool) {
        self.forget_finished();
        for open in self.open.values_mut() {
            hand_over(open, &mut self.held, hurry);
        }
    }

    /// Writes what waits in memory for blocks before it, to free chunks: for each store of a shard
    /// when [`ChunkPool::pressure`](crate::ChunkPool::pressure) holds. [`Self::accept`] does it too,
    /// but only for its own store.
    pub fn relieve(&mut self) {
        self.forget_finished();
        for open in self.open.values_mut() {
            hand_over(open, &mut self.held, true);
            let spilled = open.assembly.spill();
            if !spilled.is_empty() {
                self.held -= spilled.len();
                schedule(&open.work, Step::Spill(spilled), true);
            }
        }
    }

    /// Adds the hashes of the file with this root, which were verified against it. Hashes that do not
    /// lead to the root are ignored.
    pub fn set_layer(&mut self, pieces_root: Sha256Digest, hashes: &[Sha256Digest]) {
        if let Err(error) = self.shared.add_layer(&pieces_root, hashes) {
            tracing::debug!(%error, "a piece layer was not taken");
        }
    }

    /// Changes which files are wanted, one flag a file; files beyond the end are. Bytes of a file that
    /// becomes wanted move out of the parts file.
    pub fn set_wanted(&mut self, wanted: &[bool]) {
        self.shared.work_began();
        let task = Task::SetWanted(Arc::clone(&self.shared), wanted.to_vec());
        self.storage.shared.disk.queue().push_urgent(task);
    }

    /// Forgets what was received or verified of a piece.
    pub fn drop_piece(&mut self, piece: PieceIndex) {
        if let Some(open) = self.open.remove(&piece.get()) {
            open.work.end();
            self.held -= open.assembly.held();
        }
        if self.shared.piece_gone(piece) {
            self.shared.is_changed();
        }
    }

    /// Whether the piece is verified and written.
    pub fn has(&self, piece: PieceIndex) -> bool {
        self.shared.verified.contains(piece)
    }

    /// All pieces that are verified and written.
    pub fn have(&self) -> Bitfield {
        self.shared.verified.snapshot()
    }

    /// Reads adjacent blocks of one verified piece into `places`, one place a block and as long as it,
    /// if that needs no waiting for a drive. After a failure a worker checks the piece.
    ///
    /// # Errors
    /// When the drive fails, the piece is not verified, or the blocks are not adjacent.
    pub fn read_now(
        &self,
        blocks: &[Block],
        places: &mut [IoSliceMut<'_>],
    ) -> Result<ReadNow, LocalFault> {
        let span = joined(blocks).filter(|span| self.has(span.piece)).ok_or_else(|| {
            LocalFault::of_kind(Action::Read, self.storage.dir(), FaultKind::Missing)
        })?;
        let read = self.shared.storage.read_cached(span, places);
        let is_done = read.inspect_err(|_| self.shared.doubt([span.piece]))?;
        Ok(if is_done { ReadNow::Done } else { ReadNow::WouldBlock })
    }

    /// Lets a worker read adjacent blocks of one verified piece; answered by
    /// [`StoreEvent::Read`](crate::StoreEvent::Read) with this token.
    pub fn read_later(&self, token: u64, blocks: &[Block]) {
        let store = Arc::clone(&self.shared);
        let read = ReadTask { store, token, blocks: blocks.to_vec() };
        self.storage.shared.disk.queue().push_urgent(Task::Read(read));
    }

    /// Hashes what is on disk; answered by `CheckProgress` and `CheckFinished`. Not while blocks are
    /// accepted for the same pieces. A check that still runs is cancelled first.
    pub fn check(&mut self, scope: CheckScope) {
        self.cancel_check();
        self.check = Some(CheckStep::start(&self.shared, scope));
    }

    /// Forgets all that was received and all that is known, and hashes what is on disk, whatever became
    /// of the files meanwhile; answered as [`Self::check`] is. No block may be accepted until then.
    pub fn check_anew(&mut self) {
        for open in std::mem::take(&mut self.open).into_values() {
            open.work.end();
        }
        self.held = 0;
        self.check(CheckScope::All);
    }

    /// Ends a check early; it answers with what it found.
    pub fn cancel_check(&mut self) {
        if let Some(flag) = self.check.take() {
            flag.set();
        }
    }

    /// Takes the pieces whose files are there with the right size for verified, without hashing
    /// (`--trust`), the others for missing, and returns all pieces that the store now has.
    pub fn trust(&mut self) -> Bitfield {
        self.cancel_check();
        self.shared.losses.trust();
        let storage = &self.shared.storage;
        let sizes = storage.sizes(&storage.stamps());
        for piece in storage.info.grid().pieces() {
            self.shared.unknown.remove(piece);
            if storage.has_right_sizes(piece, &sizes) {
                self.shared.verified.insert(piece);
                // The user's word is not worth less after the machine went down.
                self.shared.saving.durable.insert(piece);
            } else {
                self.shared.piece_gone(piece);
            }
        }
        self.shared.is_changed();
        self.have()
    }

    /// Looks at the files of these pieces, which are verified but may have changed since. Those that are
    /// gone are reported as ever; what is there is hashed, and counts as before until it is found to
    /// differ. With `is_trusted` the right size is enough.
    pub fn revisit(&mut self, pieces: Bitfield, is_trusted: bool) {
        if is_trusted {
            self.shared.losses.trust();
        }
        self.shared.work_began();
        let task = Task::Revisit(Arc::clone(&self.shared), pieces);
        self.storage.shared.disk.queue().push_urgent(task);
    }

    /// From now on resume data are saved under this lock, within a second of each verified piece. Call
    /// it before the first block is accepted.
    pub fn keep_resume(&mut self, lock: ResumeLock) {
        if let Some(unknown) = lock.unknown(&self.storage, &self.have()) {
            for piece in unknown.iter() {
                self.shared.unknown.insert(piece);
            }
        }
        self.shared.set_totals(lock.totals());
        self.shared.saving.keep(lock);
    }

    /// What resume data say about traffic from the next save on; until then what the last run's said.
    /// Does not cause a save.
    pub fn set_totals(&mut self, totals: Totals) {
        self.shared.set_totals(totals);
    }

    /// Saves resume data once everything that was handed over is written; answered by `ResumeSaved`.
    /// `is_final`: nothing is to be written after that, so a restart trusts files only if they do not
    /// change meanwhile. The lock is let go then, or when the store is dropped.
    pub fn save_resume(&mut self, is_final: bool) {
        if is_final {
            self.cancel_check();
        }
        self.shared.saving.request(is_final);
        self.storage.shared.disk.keeper().nudge();
    }

    /// Piece layers of a v2 or hybrid torrent, as far as they are known.
    pub fn layers(&self) -> Option<Arc<PieceLayers>> {
        self.shared.layers()
    }

    /// Whether nothing is under way or due: no block in memory, no work with workers, nothing lost or to
    /// be checked, and all that is verified is durable. Then the store can be dropped and made anew from
    /// resume data.
    pub fn is_settled(&self) -> bool {
        let shared = &self.shared;
        self.open.is_empty()
            && shared.is_idle()
            && !shared.is_blocked()
            && !shared.losses.are_there()
            && shared.unknown.is_empty()
            && shared.saving.covers(&shared.verified)
    }

    /// The torrent's files.
    pub const fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Forgets pieces that workers are done with, and with them blocks of lost ones.
    fn forget_finished(&mut self) {
        self.open.retain(|_, open| !open.work.is_over());
        self.held = self.open.values().map(|open| open.assembly.held()).sum();
    }
}

impl Drop for PieceStore {
    fn drop(&mut self) {
        self.cancel_check();
        self.shared.close();
    }
}

fn hand_over(open: &mut OpenPiece, held: &mut usize, hurry: bool) {
    let before = open.assembly.held();
    if let Some(run) = open.assembly.take_run() {
        *held -= before - open.assembly.held();
        schedule(&open.work, Step::Run(run), hurry);
    }
}

fn schedule(work: &Arc<PieceWork>, step: Step, hurry: bool) {
    let is_new = work.add(step);
    if is_new {
        work.store.work_began();
    }
    let hurry = hurry || !work.wants_lanes();
    work.store.storage.disk.queue().push_run(is_new.then(|| Arc::clone(work)), hurry);
}

/// Adjacent blocks of one piece as one span.
pub(crate) fn joined(blocks: &[Block]) -> Option<Block> {
    let first = blocks.first()?;
    let are_adjacent = blocks
        .windows(2)
        .all(|pair| pair[0].piece == pair[1].piece && pair[0].end() == pair[1].begin);
    let length = blocks.iter().try_fold(0_u32, |sum, block| sum.checked_add(block.length))?;
    are_adjacent.then_some(Block { length, ..*first })
}

const _: () =
    assert!(RUN_BLOCKS * BLOCK_BYTES as usize >= 256 * 1024, "a run is worth a hand-over");

#[cfg(test)]
mod tests;
