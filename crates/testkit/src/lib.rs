//! What tests of a whole node need: torrents with known content, peers and trackers that do what
//! they are told, and a way to run the real binary without leaving anything behind.
//!
//! - [`FixtureBuilder`] makes torrents whose every byte follows from a seed.
//! - [`FakePeer`] accepts or opens connections and behaves well or badly ([`Behaviour`]);
//!   [`download()`] is a downloader that checks what it gets.
//! - [`FakeTracker`] answers announces over HTTP or UDP as scripted, and remembers them.
//! - [`FakeDns`] answers questions for TXT records.
//! - [`FakeWebServer`] is a web seed that follows a script, and remembers what it was asked for.
//! - [`Sandbox`] and [`Run`] start the binary in folders of its own and wait for what it prints.
//! - [`Mounts`] gives a test drives of its own, as small as it wants them.
//! - [`churn`] sets two hundred peers on the binary for an hour and watches its memory.
//!
//! Everything is blocking and uses loopback with ports that the system chooses. Every wait ends at a
//! deadline ([`PATIENCE`]), every thread is joined and every process killed when its owner is
//! dropped. Nothing here sleeps for a fixed time in the hope that something has happened by then;
//! only [`churn`] takes the time that it is told to take.
//!
//! A proof crate: it may be used by tests only. It must not know the engine under test.

pub mod churn;
mod dns;
mod download;
mod fixture;
mod mounts;
mod patience;
mod peer;
mod process;
mod stream;
mod tracker;
mod web_server;

pub use dns::{DnsAnswer, FakeDns};
pub use download::{DownloadError, Downloaded, claimed_pieces, download};
pub use fixture::{Fixture, FixtureBuilder, corrupt, payload};
pub use mounts::Mounts;
pub use patience::{PATIENCE, Watched};
pub use peer::{Behaviour, FakePeer, FakePeerBuilder, PeerStats};
pub use process::{Run, Sandbox, Signal};
pub use stream::{Incoming, PeerStream, StreamError};
pub use tracker::{FakeTracker, TrackerAnswer};
pub use web_server::{FakeWebServer, WebBehaviour, WebRequest};
