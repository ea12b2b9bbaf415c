//! Threads that turn metadata into a torrent whose files may be used, for a magnet and for a torrent that
//! rested, so that no shard waits for a drive.
//!
//! Owns the jobs that wait. Invariant: at most [`THREADS_MAX`] threads, and none when nothing waits; a job
//! whose torrent is gone takes no lock. Their number is bounded by the torrents that were added. It must
//! not know peers.

use crate::config::AddTorrent;
use crate::engine::Shared;
use crate::event::{Problem, TorrentKey};
use crate::setup::{self, Prepared};
use crate::shard::{Command, ShardHandle};
use piecework_disk::ResumeLock;
use piecework_metainfo::create::{Details, torrent_file};
use piecework_metainfo::{Info, Metainfo, PieceLayers};
use piecework_types::{Blame, InfoHashes};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

/// Threads at once: a drive that hangs holds up so many torrents before others wait for it.
const THREADS_MAX: usize = 4;

/// What is made of a magnet's metadata.
pub(crate) enum Outcome {
    /// Files looked at, state locked.
    Content(Prepared),
    /// Nothing but the torrent file is wanted.
    Metadata { info: Arc<Info>, layers: Option<PieceLayers> },
    /// What an earlier run left is damaged: peers have it.
    Useless,
    /// The torrent gives up.
    Problem(Problem),
    /// Whether the state folder has all that the torrent can be made from again.
    Kept(bool),
}

/// Where the metadata is.
pub(crate) enum Metadata {
    /// An info dictionary whose hash is right.
    FromPeers(Vec<u8>),
    /// An info dictionary about which nothing is known.
    FromEarlierRun(Vec<u8>),
    /// In the state folder since the torrent lay down.
    Kept,
    /// Here: it goes to the state folder, and nothing is prepared.
    ToKeep { info: Arc<Info>, layers: Option<Arc<PieceLayers>> },
}

/// What is to be prepared, and where the outcome goes.
pub(crate) struct Job {
    pub(crate) key: TorrentKey,
    pub(crate) info_hashes: InfoHashes,
    pub(crate) spec: Arc<AddTorrent>,
    pub(crate) metadata: Metadata,
    /// Held already by a torrent that rests.
    pub(crate) lock: Option<ResumeLock>,
    /// Gone once the torrent is.
    pub(crate) torrent: Weak<()>,
    pub(crate) shard: ShardHandle,
}

/// The jobs that wait for a thread.
#[derive(Default)]
pub(crate) struct Jobs {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    threads: usize,
}

impl Jobs {
    /// Hands over a job; its torrent gets [`Command::Prepared`].
    pub(crate) fn push(shared: &Arc<Shared>, job: Job) {
        let mut state = shared.jobs.lock();
        state.waiting.push_back(job);
        if state.threads == THREADS_MAX {
            return;
        }
        state.threads += 1;
        drop(state);
        let jobs = Arc::clone(shared);
        let spawned = thread::Builder::new().name("prepare".to_owned()).spawn(move || run(&jobs));
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for a magnet's files");
            shared.jobs.thread_failed(&error);
        }
    }

    /// Others may get to it; without any the job has failed.
    fn thread_failed(&self, error: &std::io::Error) {
        let mut state = self.lock();
        state.threads -= 1;
        if state.threads > 0 {
            return;
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        let text =
            format!("cannot look at the files: {error}; check the limit on threads (ulimit -u)");
        for job in waiting {
            let problem = Problem { blame: Blame::Local, is_fatal: true, text: text.clone() };
            // The shard itself may be who called, so nobody may wait for it here.
            job.shard.offer_and_wake(Command::Prepared {
                key: job.key,
                outcome: Outcome::Problem(problem),
            });
        }
    }

    /// The next job, or the end of a thread.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        let next = state.waiting.pop_front();
        state.threads -= usize::from(next.is_none());
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(shared: &Shared) {
    while let Some(job) = shared.jobs.next() {
        let (key, shard) = (job.key, job.shard.clone());
        if let Some(outcome) = prepare(shared, job) {
            // A torrent that has gone drops it, and a lock with it.
            shard.send(Command::Prepared { key, outcome });
        }
    }
}

/// Does the job; `None` if nobody waits for it.
fn prepare(shared: &Shared, job: Job) -> Option<Outcome> {
    let Job { info_hashes, spec, metadata, lock, torrent, .. } = job;
    torrent.upgrade()?;
    let problem = |blame, text| Outcome::Problem(Problem { blame, is_fatal: true, text });
    let with_files = |info, layers| match setup::prepare(shared, &spec, None, info, layers, lock) {
        Ok(content) => Outcome::Content(content),
        Err(error) => problem(Blame::Local, error.to_string()),
    };
    let (bytes, is_kept) = match metadata {
        Metadata::FromPeers(bytes) => (bytes, false),
        Metadata::FromEarlierRun(bytes) => (bytes, true),
        Metadata::ToKeep { info, layers } => {
            let is_kept = spec.kept.is_some() || keep(shared, &info, layers.as_deref());
            return Some(Outcome::Kept(is_kept));
        }
        Metadata::Kept => {
            let kept = spec.kept.as_ref().and_then(|kept| kept());
            let kept = kept.or_else(|| shared.resume.load_torrent(&info_hashes));
            let kept = kept.and_then(|bytes| Metainfo::parse(&bytes).ok());
            return Some(match kept.filter(|kept| kept.info().hashes() == info_hashes) {
                Some(kept) => with_files(Arc::clone(kept.info()), kept.layers().cloned()),
                None => {
                    shared.resume.forget_torrent(&info_hashes);
                    Outcome::Useless
                }
            });
        }
    };
    let info = match Info::parse_wanted(bytes, &info_hashes) {
        Ok(info) => Arc::new(info),
        Err(error) if is_kept => {
            tracing::warn!(%error, "the metadata of an earlier run is of no use");
            return Some(Outcome::Useless);
        }
        Err(error) => {
            // The hash is right, so every peer would send the same bytes: nobody can help.
            let text = format!("the torrent's metadata is refused: {error}");
            return Some(problem(Blame::Peer, text));
        }
    };
    let layers = info.unknown_layers();
    if spec.is_metadata_only {
        return Some(Outcome::Metadata { info, layers });
    }
    if !is_kept && let Err(error) = shared.resume.save_info(&info_hashes, info.raw()) {
        tracing::warn!(%error, "the metadata is not kept for the next run");
    }
    torrent.upgrade()?;
    Some(with_files(info, layers))
}

/// Puts a torrent file into the state folder, unless one is there; whether that worked.
pub(crate) fn keep(shared: &Shared, info: &Info, layers: Option<&PieceLayers>) -> bool {
    if layers.is_some_and(|layers| !layers.is_complete()) {
        return false;
    }
    let bytes = || torrent_file(info, layers, &Details::default()).unwrap_or_default();
    let kept = shared.resume.keep_torrent(&info.hashes(), bytes);
    if let Err(error) = &kept {
        tracing::debug!(%error, "an idle torrent stays in memory");
    }
    kept.is_ok()
}
