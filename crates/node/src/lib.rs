//! The engine: torrents joined to sockets, files and trackers.
//!
//! Start with [`Engine`], then `shard.rs`, which repeats the numbers of the machine's run loop. This is the
//! only crate that knows both machines and effects; it makes no choice of piece, peer or byte itself.
//!
//! It must not know: terminals, HTTP faces, chains.

mod announce;
mod clock;
mod config;
mod connection;
mod control;
mod dht;
mod engine;
mod event;
mod external;
mod figures;
mod greetings;
mod limits;
mod network;
mod pay;
mod prepare;
mod setup;
mod shard;
mod slots;
mod torrent;
mod web_seeds;

pub use config::{
    AddTorrent, EngineConfig, FilePaths, FilePriorities, KeptTorrent, Playback, Source,
};
pub use control::{PeerSource, PeerStatus};
pub use dht::{DhtConfig, DhtStatus, Found};
pub use engine::{AddError, Engine, StartError, Waker, system_random};
pub use event::{
    Event, PeerVerdict, Phase, Problem, SecretUrl, Status, TorrentKey, TrackerState, TrackerStatus,
    WebSeedStatus, WebSeedVerdict, What,
};
pub use figures::{Figures, Totals};
pub use network::Notice;
pub use pay::{
    PaidTime, PayBuyer, PayConfig, PayError, PayHandle, PayHost, PayNews, PaySeller, PayTorrent,
    PayView, PayWish, SellRefused,
};
pub use piecework_dht::{AddressScope, MutableItem, MutableName, PublicKey};
pub use piecework_disk::Folder;
pub use piecework_gateway::{Mapped, Status as MappingStatus};
pub use piecework_metainfo::{WebSeed, WebSeedKind};
pub use piecework_mse::Encryption;
pub use piecework_net::{Binding, PortChoice, Reach, TrackerDns};
pub use piecework_swarm::{AddressPolicy, PieceState, Refusal};
pub use setup::{NORMAL_PRIORITY, SetupError};
