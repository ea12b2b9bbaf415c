//! What a peer can do wrong on the wire. Every value here is the peer's fault: drop it.

use piecework_bencode::{DecodeError, Kind};
use thiserror::Error;

/// Bytes from a peer that break the protocol. Never the fault of this machine.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum WireFault {
    /// The connection does not open with the protocol string of BEP 3.
    #[error("handshake must open with \"\\x13BitTorrent protocol\", byte {at} is {got:#04x}")]
    NotBitTorrent {
        /// Position of the first wrong byte.
        at: usize,
        /// What stands there.
        got: u8,
    },
    /// A message whose size is fixed has another one.
    #[error("message {id} must have {expected_bytes} bytes behind its id, got {got_bytes}")]
    WrongSize {
        /// Message id.
        id: u8,
        /// Bytes behind the id that the BEP asks for.
        expected_bytes: u32,
        /// Bytes that the length prefix announces.
        got_bytes: u32,
    },
    /// A message too short to hold its fixed fields.
    #[error("message {id} needs at least {least_bytes} bytes behind its id, got {got_bytes}")]
    TooShort {
        /// Message id.
        id: u8,
        /// Least number of bytes behind the id.
        least_bytes: u32,
        /// Bytes that the length prefix announces.
        got_bytes: u32,
    },
    /// A message above the limit for its kind.
    #[error("message {id} may have {most_bytes} bytes behind its id, got {got_bytes}")]
    TooLong {
        /// Message id.
        id: u8,
        /// The limit, in bytes behind the id.
        most_bytes: u32,
        /// Bytes that the length prefix announces.
        got_bytes: u32,
    },
    /// A hashes message whose number of hashes does not fit its own header (BEP 52).
    #[error(
        "hashes message for {length} hashes and {proof_layers} proof layers carries {got_bytes} bytes"
    )]
    HashCount {
        /// Hashes that the header announces.
        length: u32,
        /// Proof layers that the header announces.
        proof_layers: u32,
        /// Bytes of hashes that came.
        got_bytes: u32,
    },
    /// An extension message that is not bencoded.
    #[error("{extension} message must be bencoded: {cause}")]
    Bencode {
        /// Name of the extension.
        extension: &'static str,
        /// What the decoder found.
        cause: DecodeError,
    },
    /// An extension message that is bencoded but no dictionary.
    #[error("{extension} message must be a dictionary, got {got:?}")]
    NotDictionary {
        /// Name of the extension.
        extension: &'static str,
        /// What it is.
        got: Kind,
    },
    /// An extension message without a field it cannot do without, or with a useless value in it.
    #[error("{extension} message needs {expected} in key {key:?}")]
    Field {
        /// Name of the extension.
        extension: &'static str,
        /// The key in its dictionary.
        key: &'static str,
        /// What should stand there.
        expected: &'static str,
    },
    /// An extension message, or the data in it, has another size than it must.
    #[error("{extension} message must carry {expected_bytes} bytes, got {got_bytes}")]
    ExtensionSize {
        /// Name of the extension.
        extension: &'static str,
        /// Bytes that the BEP asks for.
        expected_bytes: usize,
        /// Bytes that came.
        got_bytes: usize,
    },
}
