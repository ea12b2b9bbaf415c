//! The acceptor: one thread that takes incoming connections, reads just enough of each handshake to know
//! the torrent, and hands the socket to whoever owns that torrent.
//!
//! Owns the listening sockets and at most [`PENDING_MAX`] strangers, each under a deadline. A plaintext
//! handshake is answered by whoever owns the torrent. An encrypted one is led here up to its last part, so
//! that strangers' arithmetic stays off the shards; who cannot name a torrent sees 96 random bytes at most,
//! and a pad. Arithmetic comes last in a pass over the sockets and is done for all who have come so far,
//! which costs little more than for one. While a crowd comes there is a pause between two passes.

mod opening;

pub use opening::{AcceptRules, Answered};

use crate::listen::Listeners;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use opening::{Door, Named, Opening, Verdict};
use piecework_types::{InfoHash, Time};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::vec::Drain;

/// Strangers whose handshake is awaited; beyond it the oldest is dropped.
pub(crate) const PENDING_MAX: usize = 256;

/// Those of them whose handshake is encrypted; beyond it the oldest of these is dropped, so that plaintext
/// strangers always find room.
const PENDING_ENCRYPTED_MAX: usize = PENDING_MAX / 2;

/// Those of one address; further ones are refused. A handshake takes two round trips.
const PENDING_ENCRYPTED_EACH_MAX: usize = 16;

/// Strangers whose arithmetic is done at once: they cost no more than one where the CPU has vectors for it.
const AGREEING_FULL: usize = 8;

/// Strangers that make a crowd. Each of them would wake this thread twice for some microseconds.
const CROWD_MIN: usize = 4;

/// Pause between two looks at a crowd, so that each look finds several: far below what a network adds to the
/// two round trips of a handshake.
const CROWD_PAUSE: Duration = Duration::from_millis(2);

/// Time a stranger has to name a torrent.
const HANDSHAKE_AFTER: Duration = Duration::from_secs(10);

/// Bytes read from a stranger at once: a handshake and the first few messages.
const READ_BYTES: usize = 1024;

/// Pause after the process ran out of file descriptors.
const DESCRIPTOR_PAUSE: Duration = Duration::from_secs(1);

/// Sockets that are listened on: one a family.
const SOCKETS_MAX: usize = 2;

const WAKE: Token = Token(usize::MAX);

/// An incoming connection that named a torrent.
#[derive(Debug)]
pub struct Arrival {
    /// The socket, not registered anywhere.
    pub stream: TcpStream,
    /// Where it comes from.
    pub address: SocketAddr,
    /// The torrent it named.
    pub info_hash: InfoHash,
    /// All bytes read so far, from the first of the plaintext handshake.
    pub received: Vec<u8>,
    /// What an encrypted handshake around it left; `None` if there was none.
    pub encrypted: Option<Box<Answered>>,
}

/// Sockets to listen on from now on, on their way to the thread.
type Successors = Arc<Mutex<Option<Listeners>>>;

/// The running acceptor; stops when dropped.
#[derive(Debug)]
pub struct Acceptor {
    stop: Arc<AtomicBool>,
    successors: Successors,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Acceptor {
    /// Starts the thread. A connection from an address that `welcomes` refuses is closed unread; `route`
    /// gets those that arrive together. Neither may block.
    ///
    /// # Errors
    /// When the system gives no poll descriptor or no thread.
    pub fn start(
        listeners: Listeners,
        rules: AcceptRules,
        welcomes: impl Fn(IpAddr) -> bool + Send + 'static,
        route: impl FnMut(Drain<'_, Arrival>) + Send + 'static,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let sockets = register(poll.registry(), listeners)?;
        let successors = Successors::default();
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let stop = Arc::new(AtomicBool::new(false));
        let mut state = Loop {
            poll,
            sockets,
            successors: Arc::clone(&successors),
            strangers: BTreeMap::new(),
            agreeing: Vec::new(),
            unwatched: Vec::new(),
            arrivals: Vec::new(),
            out: Vec::new(),
            next: SOCKETS_MAX,
            welcomes,
            door: Door::new(rules),
            started: Instant::now(),
            route,
            accept_again: None,
            stop: Arc::clone(&stop),
        };
        let thread =
            std::thread::Builder::new().name("acceptor".into()).spawn(move || state.run())?;
        Ok(Self { stop, successors, waker, thread: Some(thread) })
    }

    /// Closes the sockets that it listens on and goes on with these.
    pub fn replace(&self, listeners: Listeners) {
        *self.successors.lock().unwrap_or_else(PoisonError::into_inner) = Some(listeners);
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the acceptor cannot be woken");
        }
    }
}

fn register(registry: &Registry, listeners: Listeners) -> io::Result<Vec<TcpListener>> {
    let mut sockets = Vec::new();
    for (index, socket) in listeners.sockets.into_iter().take(SOCKETS_MAX).enumerate() {
        let mut socket = TcpListener::from_std(socket);
        registry.register(&mut socket, Token(index), Interest::READABLE)?;
        sockets.push(socket);
    }
    Ok(sockets)
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // If waking fails the thread ends at its next event; nothing else can be done about it here.
        if self.waker.wake().is_ok()
            && let Some(thread) = self.thread.take()
        {
            drop(thread.join());
        }
    }
}

struct Stranger {
    stream: TcpStream,
    address: SocketAddr,
    opening: Opening,
    deadline: Instant,
    /// The poll tells when it has sent more.
    is_watched: bool,
    /// It may have sent more than was read when it began to wait for arithmetic.
    has_more: bool,
}

impl Stranger {
    const fn is_encrypted(&self) -> bool {
        matches!(self.opening, Opening::Encrypted(_))
    }

    /// Sends the answer that comes before the verdict. A socket that has sent nothing yet takes these few
    /// bytes, or something is wrong with it.
    fn answered(&mut self, verdict: Verdict, out: &[u8]) -> Verdict {
        let is_sent = out.is_empty() || self.stream.write(out).is_ok_and(|sent| sent == out.len());
        if is_sent { verdict } else { Verdict::Refuse }
    }
}

struct Loop<W, F> {
    poll: Poll,
    sockets: Vec<TcpListener>,
    successors: Successors,
    /// By arrival, so that the first entry is the oldest and has the nearest deadline.
    strangers: BTreeMap<usize, Stranger>,
    /// Those of them who wait for arithmetic. They are not read from until it is done.
    agreeing: Vec<usize>,
    /// Those of a crowd who are looked at in each pass, until a look finds nothing: most are through by then,
    /// and watching a socket costs as much as reading it thrice.
    unwatched: Vec<usize>,
    /// Those who have named a torrent in this pass.
    arrivals: Vec<Arrival>,
    /// What is sent to a stranger, to be used again for the next one.
    out: Vec<u8>,
    next: usize,
    welcomes: W,
    door: Door,
    /// The epoch of the door's time.
    started: Instant,
    route: F,
    /// When to accept without an event: the system had no descriptor or memory left for a connection.
    accept_again: Option<Instant>,
    stop: Arc<AtomicBool>,
}

impl<W: Fn(IpAddr) -> bool, F: FnMut(Drain<'_, Arrival>)> Loop<W, F> {
    fn run(&mut self) {
        let mut events = Events::with_capacity(128);
        while !self.stop.load(Ordering::Acquire) {
            if self.is_crowded() {
                std::thread::sleep(CROWD_PAUSE);
            }
            if let Err(error) = self.poll.poll(&mut events, self.wait())
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "acceptor stopped: no incoming connections from now on");
                return;
            }
            let waited = self.agreeing.len();
            for event in &events {
                match event.token() {
                    WAKE => self.succeed(),
                    Token(index) if index < SOCKETS_MAX => self.accept(index),
                    Token(id) => self.read(id, event.is_read_closed()),
                }
            }
            self.look();
            // Another look may fill the batch.
            let is_last_look = self.agreeing.len() == waited;
            let full = self.agreeing.len() / AGREEING_FULL * AGREEING_FULL;
            self.agree(if is_last_look && full == 0 { waited } else { full });
            self.hand_over();
            self.expire();
            if self.accept_again.is_some_and(|at| at <= Instant::now()) {
                self.accept_again = None;
                (0..self.sockets.len()).for_each(|index| self.accept(index));
            }
        }
    }

    /// How long nothing has to be done but for events; `None` if for ever.
    fn wait(&self) -> Option<Duration> {
        if !self.agreeing.is_empty() || !self.unwatched.is_empty() {
            return Some(Duration::ZERO);
        }
        let deadline = self.strangers.first_key_value().map(|(_, oldest)| oldest.deadline);
        let due = deadline.into_iter().chain(self.accept_again).min();
        due.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Listens where it is told to from now on.
    fn succeed(&mut self) {
        let next = self.successors.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(next) = next else { return };
        // Closing a socket takes it out of the poll as well.
        self.sockets.clear();
        match register(self.poll.registry(), next) {
            Ok(sockets) => self.sockets = sockets,
            Err(error) => tracing::error!(%error, "cannot listen: no incoming connections"),
        }
        (0..self.sockets.len()).for_each(|index| self.accept(index));
    }

    fn accept(&mut self, index: usize) {
        loop {
            let Some(socket) = self.sockets.get(index) else { return };
            match socket.accept() {
                Ok((stream, address)) if (self.welcomes)(address.ip()) => {
                    self.admit(stream, address);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_transient(&error) => {}
                Err(error) => {
                    // Out of descriptors or memory: the edge is lost, so come back on our own. Meanwhile
                    // strangers whose time is over make room.
                    tracing::warn!(%error, "cannot accept connections; is `ulimit -n` too low?");
                    self.accept_again = Some(Instant::now() + DESCRIPTOR_PAUSE);
                    return;
                }
            }
        }
    }

    fn is_crowded(&self) -> bool {
        self.strangers.len() >= CROWD_MIN
    }

    fn admit(&mut self, stream: TcpStream, address: SocketAddr) {
        if self.strangers.len() >= PENDING_MAX {
            self.strangers.pop_first();
        }
        let id = self.next;
        self.next += 1;
        let stranger = Stranger {
            stream,
            address,
            opening: Opening::Plaintext(Vec::new()),
            deadline: Instant::now() + HANDSHAKE_AFTER,
            is_watched: false,
            has_more: false,
        };
        self.strangers.insert(id, stranger);
        match self.is_crowded() {
            true => self.unwatched.push(id),
            false => self.watch(id),
        }
    }

    /// Has the poll tell what this stranger sends. What it has sent already is an event as well.
    fn watch(&mut self, id: usize) {
        let Some(stranger) = self.strangers.get_mut(&id) else { return };
        if std::mem::replace(&mut stranger.is_watched, true) {
            return;
        }
        let registry = self.poll.registry();
        if registry.register(&mut stranger.stream, Token(id), Interest::READABLE).is_err() {
            self.strangers.remove(&id);
        }
    }

    /// Reads from those who are not watched. Whoever waits for arithmetic has its turn after that.
    fn look(&mut self) {
        for id in std::mem::take(&mut self.unwatched) {
            let is_agreeing = self.strangers.get(&id).is_some_and(|it| it.opening.is_agreeing());
            if !is_agreeing {
                self.read(id, false);
            }
            if self.strangers.get(&id).is_some_and(|stranger| !stranger.is_watched) {
                self.unwatched.push(id);
            }
        }
    }

    /// Reads what the stranger has sent. Unless the stream `is_ending` a short read was the last: what comes
    /// later is another event, or there at the next look.
    fn read(&mut self, id: usize, is_ending: bool) {
        let now = Time::ZERO + self.started.elapsed();
        let Some(stranger) = self.strangers.get_mut(&id) else { return };
        if stranger.opening.is_agreeing() {
            stranger.has_more = true;
            return;
        }
        let was_encrypted = stranger.is_encrypted();
        let mut buffer = [0; READ_BYTES];
        loop {
            let got = match stranger.stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.watch(id);
                    return self.limit_encrypted(id, was_encrypted);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let from = (stranger.address.ip(), now);
            self.out.clear();
            let (door, out) = (&mut self.door, &mut self.out);
            let verdict = stranger.opening.take(&buffer[..got], from, door, out);
            match stranger.answered(verdict, out) {
                Verdict::Wait if got == READ_BYTES || is_ending => {}
                Verdict::Wait => return self.limit_encrypted(id, was_encrypted),
                Verdict::Agree => {
                    stranger.has_more = got == READ_BYTES || is_ending;
                    self.agreeing.push(id);
                    return self.limit_encrypted(id, was_encrypted);
                }
                Verdict::Named(named) => return self.arrive(id, named),
                Verdict::Refuse => break,
            }
        }
        // Closed, or not BitTorrent.
        self.strangers.remove(&id);
    }

    /// Does the arithmetic for so many who wait for it, and goes on with each.
    fn agree(&mut self, count: usize) {
        let ids: Vec<_> = self.agreeing.drain(..count).collect();
        if ids.is_empty() {
            return;
        }
        let chosen = self.strangers.iter_mut().filter(|(id, _)| ids.contains(id));
        Opening::agree_all(chosen.map(|(_, stranger)| &mut stranger.opening));
        for id in ids {
            let Some(stranger) = self.strangers.get_mut(&id) else { continue };
            self.out.clear();
            let verdict = stranger.opening.go_on(stranger.address.ip(), &self.door, &mut self.out);
            match stranger.answered(verdict, &self.out) {
                // No event tells of it again.
                Verdict::Wait | Verdict::Agree if stranger.has_more => self.read(id, true),
                Verdict::Wait | Verdict::Agree => {}
                Verdict::Named(named) => self.arrive(id, named),
                Verdict::Refuse => drop(self.strangers.remove(&id)),
            }
        }
    }

    /// Keeps to the limits after this stranger turned out to be an encrypted one.
    fn limit_encrypted(&mut self, id: usize, was_encrypted: bool) {
        let Some(stranger) = self.strangers.get(&id) else { return };
        if was_encrypted || !stranger.is_encrypted() {
            return;
        }
        let source = stranger.address.ip();
        let (mut of_source, mut of_all, mut oldest) = (0, 0, None);
        for (&id, other) in self.strangers.iter().filter(|(_, other)| other.is_encrypted()) {
            of_source += usize::from(other.address.ip() == source);
            of_all += 1;
            oldest.get_or_insert(id);
        }
        if of_source > PENDING_ENCRYPTED_EACH_MAX {
            self.strangers.remove(&id);
        } else if of_all > PENDING_ENCRYPTED_MAX
            && let Some(oldest) = oldest
        {
            self.strangers.remove(&oldest);
        }
    }

    /// The stranger has named a torrent.
    fn arrive(&mut self, id: usize, named: Named) {
        let Some(mut stranger) = self.strangers.remove(&id) else { return };
        let registry = self.poll.registry();
        if stranger.is_watched && registry.deregister(&mut stranger.stream).is_err() {
            return;
        }
        let Stranger { stream, address, .. } = stranger;
        let Named { info_hash, received, encrypted } = named;
        self.arrivals.push(Arrival { stream, address, info_hash, received, encrypted });
    }

    fn hand_over(&mut self) {
        if !self.arrivals.is_empty() {
            (self.route)(self.arrivals.drain(..));
        }
    }

    fn expire(&mut self) {
        let now = Instant::now();
        while let Some(oldest) = self.strangers.first_entry()
            && oldest.get().deadline <= now
        {
            oldest.remove();
        }
    }
}

/// Errors that concern one connection, not the listener (accept(2)).
fn is_transient(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
