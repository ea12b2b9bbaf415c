//! One torrent's protocol and policy as a machine without sockets, clock, disk or payload.
//!
//! Read [`Swarm`] first, then its four parts: [`Picker`] (what to ask), [`RequestQueue`] (how much
//! to ask of whom), [`Choker`] (whom to serve), [`Uplink`] (which byte goes next).
//!
//! # The run loop
//!
//! 1. Give each event to [`Swarm::handle`] with the current [`piecework_types::Time`].
//! 2. After each event, or after a batch of them, call [`Swarm::poll`] until it returns `None` and do
//!    what each [`Output`] says. Outputs come in the order in which they must reach one peer.
//! 3. Ask [`Swarm::poll_timeout`] when to wake up; at that time handle [`Input::Timeout`], then go to 2.
//! 4. Chunks are owned by the driver: each [`Input::BlockArrived`] is answered by exactly one
//!    [`Output::Store`] or [`Output::Discard`] before `poll` returns `None`.
//! 5. After [`Output::Disconnect`] the slot is free; events of it that are already under way are dropped
//!    by the driver.
//!
//! The machine must not know: sockets, files, statistics for display, what payments say.

mod bucket;
mod choker;
mod config;
mod dialer;
mod drop_reason;
mod exchange;
mod external;
mod hashes;
mod machine;
mod metadata;
mod peer;
mod picker;
mod rate;
mod requests;
mod smart_ban;
mod split;
mod super_seed;
mod swarm;
mod uplink;
mod view;
mod web_fault;
mod web_seeds;

pub use bucket::{Bucket, BucketConfig};
pub use choker::{CHOKE_ROUND, Choker, ChokerConfig, ChokerInput, ChokerOutput, OPTIMISTIC_TURN};
pub use config::Config;
pub use dialer::{
    AddressPolicy, Admission, BANS_MAX, BanKey, CloseReason, Dial, Dialer, DialerConfig,
    DialerInput, Refusal, Source, SourceKind, peer_priority,
};
pub use drop_reason::DropReason;
pub use external::{ExternalIp, VOTERS_MAX, Voter};
pub use machine::{Content, Hello, Input, Output, Reason};
pub use picker::{Arrival, Asker, Origin, Picker, Speed, StreamWindow, Work};
pub use requests::{DEPTH_MAX, REQQ_ASSUMED, RequestQueue, Standing};
pub use split::{Part, Split};
pub use swarm::{PayMessage, PeerCounts, Swarm};
pub use uplink::{
    Class, ClassConfig, QUANTUM_BYTES, QUOTA_MAX, QueueFull, REQUEST_QUEUE_MAX, Reserve,
    TURN_QUANTA, Uplink, UplinkConfig,
};
pub use view::{PeerView, PieceState, View};
pub use web_fault::{FetchFault, WebSeedEnd};
pub use web_seeds::{FetchId, WEB_SEEDS_MAX, WebSeedId};
