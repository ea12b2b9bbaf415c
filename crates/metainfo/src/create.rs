//! Making torrents: which bytes are hashed as which piece, and what is written in the end.
//!
//! A [`Plan`] orders the files and lays them out; the caller reads and hashes what
//! [`Plan::layout`] says (padding is zero bytes), hands the digests to a [`Builder`] in any order and
//! gets the torrent file. Pure: no file is opened here. What comes out has been parsed again.

mod write;

use crate::file::Attributes;
use crate::info::{FILES_MAX, Info, PATH_BYTES_MAX, PATH_COMPONENTS_MAX, PIECES_MAX, Version};
use crate::layers::PieceLayers;
use crate::layout::{Extent, Layout};
use crate::merkle::{Tree, TreeShape};
use crate::names::{RawPath, Reasons, clean_component, clean_paths};
use crate::{Metainfo, MetainfoError, url};
use piecework_types::{
    BLOCK_BYTES, Bitfield, GridError, PIECE_BYTES_MAX, PieceGrid, PieceIndex, Sha1Digest,
    Sha256Digest,
};

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

/// Why no torrent can be made. All but the last three are for the user to change.
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

/// A file of a planned torrent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlannedFile {
    /// Place among the sources that were given; `None` for padding.
    pub source: Option<usize>,
    /// Path below the torrent's folder; of a single file its name.
    components: Vec<String>,
    attributes: Attributes,
}

/// Which bytes are which piece.
#[derive(Clone, Debug)]
pub struct Plan {
    name: String,
    is_single_file: bool,
    version: Version,
    files: Vec<PlannedFile>,
    layout: Layout,
    grid: PieceGrid,
}

impl Plan {
    /// A torrent of one file.
    ///
    /// # Errors
    /// When the name would not survive, or the size or piece length is out of bounds.
    pub fn file(name: &str, length: u64, shape: Shape) -> Result<Self, CreateError> {
        let components = vec![name.to_owned()];
        let source = Source { components, length, is_executable: false };
        Self::new(name, vec![source], true, shape)
    }

    /// A torrent of a folder. The files may come in any order; the torrent has them in that of v2
    /// file trees, bytewise by component.
    ///
    /// # Errors
    /// As [`Self::file`], and when two names clash.
    pub fn folder(name: &str, sources: Vec<Source>, shape: Shape) -> Result<Self, CreateError> {
        let is_like_file = matches!(&sources[..], [only] if only.components == [name]);
        if shape.version == Version::V2 && is_like_file {
            return Err(CreateError::FolderLikeFile { name: name.to_owned() });
        }
        Self::new(name, sources, false, shape)
    }

    fn new(
        name: &str,
        sources: Vec<Source>,
        is_single_file: bool,
        shape: Shape,
    ) -> Result<Self, CreateError> {
        check_names(name, &sources)?;
        let total = sources.iter().try_fold(0_u64, |sum, source| sum.checked_add(source.length));
        let total = total.ok_or(CreateError::TooLarge)?;
        if total == 0 {
            return Err(CreateError::NoContent);
        }
        let piece_length = shape.piece_length.unwrap_or_else(|| auto_piece_length(total));
        if !piece_length.is_power_of_two()
            || !(BLOCK_BYTES..=PIECE_BYTES_MAX).contains(&piece_length)
        {
            return Err(CreateError::PieceLength { got: piece_length });
        }
        let (files, extents) = arrange(sources, shape, piece_length)?;
        if files.len() > FILES_MAX {
            return Err(CreateError::TooManyFiles);
        }
        let end = extents.last().map_or(0, |last| last.offset + last.length);
        let got = end.div_ceil(piece_length.into());
        if got > PIECES_MAX {
            return Err(CreateError::TooManyPieces { got });
        }
        let grid = if shape.version == Version::V2 {
            PieceGrid::aligned(extents.iter().map(|extent| extent.length), piece_length)?
        } else {
            PieceGrid::contiguous(end, piece_length)?
        };
        let layout = Layout::new(extents, &grid);
        let name = name.to_owned();
        Ok(Self { name, is_single_file, version: shape.version, files, layout, grid })
    }

    /// Which hashes each piece needs.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The pieces to hash.
    pub const fn grid(&self) -> &PieceGrid {
        &self.grid
    }

    /// Where each piece's bytes lie. File numbers are those of [`Self::files`].
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The files in the order of the torrent, pad files among them.
    pub fn files(&self) -> &[PlannedFile] {
        &self.files
    }

    /// Bytes of a piece that its v2 hash covers: those before the padding. Zero for v1.
    pub fn v2_piece_bytes(&self, piece: PieceIndex) -> u32 {
        let first = self.layout.piece_segments(piece).next().filter(|_| self.version.has_v2());
        first.map_or(0, |segment| segment.length)
    }

    /// Starts to collect digests.
    pub fn builder(self) -> Builder {
        let pieces = self.grid.piece_count() as usize;
        let v1 = if self.version.has_v1() { pieces * Sha1Digest::BYTES } else { 0 };
        let v2 = if self.version.has_v2() { pieces } else { 0 };
        Builder {
            done: Bitfield::new(self.grid.piece_count()),
            v1: vec![0; v1],
            v2: vec![Sha256Digest([0; Sha256Digest::BYTES]); v2],
            plan: self,
        }
    }
}

/// Refuses every name that [`Info::parse`](crate::Info::parse) would change.
fn check_names(name: &str, sources: &[Source]) -> Result<(), CreateError> {
    let (to, why) = clean_component(name.as_bytes());
    if !why.is_empty() {
        return Err(CreateError::Name { from: name.to_owned(), to, why });
    }
    let mut raw = Vec::with_capacity(sources.len());
    for source in sources {
        let components: Vec<&[u8]> = source.components.iter().map(String::as_bytes).collect();
        let bytes: usize = components.iter().map(|component| component.len() + 1).sum();
        if components.len() > PATH_COMPONENTS_MAX || name.len() + bytes > PATH_BYTES_MAX {
            return Err(CreateError::PathTooLong { path: source.components.join("/") });
        }
        raw.push(components);
    }
    let raw: Vec<_> = raw.iter().map(|components| RawPath { components, is_pad: false }).collect();
    match clean_paths(&raw).1.into_iter().next() {
        None => Ok(()),
        Some(change) => {
            Err(CreateError::Name { from: change.from, to: change.to, why: change.why })
        }
    }
}

/// Refuses addresses that [`Metainfo::parse`] would drop or change.
fn check_addresses(details: &Details) -> Result<(), CreateError> {
    let mut trackers = details.trackers.iter().flatten();
    let bad = trackers
        .find(|given| url::tracker(given.as_bytes()).as_ref() != Some(given))
        .or_else(|| {
            let mut web_seeds = details.web_seeds.iter();
            web_seeds.find(|given| url::web_seed(given.as_bytes()).as_ref() != Some(given))
        });
    bad.map_or(Ok(()), |bad| Err(CreateError::Address { got: bad.clone() }))
}

/// Orders the files and puts padding between them.
fn arrange(
    sources: Vec<Source>,
    shape: Shape,
    piece_length: u32,
) -> Result<(Vec<PlannedFile>, Vec<Extent>), CreateError> {
    let mut sources: Vec<_> = sources.into_iter().enumerate().collect();
    sources.sort_by(|(_, a), (_, b)| a.components.cmp(&b.components));
    let pads = match shape.version {
        Version::V1 => shape.pad_v1,
        Version::V2 => false,
        Version::Hybrid => true,
    };
    let last = sources.iter().rposition(|(_, source)| source.length > 0);
    let (mut files, mut extents) = (Vec::new(), Vec::new());
    let mut offset = 0_u64;
    for (at, (source, it)) in sources.into_iter().enumerate() {
        let attributes = Attributes { executable: it.is_executable, ..Attributes::default() };
        files.push(PlannedFile { source: Some(source), components: it.components, attributes });
        extents.push(Extent { offset, length: it.length, is_pad: false });
        offset = offset.checked_add(it.length).ok_or(CreateError::TooLarge)?;
        let aligned =
            offset.checked_next_multiple_of(piece_length.into()).ok_or(CreateError::TooLarge)?;
        let gap = aligned - offset;
        if shape.version == Version::V2 {
            offset = aligned;
        } else if pads && gap > 0 && Some(at) != last && it.length > 0 {
            let components = vec![".pad".to_owned(), gap.to_string()];
            let attributes = Attributes { pad: true, ..Attributes::default() };
            files.push(PlannedFile { source: None, components, attributes });
            extents.push(Extent { offset, length: gap, is_pad: true });
            offset = aligned;
        }
    }
    Ok((files, extents))
}

/// Collects the digests of a planned torrent.
#[derive(Clone, Debug)]
pub struct Builder {
    plan: Plan,
    done: Bitfield,
    v1: Vec<u8>,
    /// By piece.
    v2: Vec<Sha256Digest>,
}

/// A finished torrent.
#[derive(Clone, Debug)]
pub struct Created {
    /// The whole torrent file.
    pub torrent: Vec<u8>,
    /// The same, read again.
    pub metainfo: Metainfo,
}

impl Builder {
    /// What is being built.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Adds a piece: for v1 and hybrid the SHA-1 of all its bytes, padding included; for v2 and
    /// hybrid the SHA-256 of each block of its [`Plan::v2_piece_bytes`], else no block hashes.
    ///
    /// # Errors
    /// [`CreateError::Digests`] when a digest is missing or there are too many.
    pub fn add(
        &mut self,
        piece: PieceIndex,
        sha1: Option<Sha1Digest>,
        block_hashes: &[Sha256Digest],
    ) -> Result<(), CreateError> {
        let refused = |expected| Err(CreateError::Digests { piece, expected });
        if piece.get() >= self.plan.grid.piece_count() {
            return refused("a smaller number");
        }
        let blocks = self.plan.v2_piece_bytes(piece).div_ceil(BLOCK_BYTES);
        if block_hashes.len() != blocks as usize {
            return refused("one SHA-256 for each block of a file");
        }
        if sha1.is_some() != self.plan.version.has_v1() {
            return refused("a SHA-1 for v1 and hybrid only");
        }
        if let Some(sha1) = sha1 {
            let start = piece.as_usize() * Sha1Digest::BYTES;
            self.v1[start..start + Sha1Digest::BYTES].copy_from_slice(&sha1.0);
        }
        if let Some(shape) = self.tree_at(piece).filter(|_| self.plan.version.has_v2()) {
            self.v2[piece.as_usize()] = shape.piece_hash(block_hashes);
        }
        self.done.insert(piece);
        Ok(())
    }

    /// Writes the torrent and reads it again.
    ///
    /// # Errors
    /// [`CreateError::Incomplete`] when pieces are missing; [`CreateError::Refused`] when the
    /// torrent breaks a rule of reading, which no plan should.
    pub fn finish(&self, details: &Details) -> Result<Created, CreateError> {
        if !self.done.is_full() {
            let pieces = self.done.len();
            return Err(CreateError::Incomplete { missing: pieces - self.done.count(), pieces });
        }
        check_addresses(details)?;
        let (info, trees) = write::content(self, details.is_private);
        let trees = self.plan.version.has_v2().then(|| trees.iter());
        let torrent = write::torrent(&info, trees, details);
        let metainfo = Metainfo::parse(&torrent)?;
        Ok(Created { torrent, metainfo })
    }

    fn tree_at(&self, piece: PieceIndex) -> Option<TreeShape> {
        let file = self.plan.layout.file_at(self.plan.grid.piece_offset(piece))?;
        TreeShape::new(self.plan.layout.extents()[file].length, self.plan.grid.piece_length())
    }
}

#[cfg(test)]
mod tests;
