//! Why a torrent is refused. Every error names the field, what was expected and what came.

use crate::merkle::MerkleFault;
use crate::{FILES_MAX, PATH_BYTES_MAX, PATH_COMPONENTS_MAX, PATHS_BYTES_MAX, PIECES_MAX};
use piecework_bencode::{DecodeError, Irregularity};
use piecework_types::{Blame, GridError, InfoHashes, Sha256Digest};

/// A torrent file or info dictionary that is refused. It is the fault of whoever made it, or, for
/// metadata that came from peers, sent it; never of this machine.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MetainfoError {
    /// No bencode.
    #[error("not a torrent: {0}")]
    Bencode(#[from] DecodeError),
    /// Readable, but v2 demands canonical bencode (BEP 52).
    #[error("a v2 info dictionary must be canonical bencode: {0}")]
    NotCanonical(Irregularity),
    /// A field that must be there is not.
    #[error("{field} is missing")]
    Missing {
        /// Its key or place.
        field: &'static str,
    },
    /// A field of another type or range than it must have.
    #[error("{field} must be {expected}")]
    Invalid {
        /// Its key or place.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A meta version that is not known.
    #[error("meta version must be 1 or 2, got {got}")]
    Version {
        /// What came.
        got: i64,
    },
    /// Zero, too long, or for v2 no power of two of at least 16 KiB.
    #[error("piece length must be {expected}, got {got}")]
    PieceLength {
        /// What it must be.
        expected: &'static str,
        /// What came; negative numbers are possible.
        got: i64,
    },
    /// Sizes that make no grid of pieces.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// More pieces than are worth their memory.
    #[error("at most {PIECES_MAX} pieces, got {got}")]
    TooManyPieces {
        /// What the sizes amount to.
        got: u64,
    },
    /// `pieces` does not have one hash for each piece.
    #[error("{pieces} pieces need {} bytes of hashes, got {got_bytes}", u64::from(*pieces) * 20)]
    PieceHashes {
        /// Pieces of the torrent.
        pieces: u32,
        /// Length of `pieces`.
        got_bytes: usize,
    },
    /// No file with content.
    #[error("the torrent has no content")]
    NoContent,
    /// File sizes that overflow.
    #[error("the files together are longer than any disk")]
    TooLarge,
    /// More files than are worth their memory.
    #[error("at most {FILES_MAX} files")]
    TooManyFiles,
    /// Folders within folders without end.
    #[error("a path has at most {PATH_COMPONENTS_MAX} components: {path}")]
    PathTooDeep {
        /// Its beginning.
        path: String,
    },
    /// A path that no system call takes.
    #[error("a path has at most {PATH_BYTES_MAX} bytes: {path}")]
    PathTooLong {
        /// Its beginning.
        path: String,
    },
    /// More path than is worth its memory.
    #[error("all paths together have at most {PATHS_BYTES_MAX} bytes")]
    PathsTooLong,
    /// A file with content and no usable root of its hash tree (BEP 52).
    #[error("pieces root must be 32 bytes that are not all zero: {path}")]
    PiecesRoot {
        /// Which file.
        path: String,
    },
    /// One root for files of different length: one of them can never be right.
    #[error("two files of different length have the pieces root {root}")]
    SharedRoot {
        /// The root.
        root: Sha256Digest,
    },
    /// A symlink with `..` in its target (BEP 47).
    #[error("symlink leaves the torrent's folder: {path} -> {target}")]
    SymlinkEscapes {
        /// The link.
        path: String,
        /// Where it points.
        target: String,
    },
    /// The v1 and v2 halves of a hybrid torrent describe different content (BEP 52).
    #[error("v1 and v2 disagree about {path}: {what}")]
    Hybrid {
        /// The first file they disagree about.
        path: String,
        /// In what.
        what: &'static str,
    },
    /// A piece layer that belongs to no file or is not what its root says.
    #[error("piece layer of {root} is wrong: {fault}")]
    PieceLayer {
        /// The root it is listed under.
        root: Sha256Digest,
        /// What is wrong.
        fault: LayerError,
    },
    /// Files longer than a piece without their piece layer (BEP 52). A magnet link would do
    /// instead.
    #[error("{files} files have no piece layer: the torrent file is incomplete")]
    MissingLayers {
        /// How many different files.
        files: usize,
    },
    /// The metadata is not what was asked for.
    #[error("expected the info dictionary of {expected}, got that of {got}")]
    InfoHash {
        /// What the magnet link or the caller said.
        expected: InfoHashes,
        /// What came.
        got: InfoHashes,
    },
}

impl MetainfoError {
    /// Always [`Blame::Peer`]: whoever made or sent it. The file itself has to change.
    pub const fn blame(&self) -> Blame {
        Blame::Peer
    }
}

/// Hashes that are not the piece layer they claim to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// No file of this torrent has that root, or it has no piece layer.
    #[error("no file has such a layer")]
    UnknownRoot,
    /// Not 32 bytes a hash.
    #[error("{got_bytes} bytes are no whole number of hashes")]
    Length {
        /// Bytes that came.
        got_bytes: usize,
    },
    /// Not the right number of hashes, or not the right ones.
    #[error(transparent)]
    Merkle(#[from] MerkleFault),
}
