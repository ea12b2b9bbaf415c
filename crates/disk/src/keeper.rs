//! What has to be done now and then, away from shards and workers: resume data, flushes to the drive,
//! second tries, trimming.
//!
//! Owns two threads. Invariant: resume data never name a piece that is not written, nor call one durable
//! before a flush returned. It must not know peers or requests.

use piecework_types::{Bitfield, PieceIndex};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant};

use crate::bits::AtomicBits;
use crate::disk::{Disk, DiskConfig};
use crate::fault::{Action, FaultKind, LocalFault};
use crate::mailbox::{Completion, StoreEvent};
use crate::pool;
use crate::resume::{Record, ResumeLock};
use crate::storage::FileStamp;
use crate::store::StoreShared;
use crate::worker::{Outbox, Task};

/// How often deleted files are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The threads' handle.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    state: Mutex<State>,
    changed: Condvar,
    closed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stores: Vec<Weak<StoreShared>>,
    is_nudged: bool,
    is_closed: bool,
}

impl Keeper {
    /// Looks after this store until it is dropped.
    pub(crate) fn watch(&self, store: &Arc<StoreShared>) {
        self.lock().stores.push(Arc::downgrade(store));
    }

    /// There may be something to do.
    pub(crate) fn nudge(&self) {
        self.lock().is_nudged = true;
        self.changed.notify_one();
    }

    /// Save what is to be saved, and quit.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
        self.closed.notify_one();
    }

    /// The body of the thread that flushes. A flush can take long; saves must not wait for it.
    pub(crate) fn run_syncs(&self, interval: Duration) {
        loop {
            let state = self.lock();
            let waited = self.closed.wait_timeout_while(state, interval, |it| !it.is_closed);
            let state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.is_closed {
                return;
            }
            let stores: Vec<_> = state.stores.iter().filter_map(Weak::upgrade).collect();
            drop(state);
            stores.iter().for_each(|store| sync(store));
        }
    }

    /// The body of the thread for everything else.
    pub(crate) fn run(&self, disk: &Disk) {
        let start = Instant::now();
        let (mut trim_at, mut sweep_at) = (start + pool::IDLE_MAX, start + SWEEP_INTERVAL);
        let mut due = trim_at.min(sweep_at);
        loop {
            let (stores, is_closed) = self.wait(due);
            let now = Instant::now();
            due = trim_at.min(sweep_at);
            for store in &stores {
                due = due.min(look_after(store, now, is_closed));
            }
            if is_closed {
                return;
            }
            if trim_at <= now {
                disk.pool().trim();
                trim_at = now + pool::IDLE_MAX;
            }
            if sweep_at <= now {
                disk.files().close_deleted();
                sweep_at = now + SWEEP_INTERVAL;
            }
        }
    }

    fn wait(&self, due: Instant) -> (Vec<Arc<StoreShared>>, bool) {
        let mut state = self.lock();
        while !state.is_nudged && !state.is_closed {
            let rest = due.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                break;
            }
            let woken = self.changed.wait_timeout(state, rest);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.is_nudged = false;
        state.stores.retain(|store| store.strong_count() > 0);
        (state.stores.iter().filter_map(Weak::upgrade).collect(), state.is_closed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does what is due for a store; when to come again.
fn look_after(store: &Arc<StoreShared>, now: Instant, is_last: bool) -> Instant {
    let saving = &store.saving;
    let mut plan = saving.lock();
    let DiskConfig { retry_interval, save_interval, .. } = *store.storage.disk.config();
    let mut due = now + retry_interval;

    if !store.is_blocked() {
        plan.retry_at = None;
    } else if plan.retry_at.is_some_and(|at| at <= now) {
        if let Some(task) = store.try_again() {
            store.storage.disk.queue().push_urgent(task);
        }
        plan.retry_at = Some(now + retry_interval);
    }
    if store.is_blocked() {
        due = due.min(*plan.retry_at.get_or_insert(now + retry_interval));
    }

    if !store.losses.are_there() {
        plan.look_at = None;
    } else if plan.look_at.is_some_and(|at| at <= now) {
        if store.losses.begin_look() {
            store.storage.disk.queue().push_background(Task::Look(Arc::clone(store)));
        }
        plan.look_at = Some(now + retry_interval);
    }
    if store.losses.are_there() {
        due = due.min(*plan.look_at.get_or_insert(now + retry_interval));
    }

    let request = saving.take_request(store.is_idle() || is_last);
    let interval_is_over = plan.saved_at.is_none_or(|at| at + save_interval <= now);
    if request.count > 0 {
        let result = plan.save(store, request.is_final);
        if request.is_final && result.is_ok() {
            plan.lock = None;
        }
        for _ in 0..request.count {
            let event = StoreEvent::ResumeSaved { result: result.clone() };
            store.sender.post_one(Completion { key: store.key, event });
        }
    } else if saving.is_changed()
        && (interval_is_over || is_last)
        && let Err(fault) = plan.save(store, false)
    {
        tracing::warn!(%fault, "resume data were not saved");
    }
    if saving.is_changed() {
        due = due.min(plan.saved_at.map_or(now, |at| at + save_interval));
    }
    due
}

/// When and how the resume data of one store are saved.
#[derive(Debug)]
pub(crate) struct Saving {
    /// Pieces whose bytes were flushed.
    pub(crate) durable: AtomicBits,
    is_changed: AtomicBool,
    /// What was saved last says that files may be younger than it.
    says_running: AtomicBool,
    /// Somebody waits for a save.
    is_awaited: AtomicBool,
    request: Mutex<Request>,
    plan: Mutex<Plan>,
}

/// Saves that were asked for; one save answers all of them.
#[derive(Clone, Copy, Debug, Default)]
struct Request {
    count: u32,
    is_final: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Plan {
    lock: Option<ResumeLock>,
    saved_at: Option<Instant>,
    retry_at: Option<Instant>,
    look_at: Option<Instant>,
    stamps: Vec<Option<FileStamp>>,
}

impl Saving {
    pub(crate) fn new(piece_count: u32) -> Self {
        Self {
            durable: AtomicBits::new(&Bitfield::new(piece_count)),
            is_changed: AtomicBool::new(false),
            says_running: AtomicBool::new(false),
            is_awaited: AtomicBool::new(false),
            request: Mutex::default(),
            plan: Mutex::default(),
        }
    }

    /// Resume data are saved under this lock from now on.
    pub(crate) fn keep(&self, lock: ResumeLock) {
        for piece in lock.durable().iter() {
            self.durable.insert(piece);
        }
        self.lock().lock = Some(lock);
    }

    /// Nothing is saved any more, and the lock is let go: now, or with the store by a keeper that is in the
    /// middle of a save. A shard calls this, and a drive may hang.
    pub(crate) fn end(&self) {
        match self.plan.try_lock() {
            Ok(mut plan) => plan.lock = None,
            Err(TryLockError::Poisoned(plan)) => plan.into_inner().lock = None,
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// Whether all of these pieces are durable.
    pub(crate) fn covers(&self, pieces: &AtomicBits) -> bool {
        pieces.is_within(&self.durable)
    }

    /// True if nothing was to be saved before.
    pub(crate) fn mark_changed(&self) -> bool {
        // Read first: most calls find it set, and a store would take the line from other workers.
        !self.is_changed() && !self.is_changed.swap(true, Ordering::AcqRel)
    }

    fn is_changed(&self) -> bool {
        self.is_changed.load(Ordering::Acquire)
    }

    /// Asks for a save once nothing is with workers.
    pub(crate) fn request(&self, is_final: bool) {
        let mut request = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        request.count += 1;
        request.is_final |= is_final;
        self.is_awaited.store(true, Ordering::Release);
    }

    pub(crate) fn is_awaited(&self) -> bool {
        self.is_awaited.load(Ordering::Acquire)
    }

    fn take_request(&self, may_save: bool) -> Request {
        let mut request = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = if may_save { std::mem::take(&mut *request) } else { Request::default() };
        self.is_awaited.store(request.count > 0, Ordering::Release);
        taken
    }

    /// Called before each write; costs something only the first time.
    pub(crate) fn before_write(&self, store: &StoreShared) {
        if self.says_running.load(Ordering::Acquire) {
            return;
        }
        let mut plan = self.lock();
        if !self.says_running.load(Ordering::Acquire)
            && let Err(fault) = plan.save(store, false)
        {
            tracing::warn!(%fault, "resume data were not saved");
        }
        self.says_running.store(true, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    /// Saves what is known now. `is_final`: files will not change any more.
    fn save(&mut self, store: &StoreShared, is_final: bool) -> Result<(), LocalFault> {
        let saving = &store.saving;
        self.saved_at = Some(Instant::now());
        saving.is_changed.store(false, Ordering::Release);
        let Some(lock) = &self.lock else { return Ok(()) };
        // Pieces first, files second: a file is then at least as young as its pieces.
        let have = store.verified.snapshot();
        let unknown = store.unknown.snapshot();
        let durable = saving.durable.snapshot();
        let count = store.storage.info.files().len();
        self.stamps.resize(count, None);
        let mut taken = Vec::new();
        for (file, stamp) in self.stamps.iter_mut().enumerate() {
            if store.storage.take_dirty(file) {
                *stamp = store.storage.stamp(file);
                if stamp.is_none() && store.storage.is_taken_away(file) {
                    taken.push(file);
                }
            }
        }
        let record = Record {
            is_running: !is_final,
            have,
            unknown,
            durable,
            totals: store.totals(),
            files: &self.stamps,
            parts: store.storage.parts().stamp(),
        };
        let saved = lock.save(&record);
        report_missing(store, &taken);
        match &saved {
            Ok(()) => saving.says_running.store(!is_final, Ordering::Release),
            // Again with the next change, or with the next call that asks for it.
            Err(_) => saving.is_changed.store(true, Ordering::Release),
        }
        saved
    }
}

/// Files that were written and are not there any more.
fn report_missing(store: &StoreShared, files: &[usize]) {
    let mut outbox = Outbox::default();
    for &file in files {
        let path = store.storage.path_of(file);
        store.storage.forget_file(file);
        let fault = LocalFault::of_kind(Action::Read, path, FaultKind::Missing);
        store.file_failed(file, &fault, &mut outbox);
    }
    outbox.flush();
}

/// Flushes the files of pieces that are verified and not durable.
fn sync(store: &StoreShared) {
    let has_lock = store.saving.lock().lock.is_some();
    let verified = store.verified.snapshot();
    let pieces: Vec<PieceIndex> =
        verified.iter().filter(|piece| !store.saving.durable.contains(*piece)).collect();
    if pieces.is_empty() || !has_lock {
        return;
    }
    let layout = store.storage.info.layout();
    let segments = pieces.iter().flat_map(|&piece| layout.piece_segments(piece));
    let files: BTreeSet<usize> = segments.filter(|at| !at.is_pad).map(|at| at.file).collect();
    for file in files {
        if store.is_closed() {
            return;
        }
        if let Err(fault) = store.storage.sync(file) {
            tracing::warn!(%fault, "a file was not flushed");
            return;
        }
    }
    for piece in pieces {
        // One that was given up meanwhile is not durable.
        if store.verified.contains(piece) {
            store.saving.durable.insert(piece);
        }
    }
    store.is_changed();
}
