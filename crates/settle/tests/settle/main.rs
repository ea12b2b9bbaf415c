//! The crate against servers: such that misbehave on command, and whole chains.
#![allow(missing_docs, clippy::unwrap_used)]

mod check;
mod proxy;
mod rpc;
