//! What surrounds a daemon: its lock, its log, its sockets, the service manager, the engine's settings, and
//! what it gives back when it is idle.

pub(crate) mod engine;
mod lean;
mod lock;
mod log;
mod notify;
mod pages;
mod redact;
pub(crate) mod sockets;

pub(crate) use lean::keep_lean;
pub(crate) use lock::Lock;
pub(crate) use log::Log;
pub(crate) use notify::Notify;
