//! A tracker for private swarms, as a machine: what it answers over HTTP and UDP, and whom it remembers.
//!
//! Owns the peers of all torrents, in memory only. Invariants: everything it holds and gives has a bound
//! ([`ServerLimits`]); nothing that comes over UDP is answered with more bytes than it had, unless its
//! sender has shown with a connection id that it receives there; a peer stands where it wrote from, or,
//! if that is a local network, where it says it is reached from outside.
//!
//! A request is answered at once, so there is no queue: [`TrackerServer::answer_http`] and
//! [`TrackerServer::answer_udp`] are in and out in one, and [`TrackerServer::poll_timeout`] says when to
//! look for peers that are gone. It must not know sockets, nor who may ask: passkeys and accounts do not
//! exist here.

mod config;
mod connection;
mod http;
mod peers;
mod roster;
mod serve;

pub use config::{Admission, INTERVAL_MAX, INTERVAL_MIN, LISTED_MAX, ServerConfig, ServerLimits};
pub use http::{HttpAnnounce, HttpQuery, QueryFault, TARGET_BYTES_MAX, decode_query};
pub use serve::{Figures, HttpAnswer, TrackerServer, UDP_ANSWER_BYTES_MAX};
