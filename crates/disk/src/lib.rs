//! Files, chunk pool, hash-and-write workers, checks and resume data.
//!
//! How bytes become verified pieces: a shard takes a [`Chunk`] from the [`ChunkPool`], receives a block
//! into it and gives both to its torrent's [`PieceStore`]. The store gathers blocks into runs and hands
//! each run over once; a worker hashes it side by side with runs of other pieces, writes it with one
//! system call while it is in cache, returns the chunks, and posts [`Completion`]s to the shard's
//! [`Mailbox`].
//!
//! It must not know peers, requests or policy: who sends what, and which piece is wanted next.

mod assembly;
mod bits;
mod check;
mod chunk;
mod create;
mod disk;
mod drive;
mod fault;
mod files;
mod keeper;
mod lanes;
mod mailbox;
mod parts;
mod pool;
mod resume;
mod storage;
mod store;
#[cfg(test)]
mod testing;
mod vectored;
mod worker;

pub use chunk::{CHUNK_BYTES, Chunk};
pub use create::{HashFilesError, hash_files};
pub use disk::{Disk, DiskConfig};
pub use fault::{Action, FaultKind, LocalFault};
pub use mailbox::{Completion, MailSender, Mailbox, StoreEvent, TorrentKey};
pub use pool::ChunkPool;
pub use resume::{
    Resume, ResumeError, ResumeLock, ResumeStore, forget_resume, listed_pieces, move_resume,
};
pub use storage::{Folder, Storage, StorageError, StorageSpec, WholeFiles};
pub use store::{CheckScope, PieceStore, ReadNow, Totals};
