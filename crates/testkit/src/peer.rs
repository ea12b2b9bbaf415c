//! A peer that does what it is told, on a loopback port that the system chooses.
//!
//! Owns the listening thread and one thread a connection; all are joined on drop. What a connection
//! does is the business of its session: [`session`] behaves, [`attack`] does not.

mod attack;
mod session;

use crate::fixture::Fixture;
use crate::patience::{PATIENCE, Watched};
use crate::stream::{PeerStream, StreamError};
use piecework_types::{Bitfield, PeerId, PieceIndex};
use piecework_wire::Request;
use session::Session;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Connections over the life of a fake peer; more would mean that somebody dials in a loop.
const CONNECTIONS_MAX: usize = 1000;

/// How a fake peer behaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Behaviour {
    /// Serves what it has to everybody.
    Honest,
    /// Serves blocks with an inverted byte.
    CorruptBlocks,
    /// Says that it has everything, unchokes, and answers no request.
    FalseBitfield,
    /// Says that it has everything and rejects each request (BEP 6).
    RejectsAll,
    /// Has everything and unchokes nobody.
    NeverUnchokes,
    /// Asks for millions of blocks.
    FloodsRequests,
    /// Says a hundred thousand times that it has a piece.
    FloodsHaves,
    /// Sends a handshake at one byte a second.
    SlowHandshake,
    /// Accepts connections and says nothing.
    Silent,
    /// Sends noise instead of a handshake.
    NoiseFirst,
    /// Sends noise behind a proper handshake.
    NoiseLater,
    /// Announces frames of gigabytes.
    OversizeFrame,
    /// Sends blocks that nobody asked for.
    UnaskedBlocks,
    /// Names pieces and spans that do not exist.
    OutOfRange,
    /// Answers with another info-hash.
    OtherInfoHash,
    /// Sends metadata with the wrong hash (BEP 9).
    FalseMetadata,
    /// Claims metadata of 64 MiB and sends none of it.
    HugeMetadata,
    /// Closes the connection behind each third block, in the middle of a fourth.
    ClosesOften,
}

impl Behaviour {
    /// Everything but good behaviour.
    pub const BYZANTINE: [Self; 17] = [
        Self::CorruptBlocks,
        Self::FalseBitfield,
        Self::RejectsAll,
        Self::NeverUnchokes,
        Self::FloodsRequests,
        Self::FloodsHaves,
        Self::SlowHandshake,
        Self::Silent,
        Self::NoiseFirst,
        Self::NoiseLater,
        Self::OversizeFrame,
        Self::UnaskedBlocks,
        Self::OutOfRange,
        Self::OtherInfoHash,
        Self::FalseMetadata,
        Self::HugeMetadata,
        Self::ClosesOften,
    ];
}

/// What has happened at a fake peer.
#[derive(Clone, Debug, Default)]
pub struct PeerStats {
    /// Connections that were opened, in either direction.
    pub connections: usize,
    /// Connections that have ended.
    pub ended: usize,
    /// Handshakes that came.
    pub handshakes: usize,
    /// Payload bytes sent.
    pub served_bytes: u64,
    /// Every request that came, in order.
    pub requests: Vec<Request>,
    /// Requests that are being held back, see [`FakePeerBuilder::hold_after`].
    pub held: usize,
    /// Blocks of metadata that were asked for (BEP 9).
    pub metadata_requests: usize,
    /// Times that the bad side of a behaviour came out: a wrong block, a flood, an end.
    pub misdeeds: usize,
    /// Pieces that the other side says it has, over all connections.
    pub haves: usize,
}

impl PeerStats {
    /// The pieces that were asked for, ascending and once each.
    pub fn pieces_asked(&self) -> Vec<u32> {
        let mut pieces: Vec<u32> = self.requests.iter().map(|request| request.piece).collect();
        pieces.sort_unstable();
        pieces.dedup();
        pieces
    }
}

/// Describes a fake peer.
#[derive(Clone, Debug)]
pub struct FakePeerBuilder {
    fixture: Fixture,
    behaviour: Behaviour,
    pieces: Bitfield,
    hold_after: Option<u64>,
    holds_metadata: bool,
}

impl FakePeerBuilder {
    /// Has these pieces only.
    #[must_use]
    pub fn pieces(mut self, pieces: impl IntoIterator<Item = u32>) -> Self {
        self.pieces = Bitfield::new(self.fixture.grid().piece_count());
        for piece in pieces {
            self.pieces.insert(PieceIndex::trusted(piece));
        }
        self
    }

    /// Keeps requests unanswered once it has served so many bytes, until [`FakePeer::release`].
    #[must_use]
    pub const fn hold_after(mut self, bytes: u64) -> Self {
        self.hold_after = Some(bytes);
        self
    }

    /// Does not say that it has metadata until [`FakePeer::release`].
    #[must_use]
    pub const fn hold_metadata(mut self) -> Self {
        self.holds_metadata = true;
        self
    }

    /// Starts to listen.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub fn start(self) -> FakePeer {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let mut peer_id = PeerId(*b"-TK0001-fake-peer---");
        // Two peers must differ, or an engine takes them for one.
        peer_id.0[16..].copy_from_slice(format!("{:04x}", address.port()).as_bytes());
        let shared = Arc::new(Shared {
            fixture: self.fixture,
            behaviour: self.behaviour,
            pieces: self.pieces,
            peer_id,
            address,
            state: Watched::new(State {
                hold_after: self.hold_after,
                holds_metadata: self.holds_metadata,
                ..State::default()
            }),
        });
        let accepting = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || accepting.accept(&listener));
        FakePeer { shared, acceptor: Some(acceptor) }
    }
}

#[derive(Debug, Default)]
struct State {
    stats: PeerStats,
    hold_after: Option<u64>,
    holds_metadata: bool,
    is_over: bool,
    sockets: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads of a fake peer share.
#[derive(Debug)]
struct Shared {
    fixture: Fixture,
    behaviour: Behaviour,
    pieces: Bitfield,
    peer_id: PeerId,
    address: SocketAddr,
    state: Watched<State>,
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        while let Ok((socket, _)) = listener.accept() {
            if self.state.look(|state| state.is_over) {
                return;
            }
            // A socket that the other side has closed already is no reason to stop.
            drop(PeerStream::new(socket).and_then(|stream| self.serve(stream, false)));
        }
    }

    /// Runs a session in a thread of its own.
    fn serve(self: &Arc<Self>, stream: PeerStream, is_outgoing: bool) -> io::Result<()> {
        let handle = stream.handle()?;
        let shared = Arc::clone(self);
        self.state.change(|state| {
            if state.is_over || state.stats.connections == CONNECTIONS_MAX {
                return;
            }
            state.stats.connections += 1;
            state.sockets.push(handle);
            state.threads.push(std::thread::spawn(move || {
                let state = shared.state.clone();
                // That a connection ends is what most behaviours are about.
                drop(Session::new(shared, stream, is_outgoing).run());
                state.change(|state| state.stats.ended += 1);
            }));
        });
        Ok(())
    }
}

/// A peer under the test's control. Closes its connections and joins its threads on drop.
#[derive(Debug)]
pub struct FakePeer {
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl FakePeer {
    /// A peer with every piece and this behaviour.
    pub fn builder(fixture: &Fixture, behaviour: Behaviour) -> FakePeerBuilder {
        let pieces = Bitfield::full(fixture.grid().piece_count());
        FakePeerBuilder {
            fixture: fixture.clone(),
            behaviour,
            pieces,
            hold_after: None,
            holds_metadata: false,
        }
    }

    /// An honest peer with every piece.
    pub fn seed(fixture: &Fixture) -> Self {
        Self::builder(fixture, Behaviour::Honest).start()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Opens a connection to another peer and behaves there.
    ///
    /// # Errors
    /// When nobody listens at `address`.
    pub fn dial(&self, address: SocketAddr) -> Result<(), StreamError> {
        Ok(self.shared.serve(PeerStream::connect(address)?, true)?)
    }

    /// Answers what was held back, and from now on everything.
    pub fn release(&self) {
        self.shared.state.change(|state| {
            state.hold_after = None;
            state.holds_metadata = false;
        });
    }

    /// What has happened so far.
    pub fn stats(&self) -> PeerStats {
        self.shared.state.look(|state| state.stats.clone())
    }

    /// Waits until `ready` likes what has happened.
    ///
    /// # Panics
    /// After [`PATIENCE`], with `what` and what has happened.
    pub fn wait(&self, what: &str, ready: impl Fn(&PeerStats) -> bool) -> PeerStats {
        let found = self
            .shared
            .state
            .wait(PATIENCE, |state| ready(&state.stats).then(|| state.stats.clone()));
        found.unwrap_or_else(|| {
            let stats = PeerStats { requests: Vec::new(), ..self.stats() };
            panic!("waited in vain for {what} at {:?}: {stats:?}", self.shared.behaviour)
        })
    }
}

impl Drop for FakePeer {
    fn drop(&mut self) {
        let (sockets, threads) = self.shared.state.change(|state| {
            state.is_over = true;
            (std::mem::take(&mut state.sockets), std::mem::take(&mut state.threads))
        });
        for socket in sockets {
            // It may have been closed by the other side.
            drop(socket.shutdown(Shutdown::Both));
        }
        // Wakes the thread that accepts.
        drop(TcpStream::connect_timeout(&self.shared.address, PATIENCE));
        for thread in threads.into_iter().chain(self.acceptor.take()) {
            // A panic there has been printed; a second one here would abort the test.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests;
