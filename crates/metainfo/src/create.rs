//! Making torrents: which bytes are hashed as which piece, and what is written in the end.
//!
//! A [`Plan`] orders the files and lays them out; the caller reads and hashes what
//! [`Plan::layout`] says (padding is zero bytes), hands the digests to a [`Builder`] in any order
//! and gets the torrent file. Pure: no file is opened here. What comes out has been parsed again.

mod builder;
mod plan;
mod write;

pub use builder::{Builder, Created};
pub use plan::{Plan, PlannedFile};

use crate::MetainfoError;
use crate::info::{FILES_MAX, Info, PATH_BYTES_MAX, PATH_COMPONENTS_MAX, PIECES_MAX, Version};
use crate::layers::PieceLayers;
use crate::merkle::Tree;
use crate::names::Reasons;
use piecework_types::{BLOCK_BYTES, GridError, PieceIndex};

/// Writes a torrent file for metadata that came from peers. For v2 and hybrid torrents the piece
/// layers have to be complete, or nobody could read the file; `None` when they are not.
/// [`Details::is_private`] means nothing here: the info dictionary says it.
pub fn torrent_file(
    info: &Info,
    layers: Option<&PieceLayers>,
    details: &Details,
) -> Option<Vec<u8>> {
    let Some(layers) = layers.filter(|_| info.version().has_v2()) else {
        let none = None::<std::iter::Empty<&Tree>>;
        return (!info.version().has_v2()).then(|| write::torrent(info.raw(), none, details));
    };
    layers.is_complete().then(|| write::torrent(info.raw(), Some(layers.trees()), details))
}

/// Longest piece that is chosen without being asked for.
pub const AUTO_PIECE_BYTES_MAX: u32 = 16 << 20;

/// Pieces that an automatic piece length aims at; a torrent has half as many at least, if it is not
/// small. Enough to share out early, few enough that the torrent file stays small.
const AUTO_PIECES_MAX: u64 = 2000;

/// The piece length for this many bytes: the smallest power of two from 16 KiB on that makes 2,000
/// pieces or fewer, 16 MiB at most.
pub fn auto_piece_length(total_bytes: u64) -> u32 {
    let wanted = total_bytes.div_ceil(AUTO_PIECES_MAX).max(BLOCK_BYTES.into());
    let wanted = wanted.min(AUTO_PIECE_BYTES_MAX.into());
    // At most 2^24, and a power of two already where the limit cut it.
    wanted.next_power_of_two() as u32
}

/// A file to put into a torrent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// Its path below the torrent's folder.
    pub components: Vec<String>,
    /// Its bytes.
    pub length: u64,
    /// Marked executable (BEP 47).
    pub is_executable: bool,
}

/// How to make a torrent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shape {
    /// Which hashes it has.
    pub version: Version,
    /// Bytes of a piece; `None` for [`auto_piece_length`].
    pub piece_length: Option<u32>,
    /// Align the files of a v1 torrent by pad files, as hybrid ones always are.
    pub pad_v1: bool,
}

/// What a torrent file says besides its content.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Details {
    /// Announce addresses in tiers.
    pub trackers: Vec<Vec<String>>,
    /// Web seeds (BEP 19).
    pub web_seeds: Vec<String>,
    /// Peers from trackers only (BEP 27). Part of the info dictionary.
    pub is_private: bool,
    /// For people.
    pub comment: Option<String>,
    /// The program that makes it.
    pub created_by: Option<String>,
    /// Seconds since 1970.
    pub creation_date: Option<u64>,
}

/// Why no torrent can be made. All are for the user to change but [`CreateError::Incomplete`],
/// [`CreateError::Digests`] and [`CreateError::Refused`], which are the caller's mistakes.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// No file with content.
    #[error("there is nothing to share: no file has content")]
    NoContent,
    /// A piece length that v2 does not allow; v1 is held to it too.
    #[error("piece length must be a power of two from 16 KiB to 512 MiB, got {got}")]
    PieceLength {
        /// What was asked for.
        got: u32,
    },
    /// Too many pieces.
    #[error("at most {PIECES_MAX} pieces, got {got}: take a longer piece length")]
    TooManyPieces {
        /// With the piece length that was asked for.
        got: u64,
    },
    /// Too many files, pad files counted.
    #[error("at most {FILES_MAX} files")]
    TooManyFiles,
    /// File sizes that overflow.
    #[error("the files together are longer than any disk")]
    TooLarge,
    /// A path beyond the limits.
    #[error(
        "a path has at most {PATH_COMPONENTS_MAX} components and {PATH_BYTES_MAX} bytes: {path}"
    )]
    PathTooLong {
        /// Which.
        path: String,
    },
    /// A name that everybody else would store as another, so that this copy could not be seeded.
    #[error("{from} would be stored as {to} ({why}): rename it")]
    Name {
        /// Its name.
        from: String,
        /// What it would become.
        to: String,
        /// Why.
        why: Reasons,
    },
    /// In a v2 torrent this is the same as the file alone.
    #[error("a v2 torrent of a folder with one file of the same name is that of the file: {name}")]
    FolderLikeFile {
        /// Of both.
        name: String,
    },
    /// Sizes that make no grid.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// Digests are missing at the end.
    #[error("{missing} of {pieces} pieces have no hash")]
    Incomplete {
        /// Pieces without.
        missing: u32,
        /// All pieces.
        pieces: u32,
    },
    /// Digests of another kind or number than this piece needs.
    #[error("piece {piece}: expected {expected}")]
    Digests {
        /// Which piece.
        piece: PieceIndex,
        /// What it needs.
        expected: &'static str,
    },
    /// An address that nobody could use.
    #[error("expected an http, https or udp address without spaces, got {got}")]
    Address {
        /// What was given.
        got: String,
    },
    /// The torrent breaks a rule that reading it enforces.
    #[error("the torrent would be refused: {0}")]
    Refused(#[from] MetainfoError),
}

#[cfg(test)]
mod tests;
