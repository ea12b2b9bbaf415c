//! Ordering and laying out the files of a torrent to be made.
//!
//! Owns the decision which bytes are which piece. Invariant: a plan that exists keeps every limit
//! and every name that reading enforces. Knows no digests.

use super::{Builder, CreateError, Shape, Source, auto_piece_length};
use crate::file::Attributes;
use crate::info::{FILES_MAX, PATH_BYTES_MAX, PATH_COMPONENTS_MAX, PIECES_MAX, Version};
use crate::layout::{Extent, Layout};
use crate::names::{RawPath, clean_component, clean_paths};
use piecework_types::{BLOCK_BYTES, PIECE_BYTES_MAX, PieceGrid, PieceIndex};

/// A file of a planned torrent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlannedFile {
    /// Place among the sources that were given; `None` for padding.
    pub source: Option<usize>,
    /// Path below the torrent's folder; of a single file its name.
    pub(super) components: Vec<String>,
    pub(super) attributes: Attributes,
}

/// Which bytes are which piece.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) name: String,
    pub(super) is_single_file: bool,
    pub(super) version: Version,
    pub(super) files: Vec<PlannedFile>,
    pub(super) layout: Layout,
    pub(super) grid: PieceGrid,
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
        Builder::new(self)
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
