//! A running chain: the machines of this crate joined to files and threads.
//!
//! Owns: the folder, the thread that seals and the one that checkpoints, and what they share. Invariant: what
//! a reader can see is durable; a block becomes visible after its frame was flushed. Must not know: JSON,
//! sockets, keys.

mod backup;
mod open;
mod read;
mod recent;
mod sealing;
mod subscribe;

use crate::block::{Block, next_base_fee};
use crate::genesis::{Genesis, Rules};
use crate::pool::{Pool, Sender, Unfit};
use crate::state::{State, StateRead as _};
use crate::store::{Batch, Store};
use crate::transaction::{Malformed, Transaction};
use alloy_primitives::B256;
pub use open::OpenError;
use piecework_types::Time;
pub use read::{
    At, BlockId, FEE_BLOCKS_MAX, FeeHistory, Found, LOGS_MAX, LogEntry, LogFilter, ReadError,
};
use recent::{Recent, Reread};
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use subscribe::Subscribers;
pub use subscribe::{Next, Subscription};

/// Transactions that one thread recovers before another is worth starting.
const RECOVER_ALONE: usize = 32;

/// Why a transaction is not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Reject {
    /// It is none of this chain.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It does not fit the state or the pool.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The chain takes none at present.
    #[error(transparent)]
    Halted(#[from] Halted),
}

/// Why the chain seals no more blocks. What was acknowledged is safe, and can still be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the chain has stopped: {cause}. Nothing acknowledged is lost. {remedy}, then start again")]
pub struct Halted {
    /// What went wrong.
    pub cause: String,
    /// What to do.
    pub remedy: String,
}

/// How a chain is doing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Status {
    /// The newest block.
    pub height: u64,
    /// The newest block that an opening would not have to replay.
    pub checkpointed: u64,
    /// Transactions that wait.
    pub waiting: usize,
    /// Why no block is sealed any more, if so.
    pub halted: Option<Halted>,
}

/// A chain whose folder this process holds. Closed when the last of its users lets go of it.
#[derive(Debug)]
pub struct Chain {
    shared: Arc<Shared>,
    sealing: Option<JoinHandle<()>>,
    checkpointing: Option<JoinHandle<()>>,
    /// Held until both threads are gone.
    _lock: File,
}

/// What the threads and all callers share. Locks are taken in the order of the fields.
#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    genesis: Genesis,
    rules: Rules,
    genesis_block: Arc<Block>,
    clock: Clock,
    pool: Mutex<Pool>,
    /// There is work in the pool, or the chain is closing.
    work: Condvar,
    state: RwLock<State>,
    recent: RwLock<Recent>,
    /// What the next checkpoint has.
    pending: Mutex<Pending>,
    /// `pending` changed, or the chain is closing.
    checkpoint: Condvar,
    store: Store,
    /// The block log, to read from.
    log: File,
    reread: Mutex<Reread>,
    subscribers: Mutex<Subscribers>,
    halted: OnceLock<Halted>,
    is_closing: AtomicBool,
}

#[derive(Debug, Default)]
struct Pending {
    batch: Batch,
    checkpointed: u64,
    /// No block will come any more.
    is_closing: bool,
}

/// Real time, for the drivers of this crate.
#[derive(Debug)]
struct Clock {
    start: Instant,
    /// Seconds that the chain's time is ahead of the machine's.
    ahead: AtomicU64,
}

impl Clock {
    fn new() -> Self {
        Self { start: Instant::now(), ahead: AtomicU64::new(0) }
    }

    fn now(&self) -> Time {
        let micros = self.start.elapsed().as_micros();
        Time::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Seconds since the UNIX epoch.
    fn unix(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| since.as_secs()).saturating_add(self.ahead.load(Ordering::Relaxed))
    }
}

impl Chain {
    /// Moves the chain's time ahead of the machine's by so many seconds more, until it is closed: for
    /// trying out what takes days.
    pub fn advance(&self, seconds: u64) {
        self.shared.clock.ahead.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Lets a transaction wait for a block. It is acknowledged when it is in one, not before.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn submit(&self, raw: &[u8]) -> Result<B256, Reject> {
        self.check_running()?;
        let transaction = Transaction::decode(raw, self.shared.rules.chain_id)?;
        self.shared.enter([transaction]).pop().unwrap_or_else(|| unreachable!("one goes in"))
    }

    /// [`Self::submit`] for many, in order, with signatures recovered on all cores.
    pub fn submit_many(&self, raw: &[impl AsRef<[u8]> + Sync]) -> Vec<Result<B256, Reject>> {
        if let Err(halted) = self.check_running() {
            return raw.iter().map(|_| Err(halted.clone().into())).collect();
        }
        let chain_id = self.shared.rules.chain_id;
        let decoded = in_parallel(raw, |raw| Transaction::decode(raw.as_ref(), chain_id));
        let good = decoded.iter().filter_map(|t| t.as_ref().ok()).cloned();
        let mut entered = self.shared.enter(good).into_iter();
        decoded
            .into_iter()
            .map(|decoded| {
                let done = decoded.map(|_| entered.next());
                done?.unwrap_or_else(|| unreachable!("each that was decoded went in"))
            })
            .collect()
    }

    /// What it was made of.
    pub fn genesis(&self) -> &Genesis {
        &self.shared.genesis
    }

    /// The hash of block 0: what clients know a chain by.
    pub fn genesis_hash(&self) -> B256 {
        self.shared.genesis_block.hash
    }

    /// What blocks are held to.
    pub fn rules(&self) -> &Rules {
        &self.shared.rules
    }

    /// How it is doing.
    pub fn status(&self) -> Status {
        let waiting = lock(&self.shared.pool).len();
        let height = self.head().number();
        let checkpointed = lock(&self.shared.pending).checkpointed;
        Status { height, checkpointed, waiting, halted: self.shared.halted.get().cloned() }
    }

    /// New blocks from now on, at most `capacity` of them unread: who reads too slowly is told and let go.
    pub fn subscribe(&self, capacity: usize) -> Subscription {
        lock(&self.shared.subscribers).add(capacity)
    }

    /// Seals what is being sealed, writes the checkpoint, and lets go of the folder.
    pub fn close(self) {
        drop(self);
    }

    fn check_running(&self) -> Result<(), Halted> {
        self.shared.halted.get().map_or(Ok(()), |halted| Err(halted.clone()))
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.shared.end_sealing();
        join(self.sealing.take());
        // Only now: the last block is part of the last checkpoint.
        lock(&self.shared.pending).is_closing = true;
        self.shared.checkpoint.notify_all();
        join(self.checkpointing.take());
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if thread.is_some_and(|thread| thread.join().is_err()) {
        tracing::error!("a thread of the chain panicked");
    }
}

impl Shared {
    /// Puts transactions into the pool and wakes who seals.
    fn enter(
        &self,
        transactions: impl IntoIterator<Item = Transaction>,
    ) -> Vec<Result<B256, Reject>> {
        let now = self.clock.now();
        let timestamp = self.clock.unix();
        let mut pool = lock(&self.pool);
        let had_work = pool.ready() > 0;
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let results = transactions
            .into_iter()
            .map(|transaction| {
                let (hash, address) = (transaction.hash(), transaction.sender());
                let account = state.account(address).ok().flatten().unwrap_or_default();
                let free_gas = self.rules.quota.left(&*state, address, timestamp).unwrap_or(0);
                pool.insert(transaction, Sender { account, free_gas }, now)?;
                Ok(hash)
            })
            .collect();
        drop(state);
        if !had_work && pool.ready() > 0 {
            self.work.notify_all();
        }
        results
    }

    fn head(&self) -> Arc<Block> {
        self.read_recent().head()
    }

    fn read_recent(&self) -> std::sync::RwLockReadGuard<'_, Recent> {
        self.recent.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_base_fee(&self, head: &Block) -> u64 {
        next_base_fee(&head.header, &self.rules)
    }

    /// A file cannot be written.
    fn halt_for_disk(&self, cause: String) {
        let remedy = format!("Look at the disk of {}: free space on it", self.folder.display());
        self.halt(Halted { cause, remedy });
    }

    fn halt(&self, halted: Halted) {
        tracing::error!(%halted, "the chain stops");
        // The first reason is the one that counts.
        let _ = self.halted.set(halted);
    }

    fn end_sealing(&self) {
        self.is_closing.store(true, Ordering::Release);
        // Who waits for work holds the pool until it waits: having had it means that they will hear.
        drop(lock(&self.pool));
        self.work.notify_all();
    }

    /// Whether no further block is to be sealed.
    fn is_over(&self) -> bool {
        self.is_closing.load(Ordering::Acquire) || self.halted.get().is_some()
    }
}

/// A lock whatever became of who held it before: what it guards is whole at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `work` for each item, in order, on as many threads as there are cores and items enough for.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(items.len() / RECOVER_ALONE).max(1);
    if threads == 1 {
        return items.iter().map(work).collect();
    }
    let share = items.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let work = &work;
        let parts: Vec<_> = items
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(work).collect::<Vec<_>>()))
            .collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

#[cfg(test)]
mod tests;
