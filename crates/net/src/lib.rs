//! Sockets: listening, accepting, receiving into chunks, sending framed payload, asking trackers,
//! fetching from web seeds.
//!
//! Start with [`Acceptor`] for how a connection comes in, [`Receiver`] and [`Sender`] for its two halves,
//! [`TrackerClient`] and [`TrackerService`] for announces and scrapes, [`WebClient`] for fetches,
//! [`LocalDiscovery`] for peers on the same network. The poll loop itself is the shard's, in `node`.
//!
//! This crate must not know torrents, pieces' owners, files or policy: it moves bytes and says what came.

mod accept;
mod binding;
mod fetch;
mod frame;
mod gateway;
mod interfaces;
mod listen;
mod local;
mod receive;
mod send;
mod tracker_client;
mod tracker_service;
mod udp;
mod watch;
mod web_client;

pub use accept::{AcceptRules, Acceptor, Answered, Arrival};
pub use binding::{Binding, BindingError, Place};
pub use fetch::{Cookie, FetchError, Validators, fetch, fetch_as, fetch_newer};
pub use frame::{FRAME_BLOCKS_MAX, FRAME_BYTES_MAX, FrameBuffer, FramePool};
pub use gateway::{EXCHANGE_AFTER, site, try_method};
pub use interfaces::{DefaultRoute, Interface, default_route, has_default_route_v6, interfaces};
pub use listen::{DEFAULT_PORTS, ListenError, Listeners, PortChoice};
pub use local::{LocalDiscovery, LocalHandle, Reach};
pub use receive::{ReceiveError, Received, Receiver, SCRATCH_BYTES, Sink};
pub use send::{Flushed, ReadToken, Sender};
pub use tracker_client::{
    AnnounceError, AnnounceJob, ScrapeJob, Scraped, TrackerClient, TrackerDns,
};
pub use tracker_service::{TrackerPlace, TrackerService};
pub use udp::UdpSockets;
pub use watch::{Watch, WatchRules, WayOut};
pub use web_client::{FileRange, Intake, WebClient, WebFault, WebFetch, WebJob, WebPart, WebRange};
