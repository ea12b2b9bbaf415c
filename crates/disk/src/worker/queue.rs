//! What waits for a worker, and when it is due.
//!
//! Owns three lists: runs to be hashed side by side, tasks somebody waits for, and checks. Invariant:
//! a run waits at most [`LANES_WAIT_MAX`] for others, and not at all once runs of as many pieces came as
//! the hasher has lanes, when one is in a hurry, or when chunks run short. It must not know what a task
//! does. Its length is bounded by chunks in use, requests outstanding and checks under way.

use piecework_hash::{Hasher, Sha1};
use piecework_types::Bitfield;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Pending, PieceWork, ReadTask};
use crate::check::CheckStep;
use crate::drive::DriveTurn;
use crate::pool::ChunkPool;
use crate::store::StoreShared;

/// How long a run waits for others, so that they are hashed side by side.
const LANES_WAIT_MAX: Duration = Duration::from_millis(50);

/// Runs that come for each lane before too few pieces are taken to fill all lanes. A piece is one lane
/// however many of its runs wait: measured with pieces of four runs, a sixth of a leecher's CPU time.
const RUNS_PER_LANE: usize = 4;

/// Runs that one worker takes at once when the hasher has fewer lanes.
const BATCH_MIN: usize = 4;

/// Something to do that is no run.
#[derive(Debug)]
pub(crate) enum Task {
    Read(ReadTask),
    /// Write again what could not be written.
    Retry(Pending),
    /// Assume that writing works again.
    Unblock(Arc<StoreShared>),
    CreateEmpty(Arc<StoreShared>),
    SetWanted(Arc<StoreShared>, Vec<bool>),
    /// Look for the files of lost pieces.
    Look(Arc<StoreShared>),
    /// Look at the files of pieces that may have changed.
    Revisit(Arc<StoreShared>, Bitfield),
    Check(CheckStep),
}

/// What a worker does next.
#[derive(Debug)]
pub(super) enum Turn {
    /// Hash and write the steps of these pieces.
    Runs(Vec<Arc<PieceWork>>),
    /// Do this, while counted by its drive.
    Task(Task, Option<DriveTurn>),
    Quit,
}

/// The queue of all workers.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    pool: ChunkPool,
    lanes: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    runs: VecDeque<Arc<PieceWork>>,
    /// Runs that came since a batch was taken, those that joined a piece in the queue included.
    came: usize,
    /// When the first of them came.
    since: Option<Instant>,
    is_hurried: bool,
    /// Workers that have nothing to do. Nobody is woken when there are none: that is a system call.
    sleepers: usize,
    /// One of them wakes by itself when lanes have waited long enough.
    has_timer: bool,
    urgent: VecDeque<Task>,
    background: VecDeque<Task>,
    is_closed: bool,
}

impl Queue {
    pub(crate) fn new(pool: ChunkPool) -> Self {
        let lanes = Hasher::detect().lanes::<Sha1>();
        Self { waiting: Mutex::default(), changed: Condvar::new(), pool, lanes }
    }

    /// A run was handed over. `piece` is `None` if it is in the queue or with a worker already.
    pub(crate) fn push_run(&self, piece: Option<Arc<PieceWork>>, hurry: bool) {
        let mut waiting = self.lock();
        waiting.came += 1;
        waiting.runs.extend(piece);
        if waiting.runs.is_empty() {
            // It goes with its piece when that comes back.
            return;
        }
        waiting.is_hurried |= hurry;
        if waiting.since.is_none() {
            waiting.since = Some(Instant::now());
        }
        if self.are_runs_due(&waiting, None) || !waiting.has_timer {
            self.wake_one(waiting);
        }
    }

    /// Pieces that got more runs while they were with a worker come back.
    pub(super) fn push_back(&self, pieces: impl IntoIterator<Item = Arc<PieceWork>>) {
        let mut waiting = self.lock();
        waiting.runs.extend(pieces);
        if !waiting.runs.is_empty() && waiting.since.is_none() {
            waiting.since = Some(Instant::now());
        }
    }

    pub(crate) fn push_urgent(&self, task: Task) {
        let mut waiting = self.lock();
        waiting.urgent.push_back(task);
        self.wake_one(waiting);
    }

    pub(crate) fn push_background(&self, task: Task) {
        let mut waiting = self.lock();
        waiting.background.push_back(task);
        self.wake_one(waiting);
    }

    /// A drive has room for another read.
    pub(super) fn turn_ended(&self) {
        let waiting = self.lock();
        if !(waiting.urgent.is_empty() && waiting.background.is_empty()) {
            self.wake_one(waiting);
        }
    }

    /// Nothing new is taken up; workers finish what waits and quit. Checks end where they are.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        waiting.is_hurried = true;
        let checks = std::mem::take(&mut waiting.background);
        drop(waiting);
        drop(checks);
        self.changed.notify_all();
    }

    /// Waits for something to do. `prefers_runs` decides when a run and a task are both due, so that
    /// neither starves the other.
    pub(super) fn next(&self, prefers_runs: bool) -> Turn {
        let mut waiting = self.lock();
        loop {
            let now = (!waiting.runs.is_empty()).then(Instant::now);
            let runs_are_due = now.is_some() && self.are_runs_due(&waiting, now);
            if runs_are_due && (prefers_runs || self.pool.pressure()) {
                return self.take_runs(waiting);
            }
            if let Some((task, turn)) = take_task(&mut waiting.urgent) {
                self.hand_on(waiting);
                return Turn::Task(task, turn);
            }
            if runs_are_due {
                return self.take_runs(waiting);
            }
            if let Some((task, turn)) = take_task(&mut waiting.background) {
                self.hand_on(waiting);
                return Turn::Task(task, turn);
            }
            if waiting.is_closed && waiting.runs.is_empty() && waiting.urgent.is_empty() {
                return Turn::Quit;
            }
            waiting = self.sleep(waiting, now);
        }
    }

    fn sleep<'a>(
        &self,
        mut waiting: MutexGuard<'a, Waiting>,
        now: Option<Instant>,
    ) -> MutexGuard<'a, Waiting> {
        waiting.sleepers += 1;
        let (Some(now), Some(since), false) = (now, waiting.since, waiting.has_timer) else {
            let woken = self.changed.wait(waiting);
            let mut waiting = woken.unwrap_or_else(PoisonError::into_inner);
            waiting.sleepers -= 1;
            return waiting;
        };
        waiting.has_timer = true;
        let rest = (since + LANES_WAIT_MAX).saturating_duration_since(now);
        let woken = self.changed.wait_timeout(waiting, rest);
        let mut waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        waiting.has_timer = false;
        waiting.sleepers -= 1;
        waiting
    }

    /// The caller turns to a task: if runs wait for lanes, another worker has to keep the time.
    fn hand_on(&self, waiting: MutexGuard<'_, Waiting>) {
        if !waiting.runs.is_empty() && !waiting.has_timer {
            self.wake_one(waiting);
        }
    }

    fn wake_one(&self, waiting: MutexGuard<'_, Waiting>) {
        let has_sleepers = waiting.sleepers > 0;
        drop(waiting);
        if has_sleepers {
            self.changed.notify_one();
        }
    }

    fn are_runs_due(&self, waiting: &Waiting, now: Option<Instant>) -> bool {
        waiting.is_hurried
            || waiting.runs.len() >= self.lanes
            || waiting.came >= RUNS_PER_LANE * self.lanes
            || self.pool.pressure()
            || now.zip(waiting.since).is_some_and(|(now, since)| now - since >= LANES_WAIT_MAX)
    }

    fn take_runs(&self, mut waiting: MutexGuard<'_, Waiting>) -> Turn {
        let count = waiting.runs.len().min(self.lanes.max(BATCH_MIN));
        let batch = waiting.runs.drain(..count).collect();
        // What is left keeps its hurry and its age: it is taken by the next worker at once, if due.
        waiting.came = waiting.came.saturating_sub(RUNS_PER_LANE * count);
        if waiting.runs.is_empty() {
            waiting.is_hurried = waiting.is_closed;
            waiting.since = None;
            waiting.came = 0;
        } else {
            self.wake_one(waiting);
        }
        Turn::Runs(batch)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first task whose drive has room.
fn take_task(tasks: &mut VecDeque<Task>) -> Option<(Task, Option<DriveTurn>)> {
    for at in 0..tasks.len() {
        let turn = match &tasks[at] {
            Task::Read(read) => read.drive().begin_read(),
            Task::Check(step) => step.drive().begin_check(),
            Task::Retry(_)
            | Task::Unblock(_)
            | Task::CreateEmpty(_)
            | Task::SetWanted(..)
            | Task::Look(_)
            | Task::Revisit(..) => return tasks.remove(at).map(|task| (task, None)),
        };
        if turn.is_some() {
            return tasks.remove(at).map(|task| (task, turn));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{Bench, Fixture, piece};
    use piecework_metainfo::Version;

    /// A queue without workers, and pieces to put into it.
    fn queue() -> (Queue, Vec<Arc<PieceWork>>, Bench) {
        let fixture = Fixture::new(Version::V1, 16_384, &[("a", 16_384 * 64)]);
        let bench = Bench::new();
        let storage = bench.storage(&fixture);
        let have = Bitfield::new(64);
        let key = crate::TorrentKey(1);
        let store = Arc::new(StoreShared::new(&storage, bench.mailbox.sender(), key, &have));
        let works = (0..64).map(|index| Arc::new(PieceWork::new(&store, piece(index))));
        (Queue { lanes: 16, ..Queue::new(ChunkPool::new(1 << 20)) }, works.collect(), bench)
    }

    fn taken(queue: &Queue) -> usize {
        match queue.next(true) {
            Turn::Runs(pieces) => pieces.len(),
            turn => panic!("{turn:?}"),
        }
    }

    #[test]
    fn as_many_runs_as_lanes_are_taken_at_once() {
        let (queue, works, _bench) = queue();
        let start = Instant::now();
        works.iter().take(16).for_each(|work| queue.push_run(Some(Arc::clone(work)), false));
        assert_eq!(taken(&queue), 16);
        assert!(start.elapsed() < LANES_WAIT_MAX, "they did not wait");
    }

    #[test]
    fn more_runs_of_the_same_pieces_wait_for_other_pieces_but_not_for_ever() {
        let (queue, works, _bench) = queue();
        works.iter().take(4).for_each(|work| queue.push_run(Some(Arc::clone(work)), false));
        (4..63).for_each(|_| queue.push_run(None, false));
        assert!(!queue.are_runs_due(&queue.lock(), None), "four lanes of sixteen");
        queue.push_run(None, false);
        assert!(queue.are_runs_due(&queue.lock(), None));
        assert_eq!(taken(&queue), 4);
    }

    #[test]
    fn a_few_runs_wait_for_others_unless_one_is_hurried() {
        let (queue, works, _bench) = queue();
        let start = Instant::now();
        works.iter().take(3).for_each(|work| queue.push_run(Some(Arc::clone(work)), false));
        assert_eq!(taken(&queue), 3);
        assert!(start.elapsed() >= LANES_WAIT_MAX);
        queue.push_run(Some(Arc::clone(&works[3])), false);
        assert!(!queue.are_runs_due(&queue.lock(), Some(Instant::now())));
        queue.push_run(Some(Arc::clone(&works[4])), true);
        assert!(queue.are_runs_due(&queue.lock(), Some(Instant::now())));
        assert_eq!(taken(&queue), 2);
    }

    #[test]
    fn runs_and_tasks_take_turns_and_a_closed_queue_is_emptied_first() {
        let (queue, works, _bench) = queue();
        queue.push_run(Some(Arc::clone(&works[0])), true);
        queue.push_urgent(Task::Unblock(Arc::clone(&works[0].store)));
        assert!(matches!(queue.next(false), Turn::Task(Task::Unblock(_), None)));
        queue.push_urgent(Task::Unblock(Arc::clone(&works[0].store)));
        assert!(matches!(queue.next(true), Turn::Runs(_)));
        queue.close();
        assert!(matches!(queue.next(true), Turn::Task(..)));
        assert!(matches!(queue.next(true), Turn::Quit));
    }
}
