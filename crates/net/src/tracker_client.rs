//! Carries announces to trackers over HTTP, HTTPS and UDP, at most 32 at a time.
//!
//! Owns one thread with a small runtime, the sockets of the exchanges and nothing else. When to announce
//! is decided by `tracker::Schedule`, which announce goes first by `tracker::AnnounceGate`.

use piecework_tracker::{
    ANNOUNCES_IN_FLIGHT_MAX, Announce, AnnounceAnswer, AnnounceGate, Event, Family, GateInput,
    Host, Scheme, Ticket, TrackerFault, TrackerIndex, TrackerUrl,
    http::{announce_url, decode_announce},
    udp::{PACKET_BYTES_MAX, UdpAnswer, UdpExchange, UdpPolicy, UdpQuery},
};
use piecework_types::{InfoHash, Rng, Time};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};

/// Longest answer read, bytes: [`piecework_tracker::PEERS_MAX`] peers as dictionaries fit well.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Jobs that wait for the thread to take them.
const JOBS_MAX: usize = 16 * 1024;

/// Time for a whole HTTP exchange, name look-up included.
const HTTP_AFTER: Duration = Duration::from_secs(30);

/// The same for the last announce of a torrent: somebody waits for the program to end.
const STOPPED_AFTER: Duration = Duration::from_secs(2);

/// Redirects followed.
const REDIRECTS_MAX: usize = 5;

/// Why an announce got no answer.
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

/// The running client; ends when dropped, and with it every exchange.
pub struct TrackerClient {
    jobs: Option<mpsc::Sender<AnnounceJob>>,
    thread: Option<JoinHandle<()>>,
}

impl TrackerClient {
    /// Starts the thread. `seed` comes from the operating system: UDP transaction ids are drawn from it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(seed: u64) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel(JOBS_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("trackers".into()).spawn(move || {
            let client = Client::new(seed);
            LocalSet::new().block_on(&runtime, client.run(receiver));
            // A look-up of a name at a server that is gone would hold the end up for many seconds.
            runtime.shutdown_background();
        })?;
        Ok(Self { jobs: Some(sender), thread: Some(thread) })
    }

    /// Queues an announce. When the queue is full the reply comes at once, as an error.
    pub fn announce(&self, job: AnnounceJob) {
        let Some(jobs) = &self.jobs else { return };
        if let Err(refused) = jobs.try_send(job) {
            let job = refused.into_inner();
            (job.reply)(Err(AnnounceError::Transport("too many announces are waiting".into())));
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
    http: Option<reqwest::Client>,
    gate: AnnounceGate,
    waiting: BTreeMap<JobKey, AnnounceJob>,
    /// Exchanges under way; each ends with the key of its job.
    under_way: JoinSet<JobKey>,
    aborts: BTreeMap<JobKey, tokio::task::AbortHandle>,
    rng: Rng,
}

impl Client {
    fn new(seed: u64) -> Self {
        Self {
            http: None,
            gate: AnnounceGate::new(ANNOUNCES_IN_FLIGHT_MAX),
            waiting: BTreeMap::new(),
            under_way: JoinSet::new(),
            aborts: BTreeMap::new(),
            rng: Rng::new(seed),
        }
    }

    async fn run(mut self, mut jobs: mpsc::Receiver<AnnounceJob>) {
        loop {
            tokio::select! {
                job = jobs.recv() => match job {
                    Some(job) => self.take(job),
                    None => return,
                },
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
        }
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
        let patience = match announce.event {
            Event::Stopped => STOPPED_AFTER,
            Event::Periodic | Event::Started | Event::Completed | Event::Paused => HTTP_AFTER,
        };
        let rng = Rng::new(self.rng.next_u64());
        let http = match url.scheme() {
            Scheme::Http | Scheme::Https => Some(self.http()),
            Scheme::Udp => None,
        };
        let abort = self.under_way.spawn_local(async move {
            let answer = match http {
                Some(Ok(client)) => over_http(&client, &url, &announce, patience).await,
                Some(Err(error)) => Err(error),
                None => over_udp(&url, announce, patience, rng).await,
            };
            reply(answer);
            key
        });
        self.aborts.insert(key, abort);
    }

    /// The HTTP client, made when the first HTTP tracker appears: it loads the system's certificates.
    fn http(&mut self) -> Result<reqwest::Client, AnnounceError> {
        if let Some(client) = &self.http {
            return Ok(client.clone());
        }
        let client = reqwest::Client::builder()
            .user_agent(concat!("Piecework/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::limited(REDIRECTS_MAX))
            // Trackers are asked once in half an hour: kept connections would only hold their sockets.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| AnnounceError::Transport(describe(&error)))?;
        self.http = Some(client.clone());
        Ok(client)
    }
}

async fn over_http(
    client: &reqwest::Client,
    url: &TrackerUrl,
    announce: &Announce,
    patience: Duration,
) -> Result<AnnounceAnswer, AnnounceError> {
    let transport = |error: reqwest::Error| AnnounceError::Transport(describe(&error));
    let request = client.get(announce_url(url, announce)).timeout(patience);
    let mut response = request.send().await.map_err(transport)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(transport)? {
        if body.len() + part.len() > ANSWER_BYTES_MAX {
            let got_bytes = body.len() + part.len();
            return Err(TrackerFault::TooLong { most_bytes: ANSWER_BYTES_MAX, got_bytes }.into());
        }
        body.extend_from_slice(&part);
    }
    // Some trackers explain a refusal in the body of a 4xx answer.
    match decode_announce(&body) {
        Err(TrackerFault::Bencode { .. }) if !status.is_success() => {
            Err(AnnounceError::Transport(format!("it answered with HTTP status {status}")))
        }
        decoded => Ok(decoded?),
    }
}

/// The error and its causes on one line, without the URL, which may hold a secret.
pub(crate) fn describe(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { String::new() };
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&next.to_string());
        cause = next.source();
    }
    if text.is_empty() { "the request could not be made".into() } else { text }
}

async fn over_udp(
    url: &TrackerUrl,
    announce: Announce,
    patience: Duration,
    rng: Rng,
) -> Result<AnnounceAnswer, AnnounceError> {
    let is_last = announce.event == Event::Stopped;
    let exchange = udp_exchange(url, announce, rng);
    if !is_last {
        return exchange.await;
    }
    match tokio::time::timeout(patience, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(AnnounceError::Transport("no answer in time".into())),
    }
}

async fn udp_exchange(
    url: &TrackerUrl,
    announce: Announce,
    rng: Rng,
) -> Result<AnnounceAnswer, AnnounceError> {
    let transport = |error: io::Error| AnnounceError::Transport(error.to_string());
    let (socket, address) = udp_socket(url).await.map_err(transport)?;
    let family = Family::of(address.ip());
    let url_data = url.path_and_query().as_bytes().to_vec();
    let query = UdpQuery::Announce { announce, url_data };
    let mut exchange = UdpExchange::new(query, family, UdpPolicy::default(), None, rng);
    let epoch = Instant::now();
    let now = || Time::from_micros(u64::try_from(epoch.elapsed().as_micros()).unwrap_or(u64::MAX));
    let mut packet = vec![0; PACKET_BYTES_MAX];
    loop {
        while let Some(bytes) = exchange.poll_transmit(now()) {
            socket.send(&bytes).await.map_err(transport)?;
        }
        match exchange.take_outcome() {
            Some(Ok(UdpAnswer::Announce(answer))) => return Ok(answer),
            Some(Ok(UdpAnswer::Scrape(_))) => {
                return Err(AnnounceError::Transport("a scrape answered an announce".into()));
            }
            Some(Err(fault)) => return Err(fault.into()),
            None => {}
        }
        let wait = exchange.poll_timeout().map_or(Duration::ZERO, |at| at.since(now()));
        match tokio::time::timeout(wait, socket.recv(&mut packet)).await {
            Ok(Ok(bytes)) => exchange.handle(&packet[..bytes], now()),
            Ok(Err(error)) => return Err(transport(error)),
            Err(_) => {}
        }
    }
}

/// A socket connected to the tracker, so that packets from elsewhere never reach us.
async fn udp_socket(url: &TrackerUrl) -> io::Result<(UdpSocket, SocketAddr)> {
    let port = url.port();
    let addresses: Vec<SocketAddr> = match url.host() {
        Host::V4(ip) => vec![(*ip, port).into()],
        Host::V6(ip) => vec![(*ip, port).into()],
        Host::Name(name) => tokio::net::lookup_host((name.as_str(), port)).await?.collect(),
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        let any: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let connected = async {
            let socket = UdpSocket::bind((any, 0)).await?;
            socket.connect(address).await?;
            io::Result::Ok(socket)
        };
        match connected.await {
            Ok(socket) => return Ok((socket, address)),
            Err(error) => last = error,
        }
    }
    Err(last)
}
