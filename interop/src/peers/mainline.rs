//! The Rust crate mainline: an independent node of the DHT, inside this program.
//!
//! It takes part as a client alone, which answers nothing and stores nothing (BEP 43): what it finds
//! was stored by others.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mainline::async_dht::AsyncDht;
use mainline::{Dht, Id, MutableItem};
use tokio::runtime::{Builder, Runtime};

use crate::failure::{Context as _, Failure, Outcome};
use crate::netns::Host;
use crate::process::Deadline;

/// As `Cargo.toml` pins it.
pub(crate) const VERSION: &str = "8.0.1";

/// What it waits for a node that is gone.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(500);

/// A node that asks and stores.
pub(crate) struct Mainline {
    dht: AsyncDht,
    runtime: Runtime,
    deadline: Deadline,
}

impl Mainline {
    /// A node that knows `router` alone, and nothing of what another has put or got.
    pub(crate) fn start(router: SocketAddr, deadline: Deadline) -> Outcome<Self> {
        let IpAddr::V4(address) = Host::MAINLINE.v4() else {
            return Err(Failure::new("mainline speaks IPv4 alone"));
        };
        let mut builder = Dht::builder();
        builder.bootstrap(&[router]).bind_address(address).request_timeout(REQUEST_TIMEOUT);
        let dht = builder.build().context(|| "mainline does not start")?.as_async();
        let runtime =
            Builder::new_current_thread().enable_time().build().context(|| "no runtime")?;
        let node = Self { dht, runtime, deadline };
        match node.wait("joins", node.dht.bootstrapped())? {
            true => Ok(node),
            false => Err(Failure::new(format!("mainline finds no node by {router}"))),
        }
    }

    fn wait<T>(&self, what: &str, work: impl Future<Output = T>) -> Outcome<T> {
        let limited = async { tokio::time::timeout(self.deadline.left(), work).await };
        let ended = self.runtime.block_on(limited);
        ended.map_err(|_| Failure::new(format!("no sign before the deadline that mainline {what}")))
    }

    /// Stores an immutable item; hands back its name.
    pub(crate) fn put_immutable(&self, value: &[u8]) -> Outcome<Id> {
        let put = self.wait("stores an item", self.dht.put_immutable(value))?;
        put.map_err(|error| refused(&error))
    }

    /// Reads an immutable item.
    pub(crate) fn immutable(&self, name: Id) -> Outcome<Option<Vec<u8>>> {
        let got = self.wait("reads an item", self.dht.get_immutable(name))?;
        Ok(got.map(<[u8]>::into_vec))
    }

    /// Stores a mutable item, only over the version `compare` if there is one; hands back at how many
    /// nodes.
    pub(crate) fn put_mutable(&self, item: &MutableItem, compare: Option<i64>) -> Outcome<u32> {
        let put = self.wait("stores an item", self.dht.put_mutable(item.clone(), compare))?;
        put.map(|outcome| outcome.stored_at).map_err(|error| refused(&error))
    }

    /// Reads the newest version of a mutable item.
    pub(crate) fn mutable(&self, like: &MutableItem) -> Outcome<Option<MutableItem>> {
        let newest = self.dht.get_mutable_most_recent(like.key(), like.salt());
        self.wait("reads an item", newest)
    }
}

fn refused(error: &dyn Display) -> Failure {
    Failure::new(format!("mainline cannot store an item: {error}"))
}
