//! The newest block that was seen to count, in a file, so that a chain which was put back to an older
//! copy, or went another way, is noticed before anything is signed for it or believed of it: by whoever uses
//! the chain next, command or node.

use crate::client::{Client, Seen};
use crate::error::SettleError;
use alloy_primitives::B256;
use piecework_wallet::write_over;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The file, in the state folder.
const NAME: &str = "seen-block.json";
/// The version that is written, and the newest that is read.
const FORMAT: u64 = 1;
/// Bytes of the file at most; it has about 200.
const BYTES_MAX: u64 = 4096;

/// Where the newest block that was seen is noted. All who use one wallet share it.
#[derive(Clone, Debug)]
pub struct SeenFile {
    path: PathBuf,
}

impl SeenFile {
    /// That of a state folder. Nothing is looked at yet.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self { path: state.join(NAME) }
    }

    /// Demands that the chain still has the block that was seen last, and notes the newest one.
    ///
    /// # Errors
    /// When it has not, the servers do not tell, or the file cannot be read or written.
    pub fn look(&self, client: &Client) -> Result<(), SettleError> {
        let genesis = client.network().genesis;
        let before = self.read()?.filter(|(its, _)| *its == genesis).map(|(_, seen)| seen);
        if let Some(seen) = &before {
            client.demand_still_there(seen)?;
        }
        let now = client.seen()?;
        if before.is_some_and(|before| before.height >= now.height) {
            return Ok(());
        }
        let Seen { height, hash } = now;
        let value = json!({ "format": FORMAT, "genesis": genesis, "height": height, "hash": hash });
        let written = write_over(&self.path, format!("{value}\n").as_bytes());
        written.map_err(|fault| SettleError::SeenFile(fault.to_string()))
    }

    /// Forgets it: whatever is joined next is seen for the first time.
    ///
    /// # Errors
    /// When the file cannot be deleted.
    pub fn forget(&self) -> Result<(), SettleError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.fault(error)),
            _ => Ok(()),
        }
    }

    fn read(&self) -> Result<Option<(B256, Seen)>, SettleError> {
        let mut text = String::new();
        match File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => {
                let read = opened.and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text));
                read.map_err(|error| self.fault(error))?;
            }
        }
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        if value["format"].as_u64().is_some_and(|format| format > FORMAT) {
            return Err(self.fault("a newer Piecework wrote it: update Piecework"));
        }
        let hash = |name: &str| value[name].as_str().and_then(|text| text.parse::<B256>().ok());
        let fields = (hash("genesis"), value["height"].as_u64(), hash("hash"));
        let (Some(genesis), Some(height), Some(hash)) = fields else {
            return Err(self.fault("it is damaged; delete it to go on"));
        };
        Ok(Some((genesis, Seen { height, hash })))
    }

    fn fault(&self, why: impl std::fmt::Display) -> SettleError {
        SettleError::SeenFile(format!("{}: {why}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_note_of_a_newer_program_and_a_damaged_one_are_refused_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let file = SeenFile::of(folder.path());
        assert_eq!(file.read().unwrap(), None);
        let of = |text: &str| {
            fs::write(folder.path().join(NAME), text).unwrap();
            file.read().map_err(|error| error.to_string())
        };
        assert!(of("{\"format\":2}").unwrap_err().contains("update Piecework"));
        assert!(of("{\"format\":1,\"height\":3}").unwrap_err().contains("delete it"));
        assert!(of("{").unwrap_err().contains("seen-block.json: it is damaged; delete it"));
        let (genesis, hash) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let value = json!({ "format": 1, "genesis": genesis, "height": 3, "hash": hash });
        assert_eq!(of(&value.to_string()), Ok(Some((genesis, Seen { height: 3, hash }))));
        file.forget().unwrap();
        file.forget().unwrap();
        assert_eq!(file.read().unwrap(), None);
    }
}
