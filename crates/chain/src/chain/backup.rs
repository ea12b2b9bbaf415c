//! A copy of a chain, whether or not some process runs it.
//!
//! Invariant: the copy holds every block that was acknowledged when it began. What was being appended
//! meanwhile may be cut short in it; opening it cuts that off. Must not know: where copies are kept.

use super::Chain;
use super::open::{LOG, OpenError, io_at, sync_folder};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// Copied between two words of how far it is.
const PART_BYTES: u64 = 4 << 20;

impl Chain {
    /// Copies the block log of `from` to the folder `to`, which must not have a chain; opening it there
    /// makes the rest anew, and checks every block. `told` hears how many bytes are copied of how many. The
    /// bytes copied.
    ///
    /// # Errors
    /// When there is none to copy, there is one already, or the system says no; then there is none after it
    /// either.
    pub fn copy(from: &Path, to: &Path, told: &mut dyn FnMut(u64, u64)) -> Result<u64, OpenError> {
        let source = from.join(LOG);
        if !source.exists() {
            return Err(OpenError::Missing(from.into()));
        }
        fs::create_dir_all(to).map_err(|error| io_at(to, error))?;
        let path = to.join(LOG);
        if path.exists() {
            return Err(OpenError::Exists(to.into()));
        }
        let unfinished = to.join("blocks.log.new");
        let mut copy = || {
            let (mut source, mut target) = (File::open(&source)?, File::create(&unfinished)?);
            let (mut bytes, all) = (0, source.metadata()?.len());
            loop {
                let part = io::copy(&mut (&mut source).take(PART_BYTES), &mut target)?;
                bytes += part;
                if part == 0 {
                    break;
                }
                told(bytes, all);
            }
            target.sync_all()?;
            fs::rename(&unfinished, &path)?;
            Ok(bytes)
        };
        let bytes = copy().map_err(|error| io_at(to, error))?;
        sync_folder(to)?;
        Ok(bytes)
    }
}
