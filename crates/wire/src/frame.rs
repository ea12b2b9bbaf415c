//! Length-prefixed frames: where a message ends, whether its size is legal, and what it says.
//!
//! Owns the message ids and the size rule of each. Invariant: a size is judged as soon as the length
//! prefix and the id are there, so a hostile length never makes the caller wait for or set aside
//! memory. Fixed-size messages are decoded without allocating. Must not know torrents or policy.

use crate::{HashSpan, Message, Request, WireFault};
use piecework_types::{BLOCK_BYTES, Sha256Digest};

const CHOKE: u8 = 0;
const UNCHOKE: u8 = 1;
const INTERESTED: u8 = 2;
const NOT_INTERESTED: u8 = 3;
const HAVE: u8 = 4;
const BITFIELD: u8 = 5;
const REQUEST: u8 = 6;
const PIECE: u8 = 7;
const CANCEL: u8 = 8;
const PORT: u8 = 9;
const SUGGEST: u8 = 13;
const HAVE_ALL: u8 = 14;
const HAVE_NONE: u8 = 15;
const REJECT: u8 = 16;
const ALLOWED_FAST: u8 = 17;
const EXTENDED: u8 = 20;
const HASH_REQUEST: u8 = 21;
const HASHES: u8 = 22;
const HASH_REJECT: u8 = 23;

/// Length prefix and id.
const HEAD_BYTES: usize = 5;

/// Piece and begin, which precede the payload of a block.
const BLOCK_FIELDS_BYTES: u32 = 8;

/// Root and four numbers, which all hash messages share.
const HASH_SPAN_BYTES: u32 = 32 + 4 * 4;

/// Bytes in front of the payload of a block: length prefix, id, piece, begin.
pub const BLOCK_HEADER_BYTES: usize = HEAD_BYTES + BLOCK_FIELDS_BYTES as usize;

/// Pieces a peer may claim while the metadata is unknown: a bitfield of 512 KiB. The largest metadata
/// accepted (64 MiB of 20-byte hashes) describes fewer.
pub const PIECES_MAX: u32 = 1 << 22;

/// Hashes in one message: BEP 52 asks for no more than 512 at a time, and a proof adds at most one
/// for each layer of a tree.
pub const HASHES_MAX: u32 = 512 + 64;

const _: () = assert!(
    crate::extension::METADATA_BYTES_MAX / 20 < PIECES_MAX as usize,
    "a peer that has the metadata must be able to send its bitfield"
);

/// What a frame may cost us. One value for each connection; tighten `pieces_max` once the metadata is
/// known.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Limits {
    /// Payload bytes of a block. Never below what we request.
    pub block_bytes_max: u32,
    /// Pieces of the torrent, or [`PIECES_MAX`] while unknown: bounds a bitfield.
    pub pieces_max: u32,
    /// Bytes of an extension message with its id.
    pub extended_bytes_max: u32,
    /// Hashes in a hashes message, the proof included.
    pub hashes_max: u32,
    /// Bytes of a message whose id nobody defined.
    pub skipped_bytes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            block_bytes_max: BLOCK_BYTES,
            pieces_max: PIECES_MAX,
            extended_bytes_max: 1 << 20,
            hashes_max: HASHES_MAX,
            skipped_bytes_max: 1 << 16,
        }
    }
}

impl Limits {
    /// Bytes of the longest frame that must be in the buffer as a whole, so what a receive buffer has
    /// to be able to grow to. Blocks do not count: only their header has to be there.
    pub fn frame_bytes_max(&self) -> usize {
        let hashes_bytes = self.hashes_max.saturating_mul(32).saturating_add(HASH_SPAN_BYTES);
        let body_bytes = self
            .bitfield_bytes_max()
            .max(self.extended_bytes_max)
            .max(hashes_bytes)
            .max(self.skipped_bytes_max);
        HEAD_BYTES + body_bytes as usize
    }

    const fn bitfield_bytes_max(&self) -> u32 {
        self.pieces_max.div_ceil(8)
    }

    /// The bytes that may stand behind the id: exactly one number for fixed-size messages.
    fn check(&self, id: u8, got_bytes: u32) -> Result<(), WireFault> {
        let (least_bytes, most_bytes) = match id {
            CHOKE | UNCHOKE | INTERESTED | NOT_INTERESTED | HAVE_ALL | HAVE_NONE => (0, 0),
            HAVE | SUGGEST | ALLOWED_FAST => (4, 4),
            REQUEST | CANCEL | REJECT => (12, 12),
            PORT => (2, 2),
            HASH_REQUEST | HASH_REJECT => (HASH_SPAN_BYTES, HASH_SPAN_BYTES),
            HASHES => {
                let hashes_bytes = self.hashes_max.saturating_mul(32);
                (HASH_SPAN_BYTES, HASH_SPAN_BYTES.saturating_add(hashes_bytes))
            }
            BITFIELD => (0, self.bitfield_bytes_max()),
            // An empty block would be progress that is none.
            PIECE => {
                (BLOCK_FIELDS_BYTES + 1, BLOCK_FIELDS_BYTES.saturating_add(self.block_bytes_max))
            }
            EXTENDED => (1, self.extended_bytes_max),
            _ => (0, self.skipped_bytes_max),
        };
        if (least_bytes..=most_bytes).contains(&got_bytes) {
            return Ok(());
        }
        Err(if least_bytes == most_bytes {
            WireFault::WrongSize { id, expected_bytes: least_bytes, got_bytes }
        } else if got_bytes < least_bytes {
            WireFault::TooShort { id, least_bytes, got_bytes }
        } else {
            WireFault::TooLong { id, most_bytes, got_bytes }
        })
    }
}

/// What stands at the front of a receive buffer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decoded {
    /// The beginning of a frame.
    Incomplete {
        /// Bytes the buffer must hold, counted from its front, before it is worth calling again.
        /// At most [`Limits::frame_bytes_max`].
        need_bytes: usize,
    },
    /// A whole message.
    Message {
        /// What it says.
        message: Message,
        /// Bytes to drop from the front of the buffer.
        consumed: usize,
    },
    /// The header of a block. Its payload of `request.length` bytes follows the header.
    Block {
        /// Which block, as the peer claims.
        request: Request,
        /// Bytes to drop before the payload: [`BLOCK_HEADER_BYTES`].
        header_bytes: usize,
    },
    /// A whole message with an id that nobody defined; ignoring it is how the protocol grows.
    Skipped {
        /// Bytes to drop from the front of the buffer.
        consumed: usize,
    },
}

/// Reads the front of `buf`, which must begin where a frame begins.
///
/// # Errors
/// As soon as length prefix and id show that the frame breaks the protocol or `limits`.
pub fn decode(buf: &[u8], limits: &Limits) -> Result<Decoded, WireFault> {
    let Some(prefix) = buf.first_chunk::<4>() else {
        return Ok(Decoded::Incomplete { need_bytes: 4 });
    };
    let Some(body_bytes) = u32::from_be_bytes(*prefix).checked_sub(1) else {
        return Ok(Decoded::Message { message: Message::KeepAlive, consumed: 4 });
    };
    let Some(&id) = buf.get(4) else {
        return Ok(Decoded::Incomplete { need_bytes: HEAD_BYTES });
    };
    limits.check(id, body_bytes)?;
    if id == PIECE {
        return Ok(decode_block(buf, body_bytes));
    }
    let consumed = HEAD_BYTES + body_bytes as usize;
    let Some(body) = buf.get(HEAD_BYTES..consumed) else {
        return Ok(Decoded::Incomplete { need_bytes: consumed });
    };
    Ok(match decode_body(id, body)? {
        Some(message) => Decoded::Message { message, consumed },
        None => Decoded::Skipped { consumed },
    })
}

fn decode_block(buf: &[u8], body_bytes: u32) -> Decoded {
    let header_bytes = BLOCK_HEADER_BYTES;
    let Some(header) = buf.first_chunk::<BLOCK_HEADER_BYTES>() else {
        return Decoded::Incomplete { need_bytes: header_bytes };
    };
    let [piece, begin] = numbers(&header[HEAD_BYTES..]);
    let length = body_bytes - BLOCK_FIELDS_BYTES;
    Decoded::Block { request: Request { piece, begin, length }, header_bytes }
}

/// Reads a body whose size has been checked. `None`: nobody defined this id.
fn decode_body(id: u8, body: &[u8]) -> Result<Option<Message>, WireFault> {
    Ok(Some(match id {
        CHOKE => Message::Choke,
        UNCHOKE => Message::Unchoke,
        INTERESTED => Message::Interested,
        NOT_INTERESTED => Message::NotInterested,
        HAVE => Message::Have(number(body)),
        BITFIELD => Message::Bitfield(body.to_vec()),
        REQUEST => Message::Request(request(body)),
        CANCEL => Message::Cancel(request(body)),
        PORT => Message::Port(u16::from_be_bytes([body[0], body[1]])),
        SUGGEST => Message::Suggest(number(body)),
        HAVE_ALL => Message::HaveAll,
        HAVE_NONE => Message::HaveNone,
        REJECT => Message::Reject(request(body)),
        ALLOWED_FAST => Message::AllowedFast(number(body)),
        EXTENDED => Message::Extended { id: body[0], payload: body[1..].to_vec() },
        HASH_REQUEST => Message::HashRequest(hash_span(body)),
        HASHES => decode_hashes(body)?,
        HASH_REJECT => Message::HashReject(hash_span(body)),
        _ => return Ok(None),
    }))
}

fn decode_hashes(body: &[u8]) -> Result<Message, WireFault> {
    let span = hash_span(body);
    let (hashes, rest) = body[HASH_SPAN_BYTES as usize..].as_chunks::<32>();
    let most = u64::from(span.length) + u64::from(span.proof_layers);
    // The body is bounded by `Limits::hashes_max`, so the counts fit.
    if !rest.is_empty() || (hashes.len() as u64) < span.length.into() || hashes.len() as u64 > most
    {
        return Err(WireFault::HashCount {
            length: span.length,
            proof_layers: span.proof_layers,
            got_bytes: body.len() as u32 - HASH_SPAN_BYTES,
        });
    }
    Ok(Message::Hashes(span, hashes.iter().copied().map(Sha256Digest).collect()))
}

/// The big-endian numbers at the front of `body`, whose size has been checked.
fn numbers<const N: usize>(body: &[u8]) -> [u32; N] {
    let mut numbers = [0; N];
    for (number, bytes) in numbers.iter_mut().zip(body.as_chunks::<4>().0) {
        *number = u32::from_be_bytes(*bytes);
    }
    numbers
}

fn number(body: &[u8]) -> u32 {
    let [number] = numbers(body);
    number
}

fn request(body: &[u8]) -> Request {
    let [piece, begin, length] = numbers(body);
    Request { piece, begin, length }
}

fn hash_span(body: &[u8]) -> HashSpan {
    let mut pieces_root = Sha256Digest([0; 32]);
    let (root, rest) = body.split_at(pieces_root.0.len());
    pieces_root.0.copy_from_slice(root);
    let [base_layer, index, length, proof_layers] = numbers(rest);
    HashSpan { pieces_root, base_layer, index, length, proof_layers }
}

/// Appends the frame of `message` to `out`.
///
/// # Panics
/// If the message has 4 GiB, which none of ours comes near.
pub fn encode(message: &Message, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend([0; 4]);
    match message {
        Message::KeepAlive => {}
        Message::Choke => out.push(CHOKE),
        Message::Unchoke => out.push(UNCHOKE),
        Message::Interested => out.push(INTERESTED),
        Message::NotInterested => out.push(NOT_INTERESTED),
        Message::Have(piece) => put(out, HAVE, &[*piece]),
        Message::Bitfield(bits) => {
            out.push(BITFIELD);
            out.extend_from_slice(bits);
        }
        Message::Request(request) => put_request(out, REQUEST, *request),
        Message::Cancel(request) => put_request(out, CANCEL, *request),
        Message::Port(port) => {
            out.push(PORT);
            out.extend(port.to_be_bytes());
        }
        Message::Suggest(piece) => put(out, SUGGEST, &[*piece]),
        Message::HaveAll => out.push(HAVE_ALL),
        Message::HaveNone => out.push(HAVE_NONE),
        Message::Reject(request) => put_request(out, REJECT, *request),
        Message::AllowedFast(piece) => put(out, ALLOWED_FAST, &[*piece]),
        Message::Extended { id, payload } => {
            out.extend([EXTENDED, *id]);
            out.extend_from_slice(payload);
        }
        Message::HashRequest(span) => put_hash_span(out, HASH_REQUEST, span),
        Message::Hashes(span, hashes) => {
            put_hash_span(out, HASHES, span);
            out.extend(hashes.iter().flat_map(|hash| hash.0));
        }
        Message::HashReject(span) => put_hash_span(out, HASH_REJECT, span),
    }
    let frame_bytes = u32::try_from(out.len() - start - 4).expect("no message of ours has 4 GiB");
    out[start..start + 4].copy_from_slice(&frame_bytes.to_be_bytes());
}

fn put(out: &mut Vec<u8>, id: u8, numbers: &[u32]) {
    out.push(id);
    out.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
}

fn put_request(out: &mut Vec<u8>, id: u8, request: Request) {
    put(out, id, &[request.piece, request.begin, request.length]);
}

fn put_hash_span(out: &mut Vec<u8>, id: u8, span: &HashSpan) {
    out.push(id);
    out.extend(span.pieces_root.0);
    let numbers = [span.base_layer, span.index, span.length, span.proof_layers];
    out.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
}

/// The header to send in front of the payload of a block.
///
/// # Panics
/// If the length comes near 4 GiB, which no span of a piece does.
pub fn block_header(block: Request) -> [u8; BLOCK_HEADER_BYTES] {
    let frame_bytes = block
        .length
        .checked_add(1 + BLOCK_FIELDS_BYTES)
        .expect("a span of a piece is far below 4 GiB");
    let mut header = [0; BLOCK_HEADER_BYTES];
    header[..4].copy_from_slice(&frame_bytes.to_be_bytes());
    header[4] = PIECE;
    header[5..9].copy_from_slice(&block.piece.to_be_bytes());
    header[9..].copy_from_slice(&block.begin.to_be_bytes());
    header
}

#[cfg(test)]
mod tests;
