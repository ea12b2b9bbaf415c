//! Message stream encryption: an encrypted handshake around the plaintext one, and RC4 behind it if the
//! two sides want that. It hides the protocol from equipment on the way; it keeps no secret from who knows
//! the info-hash.
//!
//! Specification: "Message Stream Encryption" of the Vuze wiki, as the clients in use speak it.
//!
//! Start with [`Responder`] for a connection that came in and [`Initiator`] for one that we made: bytes go
//! in, bytes come out, and the result is an [`Established`]. [`Torrents`] is what a responder looks names
//! up in, [`KeyPool`] where its key pairs come from, [`Budget`] what strangers may cost.
//!
//! This crate must not know sockets, clocks, or the plaintext handshake; time and randomness are arguments.

mod budget;
mod established;
mod fault;
mod inbox;
mod initiator;
mod key;
mod pad;
mod policy;
mod pool;
mod power;
mod rc4;
mod responder;
mod secret;
mod torrents;

pub use budget::{Budget, Pace};
pub use established::{Ciphers, Established};
pub use fault::MseFault;
pub use initiator::{Call, Initiator};
pub use key::{KEY_BYTES, KeyPair, SECRET_BYTES};
pub use policy::{Encryption, Method};
pub use pool::KeyPool;
pub use rc4::Rc4;
pub use responder::{HELD_BYTES_MAX, Responder, Step};
pub use torrents::{TORRENTS_MAX, Torrents};

/// Bytes of one pad at most.
pub const PAD_BYTES_MAX: usize = 512;

/// Bytes of payload inside a handshake at most: clients send the plaintext handshake, 68 bytes.
pub const PAYLOAD_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests;
