//! A catalog of torrents joined to an engine, for weeks.
//!
//! [`Daemon`] is one thread that drives the catalog's run loop (the numbers of `piecework_catalog` are
//! repeated in `drive.rs`): it carries effects to the engine and the drives, outcomes back, and writes
//! records down before it answers. Faces hold a [`Handle`]: they read the catalog under a lock and ask for
//! changes.
//!
//! It must not know: HTTP, dialects, terminals. It decides nothing that the catalog can decide.

mod bans;
mod clock;
mod daemon;
mod drive;
mod feeds;
mod handle;
mod import;
mod jobs;
mod load;
mod market;
pub mod news;
mod payload;
mod places;
mod profile;
mod request;
mod shared;
mod source;
mod store;
mod stream;
mod wallet;
mod watch;

pub use bans::BANS_MAX;
pub use daemon::{Daemon, DaemonConfig, StartError};
pub use handle::{Added, Handle, New, NewSource, NodeFigures};
pub use import::{Import, ImportFrom, ImportReport, ImportedTorrent};
pub use market::{LaneWish, LaneWord, Market, Told, hold_text, lane_wish};
pub use news::{Level, News};
pub use piecework_net::Cookie;
pub use store::StoreError;
pub use stream::Reader;
pub use wallet::{
    Approval, Errand, ErrandKind, ExitView, Holdings, NetworkLook, Order, OrderState, OrderStep,
    PAST_MAX, Past, PastItem, SessionView, StepState, VaultView, WalletFault, WalletTrouble,
    WalletView,
};
