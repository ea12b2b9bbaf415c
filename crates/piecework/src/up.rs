//! What surrounds a daemon: its lock, its log, its sockets, the service manager, and the engine's settings.

pub(crate) mod engine;
mod lock;
mod log;
mod notify;
mod redact;
pub(crate) mod sockets;

pub(crate) use lock::Lock;
pub(crate) use log::Log;
pub(crate) use notify::Notify;
