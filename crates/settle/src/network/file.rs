//! The network file on a drive.

use super::{NETWORK_BYTES_MAX, Network, NetworkFault};
use piecework_wallet::write_over;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The name of the file in a state folder: the network that its wallet signs for, and no other.
pub const NETWORK_FILE: &str = "network.json";

impl Network {
    /// The network that the wallet of a state folder signs for; none where it has not joined one.
    ///
    /// # Errors
    /// When the file cannot be read, or is no network file.
    pub fn pinned(state: &Path) -> Result<Option<Self>, NetworkFault> {
        Self::text(&state.join(NETWORK_FILE))?.map(|text| Self::parse(&text)).transpose()
    }

    /// That the wallet of a state folder signs for no network, or for this one.
    ///
    /// # Errors
    /// When it signs for another, or its file cannot be read.
    pub fn demand_free(&self, state: &Path) -> Result<(), NetworkFault> {
        match Self::pinned(state)? {
            Some(known) if (known.chain_id, known.genesis) != (self.chain_id, self.genesis) => {
                Err(NetworkFault::Another {
                    name: known.name,
                    chain_id: known.chain_id,
                    genesis: known.genesis,
                    got_chain_id: self.chain_id,
                    got_genesis: self.genesis,
                })
            }
            _ => Ok(()),
        }
    }

    /// Makes it the network that the wallet of a state folder signs for; answers where that is written. The
    /// caller has asked the servers whether the file is true ([`check`](crate::check())).
    ///
    /// # Errors
    /// When the wallet signs for another, or the file cannot be written.
    pub fn pin(&self, state: &Path) -> Result<PathBuf, NetworkFault> {
        self.demand_free(state)?;
        let (path, text) = (state.join(NETWORK_FILE), self.write()?);
        let unwritten =
            |why: String| NetworkFault::Unwritten { file: path.display().to_string(), why };
        std::fs::create_dir_all(state).map_err(|error| unwritten(error.to_string()))?;
        write_over(&path, text.as_bytes()).map_err(|fault| unwritten(fault.to_string()))?;
        Ok(path)
    }

    /// A network file's text; none where there is no file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn text(path: &Path) -> Result<Option<String>, NetworkFault> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened,
        };
        let mut text = String::new();
        let limit = NETWORK_BYTES_MAX as u64 + 1;
        let read = file.and_then(|file| file.take(limit).read_to_string(&mut text));
        read.map(|_| Some(text)).map_err(|error| NetworkFault::File {
            file: path.display().to_string(),
            why: error.to_string(),
        })
    }
}
