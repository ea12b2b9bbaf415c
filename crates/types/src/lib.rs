//! The words every other crate shares: time, digests, ids, the grid of pieces and blocks, bitfields,
//! seeded randomness, budgets for strangers, how far addresses reach and whose fault an error is.
//!
//! This is the lowest crate: it depends on nothing and does no I/O. It must not know bencode, sockets,
//! files, or any policy.

mod allowance;
mod bitfield;
mod digest;
mod fault;
mod grid;
mod id;
mod random;
mod scope;
mod time;

pub use allowance::{Allowance, Allowances, Rate, Sender};
pub use bitfield::{Bitfield, BitfieldFault, IterOnes};
pub use digest::{DigestParseError, Sha1Digest, Sha256Digest};
pub use fault::Blame;
pub use grid::{BLOCK_BYTES, Block, GridError, PIECE_BYTES_MAX, PieceGrid, PieceIndex};
pub use id::{ChunkId, InfoHash, InfoHashes, PeerId, PeerSlot};
pub use random::Rng;
pub use scope::Scope;
pub use time::Time;
