//! A copy of a chain while it runs.
//!
//! Invariant: the copy ends with a whole block. Must not know: where copies are kept.

use super::Chain;
use super::open::{LOG, OpenError, io_at, sync_folder};
use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::path::Path;
use std::sync::atomic::Ordering;

impl Chain {
    /// Copies what is acknowledged so far to `folder`, which must not have a chain; opening it there makes
    /// the rest anew. The number of the last block that is surely in it.
    ///
    /// # Errors
    /// When there is a chain, or the system says no; then there is none after it either.
    pub fn backup(&self, folder: &Path) -> Result<u64, OpenError> {
        let number = self.head().number();
        let end = self.shared.log_end.load(Ordering::Acquire);
        fs::create_dir_all(folder).map_err(|error| io_at(folder, error))?;
        let path = folder.join(LOG);
        if path.exists() {
            return Err(OpenError::Exists(folder.into()));
        }
        let unfinished = folder.join("blocks.log.new");
        let copy = || {
            let source = File::open(self.shared.folder.join(LOG))?;
            let mut target = File::create(&unfinished)?;
            std::io::copy(&mut BufReader::new(source).take(end), &mut target)?;
            target.sync_all()?;
            fs::rename(&unfinished, &path)
        };
        copy().map_err(|error| io_at(folder, error))?;
        sync_folder(folder)?;
        Ok(number)
    }
}
