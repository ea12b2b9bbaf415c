//! The listener, and the runtime that everything here runs on: nothing else of this program waits for
//! strangers.

use crate::admission::Admission;
use crate::api::Api;
use crate::connection::{self, Shared};
use crate::host::Hosts;
use crate::methods;
use crate::settings::Settings;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::server::{
    BatchRequestConfig, Methods, PingConfig, ServerConfig, ServerHandle, StopHandle, stop_channel,
};
use piecework_chain::chain::Chain;
use piecework_types::{Scope, Sender};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Threads that parse, look up and answer.
const THREADS_MAX: usize = 4;
/// Threads that may wait for a disk: those that execute or search, and those that look blocks up.
const BLOCKING_THREADS_MAX: usize = 16;
/// Messages of subscriptions and answers that wait for one client.
const MESSAGES_MAX: u32 = 256;
/// Connections that are being told why they are refused; beyond it they are just closed.
const REFUSALS_MAX: usize = 64;
/// What to wait when the system has no socket left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long calls in work may take when the server stops.
const STOP_MAX: Duration = Duration::from_secs(5);

/// A server that answers for a chain, until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    runtime: Option<Runtime>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened at.
    #[error(
        "cannot listen at {address} for JSON-RPC: {error}; is another node running? Try another port"
    )]
    Listen {
        /// What was set.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// Whoever reaches it could send without end, because nothing costs anything.
    #[error(
        "transactions on this chain cost nothing, so anybody who reaches {0} could fill it: listen on \
         127.0.0.1, make a chain with a base fee, or say --open-free"
    )]
    Free(SocketAddr),
    /// A method is named twice: a bug.
    #[error("cannot serve JSON-RPC: {0}")]
    Methods(RegisterMethodError),
    /// There are no threads to be had.
    #[error("cannot start the threads for JSON-RPC: {0}")]
    Threads(io::Error),
}

impl Server {
    /// Listens, and answers for `chain`.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(chain: Arc<Chain>, settings: Settings) -> Result<Self, StartError> {
        let is_local = Scope::of(settings.listen.ip()) == Scope::Machine;
        if !is_local && chain.rules().base_fee_floor == 0 && !settings.is_free_for_all {
            return Err(StartError::Free(settings.listen));
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores().min(THREADS_MAX))
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_name("rpc")
            .enable_all()
            .build()
            .map_err(StartError::Threads)?;
        let address = settings.listen;
        let listener = runtime
            .block_on(TcpListener::bind(address))
            .map_err(|error| StartError::Listen { address, error })?;
        let address = listener.local_addr().unwrap_or(address);
        let api = Api::start(chain, &settings).map_err(StartError::Threads)?;
        let methods = methods::all(Arc::new(api)).map_err(StartError::Methods)?;
        let (stop, handle) = stop_channel();
        runtime.spawn(accept(listener, Door::new(settings, methods, stop)));
        Ok(Self { address, handle, runtime: Some(runtime) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends connections, lets the calls in work finish for some seconds, and returns then.
    pub fn stop(mut self) {
        let _ = self.handle.stop();
        if let Some(runtime) = self.runtime.take() {
            let stopped = self.handle.clone().stopped();
            let _ = runtime.block_on(async { tokio::time::timeout(STOP_MAX, stopped).await });
            runtime.shutdown_background();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.handle.stop();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Threads that run at the same time.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Connections of each address beyond this machine.
type Counts = Arc<Mutex<BTreeMap<Sender, usize>>>;

/// Who may come in.
struct Door {
    settings: Settings,
    shared: Shared,
    all: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    connections: AtomicU32,
    senders: Counts,
}

/// A place among the connections, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _of_all: OwnedSemaphorePermit,
    sender: Option<(Sender, Counts)>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((sender, senders)) = self.sender.take() else { return };
        let mut senders = senders.lock().unwrap_or_else(PoisonError::into_inner);
        let left = senders.get(&sender).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            senders.remove(&sender);
        } else {
            senders.insert(sender, left);
        }
    }
}

impl Door {
    fn new(settings: Settings, methods: Methods, stop: StopHandle) -> Self {
        let config = ServerConfig::builder()
            // Counted here, by socket; there it would be by request.
            .max_connections(u32::MAX)
            .max_request_body_size(settings.request_bytes_max)
            .max_response_body_size(settings.answer_bytes_max)
            .max_subscriptions_per_connection(settings.subscriptions_max)
            .set_batch_request_config(BatchRequestConfig::Limit(settings.batch_max))
            .set_message_buffer_capacity(MESSAGES_MAX)
            .set_id_provider(crate::id::Ids::new())
            .enable_ws_ping(PingConfig::new())
            .build();
        let shared = Shared {
            config,
            methods,
            stop,
            admission: Arc::new(Admission::new(settings.clone())),
            hosts: Arc::new(Hosts::new(&settings.hosts)),
        };
        Self {
            all: Arc::new(Semaphore::new(settings.connections_max)),
            refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
            senders: Arc::default(),
            connections: AtomicU32::new(0),
            settings,
            shared,
        }
    }

    fn enter(&self, address: IpAddr) -> Result<Place, String> {
        let (all, of_one) = (self.settings.connections_max, self.settings.sender_connections_max);
        let permit = Arc::clone(&self.all)
            .try_acquire_owned()
            .map_err(|_| format!("too many connections: this server takes {all}; try later"))?;
        if Scope::of(address) == Scope::Machine {
            return Ok(Place { _of_all: permit, sender: None });
        }
        let sender = Sender::of(address);
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let count = senders.entry(sender).or_default();
        if *count >= of_one {
            return Err(format!(
                "too many connections: one address gets {of_one}; use one of them"
            ));
        }
        *count += 1;
        drop(senders);
        Ok(Place { _of_all: permit, sender: Some((sender, Arc::clone(&self.senders))) })
    }

    fn let_in(&self, socket: TcpStream, address: SocketAddr) {
        // A socket for both families has IPv4 inside IPv6, where all of it would be one /64.
        let ip = address.ip().to_canonical();
        match self.enter(ip) {
            Ok(place) => {
                let shared = self.shared.clone();
                let id = self.connections.fetch_add(1, Relaxed);
                let from = (ip, id);
                tokio::spawn(connection::serve((socket, place), from, shared));
            }
            Err(reason) => {
                tracing::debug!(%address, reason, "refused a connection");
                if let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() {
                    tokio::spawn(async move {
                        connection::refuse(socket, &reason).await;
                        drop(permit);
                    });
                }
            }
        }
    }
}

async fn accept(listener: TcpListener, door: Door) {
    let mut stopped = std::pin::pin!(door.shared.stop.clone().shutdown());
    loop {
        tokio::select! {
            () = &mut stopped => return,
            accepted = listener.accept() => match accepted {
                Ok((socket, address)) => door.let_in(socket, address),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection for JSON-RPC");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(settings: Settings) -> Door {
        let (stop, _) = stop_channel();
        Door::new(settings, Methods::new(), stop)
    }

    #[test]
    fn one_address_gets_its_share_of_the_connections_and_this_machine_all() {
        let settings =
            Settings { connections_max: 3, sender_connections_max: 2, ..Settings::default() };
        let door = door(settings);
        let [one, other] = [1, 2].map(|last| IpAddr::from([192, 0, 2, last]));
        let local = IpAddr::from([127, 0, 0, 1]);
        let first = door.enter(one).unwrap();
        let second = door.enter(one).unwrap();
        let refused = door.enter(one).unwrap_err();
        assert!(refused.contains("one address gets 2"), "{refused}");
        let third = door.enter(other).unwrap();
        drop(first);
        let again = door.enter(one).unwrap();
        let refused = door.enter(local).unwrap_err();
        assert!(refused.contains("this server takes 3"), "{refused}");
        drop((second, third, again));
        assert!(door.enter(local).is_ok());
    }
}
