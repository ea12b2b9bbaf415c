//! The server over real sockets, in front of a real chain.

#![allow(clippy::unwrap_used)]

mod answers;
mod client;
mod errors;
mod filters;
mod limits;
mod node;
mod subscriptions;
