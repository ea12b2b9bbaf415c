//! What the other side can do wrong in an encrypted handshake.

use thiserror::Error;

/// Bytes that break the handshake. Always the peer's fault, or it speaks something else: drop it.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum MseFault {
    /// A key that is no number of the group, or that makes the secret known to all.
    #[error("the key must lie between 1 and the prime less 1")]
    WeakKey,
    /// The other side's part does not begin where it must at the latest.
    #[error("no encrypted handshake begins in the first {searched_bytes} bytes behind the key")]
    NoMarker {
        /// Bytes behind the key that were looked at.
        searched_bytes: usize,
    },
    /// The torrent it is about is not here.
    #[error("the encrypted handshake names no torrent of ours")]
    UnknownTorrent,
    /// The constant that proves that both have the same key is wrong.
    #[error("eight zeros expected behind the torrent's name, got {got:02x?}")]
    WrongConstant {
        /// What stands there.
        got: [u8; 8],
    },
    /// Nothing that the initiator offers is allowed here.
    #[error("no allowed way to go on in the offer {offer:#x}")]
    NoCommonMethod {
        /// The field as it came.
        offer: u32,
    },
    /// The responder chose what was not offered.
    #[error("one of the offered ways expected, got {got:#x}")]
    WrongChoice {
        /// The field as it came.
        got: u32,
    },
    /// More padding than the protocol allows.
    #[error("at most {} bytes of padding expected, got {got_bytes}", crate::PAD_BYTES_MAX)]
    LongPad {
        /// Announced length.
        got_bytes: usize,
    },
    /// More payload inside the handshake than anybody sends.
    #[error("at most {} bytes of payload expected, got {got_bytes}", crate::PAYLOAD_BYTES_MAX)]
    LongPayload {
        /// Announced length.
        got_bytes: usize,
    },
}
