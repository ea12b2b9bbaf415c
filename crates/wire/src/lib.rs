//! The peer wire as bytes: handshake, messages and extension messages, each decoded and encoded.
//!
//! Specifications: BEP 3 (handshake, messages), 5 (port), 6 (fast), 10 (extension protocol),
//! 9 (metadata), 11 (peer exchange), 21 (upload only), 52 (hash messages), 54 (don't have).
//!
//! Numbers in decoded values are a peer's claims. This crate checks that a frame has a legal size and
//! shape before any memory is set aside for it; whether a piece exists or a block was asked for is
//! decided elsewhere. It must not know sockets, torrents, time or policy.
//!
//! A driver reads in this order:
//! 1. [`Handshake::decode`] on the first bytes, until it is [`HandshakeStep::Complete`];
//! 2. [`decode`] on the rest, again and again. [`Decoded::Block`] means: the payload of a block
//!    follows the header, move it into a chunk without showing it to this crate.

mod allowed_fast;
pub mod extension;
mod fault;
mod frame;
mod handshake;
mod message;

pub use allowed_fast::{ALLOWED_FAST_COUNT, allowed_fast};
pub use fault::WireFault;
pub use frame::{
    BLOCK_HEADER_BYTES, Decoded, HASHES_MAX, Limits, PIECES_MAX, block_header, decode, encode,
};
pub use handshake::{HANDSHAKE_BYTES, Handshake, HandshakeStep, Reserved};
pub use message::{HashSpan, Message, Request};
