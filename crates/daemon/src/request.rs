//! What reaches the daemon's thread from others: requests of faces, and what became of jobs.

use crate::handle::Added;
use crate::shared::ending;
use crate::source::Found;
use piecework_catalog::{Command, Outcome, Record, Refusal, RefusalKind};
use piecework_node::{TorrentKey, Waker};
use piecework_types::InfoHash;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

/// Requests that wait. Each comes from somebody who waits for an answer, or from a job.
const WAITING_MAX: usize = 10_000;

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

pub(crate) enum Request {
    Command {
        command: Command,
        reply: Reply<()>,
    },
    Add {
        new: Box<NewTorrent>,
        reply: Reply<Added>,
    },
    /// Several that were read, or why not.
    AddAll {
        news: Vec<Result<Box<NewTorrent>, Refusal>>,
        reply: Reply<Vec<Result<Added, Refusal>>>,
    },
    /// Other settings.
    Set {
        changes: Vec<(String, String)>,
        reply: Reply<Vec<String>>,
    },
    AddPeers {
        id: InfoHash,
        peers: Vec<SocketAddr>,
    },
    /// What the engine calls each torrent that it has taken, or why it has not.
    Loaded(Vec<(InfoHash, Result<TorrentKey, String>)>),
    /// What became of a job about payload.
    Report {
        id: InfoHash,
        outcome: Outcome,
    },
    /// All that was to go of a removed torrent has gone, its files too or not; or why not.
    Forgotten {
        id: InfoHash,
        result: Result<bool, String>,
    },
    /// Free bytes by folder.
    FreeSpace(Vec<(String, u64)>),
    Stop,
}

/// A torrent that was read and is to be added.
pub(crate) struct NewTorrent {
    pub(crate) found: Found,
    pub(crate) record: Record,
    pub(crate) at_top: bool,
    pub(crate) peers: Vec<SocketAddr>,
}

/// The way to the daemon's thread.
pub(crate) struct Inbox {
    sender: Sender<Request>,
    waker: Waker,
    state: Arc<State>,
}

/// The other end.
pub(crate) struct Requests {
    receiver: Receiver<Request>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    waiting: AtomicUsize,
    /// The thread was woken and has not looked yet.
    is_woken: AtomicBool,
}

/// Both ends. `waker` ends the thread's wait.
pub(crate) fn inbox(waker: Waker) -> (Inbox, Requests) {
    let (sender, receiver) = channel();
    let state = Arc::<State>::default();
    (Inbox { sender, waker, state: Arc::clone(&state) }, Requests { receiver, state })
}

impl Inbox {
    /// Hands it over. What jobs report is always taken.
    ///
    /// # Errors
    /// When the daemon is ending, or too many wait.
    pub(crate) fn send(&self, request: Request) -> Result<(), Refusal> {
        let is_asked = !matches!(
            request,
            Request::Loaded(_) | Request::Report { .. } | Request::Forgotten { .. } | Request::Stop
        );
        if self.state.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX && is_asked {
            self.state.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Refusal::new(
                RefusalKind::Full,
                "too many requests wait for the daemon; try again in a moment",
            ));
        }
        if self.sender.send(request).is_err() {
            self.state.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(ending());
        }
        self.wake();
        Ok(())
    }

    /// Has the thread look around.
    pub(crate) fn wake(&self) {
        if !self.state.is_woken.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }
}

impl Requests {
    /// The thread looks: what comes from now on wakes it again. Swapped, so that what came before is seen.
    pub(crate) fn look(&self) {
        self.state.is_woken.swap(false, Ordering::AcqRel);
    }

    /// The next one, if there is one.
    pub(crate) fn next(&self) -> Option<Request> {
        let request = self.receiver.try_recv().ok()?;
        self.state.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(request)
    }
}
