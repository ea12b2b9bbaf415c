//! What other clients wrote down of their torrents, as records of our catalog.
//!
//! [`qbittorrent()`] reads the pairs of `BT_backup` (qBittorrent 4 and 5), [`transmission()`] those of
//! `torrents` and `resume` (Transmission 3 and 4). Folders, categories, tags, limits, totals, dates and
//! priorities are taken over; data is trusted to be there as far as the other client had it whole, and
//! hashed otherwise.
//!
//! It must not know: where profiles lie, files, which torrents are there already.

mod fields;
mod qbittorrent;
mod transmission;
mod trees;

pub use qbittorrent::qbittorrent;
pub use transmission::transmission;

use piecework_catalog::Record;
use std::collections::BTreeMap;

/// Bytes of a file of a profile; what is longer is refused.
pub const PROFILE_BYTES_MAX: usize = 64 << 20;

/// A torrent of another client.
#[derive(Clone, Debug)]
pub struct Imported {
    /// What it wrote down.
    pub record: Record,
    /// The bytes of its torrent file; `None` for a magnet link whose info dictionary has not come yet.
    pub metainfo: Option<Vec<u8>>,
    /// Where files are that the other client marked as unfinished by their names, below the folder that the
    /// torrent lies in; by number.
    pub marked: BTreeMap<u32, String>,
    /// What it puts behind the names of unfinished files, where it does not say which these are.
    pub ending: Option<&'static str>,
}

/// Why a torrent of a profile cannot be taken over.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ImportError {
    /// A file is no bencode.
    #[error(
        "its resume data cannot be read ({0}): let that client write it anew, by starting and ending it"
    )]
    Resume(String),
    /// Neither a torrent file nor a name.
    #[error("there is neither a torrent file nor an info-hash for it")]
    Nameless,
    /// The folder is not told.
    #[error("its resume data does not say which folder it lies in")]
    Homeless,
}
