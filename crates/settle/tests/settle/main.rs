//! The crate against servers: such that misbehave on command, and whole chains.
#![allow(missing_docs, clippy::unwrap_used)]

mod batch;
mod check;
mod logs;
mod node;
mod proxy;
mod rpc;

#[cfg(feature = "chains")]
mod anew;
#[cfg(feature = "chains")]
mod chain;
#[cfg(feature = "chains")]
mod fork;
#[cfg(feature = "chains")]
mod rules;
#[cfg(feature = "chains")]
mod suite;
#[cfg(feature = "chains")]
mod taxed;
#[cfg(feature = "chains")]
mod trouble;
