//! Fetches byte ranges from web seeds over HTTP and HTTPS (BEP 17, 19).
//!
//! Owns one thread with a small runtime, the connections to the servers and nothing else. What to fetch is
//! decided by a torrent's machine; whether a server may be asked again, too. Invariant: at most
//! [`FETCHES_MAX`] fetches run, at most [`PER_HOST_MAX`] of them at one host; the rest wait.

use crate::binding::{Binding, Place};
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::ops::DerefMut;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet};

mod answer;
mod exchange;
mod filler;
mod reach;

use exchange::Ways;

/// Fetches that wait for the thread to take them.
const JOBS_MAX: usize = 1024;
/// Fetches under way.
const FETCHES_MAX: usize = 64;
/// Connections to one host.
const PER_HOST_MAX: usize = 4;
/// Between two tries to hand over the end of a fetch.
const HAND_OVER_AGAIN: Duration = Duration::from_millis(5);

/// How a fetch came to an end before its last block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WebFault {
    /// The server asks to come back later, perhaps when.
    Busy(Option<Duration>),
    /// The way to the server or its answer broke.
    Failed(String),
    /// Nothing came for too long.
    Stalled,
    /// It will never serve this.
    Unusable(String),
}

/// Who takes what a fetch receives. Its methods are called on the client's thread and must not block.
pub trait Intake: Send + 'static {
    /// Memory for a block's payload.
    type Chunk: DerefMut<Target = [u8]> + Send;

    /// Memory for the next block, and with it the right to receive its bytes; or how long to wait for both.
    ///
    /// # Errors
    /// The wait.
    fn chunk(&mut self, bytes: u32) -> Result<Self::Chunk, Duration>;

    /// The next block is complete.
    ///
    /// # Errors
    /// The chunk comes back while nobody has room for it.
    fn block(&mut self, chunk: Self::Chunk) -> Result<(), Self::Chunk>;

    /// The fetch has failed. False while nobody has room for the news.
    fn failed(&mut self, fault: &WebFault) -> bool;
}

/// A part of what is fetched.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WebPart {
    /// So many zeros, asked of nobody.
    Zeros(u64),
    /// Bytes that a server has.
    Range(WebRange),
}

/// Bytes of one answer of a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebRange {
    /// What to ask for.
    pub url: String,
    /// Bytes of the answer that are wanted, at least 1.
    pub bytes: u64,
    /// Where they lie in the server's file; `None` if the answer must be no more than they are.
    pub of: Option<FileRange>,
}

/// A place in a server's file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileRange {
    /// The first byte.
    pub first: u64,
    /// Bytes of the whole file.
    pub file_bytes: u64,
}

/// One fetch.
pub struct WebJob<I> {
    /// What to ask for; as many bytes as the blocks have.
    pub parts: Vec<WebPart>,
    /// Bytes of each block.
    pub blocks: Vec<u32>,
    /// A person named the server: it may be in this network. One that a torrent names may not.
    pub is_trusted: bool,
    /// Takes the blocks.
    pub intake: I,
}

/// Keeps a fetch going; dropped, it ends the fetch without a word.
#[derive(Debug)]
pub struct WebFetch(oneshot::Sender<()>);

impl WebFetch {
    /// Lets the fetch come to its own end, after its last block: then its connection is kept for the next.
    pub fn finish(self) {
        // It may have ended already.
        let _ = self.0.send(());
    }
}

/// The running client; ends when dropped, and with it every fetch.
pub struct WebClient<I: Intake> {
    jobs: mpsc::Sender<(WebJob<I>, oneshot::Receiver<()>)>,
    running: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl<I: Intake> WebClient<I> {
    /// Starts the thread, whose sockets are tied by `binding`. `is_public` tells whether an address belongs
    /// to the internet at large.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(is_public: fn(IpAddr) -> bool, binding: Binding) -> io::Result<Self> {
        let (jobs, receiver) = mpsc::channel(JOBS_MAX);
        let (running, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("web seeds".into()).spawn(move || {
            LocalSet::new()
                .block_on(&runtime, run(receiver, ended, Doors::new(is_public, binding)));
            runtime.shutdown_background();
        })?;
        Ok(Self { jobs, running: Some(running), thread: Some(thread) })
    }

    /// Starts a fetch; `None` when too many wait.
    pub fn fetch(&self, job: WebJob<I>) -> Option<WebFetch> {
        let (keep, kept) = oneshot::channel();
        self.jobs.try_send((job, kept)).ok()?;
        Some(WebFetch(keep))
    }
}

impl<I: Intake> Drop for WebClient<I> {
    fn drop(&mut self) {
        self.running = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn run<I: Intake>(
    mut jobs: mpsc::Receiver<(WebJob<I>, oneshot::Receiver<()>)>,
    mut ended: oneshot::Receiver<()>,
    mut doors: Doors,
) {
    let mut under_way: JoinSet<()> = JoinSet::new();
    let mut hosts: BTreeMap<String, Arc<Semaphore>> = BTreeMap::new();
    loop {
        let has_room = under_way.len() < FETCHES_MAX;
        tokio::select! {
            _ = &mut ended => return,
            job = jobs.recv(), if has_room => {
                let Some((job, kept)) = job else { return };
                let ways = doors.ways();
                hosts.retain(|_, places| Arc::strong_count(places) > 1);
                let places = hosts.entry(host(&job.parts));
                let places = places.or_insert_with(|| Arc::new(Semaphore::new(PER_HOST_MAX)));
                under_way.spawn_local(fetch(job, kept, ways, Arc::clone(places)));
            }
            Some(_) = under_way.join_next() => {}
        }
    }
}

/// The ways to servers, as the binding has them now.
struct Doors {
    is_public: fn(IpAddr) -> bool,
    binding: Binding,
    /// Made for this place; another one needs other ways.
    ways: Option<(Option<Place>, Ways)>,
}

impl Doors {
    const fn new(is_public: fn(IpAddr) -> bool, binding: Binding) -> Self {
        Self { is_public, binding, ways: None }
    }

    /// Made when the first are needed: they load the system's certificates.
    fn ways(&mut self) -> Result<Ways, String> {
        let place = self.binding.place().map_err(|error| error.to_string())?;
        if let Some((made_for, ways)) = &self.ways
            && *made_for == place
        {
            return Ok(ways.clone());
        }
        let ways = Ways::new(self.is_public, place.as_ref())?;
        self.ways = Some((place, ways.clone()));
        Ok(ways)
    }
}

/// The host that a fetch begins at.
fn host(parts: &[WebPart]) -> String {
    let range = parts.iter().find_map(|part| match part {
        WebPart::Range(range) => reqwest::Url::parse(&range.url).ok(),
        WebPart::Zeros(_) => None,
    });
    range.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

async fn fetch<I: Intake>(
    job: WebJob<I>,
    kept: oneshot::Receiver<()>,
    ways: Result<Ways, String>,
    places: Arc<Semaphore>,
) {
    let fetch = async move {
        let WebJob { parts, blocks, is_trusted, mut intake } = job;
        // Never closed.
        let _place = places.acquire().await;
        let fetched = match ways {
            Ok(ways) => exchange::fetch(&ways, &parts, &blocks, is_trusted, &mut intake).await,
            Err(error) => Err(WebFault::Failed(error)),
        };
        if let Err(fault) = fetched {
            while !intake.failed(&fault) {
                tokio::time::sleep(HAND_OVER_AGAIN).await;
            }
        }
    };
    let mut fetch = pin!(fetch);
    tokio::select! {
        () = &mut fetch => {}
        kept = kept => if kept.is_ok() {
            fetch.await;
        }
    }
}
