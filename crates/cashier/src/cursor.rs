//! Up to where the vault's events were watched, in a file: what happened while no node ran is told to the
//! next one.

use piecework_pay::B256;
use piecework_wallet::write_over;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The file, in the state folder.
const NAME: &str = "watched-block.json";
/// The version that is written and read. A file of another one is as none: it saves a look back, no money.
const FORMAT: u64 = 1;
/// Bytes of the file at most; it has about 150.
const BYTES_MAX: u64 = 4096;

/// The file of one chain.
#[derive(Debug)]
pub(crate) struct CursorFile {
    path: PathBuf,
    genesis: B256,
    place: Option<u64>,
}

impl CursorFile {
    /// Reads that of a state folder.
    pub(crate) fn of(state: &Path, genesis: B256) -> Self {
        let path = state.join(NAME);
        let place = read(&path, genesis);
        Self { path, genesis, place }
    }

    /// The next place to look at; none before anything was watched.
    pub(crate) fn place(&self) -> Option<u64> {
        self.place
    }

    /// Writes down that everything before `place` was looked at.
    pub(crate) fn note(&mut self, place: u64) {
        if self.place == Some(place) {
            return;
        }
        let value = json!({ "format": FORMAT, "genesis": self.genesis.to_string(), "next": place });
        match write_over(&self.path, format!("{value}\n").as_bytes()) {
            Ok(()) => self.place = Some(place),
            // Then the next run looks at some of it again, which changes nothing.
            Err(error) => tracing::warn!(%error, "it is not noted which blocks were watched"),
        }
    }
}

fn read(path: &Path, genesis: B256) -> Option<u64> {
    let mut text = String::new();
    File::open(path).ok()?.take(BYTES_MAX).read_to_string(&mut text).ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    let its: B256 = value["genesis"].as_str()?.parse().ok()?;
    let is_it = value["format"].as_u64() == Some(FORMAT) && its == genesis;
    value["next"].as_u64().filter(|_| is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again_for_its_chain_and_for_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let one = B256::repeat_byte(1);
        let mut file = CursorFile::of(folder.path(), one);
        assert_eq!(file.place(), None);
        file.note(17);
        assert_eq!(CursorFile::of(folder.path(), one).place(), Some(17));
        assert_eq!(CursorFile::of(folder.path(), B256::repeat_byte(2)).place(), None);
        std::fs::write(folder.path().join(NAME), "{\"format\":2,\"next\":3}").unwrap();
        assert_eq!(CursorFile::of(folder.path(), one).place(), None);
    }
}
