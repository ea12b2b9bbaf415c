//! Threads for what would hold the daemon's thread up: parsing, files, web servers.
//!
//! Owns six kinds of work, each with its own threads, so that a move of an hour or ten thousand
//! torrents of a start hold nobody else up. Invariant: a thread ends when nothing waits for it. What
//! waits is bounded by who hands it over: one job a torrent, or a caller that waits.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Threads that load torrents at most: a hanging drive holds up so many before others wait for it.
const LOADS_MAX: usize = 4;
/// Threads for what somebody waits for.
const ASKED_MAX: usize = 4;
/// Threads that wait for web servers: one that dawdles holds up nobody who asks for something else.
const FETCHES_MAX: usize = 4;
/// Threads that ask the wallet's chain for somebody who waits.
const WALLET_MAX: usize = 2;
/// Orders of the wallet are carried out one after the other: their transactions are numbered.
const MONEY_MAX: usize = 1;
/// Threads that move and delete payload: drives are no faster with more.
const PAYLOAD_MAX: usize = 2;

type Job = Box<dyn FnOnce() + Send>;

/// All six kinds.
pub(crate) struct Jobs {
    pub(crate) loads: Pool,
    pub(crate) asked: Pool,
    pub(crate) fetches: Pool,
    pub(crate) payload: Pool,
    pub(crate) wallet: Pool,
    pub(crate) money: Pool,
    /// Set when the daemon ends.
    pub(crate) cancel: Arc<AtomicBool>,
}

impl Jobs {
    pub(crate) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            loads: Pool::new("load", cores.min(LOADS_MAX)),
            asked: Pool::new("ask", ASKED_MAX),
            fetches: Pool::new("fetch", FETCHES_MAX),
            payload: Pool::new("payload", PAYLOAD_MAX),
            wallet: Pool::new("wallet", WALLET_MAX),
            money: Pool::new("money", MONEY_MAX),
            cancel: Arc::default(),
        }
    }

    fn all(&self) -> [&Pool; 6] {
        [&self.loads, &self.asked, &self.fetches, &self.payload, &self.wallet, &self.money]
    }

    /// Ends what can be ended, drops what waits, and waits for the rest until the deadline.
    pub(crate) fn stop(&self, deadline: Instant) {
        self.cancel.store(true, Ordering::Relaxed);
        for pool in self.all() {
            pool.stop(deadline);
        }
    }
}

/// One kind of work. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    name: &'static str,
    threads_max: usize,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    threads: usize,
    is_stopped: bool,
}

impl Pool {
    fn new(name: &'static str, threads_max: usize) -> Self {
        let (state, ended) = (Mutex::default(), Condvar::new());
        Self { shared: Arc::new(Shared { name, threads_max, state, ended }) }
    }

    /// How many of so many each thread gets, if all are to have some.
    pub(crate) fn share_of(&self, count: usize) -> usize {
        count.div_ceil(self.shared.threads_max).max(1)
    }

    /// Does it soon. After a stop it is dropped.
    pub(crate) fn push(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.shared.lock();
        if state.is_stopped {
            return;
        }
        state.waiting.push_back(Box::new(job));
        if state.threads == self.shared.threads_max {
            return;
        }
        state.threads += 1;
        let shared = Arc::clone(&self.shared);
        let spawned =
            thread::Builder::new().name(self.shared.name.to_owned()).spawn(move || shared.run());
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for what waits; check the limit on threads (ulimit -u)");
            state.threads -= 1;
            if state.threads == 0 {
                // Nobody would ever come to it. Whoever waits for it sees that it was dropped.
                let waiting = std::mem::take(&mut state.waiting);
                drop(state);
                drop(waiting);
            }
        }
    }

    /// Does it soon, for somebody who waits. An error means that it was dropped.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (reply, answer) = oneshot::channel();
        self.push(move || drop(reply.send(job())));
        answer
    }

    fn stop(&self, deadline: Instant) {
        let mut state = self.shared.lock();
        state.is_stopped = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
        let mut state = self.shared.lock();
        while state.threads > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.ended.wait_timeout(state, left.min(Duration::from_secs(1)));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn run(&self) {
        while let Some(job) = self.next() {
            // Whoever waits for it sees that it was dropped; the text of the panic is in the log.
            drop(catch_unwind(AssertUnwindSafe(job)));
        }
    }

    /// The next job, or the end of a thread.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        let next = state.waiting.pop_front();
        if next.is_none() {
            state.threads -= 1;
            self.ended.notify_all();
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
