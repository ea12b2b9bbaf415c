//! Where an agent is: a socket in the wallet's folder, and a lock that one agent at a time holds.

use super::AgentFault;
use super::client::Agent;
use crate::{FolderFault, WalletFolder};
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const MODE: u32 = 0o600;
/// How long an agent that was told to lock may take to end, and one that starts, to listen.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);
/// Bytes of a socket's path that every system takes.
const PATH_BYTES_MAX: usize = 100;
/// Bytes of the lock file that are read: the number of a process.
const PROCESS_BYTES_MAX: u64 = 20;

/// The socket of an agent that is about to serve. On drop it is gone.
#[derive(Debug)]
pub struct AgentSocket {
    pub(super) listener: UnixListener,
    file: PathBuf,
    /// The file by number: its name may be another's by the time it is removed.
    inode: (u64, u64),
    /// Held as long as the socket is there; the system lets go of it when the process ends, however it does.
    _lock: File,
}

impl AgentSocket {
    /// Takes the place of the wallet's agent. One that is there is told to lock first, and a socket that a
    /// killed one left behind is removed.
    ///
    /// # Errors
    /// When another agent does not give way, or there can be no socket.
    pub fn open(folder: &WalletFolder) -> Result<Self, AgentFault> {
        folder.make().map_err(|fault| match fault {
            FolderFault::Io { file, error } => AgentFault::Io { file, error },
            other => fault_of(&folder.agent_file(), io::Error::other(other.to_string())),
        })?;
        let lock = take_lock(folder)?;
        let file = folder.agent_file();
        let listener = listen(&file).map_err(|error| fault_of(&file, error))?;
        let inode = inode(&file).map_err(|error| fault_of(&file, error))?;
        Ok(Self { listener, file, inode, _lock: lock })
    }
}

impl Drop for AgentSocket {
    fn drop(&mut self) {
        if inode(&self.file).is_ok_and(|inode| inode == self.inode) {
            drop(fs::remove_file(&self.file));
        }
    }
}

/// Removes the socket that a killed agent left behind, unless another one has come since.
pub(super) fn remove_stale(folder: &WalletFolder) -> Result<(), AgentFault> {
    let (lock, file) = (open_lock(folder)?, folder.agent_file());
    if is_taken(&lock, folder)? {
        remove(&file).map_err(|error| fault_of(&file, error))?;
    }
    Ok(())
}

/// A connection to whoever listens.
pub(super) fn connect(file: &Path) -> io::Result<UnixStream> {
    short(file, |path| UnixStream::connect(path))
}

pub(super) fn fault_of(file: &Path, error: io::Error) -> AgentFault {
    AgentFault::Io { file: file.to_owned(), error }
}

/// Waits until the lock is ours, and asks whoever has it to give way. Of two that start at once, the one that
/// comes second finds the other not listening yet: so it asks again.
fn take_lock(folder: &WalletFolder) -> Result<File, AgentFault> {
    let (mut lock, until) = (open_lock(folder)?, Instant::now() + PATIENCE);
    loop {
        if is_taken(&lock, folder)? {
            let written = lock.set_len(0).and_then(|()| lock.rewind());
            let written = written.and_then(|()| writeln!(lock, "{}", std::process::id()));
            return written
                .map_err(|error| fault_of(&folder.agent_lock_file(), error))
                .map(|()| lock);
        }
        if Instant::now() >= until {
            let mut process = String::new();
            let read = (&lock).take(PROCESS_BYTES_MAX).read_to_string(&mut process);
            let process = read.map_or("?", |_| process.trim()).to_owned();
            return Err(AgentFault::Busy { process });
        }
        drop(Agent::lock(folder));
        std::thread::sleep(PAUSE);
    }
}

fn open_lock(folder: &WalletFolder) -> Result<File, AgentFault> {
    let file = folder.agent_lock_file();
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(false).mode(MODE).open(&file);
    opened.map_err(|error| fault_of(&file, error))
}

/// Takes the lock, as long as the file is open, and tells whether it could.
fn is_taken(lock: &File, folder: &WalletFolder) -> Result<bool, AgentFault> {
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(fault_of(&folder.agent_lock_file(), error)),
    }
}

/// A socket that only its owner reaches. The lock has to be held.
fn listen(file: &Path) -> io::Result<UnixListener> {
    remove(file)?;
    let listener = short(file, |path| UnixListener::bind(path))?;
    // Until now the folder alone kept others out.
    fs::set_permissions(file, Permissions::from_mode(MODE))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn remove(file: &Path) -> io::Result<()> {
    match file.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Ok(found) if !found.file_type().is_socket() => {
            Err(io::Error::new(ErrorKind::AlreadyExists, "it is no socket: move it away"))
        }
        found => found.and_then(|_| fs::remove_file(file)),
    }
}

fn inode(file: &Path) -> io::Result<(u64, u64)> {
    file.symlink_metadata().map(|found| (found.dev(), found.ino()))
}

/// Systems take short paths of sockets only; a long one is gone through its folder's descriptor.
fn short<T>(file: &Path, reach: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else { return reach(file) };
    if file.as_os_str().len() <= PATH_BYTES_MAX {
        return reach(file);
    }
    let folder = File::open(folder)?;
    reach(&Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
}
