//! Port mapping: asking the gateway of a home network to let peers in.
//!
//! Start with [`Mapping`], which decides what to ask when; [`pcp`], [`natpmp`] and [`upnp`] are the three
//! methods as bytes and back. A gateway is not trusted: what it answers is bounded, an address it names is
//! used for display only, and the web addresses of UPnP must be its own.
//!
//! This crate must not know sockets, clocks or torrents.

mod ask;
mod mapping;
pub mod natpmp;
pub mod pcp;
pub mod upnp;
mod xml;

pub use ask::{Ask, Grant, Method, Refusal, Site, TEXT_MAX, Transport};
pub use mapping::{Input, LIFETIME_SECONDS, Mapped, Mapping, Output, Request, RequestId, Status};
