//! The daemon in the dialect of Transmission's RPC, in both of its forms: JSON-RPC 2.0 with `snake_case`
//! names (since 4.1), and the older one with a mix of `camelCase` and `kebab-case`.
//!
//! [`router`] gives an axum router over a [`piecework_daemon::Handle`] and the gate of `piecework_api`. A
//! request passes `serve` (the gate, the session id), is brought into one form (`dialect`), and is translated
//! by the method that [`METHODS`] lists: all of them know the names of JSON-RPC alone.
//!
//! Kept between requests: the numbers that torrents have in this dialect, and when the catalog had which
//! revision, for who asks what changed in the last minute.
//!
//! It must not know: the engine, files, passwords.

mod act;
mod add;
mod dialect;
mod fault;
mod fields;
mod lists;
mod methods;
mod names;
mod numbers;
mod select;
mod serve;
mod session;
mod set;

pub use methods::METHODS;
pub use serve::router;

/// Where it is served, below the base path.
pub const PATH: &str = "/transmission/rpc";

/// What we call ourselves. Programs compare the number: 4.1 is the first with JSON-RPC and labels.
pub const VERSION: &str = concat!("4.1.0 (Piecework ", env!("CARGO_PKG_VERSION"), ")");

/// The version of the RPC, as number and as semantic version, and the oldest that we are compatible with.
pub const RPC_VERSION: (u32, &str, u32) = (18, "6.0.0", 14);
