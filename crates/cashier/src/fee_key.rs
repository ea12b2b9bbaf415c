//! The key that sends cash-outs: random, without a password, in a file that only its owner reads.
//!
//! Cheques pay the wallet, whoever sends them. So a thief of this key gets the coin that lies there for fees
//! and nothing else, and the wallet can stay locked.

use piecework_pay::Key;
use piecework_wallet::{FolderFault, RandomFault, random, write_new};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use thiserror::Error;
use zeroize::Zeroizing;

/// Its file, in the state folder.
pub const FEE_KEY_FILE: &str = "fee-key";

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// Why there is no key for fees.
#[derive(Debug, Error)]
pub enum FeeKeyFault {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FolderFault),
    /// It is something else.
    #[error(
        "{file} holds no key: put it back from a backup, or move it away to have a new one made; what coin \
         its account has is spent by that key alone"
    )]
    Damaged {
        /// Its name.
        file: String,
    },
    /// Nothing to draw a key from.
    #[error(transparent)]
    Random(#[from] RandomFault),
}

/// The key of a state folder, drawn where there is none yet.
///
/// # Errors
/// When the file cannot be read or written, or holds something else.
pub fn fee_key(state: &Path) -> Result<Key, FeeKeyFault> {
    let path = state.join(FEE_KEY_FILE);
    if let Some(key) = read(&path)? {
        return Ok(key);
    }
    let (secret, key) = draw()?;
    match write_new(&path, &*secret) {
        Ok(()) => Ok(key),
        // Another process was faster: it is one key for both.
        Err(FolderFault::Exists { .. }) => read(&path)?.ok_or_else(|| damaged(&path)),
        Err(fault) => Err(fault.into()),
    }
}

fn read(path: &Path) -> Result<Option<Key>, FeeKeyFault> {
    let fault = |error| FolderFault::Io { file: path.to_owned(), error };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error).into()),
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * KEY_BYTES));
    file.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(fault)?;
    let secret = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).map(Zeroizing::new);
    let key = secret.ok().and_then(|secret| Key::new(&secret).ok());
    key.map(Some).ok_or_else(|| damaged(path))
}

fn draw() -> Result<(Zeroizing<[u8; KEY_BYTES]>, Key), FeeKeyFault> {
    let secret = random()?;
    // Of 2^128 draws about one is no key.
    let key = Key::new(&secret).map_err(|_| RandomFault)?;
    Ok((secret, key))
}

fn damaged(path: &Path) -> FeeKeyFault {
    FeeKeyFault::Damaged { file: path.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_drawn_once_for_its_owner_alone_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let key = fee_key(folder.path()).unwrap();
        assert_eq!(fee_key(folder.path()).unwrap().address(), key.address());
        let file = folder.path().join(FEE_KEY_FILE);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let secret = std::fs::read(&file).unwrap();
        assert_eq!(secret.len(), KEY_BYTES);
        let shown = format!("{key:?}");
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!shown.contains(&hex) && !shown.contains(&format!("{secret:?}")), "{shown}");
        let other = tempfile::tempdir().unwrap();
        assert_ne!(fee_key(other.path()).unwrap().address(), key.address());
    }

    #[test]
    fn a_file_that_is_no_key_is_left_alone_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FEE_KEY_FILE);
        for wrong in [&b""[..], &[0; 32], &[1; 31], &[1; 33]] {
            std::fs::write(&file, wrong).unwrap();
            let error = fee_key(folder.path()).unwrap_err().to_string();
            assert!(error.contains("fee-key holds no key: put it back"), "{error}");
            assert_eq!(std::fs::read(&file).unwrap(), wrong);
        }
    }
}
