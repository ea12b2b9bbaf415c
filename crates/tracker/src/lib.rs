//! Trackers: what to send them, what their answers mean, and when to announce.
//!
//! Specifications: BEP 3 and 23 (HTTP), 7 (IPv6), 12 (tiers), 15 and 41 (UDP), 24 (external address),
//! 31 (retry in), 34 (what a host prefers), 48 (scrape), 14 (local networks).
//!
//! Everything here is a codec or a machine: it makes URLs and packets and reads bodies and packets, and
//! the driver moves them. [`server`] is the other side, a tracker for private swarms. The crate must not
//! know sockets, HTTP clients, a clock or the operating system's randomness. Answers are hostile until
//! decoded: every list in them is cut at a limit.
//!
//! The run loop of [`Schedule`], of [`AnnounceGate`] and of [`udp::UdpExchange`] is the same:
//! 1. give it what happened: `handle(input, now)`;
//! 2. take what it wants: `poll()` until `None`;
//! 3. sleep until `poll_timeout()`, then `handle` the timeout and go to 2.

mod announce;
mod compact;
mod fault;
mod gate;
pub mod http;
pub mod local;
mod preference;
mod schedule;
pub mod server;
mod txt;
pub mod udp;
mod url;

pub use announce::{
    Announce, AnnounceAnswer, Event, PEERS_MAX, PEERS_WANTED, Retry, SCRAPE_MAX, ScrapeCounts,
};
pub use compact::Family;
pub use fault::{TEXT_BYTES_MAX, TrackerFault};
pub use gate::{ANNOUNCES_IN_FLIGHT_MAX, AnnounceGate, GateInput, Ticket};
pub use preference::{HOSTED_MAX, HostPreference, HostedTracker, preference_name};
pub use schedule::{Input, Output, Reason, Schedule, SchedulePolicy, TRACKERS_MAX, TrackerIndex};
pub use txt::{TXT_PACKET_BYTES_MAX, TxtAnswer, TxtFault, decode_txt_answer, encode_txt_question};
pub use url::{Host, Scheme, TrackerUrl, URL_BYTES_MAX, UrlFault};
