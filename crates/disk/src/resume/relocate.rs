//! Resume data of torrents that nobody has open: they follow files to another folder, or go.
//!
//! It must not touch the file of locks: a process that closes it lets go of all that it holds.

use piecework_bencode::{Mode, decode, encode_dict};
use piecework_types::{Bitfield, InfoHashes};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{RECORD_BYTES_MAX, ResumeError, file_stem, read_limited, replace};

/// Takes resume data and parts file along with files that were moved from one folder to another, both
/// absolute and without symlinks. Times and lengths of files have to be as they were, or they are checked.
/// A call that was interrupted may be made once more.
///
/// # Errors
/// When the state folder cannot be used; then all is checked at the next start.
pub fn move_resume(
    state_dir: &Path,
    hashes: &InfoHashes,
    from: &Path,
    to: &Path,
) -> Result<(), ResumeError> {
    let (old, new) = (file_stem(hashes, from), file_stem(hashes, to));
    let path = |stem: &str, kind: &str| state_dir.join(format!("{stem}.{kind}"));
    let io = |error| ResumeError::Io { path: path(&new, "resume"), error };
    optional(fs::rename(path(&old, "parts"), path(&new, "parts"))).map_err(io)?;
    let Some(bytes) = read_limited(&path(&old, "resume"), RECORD_BYTES_MAX)? else {
        return Ok(());
    };
    if let Some(moved) = with_dir(&bytes, to) {
        replace(&path(&new, "resume"), &moved).map_err(io)?;
    }
    remove(state_dir, &old)
}

/// Removes all that is kept of a torrent that lay in `dir`, and its parts file.
///
/// # Errors
/// When the state folder cannot be used.
pub fn forget_resume(state_dir: &Path, hashes: &InfoHashes, dir: &Path) -> Result<(), ResumeError> {
    let stem = file_stem(hashes, dir);
    remove(state_dir, &stem)?;
    let primary = hashes.primary();
    for name in [format!("{stem}.parts"), format!("{primary}.info"), format!("{primary}.torrent")] {
        let path = state_dir.join(name);
        optional(fs::remove_file(&path)).map_err(|error| ResumeError::Io { path, error })?;
    }
    Ok(())
}

/// The pieces that resume data of a torrent in `dir` list as verified, for people who look at one that nobody
/// has open: whether its files are still what they were is not looked at. `None` without resume data that can
/// be read.
pub fn listed_pieces(
    state_dir: &Path,
    hashes: &InfoHashes,
    dir: &Path,
    pieces: u32,
) -> Option<Bitfield> {
    let path = state_dir.join(format!("{}.resume", file_stem(hashes, dir)));
    let bytes = read_limited(&path, RECORD_BYTES_MAX).ok()??;
    let document = decode(&bytes, Mode::Strict).ok()?;
    Bitfield::from_wire(document.root().as_dict()?.get("have")?.as_bytes()?, pieces).ok()
}

/// A record with another folder in it; `None` if it is damaged.
fn with_dir(bytes: &[u8], dir: &Path) -> Option<Vec<u8>> {
    let document = decode(bytes, Mode::Strict).ok()?;
    let record = document.root().as_dict()?;
    Some(encode_dict(|dict| {
        for (key, value) in record.iter() {
            match key {
                b"dir" => dict.bytes(key, dir.as_os_str().as_bytes()),
                _ => dict.raw(key, value.raw()),
            }
        }
    }))
}

fn remove(state_dir: &Path, stem: &str) -> Result<(), ResumeError> {
    for kind in ["resume", "lock"] {
        let path = state_dir.join(format!("{stem}.{kind}"));
        optional(fs::remove_file(&path)).map_err(|error| ResumeError::Io { path, error })?;
    }
    Ok(())
}

/// What is not there need not be moved or removed.
fn optional(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
