//! JSON-RPC over HTTP and WebSocket: the face of the embedded chain that every Ethereum tool can speak to.
//!
//! Owns: sockets, limits, parameters and answers in Ethereum's own forms, filters and subscriptions. Start
//! with [`Server`]. Must not know: how a block is made, or what a peer is.

mod admission;
mod answers;
mod api;
mod connection;
mod error;
mod feed;
mod filters;
mod gate;
mod host;
mod id;
mod methods;
mod parameters;
mod server;
mod settings;
mod submit;

pub use server::{Server, StartError};
pub use settings::Settings;
