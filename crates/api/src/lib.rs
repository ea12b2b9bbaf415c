//! HTTP for a daemon: who is let in, and the API of our own.
//!
//! [`serve`] is the server that all faces stand behind; what they are made of it does not know.
//! [`AccessGate`] joins `piecework_access` to the clock, the data folder and the operating system's
//! randomness; all faces share one. [`Caller`] is what is known of where a request comes from. [`router`]
//! is the API of our own, described by [`openapi()`].
//!
//! It must not know: what the dialects call things, terminals, the engine.

mod basic;
mod caller;
mod events;
mod extract;
mod front;
mod gate;
mod guard;
mod idempotency;
mod json;
mod openapi;
mod packed;
mod patience;
mod problem;
mod routes;
mod server;
mod state;
mod trades;

pub use basic::{BasicLogins, base64, credentials};
pub use caller::Caller;
pub use front::Outside;
pub use gate::{AccessGate, FirstSecrets, GateError};
pub use openapi::openapi;
pub use problem::{Code, Problem};
pub use routes::router;
pub use server::{Manners, serve, serve_with};
pub use state::{LogLevel, OpenTrades, Parts, SetLevel};
pub use trades::{COLUMNS, LineView, ReportView, Trades, day_of};
