//! The node of the DHT (BEP 5): its thread, which owns the UDP sockets that uTP will share.
//!
//! Carries packets into the machine of `piecework_dht` and does what that says; the numbers in the comments
//! are those of its run loop. When to look for peers is decided by [`rounds`]. It must not know what a
//! torrent does with the peers, and private torrents never get here (BEP 27).

mod driver;
mod rounds;
mod routers;

use crate::clock::Clock;
use crate::event::TorrentKey;
use crate::shard::ShardHandle;
use driver::Driver;
use mio::{Poll, Token, Waker};
use piecework_dht::{AddressScope, MutableItem, MutableName};
use piecework_net::UdpSockets;
use piecework_types::{InfoHashes, Rng};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, SyncSender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

pub(crate) use rounds::Standing;

/// Nodes that peers have named and nobody has looked at; more are dropped.
const NODES_WAITING_MAX: usize = 256;

const WAKE: Token = Token(usize::MAX);

/// Settings of the DHT node.
#[derive(Clone, Debug)]
pub struct DhtConfig {
    /// Where to begin, as `HOST:PORT`. Asked only while hardly any node is known.
    pub routers: Vec<String>,
    /// Which addresses are talked to.
    pub scope: AddressScope,
}

impl DhtConfig {
    /// Routers of the public DHT, each kept up by another project.
    pub const ROUTERS: [&str; 4] = [
        "dht.libtorrent.org:25401",
        "router.bittorrent.com:6881",
        "router.utorrent.com:6881",
        "dht.transmissionbt.com:6881",
    ];
}

impl Default for DhtConfig {
    /// The public DHT.
    fn default() -> Self {
        Self { routers: Self::ROUTERS.map(str::to_owned).into(), scope: AddressScope::Public }
    }
}

/// What the DHT node knows, for people who want to know.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DhtStatus {
    /// Its UDP port.
    pub port: u16,
    /// Nodes of IPv4 that answer.
    pub nodes_v4: usize,
    /// Nodes of IPv6 that answer.
    pub nodes_v6: usize,
    /// How nodes in many networks see us over IPv4.
    pub external_v4: Option<IpAddr>,
    /// How nodes in many networks see us over IPv6.
    pub external_v6: Option<IpAddr>,
    /// Packets that came.
    pub packets: u64,
}

/// What a search for a mutable item has found.
#[derive(Clone, Debug)]
pub enum Found {
    /// An item, or a newer version of it. Its signature was checked.
    Item(MutableItem),
    /// The search is over; so many nodes had answered.
    Over {
        /// Nodes.
        answered: usize,
    },
}

/// What other threads ask of the node.
enum Command {
    Join {
        key: TorrentKey,
        hashes: InfoHashes,
        standing: Standing,
        announces: bool,
        shard: ShardHandle,
    },
    Stands {
        key: TorrentKey,
        standing: Standing,
    },
    Leave {
        key: TorrentKey,
    },
    Node(SocketAddr),
    Router(SocketAddr),
    /// Addresses whose names are not looked up yet.
    Names(Vec<String>),
    Find {
        name: MutableName,
        found: SyncSender<Found>,
    },
    /// The old sockets lead nowhere any more.
    Rebound(UdpSockets),
    Quit,
}

/// The way to the node from other threads.
#[derive(Clone)]
pub(crate) struct DhtHandle {
    commands: Sender<Command>,
    waker: Arc<Waker>,
    nodes_waiting: Arc<AtomicUsize>,
    status: Arc<Mutex<DhtStatus>>,
    /// UDP.
    pub(crate) port: u16,
    /// It is a network of our own, whose addresses may be local.
    pub(crate) is_local: bool,
}

impl DhtHandle {
    /// Talks through these sockets from now on.
    pub(crate) fn rebind(&self, sockets: UdpSockets) {
        self.send(Command::Rebound(sockets));
    }

    /// A torrent takes part: its peers are looked for, and it is announced if `announces`.
    pub(crate) fn join(
        &self,
        key: TorrentKey,
        hashes: InfoHashes,
        standing: Standing,
        announces: bool,
        shard: &ShardHandle,
    ) {
        self.send(Command::Join { key, hashes, standing, announces, shard: shard.clone() });
    }

    pub(crate) fn stands(&self, key: TorrentKey, standing: Standing) {
        self.send(Command::Stands { key, standing });
    }

    pub(crate) fn leave(&self, key: TorrentKey) {
        self.send(Command::Leave { key });
    }

    /// A peer says that it has a node there.
    pub(crate) fn node(&self, address: SocketAddr) {
        if self.nodes_waiting.fetch_add(1, Ordering::Relaxed) < NODES_WAITING_MAX {
            self.send(Command::Node(address));
        } else {
            self.nodes_waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Where to begin if nothing else helps, as `HOST:PORT`: what a torrent names.
    pub(crate) fn routers(&self, names: Vec<String>) {
        if !names.is_empty() {
            self.send(Command::Names(names));
        }
    }

    pub(crate) fn find(&self, name: MutableName, found: SyncSender<Found>) {
        self.send(Command::Find { name, found });
    }

    pub(crate) fn status(&self) -> DhtStatus {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            // A failed wake-up means that the thread is gone.
            drop(self.waker.wake());
        }
    }
}

/// The thread; ends when this is dropped, after it has saved what it knows.
pub(crate) struct DhtThread {
    pub(crate) handle: DhtHandle,
    thread: Option<JoinHandle<()>>,
}

/// What the thread begins with.
pub(crate) struct Beginning {
    pub(crate) config: DhtConfig,
    pub(crate) clock: Clock,
    /// Where the table is kept between runs.
    pub(crate) file: PathBuf,
    pub(crate) secret: [u8; 32],
    pub(crate) rng: Rng,
    pub(crate) shared: Arc<crate::engine::Shared>,
}

impl DhtThread {
    /// Binds the sockets and starts the thread.
    pub(crate) fn start(sockets: UdpSockets, beginning: Beginning) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (sender, commands) = channel();
        let port = sockets.port();
        let handle = DhtHandle {
            commands: sender,
            waker,
            nodes_waiting: Arc::default(),
            status: Arc::new(Mutex::new(DhtStatus { port, ..DhtStatus::default() })),
            port,
            is_local: beginning.config.scope == AddressScope::Any,
        };
        let driver = Driver::new(poll, sockets, commands, handle.clone(), beginning)?;
        let thread = std::thread::Builder::new().name("udp".into()).spawn(move || driver.run())?;
        Ok(Self { handle, thread: Some(thread) })
    }
}

impl Drop for DhtThread {
    fn drop(&mut self) {
        self.handle.send(Command::Quit);
        if let Some(thread) = self.thread.take() {
            // A panic in there was reported when it happened.
            drop(thread.join());
        }
    }
}
