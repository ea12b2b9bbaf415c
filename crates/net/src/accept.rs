//! The acceptor: one thread that takes incoming connections, reads just enough of each handshake to know
//! the torrent, and hands the socket to whoever owns that torrent.
//!
//! Owns the listening sockets and at most [`PENDING_MAX`] strangers, each under a deadline. It answers
//! nothing itself, so a port scan learns nothing from it.

use crate::listen::Listeners;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use piecework_types::InfoHash;
use piecework_wire::{Handshake, HandshakeStep};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Strangers whose handshake is awaited; beyond it the oldest is dropped.
pub(crate) const PENDING_MAX: usize = 256;

/// Time a stranger has to name a torrent.
const HANDSHAKE_AFTER: Duration = Duration::from_secs(10);

/// Bytes read from a stranger at once: a handshake and the first few messages.
const READ_BYTES: usize = 1024;

/// Pause after the process ran out of file descriptors.
const DESCRIPTOR_PAUSE: Duration = Duration::from_secs(1);

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
    /// All bytes read so far, from the first of the handshake.
    pub received: Vec<u8>,
}

/// The running acceptor; stops when dropped.
#[derive(Debug)]
pub struct Acceptor {
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Acceptor {
    /// Starts the thread. A connection from an address that `welcomes` refuses is closed unread; `route`
    /// is called for each arrival. Neither may block.
    ///
    /// # Errors
    /// When the system gives no poll descriptor or no thread.
    pub fn start(
        listeners: Listeners,
        welcomes: impl Fn(IpAddr) -> bool + Send + 'static,
        route: impl FnMut(Arrival) + Send + 'static,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut sockets = Vec::new();
        for (index, socket) in listeners.sockets.into_iter().enumerate() {
            let mut socket = TcpListener::from_std(socket);
            poll.registry().register(&mut socket, Token(index), Interest::READABLE)?;
            sockets.push(socket);
        }
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let stop = Arc::new(AtomicBool::new(false));
        let mut state = Loop {
            poll,
            sockets,
            strangers: BTreeMap::new(),
            next: 0,
            welcomes,
            route,
            accept_again: None,
            stop: Arc::clone(&stop),
        };
        let thread =
            std::thread::Builder::new().name("acceptor".into()).spawn(move || state.run())?;
        Ok(Self { stop, waker, thread: Some(thread) })
    }
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
    received: Vec<u8>,
    deadline: Instant,
}

struct Loop<W, F> {
    poll: Poll,
    sockets: Vec<TcpListener>,
    /// By arrival, so that the first entry is the oldest and has the nearest deadline.
    strangers: BTreeMap<usize, Stranger>,
    next: usize,
    welcomes: W,
    route: F,
    /// When to accept without an event: the system had no descriptor or memory left for a connection.
    accept_again: Option<Instant>,
    stop: Arc<AtomicBool>,
}

impl<W: Fn(IpAddr) -> bool, F: FnMut(Arrival)> Loop<W, F> {
    fn run(&mut self) {
        let mut events = Events::with_capacity(128);
        while !self.stop.load(Ordering::Acquire) {
            let deadline = self.strangers.first_key_value().map(|(_, oldest)| oldest.deadline);
            let due = deadline.into_iter().chain(self.accept_again).min();
            let wait = due.map(|at| at.saturating_duration_since(Instant::now()));
            if let Err(error) = self.poll.poll(&mut events, wait)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "acceptor stopped: no incoming connections from now on");
                return;
            }
            for event in &events {
                match event.token() {
                    WAKE => {}
                    Token(index) if index < self.sockets.len() => self.accept(index),
                    Token(id) => self.read(id),
                }
            }
            self.expire();
            if self.accept_again.is_some_and(|at| at <= Instant::now()) {
                self.accept_again = None;
                (0..self.sockets.len()).for_each(|index| self.accept(index));
            }
        }
    }

    fn accept(&mut self, index: usize) {
        loop {
            match self.sockets[index].accept() {
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

    fn admit(&mut self, mut stream: TcpStream, address: SocketAddr) {
        if self.strangers.len() >= PENDING_MAX {
            self.strangers.pop_first();
        }
        let id = self.sockets.len() + self.next;
        self.next += 1;
        let registry = self.poll.registry();
        if registry.register(&mut stream, Token(id), Interest::READABLE).is_err() {
            return;
        }
        let deadline = Instant::now() + HANDSHAKE_AFTER;
        self.strangers.insert(id, Stranger { stream, address, received: Vec::new(), deadline });
        self.read(id);
    }

    fn read(&mut self, id: usize) {
        let Some(stranger) = self.strangers.get_mut(&id) else { return };
        let mut buffer = [0; READ_BYTES];
        loop {
            match stranger.stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(got) => stranger.received.extend_from_slice(&buffer[..got]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            }
            match Handshake::decode(&stranger.received) {
                Ok(HandshakeStep::Incomplete { .. }) => {}
                Ok(HandshakeStep::InfoHash { info_hash, .. }) => {
                    return self.hand_over(id, info_hash);
                }
                Ok(HandshakeStep::Complete(handshake)) => {
                    return self.hand_over(id, handshake.info_hash);
                }
                Err(_) => break,
            }
        }
        // Closed, or not BitTorrent.
        self.strangers.remove(&id);
    }

    fn hand_over(&mut self, id: usize, info_hash: InfoHash) {
        let Some(mut stranger) = self.strangers.remove(&id) else { return };
        if self.poll.registry().deregister(&mut stranger.stream).is_err() {
            return;
        }
        let Stranger { stream, address, received, .. } = stranger;
        (self.route)(Arrival { stream, address, info_hash, received });
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
