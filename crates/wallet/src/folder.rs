//! Where a wallet lies: a folder that only its owner enters, with files that only its owner reads.
//!
//! A file is written beside its place, flushed, and put there in one step; a crash leaves the old one or the
//! new one, never half of one.

use crate::keystore::KEYSTORE_BYTES_MAX;
use crate::{BACKUP_BYTES_MAX, Keystore, KeystoreFault, Record, RecordFault, Session};
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use thiserror::Error;
use zeroize::Zeroizing;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Bytes of the sessions file at most: three thousand sessions.
const SESSIONS_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of what a backup brought back at most: no less than it holds.
const RESTORED_BYTES_MAX: usize = BACKUP_BYTES_MAX;

/// Files that this process has begun to write.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// The folder of one wallet.
#[derive(Clone, Debug)]
pub struct WalletFolder {
    path: PathBuf,
}

/// Why a file of a wallet cannot be had.
#[derive(Debug, Error)]
pub enum FolderFault {
    /// There is none yet.
    #[error("no wallet in {}: make one with `piecework wallet new`, or `restore` one", folder.display())]
    NoWallet {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A file is in the way; it is left alone.
    #[error("{} is already there: move it away first", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// The disk or its rights.
    #[error("{}: {error}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file larger than any of its kind.
    #[error("{} is no file of a wallet: it is over {bytes_max} bytes long", file.display())]
    Large {
        /// The file.
        file: PathBuf,
        /// What it may have.
        bytes_max: usize,
    },
    /// The keystore.
    #[error("{}: {fault}", file.display())]
    Keystore {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        fault: KeystoreFault,
    },
    /// The sessions file, or what a backup brought back.
    #[error("{}: {fault}", file.display())]
    Records {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        fault: RecordFault,
    },
}

impl WalletFolder {
    /// The wallet of a state folder. Nothing is looked at yet.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self { path: state.join("wallet") }
    }

    /// The keystore's file.
    #[must_use]
    pub fn keystore_file(&self) -> PathBuf {
        self.path.join("keystore.json")
    }

    /// The file of session keys.
    #[must_use]
    pub fn sessions_file(&self) -> PathBuf {
        self.path.join("sessions")
    }

    /// The socket of the agent that holds the key while the wallet is unlocked.
    pub(crate) fn agent_file(&self) -> PathBuf {
        self.path.join("agent.socket")
    }

    /// Held by that agent.
    pub(crate) fn agent_lock_file(&self) -> PathBuf {
        self.path.join("agent.lock")
    }

    /// Whether there is a keystore, whole or not.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.keystore_file().symlink_metadata().is_ok()
    }

    /// Reads the keystore.
    ///
    /// # Errors
    /// When there is none, it cannot be read, or is none.
    pub fn keystore(&self) -> Result<Keystore, FolderFault> {
        let file = self.keystore_file();
        let bytes = read(&file, KEYSTORE_BYTES_MAX)?;
        let bytes = bytes.ok_or_else(|| FolderFault::NoWallet { folder: self.path.clone() })?;
        Keystore::parse(&String::from_utf8_lossy(&bytes))
            .map_err(|fault| FolderFault::Keystore { file, fault })
    }

    /// Writes the keystore of a new wallet.
    ///
    /// # Errors
    /// When there is one already, or it cannot be written.
    pub fn create(&self, keystore: &Keystore) -> Result<(), FolderFault> {
        self.make()?;
        write_new(&self.keystore_file(), keystore.to_json().as_bytes())
    }

    /// Reads the session keys; without a file there are none.
    ///
    /// # Errors
    /// When they cannot be read, or the file is something else.
    pub fn sessions(&self) -> Result<Vec<Session>, FolderFault> {
        let records = records(self.sessions_file(), SESSIONS_BYTES_MAX)?;
        let session = |record| match record {
            Record::Session(session) => Some(session),
            Record::Keystore(_) | Record::Seed(_) | Record::Uncashed(_) => None,
        };
        Ok(records.into_iter().filter_map(session).collect())
    }

    /// Puts these session keys in the place of those before.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_sessions(&self, sessions: Vec<Session>) -> Result<(), FolderFault> {
        let records: Vec<_> = sessions.into_iter().map(Record::Session).collect();
        self.replace(self.sessions_file(), &records, SESSIONS_BYTES_MAX)
    }

    /// Reads what a backup brought back besides the keystore; without a file that is nothing.
    ///
    /// # Errors
    /// When it cannot be read, or the file is something else.
    pub fn restored(&self) -> Result<Vec<Record>, FolderFault> {
        records(self.restored_file(), RESTORED_BYTES_MAX)
    }

    /// Keeps what a backup brings back, apart from what this node pays with: its session keys may have been
    /// used since by the node that made it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_restored(&self, records: &[Record]) -> Result<(), FolderFault> {
        self.replace(self.restored_file(), records, RESTORED_BYTES_MAX)
    }

    fn restored_file(&self) -> PathBuf {
        self.path.join("restored")
    }

    fn replace(
        &self,
        file: PathBuf,
        records: &[Record],
        bytes_max: usize,
    ) -> Result<(), FolderFault> {
        self.make()?;
        let bytes = Record::encode_all(records);
        if bytes.len() > bytes_max {
            return Err(FolderFault::Large { file, bytes_max });
        }
        write_over(&file, &bytes)
    }

    /// Makes the folder, and shuts it if somebody opened it.
    pub(crate) fn make(&self) -> Result<(), FolderFault> {
        let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&self.path);
        let shut = made
            .and_then(|()| fs::set_permissions(&self.path, Permissions::from_mode(FOLDER_MODE)));
        shut.map_err(|error| FolderFault::Io { file: self.path.clone(), error })
    }
}

/// Writes a file that only its owner reads, where none is yet.
///
/// # Errors
/// When one is there, or it cannot be written; then nothing is left behind.
pub fn write_new(file: &Path, bytes: &[u8]) -> Result<(), FolderFault> {
    if file.symlink_metadata().is_ok() {
        return Err(FolderFault::Exists { file: file.to_owned() });
    }
    let beside = write_beside(file, bytes)?;
    let placed = place_new(&beside, file).and_then(|()| flush_folder(file));
    placed.map_err(|error| {
        drop(fs::remove_file(&beside));
        match error.kind() {
            ErrorKind::AlreadyExists => FolderFault::Exists { file: file.to_owned() },
            _ => FolderFault::Io { file: file.to_owned(), error },
        }
    })
}

/// Writes a file that only its owner reads, in the place of one that may be there: after a crash it is the
/// old one or the new one, whole.
///
/// # Errors
/// When it cannot be written; then the old one stays.
pub fn write_over(file: &Path, bytes: &[u8]) -> Result<(), FolderFault> {
    let beside = write_beside(file, bytes)?;
    let placed = fs::rename(&beside, file).and_then(|()| flush_folder(file));
    placed.map_err(|error| FolderFault::Io { file: file.to_owned(), error })
}

/// Gives a file its name in the same folder, unless somebody was faster.
///
/// # Errors
/// When there is a file of that name; then both stay.
pub fn place_new(beside: &Path, file: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, beside, CWD, file, RenameFlags::NOREPLACE) {
        // Some network file systems cannot promise that; those have links.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(beside, file)?;
            fs::remove_file(beside)
        }
        placed => Ok(placed?),
    }
}

/// Writes and flushes a new file in the same folder, and tells its name.
fn write_beside(file: &Path, bytes: &[u8]) -> Result<PathBuf, FolderFault> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    // Two threads of one process write to two files: with one name they would mix what they write.
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let beside = file.with_file_name(format!(".{name}.{}.{number}", std::process::id()));
    let written = (|| {
        let mut options = OpenOptions::new();
        let mut open =
            options.write(true).create(true).truncate(true).mode(FILE_MODE).open(&beside)?;
        open.write_all(bytes)?;
        open.sync_all()
    })();
    written.map_err(|error| {
        drop(fs::remove_file(&beside));
        FolderFault::Io { file: file.to_owned(), error }
    })?;
    Ok(beside)
}

fn flush_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn records(file: PathBuf, bytes_max: usize) -> Result<Vec<Record>, FolderFault> {
    let Some(bytes) = read(&file, bytes_max)? else { return Ok(Vec::new()) };
    Record::decode_all(&bytes).map_err(|fault| FolderFault::Records { file, fault })
}

fn read(file: &Path, bytes_max: usize) -> Result<Option<Zeroizing<Vec<u8>>>, FolderFault> {
    let fault = |error| FolderFault::Io { file: file.to_owned(), error };
    let open = match File::open(file) {
        Ok(open) => open,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error)),
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    open.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() > bytes_max {
        return Err(FolderFault::Large { file: file.to_owned(), bytes_max });
    }
    Ok(Some(bytes))
}
