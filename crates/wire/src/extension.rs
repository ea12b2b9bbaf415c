//! Extension messages (BEP 10): what travels inside [`crate::Message::Extended`].
//!
//! Owns our message ids and the payload of each extension. Payloads are read leniently where ignoring a
//! field is harmless, and refused where it is not. Must not know which extension a torrent allows:
//! that private torrents exchange no peers is policy.

mod handshake;
mod metadata;
mod pex;

pub use handshake::{CLIENT_BYTES_MAX, ExtensionHandshake, ExtensionIds};
pub use metadata::{METADATA_BLOCK_BYTES, METADATA_BYTES_MAX, MetadataMessage};
pub use pex::{PEX_PEERS_MAX, Pex, PexFlags, PexPeer};

use crate::WireFault;
use piecework_bencode::{Document, Kind, Limits, Mode, decode_prefix};

/// The id of the extension handshake (BEP 10).
pub const HANDSHAKE_ID: u8 = 0;

/// Bytes of one message about payments at most; longer ones are ignored.
pub const PAY_BYTES_MAX: usize = 1024;

/// Values in one message: a handshake with a few hundred foreign extensions still passes.
const MESSAGE_LIMITS: Limits = Limits { depth: 8, tokens: 1 << 12 };

/// The extensions we speak.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Extension {
    /// Metadata from peers (BEP 9).
    Metadata,
    /// Peer exchange (BEP 11).
    Pex,
    /// Taking back a have (BEP 54).
    DontHave,
    /// Whether the sender still downloads, while the connection lasts (BEP 21).
    UploadOnly,
    /// Payments (docs/spec/pw_pay.md), whose messages are opaque here.
    Pay,
}

impl Extension {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Metadata, Self::Pex, Self::DontHave, Self::UploadOnly, Self::Pay];

    /// The name in the extension handshake.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metadata => "ut_metadata",
            Self::Pex => "ut_pex",
            Self::DontHave => "lt_donthave",
            Self::UploadOnly => "upload_only",
            Self::Pay => "pw_pay",
        }
    }

    /// The id that peers use when they send this message to us. Never changes while we run.
    pub const fn our_id(self) -> u8 {
        match self {
            Self::Metadata => 1,
            Self::Pex => 2,
            Self::DontHave => 3,
            Self::UploadOnly => 4,
            Self::Pay => 5,
        }
    }
}

/// An extension message as it arrives: its id is one of ours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ExtensionMessage<'a> {
    /// What the sender speaks. May come again when something has changed.
    Handshake(ExtensionHandshake),
    /// About metadata (BEP 9).
    Metadata(MetadataMessage<'a>),
    /// Peers of the sender (BEP 11).
    Pex(Pex),
    /// The sender no longer has this piece (BEP 54).
    DontHave(u32),
    /// The sender does, or does no longer, only upload (BEP 21).
    UploadOnly(bool),
    /// About payments, unread.
    Pay(&'a [u8]),
}

impl<'a> ExtensionMessage<'a> {
    /// Reads the payload of the message with this id. `None`: to be ignored, for the id is none of ours
    /// or the message of a kind that nobody defined.
    ///
    /// # Errors
    /// When the payload breaks the extension's rules.
    pub fn decode(id: u8, payload: &'a [u8]) -> Result<Option<Self>, WireFault> {
        if id == HANDSHAKE_ID {
            return ExtensionHandshake::decode(payload).map(|shake| Some(Self::Handshake(shake)));
        }
        let Some(extension) = Extension::ALL.into_iter().find(|known| known.our_id() == id) else {
            return Ok(None);
        };
        Ok(Some(match extension {
            Extension::Metadata => match MetadataMessage::decode(payload)? {
                Some(message) => Self::Metadata(message),
                None => return Ok(None),
            },
            Extension::Pex => Self::Pex(Pex::decode(payload)?),
            Extension::DontHave => {
                Self::DontHave(u32::from_be_bytes(fixed(Extension::DontHave.name(), payload)?))
            }
            Extension::UploadOnly => {
                let [flag] = fixed(Extension::UploadOnly.name(), payload)?;
                Self::UploadOnly(flag != 0)
            }
            Extension::Pay if payload.len() > PAY_BYTES_MAX => return Ok(None),
            Extension::Pay => Self::Pay(payload),
        }))
    }

    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Handshake(handshake) => handshake.encode(),
            Self::Metadata(message) => message.encode(),
            Self::Pex(pex) => pex.encode(),
            Self::DontHave(piece) => piece.to_be_bytes().to_vec(),
            Self::UploadOnly(flag) => vec![u8::from(*flag)],
            Self::Pay(payload) => payload.to_vec(),
        }
    }
}

fn fixed<const N: usize>(extension: &'static str, payload: &[u8]) -> Result<[u8; N], WireFault> {
    let (expected_bytes, got_bytes) = (N, payload.len());
    payload.try_into().map_err(|_| WireFault::ExtensionSize {
        extension,
        expected_bytes,
        got_bytes,
    })
}

/// Reads the dictionary at the front of a payload and gives the bytes behind it.
fn dictionary<'a>(
    extension: &'static str,
    payload: &'a [u8],
) -> Result<(Document<'a>, &'a [u8]), WireFault> {
    let (document, consumed) = decode_prefix(payload, Mode::Lenient, MESSAGE_LIMITS)
        .map_err(|cause| WireFault::Bencode { extension, cause })?;
    let got = document.root().kind();
    if got != Kind::Dict {
        return Err(WireFault::NotDictionary { extension, got });
    }
    Ok((document, &payload[consumed..]))
}

#[cfg(test)]
mod tests;
