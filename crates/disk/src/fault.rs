//! What this machine could not do with a file, in words a user can act on.
//!
//! Owns the translation from the operating system's errors. A fault here is never a peer's.

use piecework_types::Blame;
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was being done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Making a file, folder or symlink.
    Create,
    /// Opening a file.
    Open,
    /// Reading from a file.
    Read,
    /// Writing to a file.
    Write,
    /// Flushing a file to the drive.
    Sync,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "flush",
        })
    }
}

/// What kind of trouble it is; decides the remedy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FaultKind {
    /// No space, quota or file size left.
    Full,
    /// No permission, or a drive that cannot be written.
    Denied,
    /// The file is gone.
    Missing,
    /// The file ends before the bytes that should be there.
    Short,
    /// A symlink or another thing stands where a file or folder belongs.
    NotPlain,
    /// The drive failed.
    Io,
    /// The file has another size than a moment ago.
    Changed,
    /// What the file holds is not what was verified.
    Damaged,
}

/// Something this machine could not do. Retried by the store where that can help.
#[derive(Clone, Debug)]
pub struct LocalFault {
    action: Action,
    kind: FaultKind,
    path: Arc<Path>,
    source: Option<Arc<io::Error>>,
}

impl LocalFault {
    pub(crate) fn new(action: Action, path: impl Into<PathBuf>, error: io::Error) -> Self {
        let kind = kind_of(&error);
        Self { action, kind, path: path.into().into(), source: Some(Arc::new(error)) }
    }

    pub(crate) fn of_kind(action: Action, path: impl Into<PathBuf>, kind: FaultKind) -> Self {
        Self { action, kind, path: path.into().into(), source: None }
    }

    /// What kind of trouble.
    pub const fn kind(&self) -> FaultKind {
        self.kind
    }

    /// What was being done.
    pub const fn action(&self) -> Action {
        self.action
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Always this machine's.
    pub const fn blame(&self) -> Blame {
        Blame::Local
    }
}

impl fmt::Display for LocalFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: ", self.action, self.path.display())?;
        match (self.kind, &self.source) {
            (FaultKind::Full, _) => f.write_str("no space left; free some, it goes on by itself"),
            (FaultKind::Denied, Some(error)) => {
                write!(f, "{error}; allow writing or take another folder")
            }
            (FaultKind::Missing, _) => f.write_str("the file is gone; put it back or check again"),
            (FaultKind::Short, _) => f.write_str("the file is shorter than it was; check again"),
            (FaultKind::NotPlain, _) => {
                f.write_str("a symlink or something else stands there; move it away")
            }
            (FaultKind::Changed, _) => {
                f.write_str("its size changed; try again when it is finished")
            }
            (FaultKind::Damaged, _) => f.write_str("it no longer holds what was verified"),
            (FaultKind::Denied | FaultKind::Io, source) => match source {
                Some(error) => write!(f, "{error}; look at the drive, it is tried again"),
                None => f.write_str("the drive failed; it is tried again"),
            },
        }
    }
}

impl std::error::Error for LocalFault {}

fn kind_of(error: &io::Error) -> FaultKind {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => FaultKind::Full,
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => FaultKind::Denied,
        Some(Errno::NOENT) => FaultKind::Missing,
        Some(Errno::LOOP | Errno::NOTDIR | Errno::ISDIR) => FaultKind::NotPlain,
        _ if error.kind() == io::ErrorKind::UnexpectedEof => FaultKind::Short,
        _ => FaultKind::Io,
    }
}
