//! The threads and memory that all torrents of a node share.
//!
//! Owns the workers and the keeper. Invariant: after [`Disk::shutdown`] no thread of ours runs; after
//! [`Disk::shutdown_within`] none but those that a drive holds. It must not know torrents.

use std::fmt;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::drive::Drives;
use crate::files::FileCache;
use crate::keeper::Keeper;
use crate::mailbox::Mailbox;
use crate::pool::ChunkPool;
use crate::worker::{Queue, work};

/// Between two looks at threads that are to end: they cannot be waited for with a limit.
const END_POLL: Duration = Duration::from_millis(1);

/// How much of the machine the disk side may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DiskConfig {
    /// Threads that hash, write and read; 0 for one a core.
    pub workers: usize,
    /// Bytes of chunks that received payload may take: what came and is not written.
    pub chunk_bytes_max: usize,
    /// File handles kept open at most, over all torrents.
    pub open_files_max: usize,
    /// How long a storage that cannot be written is left alone.
    pub retry_interval: Duration,
    /// Least time between two saves of one torrent's resume data: the default and the time that a save
    /// takes make a kill cost less than a second.
    pub save_interval: Duration,
    /// How often verified pieces are flushed to the drive, which makes them durable. Within the default
    /// of 30 s the kernel has written nearly all of them on its own, so that a flush neither costs us
    /// its work nor stops others. What it delays is only how much is checked again after a power cut.
    pub sync_interval: Duration,
}

impl Default for DiskConfig {
    fn default() -> Self {
        Self {
            workers: 0,
            chunk_bytes_max: 64 << 20,
            open_files_max: 512,
            retry_interval: Duration::from_secs(5),
            save_interval: Duration::from_millis(800),
            sync_interval: Duration::from_secs(30),
        }
    }
}

/// The disk side of a node: chunk pool, workers and file handles. Cloning gives another handle.
#[derive(Clone)]
pub struct Disk {
    shared: Arc<Shared>,
}

struct Shared {
    pool: ChunkPool,
    files: FileCache,
    drives: Drives,
    queue: Queue,
    keeper: Keeper,
    config: DiskConfig,
    worker_count: usize,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    workers: Vec<JoinHandle<()>>,
    keepers: Vec<JoinHandle<()>>,
}

impl Disk {
    /// Starts the threads. They run until [`Self::shutdown`].
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(config: DiskConfig) -> io::Result<Self> {
        let pool = ChunkPool::new(config.chunk_bytes_max);
        let worker_count = core_count(config.workers);
        let shared = Shared {
            files: FileCache::new(config.open_files_max),
            drives: Drives::default(),
            queue: Queue::new(pool.clone()),
            keeper: Keeper::default(),
            config,
            worker_count,
            threads: Mutex::default(),
            pool,
        };
        let disk = Self { shared: Arc::new(shared) };
        let started = disk.start_threads();
        if started.is_err() {
            disk.shutdown();
        }
        started.map(|()| disk)
    }

    fn start_threads(&self) -> io::Result<()> {
        let spawn = |name: String, body: fn(&Self)| {
            let disk = self.clone();
            thread::Builder::new().name(name).spawn(move || body(&disk))
        };
        let mut threads = self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for index in 0..self.shared.worker_count {
            threads.workers.push(spawn(format!("worker-{index}"), work)?);
        }
        threads.keepers.push(spawn("keeper".to_owned(), |disk| disk.keeper().run(disk))?);
        threads.keepers.push(spawn("sync".to_owned(), |disk| {
            disk.keeper().run_syncs(disk.config().sync_interval);
        })?);
        Ok(())
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

    /// Finishes what was handed over, saves resume data, and ends the threads. What is asked of stores
    /// afterwards is never answered.
    pub fn shutdown(&self) {
        let threads = self.take_threads();
        // First the workers, so that the last resume data have everything.
        self.queue().close();
        join(threads.workers);
        self.keeper().close();
        join(threads.keepers);
    }

    /// As [`Self::shutdown`], but waits no longer than this: threads that a drive holds are left to
    /// themselves, and die with the process. False if there are any.
    pub fn shutdown_within(&self, patience: Duration) -> bool {
        let start = Instant::now();
        let threads = self.take_threads();
        self.queue().close();
        // Half, because resume data may lie on another drive than the one that holds a worker.
        let have_ended = join_until(threads.workers, start + patience / 2);
        self.keeper().close();
        join_until(threads.keepers, start + patience) && have_ended
    }

    fn take_threads(&self) -> Threads {
        let mut threads = self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut *threads)
    }

    pub(crate) fn files(&self) -> &FileCache {
        &self.shared.files
    }

    pub(crate) fn drives(&self) -> &Drives {
        &self.shared.drives
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.shared.queue
    }

    pub(crate) fn keeper(&self) -> &Keeper {
        &self.shared.keeper
    }

    pub(crate) fn config(&self) -> &DiskConfig {
        &self.shared.config
    }

    pub(crate) fn worker_count(&self) -> usize {
        self.shared.worker_count
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("workers", &self.shared.worker_count).finish_non_exhaustive()
    }
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a thread of the disk side ended by a panic");
        }
    }
}

/// Joins those that end in time.
fn join_until(threads: Vec<JoinHandle<()>>, deadline: Instant) -> bool {
    while !threads.iter().all(JoinHandle::is_finished) {
        if Instant::now() >= deadline {
            tracing::warn!("a drive does not answer, and a thread is left behind");
            return false;
        }
        thread::sleep(END_POLL);
    }
    join(threads);
    true
}

/// As many threads as asked for, or as cores.
pub(crate) fn core_count(asked: usize) -> usize {
    match asked {
        0 => thread::available_parallelism().map_or(1, usize::from),
        _ => asked,
    }
}
