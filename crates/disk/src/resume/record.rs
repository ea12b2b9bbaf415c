//! The bytes of a record: a bencoded dictionary.
//!
//! Files are a table of 16 bytes each, so that torrents of many files stay cheap to save: length and
//! time of the last change, big-endian, a length of all ones for a file that is not there.

use piecework_bencode::{Dict, Mode, Value, decode, encode_dict};
use piecework_types::{Bitfield, InfoHashes};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{boot_id, wall_clock_ns};
use crate::storage::{FileStamp, Storage};
use crate::store::Totals;

/// Changes when an older program could not read it.
const VERSION: u64 = 1;

const STAMP_BYTES: usize = 16;

/// What is to be saved.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    /// Files may become younger than this record.
    pub(crate) is_running: bool,
    pub(crate) have: Bitfield,
    pub(crate) unknown: Bitfield,
    pub(crate) durable: Bitfield,
    pub(crate) totals: Totals,
    pub(crate) files: &'a [Option<FileStamp>],
    pub(crate) parts: Option<FileStamp>,
}

/// What was saved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Saved {
    pub(super) is_running: bool,
    pub(super) boot: String,
    /// When, by the clock that stamps files.
    pub(super) saved_ns: i64,
    pub(super) have: Bitfield,
    pub(super) unknown: Bitfield,
    pub(super) durable: Bitfield,
    pub(super) totals: Totals,
    pub(super) files: Vec<Option<FileStamp>>,
    pub(super) parts: Option<FileStamp>,
}

impl Record<'_> {
    pub(super) fn encode(&self, hashes: &InfoHashes, dir: &Path) -> Vec<u8> {
        let files: Vec<u8> = self.files.iter().flat_map(|stamp| stamp_bytes(*stamp)).collect();
        // In the order in which they stand, so that nothing is sorted.
        encode_dict(|dict| {
            dict.bytes("boot", boot_id().unwrap_or_default());
            dict.bytes("dir", dir.as_os_str().as_bytes());
            dict.int("downloaded", self.totals.downloaded);
            dict.bytes("durable", self.durable.to_wire());
            dict.bytes("files", &files);
            dict.bytes("have", self.have.to_wire());
            if let Some(v1) = hashes.v1 {
                dict.bytes("info-hash", v1);
            }
            if let Some(v2) = hashes.v2 {
                dict.bytes("info-hash2", v2);
            }
            dict.bytes("parts", stamp_bytes(self.parts));
            dict.int("pieces", self.have.len());
            dict.int("running", u8::from(self.is_running));
            dict.int("saved", wall_clock_ns());
            dict.bytes("unknown", self.unknown.to_wire());
            dict.int("uploaded", self.totals.uploaded);
            dict.int("version", VERSION);
        })
    }
}

impl Saved {
    /// Reads a record; `None` if it is damaged or another torrent's.
    pub(super) fn decode(bytes: &[u8], storage: &Storage, dir: &Path) -> Option<Self> {
        let document = decode(bytes, Mode::Strict).ok()?;
        let dict = document.root().as_dict()?;
        let info = storage.info();
        let hashes = info.hashes();
        let is_ours = integer(dict, "version") == Some(VERSION)
            && dict.get("info-hash").and_then(Value::as_bytes)
                == hashes.v1.as_ref().map(AsRef::as_ref)
            && dict.get("info-hash2").and_then(Value::as_bytes)
                == hashes.v2.as_ref().map(AsRef::as_ref)
            && dict.get("dir").and_then(Value::as_bytes) == Some(dir.as_os_str().as_bytes());
        if !is_ours {
            return None;
        }
        let pieces = info.grid().piece_count();
        let set = |key: &str| {
            let bytes = dict.get(key)?.as_bytes()?;
            Bitfield::from_wire(bytes, pieces).ok()
        };
        let files: Vec<_> = stamps(dict.get("files")?.as_bytes()?)?;
        if files.len() != info.files().len() {
            return None;
        }
        Some(Self {
            is_running: integer(dict, "running")? != 0,
            boot: dict.get("boot")?.as_str()?.to_owned(),
            saved_ns: dict.get("saved")?.as_i64()?,
            have: set("have")?,
            unknown: set("unknown")?,
            durable: set("durable")?,
            totals: Totals {
                uploaded: integer(dict, "uploaded")?,
                downloaded: integer(dict, "downloaded")?,
            },
            files,
            parts: *stamps(dict.get("parts")?.as_bytes()?)?.first()?,
        })
    }
}

fn integer(dict: Dict<'_>, key: &str) -> Option<u64> {
    dict.get(key)?.as_u64()
}

fn stamp_bytes(stamp: Option<FileStamp>) -> [u8; STAMP_BYTES] {
    let stamp = stamp.unwrap_or(FileStamp { bytes: u64::MAX, modified_ns: 0 });
    let mut bytes = [0; STAMP_BYTES];
    bytes[..8].copy_from_slice(&stamp.bytes.to_be_bytes());
    bytes[8..].copy_from_slice(&stamp.modified_ns.to_be_bytes());
    bytes
}

fn stamps(bytes: &[u8]) -> Option<Vec<Option<FileStamp>>> {
    let (table, rest) = bytes.as_chunks::<STAMP_BYTES>();
    let stamps = table.iter().map(|entry| {
        let (numbers, _) = entry.as_chunks::<8>();
        let bytes = u64::from_be_bytes(numbers[0]);
        let modified_ns = i64::from_be_bytes(numbers[1]);
        (bytes != u64::MAX).then_some(FileStamp { bytes, modified_ns })
    });
    rest.is_empty().then(|| stamps.collect())
}
