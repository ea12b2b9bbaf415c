//! HTTP for a daemon: who is let in, and the API of our own.
//!
//! [`AccessGate`] joins `piecework_access` to the clock, the data folder and the operating system's
//! randomness; all faces share one. [`Caller`] is what is known of where a request comes from.
//!
//! It must not know: what the dialects call things, terminals, the engine.

mod basic;
mod caller;
mod front;
mod gate;
mod patience;
mod problem;
mod server;

pub use basic::{BasicLogins, base64, credentials};
pub use caller::Caller;
pub use front::Outside;
pub use gate::{AccessGate, FirstSecrets, GateError};
pub use problem::{Code, Problem};
pub use server::serve;
