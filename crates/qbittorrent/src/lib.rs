//! The daemon in the dialect of qBittorrent's web API (version 2), for the many programs that speak it.
//!
//! [`router`] gives an axum router over a [`piecework_daemon::Handle`] and the gate of `piecework_api`. A
//! request passes `serve` (the gate, the parameters), is found in [`ENDPOINTS`], and is translated: reads
//! become reads of the catalog, writes become its commands. An endpoint that is not in the table is answered
//! 404, as is a name of qBittorrent's that we have nothing behind.
//!
//! What is kept between requests belongs to a login: which number of `sync/maindata` stood for which revision
//! of the catalog. A number that the session does not know gets everything.
//!
//! It must not know: the engine, files but for a listing of folders, passwords.

mod add;
mod app;
mod auth;
mod call;
mod control;
mod endpoints;
mod files;
mod json;
mod keys;
mod labels;
mod limits;
mod list;
mod log;
mod magnet;
mod maindata;
mod multipart;
mod peers;
mod pieces;
mod preferences;
mod properties;
mod reply;
mod serve;
mod session;
mod state;
mod trackers;
mod transfer;

pub use endpoints::{ENDPOINTS, Endpoint, Kind};
pub use serve::router;

/// The program's version that we claim. Programs decide by it which names they use: from 5.0 on torrents are
/// started and stopped instead of resumed and paused.
pub const APP_VERSION: &str = "v5.1.4";

/// The version of the API that we claim: new enough for `stopped` (2.11.0), old enough that nobody expects
/// bare 204 answers (2.11.8) or 401 for a wrong password (2.14).
pub const API_VERSION: &str = "2.11.4";

/// Where it is served, below the base path.
pub const PREFIX: &str = "/api/v2";
