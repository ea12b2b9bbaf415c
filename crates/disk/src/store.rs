//! The pieces of one torrent on disk, as its shard sees them.

use piecework_types::{Bitfield, Block, PieceIndex, Sha256Digest};
use std::io::IoSliceMut;

use crate::chunk::Chunk;
use crate::fault::LocalFault;
use crate::mailbox::{MailSender, TorrentKey};
use crate::resume::ResumeLock;
use crate::storage::Storage;

/// What became of a read without waiting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReadNow {
    /// All bytes are in their places.
    Done,
    /// The bytes are not in memory, and nothing useful was written to the places: use
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
#[derive(Debug)]
pub struct PieceStore {
    storage: Storage,
    sender: MailSender,
    key: TorrentKey,
    have: Bitfield,
}

impl PieceStore {
    /// A store that has the pieces in `have`. Completions go to `sender`, marked with `key`.
    /// Unless the storage is read-only, empty files and symlinks are made now, by a worker.
    pub fn new(storage: Storage, sender: MailSender, key: TorrentKey, have: Bitfield) -> Self {
        Self { storage, sender, key, have }
    }

    /// Takes a block that was received. Blocks of verified pieces and second copies are dropped.
    /// With `hurry` the piece's data are hashed at once, without waiting for other lanes to fill.
    pub fn accept(&mut self, block: Block, chunk: Chunk, hurry: bool) {
        let _ = (block, chunk, hurry, &self.sender, self.key);
    }

    /// Hands over what can be hashed now, however little it is: when no request is outstanding, in the
    /// end game, before a shutdown.
    pub fn flush(&mut self, hurry: bool) {
        let _ = hurry;
    }

    /// Writes what waits in memory for blocks before it, to free chunks: for each store of a shard
    /// when [`ChunkPool::pressure`](crate::ChunkPool::pressure) holds. [`Self::accept`] does it too.
    pub fn relieve(&mut self) {}

    /// Adds the hashes of the file with this root, which were verified against it.
    pub fn set_layer(&mut self, pieces_root: Sha256Digest, hashes: &[Sha256Digest]) {
        let _ = (pieces_root, hashes);
    }

    /// Changes which files are wanted, one flag a file; files beyond the end are. Bytes of a file that
    /// becomes wanted move out of the parts file.
    pub fn set_wanted(&mut self, wanted: &[bool]) {
        let _ = wanted;
    }

    /// Forgets what was received or verified of a piece.
    pub fn drop_piece(&mut self, piece: PieceIndex) {
        self.have.remove(piece);
    }

    /// Whether the piece is verified and written.
    pub fn has(&self, piece: PieceIndex) -> bool {
        self.have.contains(piece)
    }

    /// All pieces that are verified and written.
    pub fn have(&self) -> Bitfield {
        self.have.clone()
    }

    /// Reads adjacent blocks of one verified piece into `places`, one place a block and as long as it,
    /// if that needs no waiting for a drive.
    ///
    /// # Errors
    /// When the file is gone or broken, or the piece is not verified.
    pub fn read_now(
        &self,
        blocks: &[Block],
        places: &mut [IoSliceMut<'_>],
    ) -> Result<ReadNow, LocalFault> {
        let _ = (blocks, places);
        Ok(ReadNow::WouldBlock)
    }

    /// Lets a worker read adjacent blocks of one verified piece; answered by
    /// [`StoreEvent::Read`](crate::StoreEvent::Read) with this token.
    pub fn read_later(&self, token: u64, blocks: &[Block]) {
        let _ = (token, blocks);
    }

    /// Hashes what is on disk; answered by `CheckProgress` and `CheckFinished`. Not while blocks are
    /// accepted for the same pieces. A check that still runs is cancelled first.
    pub fn check(&mut self, scope: CheckScope) {
        let _ = scope;
    }

    /// Ends a check early; it answers with what it found.
    pub fn cancel_check(&mut self) {}

    /// Takes the pieces whose files are there with the right size for verified, without hashing
    /// (`--trust`), and returns all pieces that the store now has.
    pub fn trust(&mut self) -> Bitfield {
        self.have()
    }

    /// From now on resume data are saved under this lock, within a second of each verified piece.
    pub fn keep_resume(&mut self, lock: ResumeLock) {
        let _ = lock;
    }

    /// What resume data say about traffic from the next save on. Does not cause a save.
    pub fn set_totals(&mut self, totals: Totals) {
        let _ = totals;
    }

    /// Saves resume data once everything that was handed over is written; answered by `ResumeSaved`.
    /// `is_final`: nothing is written after that, and the lock is released.
    pub fn save_resume(&mut self, is_final: bool) {
        let _ = is_final;
    }

    /// The torrent's files.
    pub const fn storage(&self) -> &Storage {
        &self.storage
    }
}
