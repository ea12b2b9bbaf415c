//! The info dictionary: what a torrent's hash stands for.
//!
//! Owns the raw bytes and what was read from them. Piece hashes of v1 stay where they are in the
//! raw bytes. Does not know trackers or anything else that stands outside the info dictionary.

mod build;
mod fields;

use crate::error::MetainfoError;
use crate::file::File;
use crate::layers::PieceLayers;
use crate::layout::Layout;
use crate::merkle::TreeShape;
use crate::names::Cleaned;
use piecework_hash::{sha1, sha256};
use piecework_types::{InfoHashes, PieceGrid, PieceIndex, Sha1Digest, Sha256Digest};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Most files of a torrent.
pub const FILES_MAX: usize = 400_000;
/// Most pieces of a torrent: 64 GiB at 16 KiB, 64 TiB at 16 MiB. A v2 info dictionary can claim
/// more without having a hash for each, and peers' bitfields cost a bit a piece.
pub const PIECES_MAX: u64 = 1 << 22;
/// Most components of a path.
pub const PATH_COMPONENTS_MAX: usize = 100;
/// Most bytes of a path; leaves room for the folder it lies in within Linux' 4096.
pub const PATH_BYTES_MAX: usize = 3072;
/// Most bytes of all paths together, 16 added for each component: a v2 file tree names a folder
/// once, the paths below it repeat that name.
pub const PATHS_BYTES_MAX: usize = 128 << 20;

/// Which hashes a torrent has.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Version {
    /// SHA-1 of pieces that ignore file borders (BEP 3).
    V1,
    /// SHA-256 trees, one a file (BEP 52).
    V2,
    /// Both, over the same bytes: pad files align v1 to v2 (BEP 52).
    Hybrid,
}

impl Version {
    /// Whether there are SHA-1 piece hashes.
    pub const fn has_v1(self) -> bool {
        matches!(self, Self::V1 | Self::Hybrid)
    }

    /// Whether there are SHA-256 trees.
    pub const fn has_v2(self) -> bool {
        matches!(self, Self::V2 | Self::Hybrid)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Hybrid => "hybrid",
        })
    }
}

/// A checked info dictionary. Its files, their places and its hashes agree with each other.
#[derive(Clone, Eq, PartialEq)]
pub struct Info {
    raw: Arc<[u8]>,
    hashes: InfoHashes,
    version: Version,
    name: Box<str>,
    is_single_file: bool,
    files: Vec<File>,
    layout: Layout,
    grid: PieceGrid,
    /// Where in `raw` the v1 hashes lie; empty for v2.
    pieces: Range<usize>,
    is_private: bool,
    cleaned: Vec<Cleaned>,
}

impl Info {
    /// Reads an info dictionary, which is all of `raw`.
    ///
    /// # Errors
    /// When it is malformed, contradicts itself, or is over a limit.
    pub fn parse(raw: impl Into<Arc<[u8]>>) -> Result<Self, MetainfoError> {
        build::parse(&raw.into())
    }

    /// As [`Self::parse`], for metadata that others sent: refused before it is read when it is not
    /// what `wanted` names.
    ///
    /// # Errors
    /// [`MetainfoError::InfoHash`] when it is another torrent's, else as [`Self::parse`].
    pub fn parse_wanted(
        raw: impl Into<Arc<[u8]>>,
        wanted: &InfoHashes,
    ) -> Result<Self, MetainfoError> {
        let raw = raw.into();
        let got =
            InfoHashes { v1: wanted.v1.map(|_| sha1(&raw)), v2: wanted.v2.map(|_| sha256(&raw)) };
        if got != *wanted {
            return Err(MetainfoError::InfoHash { expected: *wanted, got });
        }
        let info = Self::parse(raw)?;
        // A v2 dictionary is not named by its SHA-1, nor a v1 one by its SHA-256.
        let named =
            InfoHashes { v1: wanted.v1.and(info.hashes.v1), v2: wanted.v2.and(info.hashes.v2) };
        if named != *wanted {
            return Err(MetainfoError::InfoHash { expected: *wanted, got: info.hashes });
        }
        Ok(info)
    }

    /// The dictionary as it came; peers get it by BEP 9.
    pub const fn raw(&self) -> &Arc<[u8]> {
        &self.raw
    }

    /// Its names on the wire.
    pub const fn hashes(&self) -> InfoHashes {
        self.hashes
    }

    /// Which hashes it has.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The torrent's name, clean; the info-hash if nothing else is left of it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True when the content is one file named like the torrent, not a folder.
    pub const fn is_single_file(&self) -> bool {
        self.is_single_file
    }

    /// All files, pad files and empty ones included, in the order of the torrent.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Bytes of all files without padding.
    pub fn content_bytes(&self) -> u64 {
        self.files.iter().filter(|file| !file.is_pad()).map(File::length).sum()
    }

    /// Pieces and blocks. For hybrid torrents padding counts, as v1 peers see it.
    pub const fn grid(&self) -> &PieceGrid {
        &self.grid
    }

    /// Bytes of a full piece.
    pub const fn piece_length(&self) -> u32 {
        self.grid.piece_length()
    }

    /// Which files a piece lies in.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// True when peers may only come from the trackers (BEP 27).
    pub const fn is_private(&self) -> bool {
        self.is_private
    }

    /// Every name that was changed, the torrent's own first.
    pub fn cleaned(&self) -> &[Cleaned] {
        &self.cleaned
    }

    /// The names as they stand in the dictionary.
    pub(crate) fn raw_names(&self) -> Option<RawNames> {
        build::raw_names(&self.raw)
    }

    /// The SHA-1 of a piece; `None` for v2-only torrents.
    pub fn v1_hash(&self, piece: PieceIndex) -> Option<Sha1Digest> {
        let (hashes, _) = self.raw[self.pieces.clone()].as_chunks::<{ Sha1Digest::BYTES }>();
        hashes.get(piece.as_usize()).copied().map(Sha1Digest)
    }

    /// Bytes of a piece that its v2 hash covers: padding is not among them.
    pub fn v2_piece_bytes(&self, piece: PieceIndex) -> Option<u32> {
        if !self.version.has_v2() {
            return None;
        }
        self.layout.piece_segments(piece).next().map(|segment| segment.length)
    }

    /// The piece layers with none known yet but those of single-piece files; `None` for v1.
    pub fn unknown_layers(&self) -> Option<PieceLayers> {
        self.version.has_v2().then(|| PieceLayers::new(&self.trees()))
    }

    /// First piece, root and shape of each file with content.
    fn trees(&self) -> Vec<(u32, Sha256Digest, TreeShape)> {
        let files = self.files.iter().enumerate();
        let trees = files.filter_map(|(at, file)| {
            let shape = TreeShape::new(file.length, self.piece_length())?;
            Some((self.layout.pieces_of(at).start, file.pieces_root?, shape))
        });
        trees.collect()
    }
}

/// Names before they were cleaned.
pub(crate) struct RawNames {
    /// The torrent's own.
    pub(crate) name: Vec<u8>,
    /// Components below the torrent's folder, by file.
    pub(crate) paths: Vec<Vec<Vec<u8>>>,
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Info")
            .field("hashes", &self.hashes)
            .field("name", &self.name)
            .field("files", &self.files.len())
            .field("pieces", &self.grid.piece_count())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
