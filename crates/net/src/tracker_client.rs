//! Carries announces to trackers over HTTP, HTTPS and UDP, at most 32 at a time, and scrapes likewise.
//!
//! Owns one thread with a small runtime, the sockets of the exchanges and nothing else. When to announce
//! is decided by `tracker::Schedule`, which announce goes first by `tracker::AnnounceGate`.

use crate::binding::Binding;
use piecework_tracker::{
    ANNOUNCES_IN_FLIGHT_MAX, Announce, AnnounceAnswer, AnnounceGate, GateInput, ScrapeCounts,
    Ticket, TrackerFault, TrackerIndex, TrackerUrl,
};
use piecework_types::{InfoHash, Rng};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::thread::JoinHandle;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};

mod exchange;
mod preferences;
mod ways;

pub(crate) use exchange::describe;
pub use preferences::TrackerDns;
use ways::Ways;

/// Jobs that wait for the thread to take them.
const JOBS_MAX: usize = 16 * 1024;

/// Scrapes in flight, and scrapes that wait for them.
const SCRAPES_IN_FLIGHT_MAX: usize = 32;
const SCRAPES_WAITING_MAX: usize = 1024;

/// Redirects followed.
const REDIRECTS_MAX: usize = 5;

/// Why an announce or a scrape got no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AnnounceError {
    /// The tracker answered with a fault or not as a tracker.
    #[error(transparent)]
    Tracker(#[from] TrackerFault),
    /// The way to the tracker failed.
    #[error("cannot reach the tracker: {0}")]
    Transport(String),
}

/// One announce to make.
pub struct AnnounceJob {
    /// Key of the torrent, the same for all its announces.
    pub torrent: InfoHash,
    /// Which of its trackers.
    pub tracker: TrackerIndex,
    /// Where that tracker is.
    pub url: TrackerUrl,
    /// What to say.
    pub announce: Announce,
    /// Takes the answer, on the client's thread; must not block.
    pub reply: Box<dyn FnOnce(Result<AnnounceAnswer, AnnounceError>) + Send>,
}

/// What came of a scrape: the counts in the order of the torrents, `None` for those that the tracker
/// does not mention.
pub type Scraped = Result<Vec<Option<ScrapeCounts>>, AnnounceError>;

/// One scrape to make (BEP 48, BEP 15).
pub struct ScrapeJob {
    /// Where the tracker is: its announce address.
    pub url: TrackerUrl,
    /// Of which torrents; more than [`piecework_tracker::SCRAPE_MAX`] are asked for in turns.
    pub info_hashes: Vec<InfoHash>,
    /// Takes the counts, on the client's thread; must not block.
    pub reply: Box<dyn FnOnce(Scraped) + Send>,
}

enum Job {
    Announce(Box<AnnounceJob>),
    Scrape(ScrapeJob),
}

impl Job {
    fn refuse(self) {
        let error = AnnounceError::Transport("too many announces are waiting".into());
        match self {
            Self::Announce(job) => (job.reply)(Err(error)),
            Self::Scrape(job) => (job.reply)(Err(error)),
        }
    }
}

/// The running client; ends when dropped, and with it every exchange.
pub struct TrackerClient {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl TrackerClient {
    /// Starts the thread, whose sockets are tied by `binding`. `seed` comes from the operating system: UDP
    /// transaction ids are drawn from it. `dns` is where trackers' hosts are asked for what they run
    /// (BEP 34).
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(seed: u64, binding: Binding, dns: TrackerDns) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel(JOBS_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("trackers".into()).spawn(move || {
            let client = Client::new(seed, binding, dns);
            LocalSet::new().block_on(&runtime, client.run(receiver));
            // A look-up of a name at a server that is gone would hold the end up for many seconds.
            runtime.shutdown_background();
        })?;
        Ok(Self { jobs: Some(sender), thread: Some(thread) })
    }

    /// Queues an announce. When the queue is full the reply comes at once, as an error.
    pub fn announce(&self, job: AnnounceJob) {
        self.queue(Job::Announce(Box::new(job)));
    }

    /// Queues a scrape; the same holds.
    pub fn scrape(&self, job: ScrapeJob) {
        self.queue(Job::Scrape(job));
    }

    fn queue(&self, job: Job) {
        let Some(jobs) = &self.jobs else { return };
        if let Err(refused) = jobs.try_send(job) {
            refused.into_inner().refuse();
        }
    }
}

impl Drop for TrackerClient {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

type JobKey = (InfoHash, TrackerIndex);

struct Client {
    ways: Rc<Ways>,
    gate: AnnounceGate,
    waiting: BTreeMap<JobKey, AnnounceJob>,
    /// Exchanges under way; each ends with the key of its job.
    under_way: JoinSet<JobKey>,
    aborts: BTreeMap<JobKey, tokio::task::AbortHandle>,
    waiting_scrapes: VecDeque<ScrapeJob>,
    scrapes: JoinSet<()>,
}

impl Client {
    fn new(seed: u64, binding: Binding, dns: TrackerDns) -> Self {
        Self {
            ways: Rc::new(Ways::new(Rng::new(seed), binding, dns)),
            gate: AnnounceGate::new(ANNOUNCES_IN_FLIGHT_MAX),
            waiting: BTreeMap::new(),
            under_way: JoinSet::new(),
            aborts: BTreeMap::new(),
            waiting_scrapes: VecDeque::new(),
            scrapes: JoinSet::new(),
        }
    }

    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        loop {
            tokio::select! {
                job = jobs.recv() => match job {
                    Some(Job::Announce(job)) => self.take(*job),
                    Some(Job::Scrape(job)) => self.take_scrape(job),
                    None => return,
                },
                Some(_) = self.scrapes.join_next() => {}
                Some(done) = self.under_way.join_next_with_id() => {
                    // An exchange that was superseded, in vain or not: its successor reports the pair.
                    if let Ok((id, key)) = done
                        && self.aborts.get(&key).is_some_and(|abort| abort.id() == id)
                    {
                        self.aborts.remove(&key);
                        self.gate.handle(GateInput::Done { torrent: key.0, tracker: key.1 });
                    }
                }
            }
            while let Some(ticket) = self.gate.poll() {
                self.begin(ticket);
            }
            while self.scrapes.len() < SCRAPES_IN_FLIGHT_MAX
                && let Some(job) = self.waiting_scrapes.pop_front()
            {
                self.begin_scrape(job);
            }
        }
    }

    fn take_scrape(&mut self, job: ScrapeJob) {
        if self.waiting_scrapes.len() >= SCRAPES_WAITING_MAX {
            return Job::Scrape(job).refuse();
        }
        self.waiting_scrapes.push_back(job);
    }

    fn begin_scrape(&mut self, job: ScrapeJob) {
        let ScrapeJob { url, info_hashes, reply } = job;
        let ways = Rc::clone(&self.ways);
        self.scrapes.spawn_local(async move { reply(ways.scrape(&url, &info_hashes).await) });
    }

    fn take(&mut self, job: AnnounceJob) {
        let (torrent, tracker, event) = (job.torrent, job.tracker, job.announce.event);
        self.waiting.insert((torrent, tracker), job);
        self.gate.handle(GateInput::Wanted(Ticket { torrent, tracker, event }));
    }

    fn begin(&mut self, ticket: Ticket) {
        let key = (ticket.torrent, ticket.tracker);
        let Some(AnnounceJob { url, announce, reply, .. }) = self.waiting.remove(&key) else {
            return self.gate.handle(GateInput::Done { torrent: key.0, tracker: key.1 });
        };
        if let Some(superseded) = self.aborts.remove(&key) {
            superseded.abort();
        }
        let ways = Rc::clone(&self.ways);
        let abort = self.under_way.spawn_local(async move {
            reply(ways.announce(&url, announce).await);
            key
        });
        self.aborts.insert(key, abort);
    }
}
