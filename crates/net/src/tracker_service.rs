//! Serves a [`TrackerServer`] over HTTP and UDP, on one port number for both and for both families.
//!
//! Owns one thread with a small runtime and its sockets. Decides nothing: every request goes to the
//! machine and its answer back. What a connection may cost is bounded here, since the machine knows none:
//! how many there are, how many of one sender, how long each lasts and how much is read of it.

mod http;
mod seats;
mod sockets;
mod udp;

use crate::listen::ListenError;
use piecework_tracker::server::{Figures, ServerConfig, TrackerServer};
use piecework_types::{Rng, Time};
use sockets::Sockets;
use std::io;
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// Where a tracker listens.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TrackerPlace {
    /// Only at this address; `None` for every address of both families.
    pub ip: Option<IpAddr>,
    /// The port of both protocols; 0 for any that is free.
    pub port: u16,
}

/// A running tracker; ends when dropped.
pub struct TrackerService {
    port: u16,
    shared: Shared,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The machine and its clock.
#[derive(Clone)]
struct Shared {
    server: Arc<Mutex<TrackerServer>>,
    epoch: Instant,
}

impl Shared {
    /// A panic under the lock ends the service; what is read afterwards is figures.
    fn server(&self) -> MutexGuard<'_, TrackerServer> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

impl TrackerService {
    /// Listens and starts the thread. `secret` comes from the operating system.
    ///
    /// # Errors
    /// When the port or the address cannot be had, or the system gives no thread.
    pub fn start(
        config: ServerConfig,
        place: TrackerPlace,
        secret: [u8; 32],
    ) -> Result<Self, ListenError> {
        let Sockets { tcp, udp, port } = Sockets::bind(place)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(ListenError::NoFamily)?;
        let mut seed = [0; 8];
        seed.copy_from_slice(&secret[..8]);
        let server = TrackerServer::new(config, secret, Rng::new(u64::from_le_bytes(seed)));
        let shared = Shared { server: Arc::new(Mutex::new(server)), epoch: Instant::now() };
        let (stop, stopped) = oneshot::channel();
        let served = shared.clone();
        let thread = std::thread::Builder::new().name("tracker".into()).spawn(move || {
            let run = run(tcp, udp, served, stopped);
            if let Err(error) = LocalSet::new().block_on(&runtime, run) {
                tracing::error!(%error, "the tracker has stopped");
            }
        });
        let thread = Some(thread.map_err(ListenError::NoFamily)?);
        Ok(Self { port, shared, stop: Some(stop), thread })
    }

    /// The port of both protocols.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What there is and what has happened.
    pub fn figures(&self) -> Figures {
        self.shared.server().figures()
    }

    /// Whether it still serves; it ends by itself only by a fault of this program.
    pub fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for TrackerService {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Serves until `stopped` is dropped.
async fn run(
    tcp: Vec<TcpListener>,
    udp: Vec<UdpSocket>,
    shared: Shared,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let seats = Rc::new(seats::Seats::default());
    for listener in tcp {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::task::spawn_local(http::serve(listener, shared.clone(), Rc::clone(&seats)));
    }
    for socket in udp {
        let socket = tokio::net::UdpSocket::from_std(socket)?;
        tokio::task::spawn_local(udp::serve(socket, shared.clone()));
    }
    tokio::task::spawn_local(async move {
        loop {
            let wait = shared.server().poll_timeout().since(shared.now());
            tokio::time::sleep(wait.max(Duration::from_secs(1))).await;
            shared.server().handle_timeout(shared.now());
        }
    });
    // Dropped or used, it means the end.
    let _ = stopped.await;
    Ok(())
}
