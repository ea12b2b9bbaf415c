//! Reading the fields of an info dictionary, before they are compared with each other.
//!
//! Owns the two ways in which files are listed. Invariant: what leaves here is within the limits on
//! files and paths, however the dictionary is nested. Names are still raw.

use crate::error::MetainfoError;
use crate::file::Attributes;
use crate::info::{FILES_MAX, PATH_COMPONENTS_MAX, PATHS_BYTES_MAX};
use crate::names::printable;
use piecework_bencode::{Dict, Entries, Items, Value};
use piecework_types::Sha256Digest;

/// A file as it is listed.
pub(super) struct RawFile<'d> {
    /// Components below the torrent's folder. Empty for pad files without a name.
    pub(super) path: Vec<&'d [u8]>,
    pub(super) length: u64,
    pub(super) attributes: Attributes,
    pub(super) symlink: Option<Vec<&'d [u8]>>,
    pub(super) root: Option<Sha256Digest>,
}

/// The files of one half, v1 or v2.
pub(super) struct Listed<'d> {
    pub(super) files: Vec<RawFile<'d>>,
    /// The content is one file with the torrent's name.
    pub(super) is_single: bool,
}

/// Length, and the target of a symlink.
type Extent<'d> = (u64, Option<Vec<&'d [u8]>>);

/// What lists may still cost.
struct Budget {
    files: usize,
    bytes: usize,
}

impl Budget {
    const fn new() -> Self {
        Self { files: FILES_MAX, bytes: PATHS_BYTES_MAX }
    }

    fn spend(&mut self, path: &[&[u8]]) -> Result<(), MetainfoError> {
        if path.len() > PATH_COMPONENTS_MAX {
            let path = printable(&path[..4]);
            return Err(MetainfoError::PathTooDeep { path });
        }
        let bytes = path.iter().map(|component| component.len() + size_of::<&[u8]>()).sum();
        self.files = self.files.checked_sub(1).ok_or(MetainfoError::TooManyFiles)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(MetainfoError::PathsTooLong)?;
        Ok(())
    }
}

/// The torrent's name as it stands there.
pub(super) fn name<'d>(dict: Dict<'d>) -> Result<&'d [u8], MetainfoError> {
    let utf8 = dict.get("name.utf-8").and_then(Value::as_bytes);
    let Some(name) = utf8.map(Ok).or_else(|| dict.get("name").map(|name| bytes(name, "name")))
    else {
        return Err(MetainfoError::Missing { field: "name" });
    };
    name
}

/// The v1 list (BEP 3), if there is one.
pub(super) fn v1_files<'d>(
    dict: Dict<'d>,
    name: &'d [u8],
) -> Result<Option<Listed<'d>>, MetainfoError> {
    if let Some(list) = dict.get("files") {
        let list =
            list.as_list().ok_or(MetainfoError::Invalid { field: "files", expected: "a list" })?;
        let mut budget = Budget::new();
        let mut files = Vec::new();
        for item in list {
            let file = item
                .as_dict()
                .ok_or(MetainfoError::Invalid { field: "files", expected: "dictionaries" })?;
            let file = v1_file(file)?;
            budget.spend(&file.path)?;
            files.push(file);
        }
        return Ok(Some(Listed { files, is_single: false }));
    }
    if dict.get("length").is_none() {
        return Ok(None);
    }
    let attributes = attributes(dict);
    let (length, symlink) = extent(dict, attributes)?;
    let file = RawFile { path: vec![name], length, attributes, symlink, root: None };
    Ok(Some(Listed { files: vec![file], is_single: true }))
}

fn v1_file(file: Dict<'_>) -> Result<RawFile<'_>, MetainfoError> {
    let mut attributes = attributes(file);
    let utf8 = file.get("path.utf-8").and_then(Value::as_list);
    let list = match utf8 {
        Some(list) => Some(list),
        None => file.get("path").map(|path| list(path, "path")).transpose()?,
    };
    let path = list.map_or_else(|| Ok(Vec::new()), |list| components(list, "path"))?;
    // BitComet marks its padding by name alone.
    let is_pad = |name: &&[u8]| {
        let rest = name.strip_prefix(b"_____padding_");
        rest.is_some_and(|rest| rest.starts_with(b"file_"))
    };
    if path.last().is_some_and(is_pad) {
        attributes.pad = true;
    }
    if path.is_empty() && !attributes.pad {
        return Err(MetainfoError::Missing { field: "path" });
    }
    let (length, symlink) = extent(file, attributes)?;
    Ok(RawFile { path, length, attributes, symlink, root: None })
}

/// The v2 file tree (BEP 52), files in order. Needs no machine stack, however deep the tree is.
pub(super) fn v2_files<'d>(dict: Dict<'d>, name: &'d [u8]) -> Result<Listed<'d>, MetainfoError> {
    let tree = dict.get("file tree").ok_or(MetainfoError::Missing { field: "file tree" })?;
    let tree = node(tree)?;
    let mut budget = Budget::new();
    let mut files = Vec::new();
    let mut path: Vec<&[u8]> = Vec::new();
    let mut open: Vec<Entries<'d>> = vec![tree.iter()];
    while let Some(entries) = open.last_mut() {
        let Some((component, below)) = entries.next() else {
            open.pop();
            path.pop();
            continue;
        };
        if component.is_empty() {
            let expected = "without empty names beside others";
            return Err(MetainfoError::Invalid { field: "file tree", expected });
        }
        path.push(component);
        let below = node(below)?;
        if let Some(leaf) = leaf(below) {
            budget.spend(&path)?;
            files.push(v2_file(node(leaf)?, &path)?);
            path.pop();
        } else {
            open.push(below.iter());
        }
    }
    // A folder with one file looks the same as a file, but for its name.
    let is_single = matches!(&files[..], [only] if only.path == [name]);
    Ok(Listed { files, is_single })
}

fn v2_file<'d>(file: Dict<'d>, path: &[&'d [u8]]) -> Result<RawFile<'d>, MetainfoError> {
    let attributes = attributes(file);
    if attributes.pad {
        let expected = "without pad files";
        return Err(MetainfoError::Invalid { field: "file tree", expected });
    }
    let (length, symlink) = extent(file, attributes)?;
    let root = if length == 0 {
        None
    } else {
        let root = file.get("pieces root").and_then(Value::as_bytes);
        let root = root.and_then(Sha256Digest::from_slice).filter(|root| root.0 != [0; 32]);
        Some(root.ok_or_else(|| MetainfoError::PiecesRoot { path: printable(path) })?)
    };
    Ok(RawFile { path: path.to_vec(), length, attributes, symlink, root })
}

/// The file below the empty name, if that is the node's only entry.
fn leaf(node: Dict<'_>) -> Option<Value<'_>> {
    let mut entries = node.iter();
    let (_, file) = entries.next().filter(|(name, _)| name.is_empty())?;
    entries.next().is_none().then_some(file)
}

fn node(value: Value<'_>) -> Result<Dict<'_>, MetainfoError> {
    value.as_dict().ok_or(MetainfoError::Invalid { field: "file tree", expected: "dictionaries" })
}

fn attributes(file: Dict<'_>) -> Attributes {
    file.get("attr").and_then(Value::as_bytes).map_or_else(Attributes::default, Attributes::parse)
}

/// Length and symlink target. A symlink takes no room, whatever its length says (BEP 47).
fn extent<'d>(file: Dict<'d>, attributes: Attributes) -> Result<Extent<'d>, MetainfoError> {
    if attributes.symlink {
        let target =
            file.get("symlink path").ok_or(MetainfoError::Missing { field: "symlink path" })?;
        let target = components(list(target, "symlink path")?, "symlink path")?;
        return Ok((0, Some(target)));
    }
    let length = file.get("length").ok_or(MetainfoError::Missing { field: "length" })?;
    let length = length.as_u64().filter(|&length| i64::try_from(length).is_ok());
    let length =
        length.ok_or(MetainfoError::Invalid { field: "length", expected: "0 to 2^63 - 1" })?;
    Ok((length, None))
}

fn components<'d>(list: Items<'d>, field: &'static str) -> Result<Vec<&'d [u8]>, MetainfoError> {
    list.map(|component| bytes(component, field)).collect()
}

fn list<'d>(value: Value<'d>, field: &'static str) -> Result<Items<'d>, MetainfoError> {
    value.as_list().ok_or(MetainfoError::Invalid { field, expected: "a list of strings" })
}

fn bytes<'d>(value: Value<'d>, field: &'static str) -> Result<&'d [u8], MetainfoError> {
    value.as_bytes().ok_or(MetainfoError::Invalid { field, expected: "a string" })
}
