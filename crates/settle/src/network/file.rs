//! The network file on a drive.

use super::{NETWORK_BYTES_MAX, Network, NetworkFault};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

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
