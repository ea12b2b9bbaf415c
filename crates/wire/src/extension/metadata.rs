//! Metadata from peers (BEP 9): a dictionary, and behind it the raw bytes when it carries some.
//!
//! Invariant: a decoded data message has exactly the bytes that its own total asks for, and no total is
//! above [`METADATA_BYTES_MAX`]. Whether the total is the right one shows when the hash is checked.

use super::dictionary;
use crate::WireFault;
use piecework_bencode::{Value, encode_dict};

/// Longest metadata accepted, in bytes. Longer ones only serve to exhaust memory.
pub const METADATA_BYTES_MAX: usize = 64 << 20;

/// Bytes of metadata in one message; the last block may be shorter. BEP 9 calls a block a piece.
pub const METADATA_BLOCK_BYTES: usize = 16 << 10;

const NAME: &str = "ut_metadata";

const REQUEST: u64 = 0;
const DATA: u64 = 1;
const REJECT: u64 = 2;

/// A message about metadata.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetadataMessage<'a> {
    /// Please send this block.
    Request {
        /// Number of the block.
        block: u32,
    },
    /// A block.
    Data {
        /// Number of the block.
        block: u32,
        /// Bytes of the whole metadata.
        total_bytes: u32,
        /// The bytes of the block.
        data: &'a [u8],
    },
    /// This block will not be sent.
    Reject {
        /// Number of the block.
        block: u32,
    },
}

impl<'a> MetadataMessage<'a> {
    /// Reads a payload. `None`: a type of message that nobody defined, to be ignored.
    ///
    /// # Errors
    /// When it is no bencoded dictionary, lacks a field, or carries another number of bytes than its
    /// block has.
    pub fn decode(payload: &'a [u8]) -> Result<Option<Self>, WireFault> {
        let (document, data) = dictionary(NAME, payload)?;
        let root = document.root();
        let number = |key: &'static str, expected: &'static str| {
            let value = root.get(key).and_then(Value::as_u64);
            value.ok_or(WireFault::Field { extension: NAME, key, expected })
        };
        let msg_type = number("msg_type", "a number")?;
        if msg_type > REJECT {
            return Ok(None);
        }
        let block = u32::try_from(number("piece", "a block number")?)
            .ok()
            .filter(|&block| block < Self::block_count(METADATA_BYTES_MAX as u32));
        let expected = "the number of a block of 64 MiB";
        let block = block.ok_or(WireFault::Field { extension: NAME, key: "piece", expected })?;
        Ok(Some(match msg_type {
            REQUEST => Self::Request { block },
            DATA => {
                let expected = "a size of 1 byte to 64 MiB that the block lies in";
                let total_bytes = u32::try_from(number("total_size", expected)?)
                    .ok()
                    .filter(|&total| total as usize <= METADATA_BYTES_MAX)
                    .filter(|&total| block < Self::block_count(total));
                let fault = WireFault::Field { extension: NAME, key: "total_size", expected };
                let total_bytes = total_bytes.ok_or(fault)?;
                let expected_bytes = Self::block_bytes(block, total_bytes);
                if data.len() != expected_bytes {
                    let got_bytes = data.len();
                    return Err(WireFault::ExtensionSize {
                        extension: NAME,
                        expected_bytes,
                        got_bytes,
                    });
                }
                Self::Data { block, total_bytes, data }
            }
            _ => Self::Reject { block },
        }))
    }

    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        let (msg_type, block, total_bytes, data) = match *self {
            Self::Request { block } => (REQUEST, block, None, [].as_slice()),
            Self::Data { block, total_bytes, data } => (DATA, block, Some(total_bytes), data),
            Self::Reject { block } => (REJECT, block, None, [].as_slice()),
        };
        let mut payload = encode_dict(|dict| {
            dict.int("msg_type", msg_type);
            dict.int("piece", block);
            total_bytes.iter().for_each(|bytes| dict.int("total_size", *bytes));
        });
        payload.extend_from_slice(data);
        payload
    }

    /// Blocks of metadata with this many bytes.
    pub const fn block_count(total_bytes: u32) -> u32 {
        total_bytes.div_ceil(METADATA_BLOCK_BYTES as u32)
    }

    /// Bytes of one block; 0 if the metadata has no such block.
    pub const fn block_bytes(block: u32, total_bytes: u32) -> usize {
        let rest = (total_bytes as usize).saturating_sub(block as usize * METADATA_BLOCK_BYTES);
        if rest < METADATA_BLOCK_BYTES { rest } else { METADATA_BLOCK_BYTES }
    }
}
