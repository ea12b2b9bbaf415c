//! A node of the distributed hash table (BEP 5) as a machine without sockets, clock or files.
//!
//! Read [`Dht`] first, then [`Goal`] (what can be looked up) and [`Output`] (what comes of it). Below it
//! stand [`krpc`] (packets as values), the routing table, lookups, tokens and the stores of peers (BEP 33,
//! 51) and items (BEP 44, 46).
//!
//! # The run loop
//!
//! 1. Make [`Dht::new`] with a [`Config`]: an endpoint for each address of ours, one of each family as a
//!    rule (BEP 32), several if the machine has several (BEP 45). Give it what [`Saved::decode`] read, the
//!    routers of the settings, and 32 secret bytes of the operating system.
//! 2. Give each packet that a socket received to [`Dht::handle_packet`], with the endpoint that owns the
//!    socket and the current [`piecework_types::Time`]. Packets of other protocols on the same socket
//!    are told apart by their first byte: these begin with `d`.
//! 3. After each call, or after a batch of them, call [`Dht::poll`] until it returns `None` and do what
//!    each [`Output`] says. A packet that the socket does not take may be dropped.
//! 4. Ask [`Dht::poll_timeout`] when to wake up; at that time call [`Dht::handle_timeout`], then go to 3.
//!    The first wake-up is due at once: it begins to look for nodes.
//! 5. [`Dht::start`] begins a lookup; [`Output::Finished`] ends it. What the DHT knows of us fades: announce
//!    every 15 minutes or so, put items again every hour.
//! 6. After [`Output::TableChanged`], and before the end, save [`Dht::saved`]. [`Output::AddressElected`]
//!    tells our address, and that our id may be another one.
//!
//! # What others can do to it
//!
//! No answer has more than [`AMPLIFICATION_MAX`] times the bytes of its query. A sender and all senders
//! have budgets ([`Rate`]). Answers count only from whom was asked. A network has a share of tables and
//! lookups; who names dead nodes is no longer believed; ids that addresses cannot have get half at most
//! ([`Compliance`]). Addresses that hide in one's own network are refused ([`AddressScope`]). Each map and
//! queue has a limit.
//!
//! The machine must not know: sockets, files, which torrents we have, which are private.
//!
//! ```
//! use piecework_dht::{Config, Dht, EndpointConfig, EndpointIndex, Family, Goal, Output};
//! use piecework_types::{InfoHash, Rng, Time};
//!
//! let endpoint = EndpointConfig {
//!     routers: vec!["203.0.113.5:6881".parse()?],
//!     ..EndpointConfig::new(Family::V4)
//! };
//! let mut dht = Dht::new(Config::new(vec![endpoint]), [7; 32], Rng::new(1), Time::ZERO);
//! let here = EndpointIndex(0);
//! let goal = Goal::Announce { info_hash: InfoHash([1; 20]), port: None, seed: false };
//! let lookup = dht.start(here, goal, Time::ZERO)?;
//!
//! let (mut now, mut finished) = (Time::ZERO, false);
//! while !finished {
//!     while let Some(output) = dht.poll() {
//!         match output {
//!             Output::Send { endpoint, to, bytes } => {
//!                 // sockets[endpoint].send_to(&bytes, to), and what comes back goes to handle_packet.
//!                 assert_eq!((endpoint, to.port(), bytes[0]), (here, 6881, b'd'));
//!             }
//!             Output::Finished { lookup: ended, outcome } => {
//!                 // Nobody answers in this example.
//!                 assert_eq!((ended, outcome.answered), (lookup, 0));
//!                 finished = true;
//!             }
//!             other => println!("{other:?}"),
//!         }
//!     }
//!     now = dht.poll_timeout().0;
//!     dht.handle_timeout(now);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod asks;
mod bloom;
mod config;
mod contact;
mod dht;
mod id;
mod item;
mod item_store;
pub mod krpc;
mod lookup;
mod peer_store;
mod saved;
mod strangers;
mod table;
mod token;
mod vote;

pub use bloom::BloomFilter;
pub use config::{
    AMPLIFICATION_MAX, Config, ENDPOINTS_MAX, EndpointConfig, EndpointIndex, Goal, LOOKUPS_MAX,
    LOOKUPS_WAITING_MAX, LookupId, Outcome, Output, ROUTERS_MAX, Reason, Scrape, StartError,
};
pub use contact::{AddressScope, Contact, Family};
pub use dht::{Counters, Dht, EndpointView, StoredView};
pub use id::{Distance, NodeId};
pub use item::{
    ImmutableItem, Item, ItemFault, MutableItem, MutableName, PublicKey, Signature, SigningKey,
    torrent_pointer,
};
pub use item_store::{ITEM_LIFE, SENDER_ITEMS_MAX};
pub use lookup::{NETWORK_CANDIDATES_MAX, PARALLEL, QUERIES_MAX};
pub use peer_store::{PEER_LIFE, PEERS_MAX, SENDER_PEERS_MAX, TORRENT_PEERS_MAX};
pub use piecework_types::Rate;
pub use saved::{SAVED_BYTES_MAX, SAVED_NODES_MAX, Saved, SavedEndpoint};
pub use table::{BUCKET_NETWORK_NODES_MAX, BUCKET_NODES_MAX, Compliance, NETWORK_NODES_MAX};
