//! The engine's DHT node: starting it, and what the faces may ask of it.

use super::Engine;
use crate::clock::Clock;
use crate::dht::{Beginning, DhtConfig, DhtHandle, DhtStatus, DhtThread, Found};
use piecework_dht::MutableName;
use piecework_net::UdpSockets;
use piecework_types::Rng;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

impl Engine {
    pub(super) fn start_dht(&mut self, config: DhtConfig, clock: Clock) -> io::Result<()> {
        let shared = &self.shared;
        let mut secret = [0; 32];
        for part in secret.chunks_mut(8) {
            part.copy_from_slice(&shared.random().to_ne_bytes());
        }
        let sockets = UdpSockets::bind(shared.port, &shared.network.binding)?;
        if sockets.port() != shared.port {
            tracing::warn!(
                port = sockets.port(),
                "another program has our UDP port: the DHT uses this one"
            );
        }
        let beginning = Beginning {
            config,
            clock,
            file: shared.resume.dir().join("dht"),
            secret,
            rng: Rng::new(shared.random()),
            shared: Arc::clone(shared),
        };
        let thread = DhtThread::start(sockets, beginning)?;
        // Nobody else sets it.
        let _ = shared.dht.set(thread.handle.clone());
        self.dht = Some(thread);
        Ok(())
    }

    /// What the DHT node knows; `None` without one.
    pub fn dht_status(&self) -> Option<DhtStatus> {
        self.shared.dht().map(DhtHandle::status)
    }

    /// Searches the DHT for a mutable item, such as one that points to a torrent (BEP 46). Each family ends
    /// with a [`Found::Over`]; a full channel loses what does not fit. False without a DHT node.
    pub fn find_item(&self, name: MutableName, found: SyncSender<Found>) -> bool {
        self.shared.dht().map(|dht| dht.find(name, found)).is_some()
    }
}
