//! From fields to an [`Info`]: compares the halves, gives files their places and names.

use super::fields::{Listed, RawFile, name, v1_files, v2_files};
use super::{Info, PATH_BYTES_MAX, PIECES_MAX, RawNames, Version};
use crate::error::MetainfoError;
use crate::file::File;
use crate::layout::{Extent, Layout};
use crate::names::{Cleaned, RawPath, Reason, clean_component, clean_paths, join, printable};
use piecework_bencode::{Dict, Mode, Value, decode};
use piecework_hash::{sha1, sha256};
use piecework_types::{
    BLOCK_BYTES, InfoHashes, PIECE_BYTES_MAX, PieceGrid, Sha1Digest, Sha256Digest,
};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

pub(super) fn parse(raw: &Arc<[u8]>) -> Result<Info, MetainfoError> {
    let document = decode(raw, Mode::Lenient)?;
    if !document.trailing().is_empty() {
        return Err(MetainfoError::Invalid { field: "info", expected: "one dictionary" });
    }
    let dict = document
        .root()
        .as_dict()
        .ok_or(MetainfoError::Invalid { field: "info", expected: "a dictionary" })?;
    let is_v2 = is_v2(dict)?;
    if let Some(irregularity) = document.irregularity().filter(|_| is_v2) {
        return Err(MetainfoError::NotCanonical(irregularity));
    }
    let piece_length = piece_length(dict, is_v2)?;
    let raw_name = name(dict)?;
    let v1 = v1_files(dict, raw_name)?;
    let (version, listed) = match (is_v2, v1) {
        (false, Some(v1)) => (Version::V1, v1),
        (false, None) => return Err(MetainfoError::Missing { field: "length" }),
        (true, None) => (Version::V2, v2_files(dict, raw_name)?),
        (true, Some(v1)) => (Version::Hybrid, merge(v1, &v2_files(dict, raw_name)?, piece_length)?),
    };
    let (layout, grid) = place(&listed.files, version, piece_length)?;
    let pieces = match version {
        Version::V1 | Version::Hybrid => v1_hashes(dict, grid.piece_count())?,
        Version::V2 => 0..0,
    };
    let hashes = InfoHashes {
        v1: version.has_v1().then(|| sha1(raw)),
        v2: version.has_v2().then(|| sha256(raw)),
    };
    let mut cleaned = Vec::new();
    let name = clean_name(raw_name, hashes, &mut cleaned);
    let files = finish_files(&listed, &layout, &name, &mut cleaned)?;
    let info = Info {
        hashes,
        version,
        name: name.into(),
        is_single_file: listed.is_single,
        files,
        layout,
        grid,
        pieces,
        is_private: dict.get("private").and_then(Value::as_i64).is_some_and(|flag| flag != 0),
        cleaned,
        raw: Arc::clone(raw),
    };
    check_roots(&info)?;
    Ok(info)
}

/// The names of a dictionary that [`parse`] has accepted.
pub(super) fn raw_names(raw: &[u8]) -> Option<RawNames> {
    let document = decode(raw, Mode::Lenient).ok()?;
    let dict = document.root().as_dict()?;
    let name = name(dict).ok()?;
    // Of a hybrid torrent the v1 list is the one whose files were kept.
    let listed = match v1_files(dict, name).ok()? {
        Some(listed) => listed,
        None => v2_files(dict, name).ok()?,
    };
    let path = |file: &RawFile<'_>| file.path.iter().map(|name| name.to_vec()).collect();
    Some(RawNames { name: name.to_vec(), paths: listed.files.iter().map(path).collect() })
}

fn is_v2(dict: Dict<'_>) -> Result<bool, MetainfoError> {
    let version = match dict.get("meta version") {
        None if dict.get("file tree").is_some() => {
            return Err(MetainfoError::Missing { field: "meta version" });
        }
        None => 1,
        Some(version) => version
            .as_i64()
            .ok_or(MetainfoError::Invalid { field: "meta version", expected: "a number" })?,
    };
    match version {
        1 => Ok(false),
        2 => Ok(true),
        got => Err(MetainfoError::Version { got }),
    }
}

fn piece_length(dict: Dict<'_>, is_v2: bool) -> Result<u32, MetainfoError> {
    let field = "piece length";
    let length = dict.get(field).ok_or(MetainfoError::Missing { field })?;
    let got =
        length.as_i64().ok_or(MetainfoError::Invalid { field, expected: "a number of bytes" })?;
    let length = u32::try_from(got).ok().filter(|length| (1..=PIECE_BYTES_MAX).contains(length));
    let length = length.ok_or(MetainfoError::PieceLength { expected: "1 to 512 MiB", got })?;
    if is_v2 && !(length >= BLOCK_BYTES && length.is_power_of_two()) {
        let expected = "a power of two from 16 KiB to 512 MiB";
        return Err(MetainfoError::PieceLength { expected, got });
    }
    Ok(length)
}

/// The v1 list of a hybrid torrent with the v2 roots, if both describe the same content. Empty
/// files and symlinks are nobody's pieces: those of the v1 list count.
fn merge<'d>(
    mut v1: Listed<'d>,
    v2: &Listed<'_>,
    piece_length: u32,
) -> Result<Listed<'d>, MetainfoError> {
    let differ =
        |file: &RawFile<'_>, what| MetainfoError::Hybrid { path: printable(&file.path), what };
    let mut v2_files = v2.files.iter().filter(|file| file.length > 0);
    let (mut v1_offset, mut v2_offset) = (0_u64, 0_u64);
    let piece_length = u64::from(piece_length);
    for file in &mut v1.files {
        if file.length > 0 && !file.attributes.pad {
            let twin = v2_files.next().ok_or_else(|| differ(file, "only v1 has it"))?;
            if twin.path != file.path {
                return Err(differ(file, "its name"));
            }
            if twin.length != file.length {
                return Err(differ(file, "its length"));
            }
            if v1_offset != v2_offset {
                return Err(differ(file, "where it starts"));
            }
            file.root = twin.root;
            // Both halves stay below 2^63: the sum of lengths is checked right after this.
            v2_offset = v2_offset
                .saturating_add(file.length.div_ceil(piece_length).saturating_mul(piece_length));
        }
        v1_offset = v1_offset.checked_add(file.length).ok_or(MetainfoError::TooLarge)?;
    }
    if let Some(file) = v2_files.next() {
        return Err(differ(file, "only v2 has it"));
    }
    if v1_offset.div_ceil(piece_length) != v2_offset / piece_length {
        let (path, what) = ("the end".to_owned(), "the number of pieces");
        return Err(MetainfoError::Hybrid { path, what });
    }
    Ok(v1)
}

/// Gives every file its place in piece space.
fn place(
    files: &[RawFile<'_>],
    version: Version,
    piece_length: u32,
) -> Result<(Layout, PieceGrid), MetainfoError> {
    let aligned = version == Version::V2;
    let mut extents = Vec::with_capacity(files.len());
    let mut end = 0_u64;
    for file in files {
        extents.push(Extent { offset: end, length: file.length, is_pad: file.attributes.pad });
        end = end.checked_add(file.length).ok_or(MetainfoError::TooLarge)?;
        if aligned {
            end =
                end.checked_next_multiple_of(piece_length.into()).ok_or(MetainfoError::TooLarge)?;
        }
    }
    if extents.iter().all(|extent| extent.is_pad || extent.length == 0) {
        return Err(MetainfoError::NoContent);
    }
    let got = end.div_ceil(piece_length.into());
    if got > PIECES_MAX {
        return Err(MetainfoError::TooManyPieces { got });
    }
    let grid = if aligned {
        PieceGrid::aligned(files.iter().map(|file| file.length), piece_length)?
    } else {
        PieceGrid::contiguous(end, piece_length)?
    };
    Ok((Layout::new(extents, &grid), grid))
}

/// Where the SHA-1 hashes lie.
fn v1_hashes(dict: Dict<'_>, pieces: u32) -> Result<Range<usize>, MetainfoError> {
    let field = "pieces";
    let value = dict.get(field).ok_or(MetainfoError::Missing { field })?;
    let hashes = value.as_bytes().ok_or(MetainfoError::Invalid { field, expected: "a string" })?;
    if hashes.len() as u64 != u64::from(pieces) * Sha1Digest::BYTES as u64 {
        return Err(MetainfoError::PieceHashes { pieces, got_bytes: hashes.len() });
    }
    let end = value.offset() + value.raw().len();
    Ok(end - hashes.len()..end)
}

fn clean_name(raw: &[u8], hashes: InfoHashes, cleaned: &mut Vec<Cleaned>) -> String {
    let (mut name, why) = clean_component(raw);
    if why.contains(Reason::Empty) || why.contains(Reason::Dots) {
        name = hashes.to_string();
    }
    if !why.is_empty() {
        let from = printable(&[raw]);
        cleaned.push(Cleaned { file: None, from, to: name.clone(), why });
    }
    name
}

/// Cleans the paths and resolves symlinks.
fn finish_files(
    listed: &Listed<'_>,
    layout: &Layout,
    name: &str,
    cleaned: &mut Vec<Cleaned>,
) -> Result<Vec<File>, MetainfoError> {
    let paths = if listed.is_single {
        vec![name.to_owned()]
    } else {
        let raw = listed
            .files
            .iter()
            .map(|file| RawPath { components: &file.path, is_pad: file.attributes.pad });
        let (mut paths, changes) = clean_paths(&raw.collect::<Vec<_>>());
        for (path, file) in paths.iter_mut().zip(&listed.files) {
            if file.path.is_empty() {
                *path = format!(".pad/{}", file.length);
            }
            path.insert(0, '/');
            path.insert_str(0, name);
        }
        let named = |file: &RawFile<'_>| !file.path.is_empty();
        let changes = changes.into_iter().filter(|change| {
            change.file.is_none_or(|file| listed.files.get(file).is_some_and(named))
        });
        cleaned.extend(changes);
        paths
    };
    if let Some(long) = paths.iter().find(|path| path.len() > PATH_BYTES_MAX) {
        return Err(MetainfoError::PathTooLong { path: long.chars().take(64).collect() });
    }
    let mut links = symlinks(listed, &paths, name)?;
    let files = paths.into_iter().enumerate().map(|(at, path)| {
        let (file, extent) = (&listed.files[at], layout.extents()[at]);
        File {
            path: path.into(),
            symlink: links.remove(&at).map(Into::into),
            length: file.length,
            offset: extent.offset,
            attributes: file.attributes,
            pieces_root: file.root,
        }
    });
    Ok(files.collect())
}

/// Targets of symlinks by file, from the same folder as the files' paths.
fn symlinks(
    listed: &Listed<'_>,
    paths: &[String],
    name: &str,
) -> Result<BTreeMap<usize, String>, MetainfoError> {
    let mut links = BTreeMap::new();
    let mut sorted: Vec<&str> = Vec::new();
    for (at, file) in listed.files.iter().enumerate() {
        let Some(target) = &file.symlink else { continue };
        if target.iter().any(|component| has_dots(component)) {
            let (path, target) = (printable(&file.path), printable(target));
            return Err(MetainfoError::SymlinkEscapes { path, target });
        }
        if sorted.is_empty() {
            sorted = paths.iter().map(String::as_str).collect();
            sorted.sort_unstable();
        }
        let parts: Vec<&[u8]> = target.iter().copied().filter(|part| *part != b".").collect();
        let (target, _) = join(&parts);
        // BEP 47 counts from the torrent's folder; some old torrents count from the link.
        let from_top = [name, "/", &target].concat();
        let folder = paths[at].rsplit_once('/').map_or("", |(folder, _)| folder);
        let from_link = [folder, "/", &target].concat();
        let use_link = !exists(&sorted, &from_top) && exists(&sorted, &from_link);
        let target = if use_link { from_link } else { from_top };
        if target.len() > PATH_BYTES_MAX {
            return Err(MetainfoError::PathTooLong { path: printable(&file.path) });
        }
        links.insert(at, target);
    }
    Ok(links)
}

/// Whether a component hides a step upwards.
fn has_dots(component: &[u8]) -> bool {
    component.split(|byte| matches!(byte, b'/' | b'\\')).any(|part| part == b"..")
}

/// Whether the path is a file or a folder of the torrent.
fn exists(sorted: &[&str], path: &str) -> bool {
    let starts = |from: &str| {
        let at = sorted.partition_point(|known| *known < from);
        sorted.get(at).copied()
    };
    let folder = [path, "/"].concat();
    starts(path) == Some(path) || starts(&folder).is_some_and(|known| known.starts_with(&folder))
}

/// One root can only have one length: equal files may share it, others cannot.
fn check_roots(info: &Info) -> Result<(), MetainfoError> {
    let with_root =
        info.files.iter().filter_map(|file| file.pieces_root.map(|root| (root, file.length)));
    let mut roots: Vec<(Sha256Digest, u64)> = with_root.collect();
    roots.sort_unstable();
    match roots.windows(2).find(|pair| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1) {
        Some(pair) => Err(MetainfoError::SharedRoot { root: pair[0].0 }),
        None => Ok(()),
    }
}
