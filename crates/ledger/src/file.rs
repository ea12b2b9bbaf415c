//! The file: how it begins, how it is opened, and how it is told from a damaged one.
//!
//! Invariant: at the ledger's path there is nothing, or a whole ledger. It is made under another name and
//! renamed, so an empty file is never one that was just begun.

use crate::LedgerError;
use crate::schema::{APPLICATION, FORMAT, bring_up, format};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one process waits for another that writes.
const BUSY: Duration = Duration::from_secs(10);

/// What is left of the log of writes when all of it is in the file, bytes.
const LOG_BYTES_MAX: i64 = 4 << 20;

/// A connection that writes; makes the file where there is none.
pub(crate) fn open(path: &Path) -> Result<Connection, LedgerError> {
    if !exists(path)? {
        begin(path)?;
    }
    close_to_others(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = connect(path, flags)?;
    let fail = |error| fault(path, error);
    connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
    connection.pragma_update(None, "secure_delete", "ON").map_err(fail)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX).map_err(fail)?;
    check(path, &connection)?;
    bring_up(&mut connection).map_err(fail)?;
    Ok(connection)
}

/// A connection that reads; none where there is no ledger.
pub(crate) fn open_to_read(path: &Path) -> Result<Option<Connection>, LedgerError> {
    if !exists(path)? {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    connect(path, flags).map(Some)
}

/// What SQLite said, as ours.
pub(crate) fn fault(path: &Path, error: rusqlite::Error) -> LedgerError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) | None => {
            // Without a code it is a row that does not say what its column should.
            LedgerError::Damaged { path, why: error.to_string() }
        }
        Some(ErrorCode::DiskFull) => LedgerError::Full { path },
        Some(_) => LedgerError::Sqlite { path, error },
    }
}

/// Whether there is a ledger.
fn exists(path: &Path) -> Result<bool, LedgerError> {
    let damaged = |why: &str| LedgerError::Damaged { path: path.to_owned(), why: why.to_owned() };
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() == 0 => Err(damaged("it is empty")),
        Ok(_) => Ok(true),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(of_system(path, error)),
        Err(_) if beside(path, "-wal").exists() => Err(damaged("only its -wal is left")),
        Err(_) => Ok(false),
    }
}

/// Makes an empty ledger. If another process is sooner, its ledger stands.
fn begin(path: &Path) -> Result<(), LedgerError> {
    let new = beside(path, &format!(".{}.new", std::process::id()));
    let fail = |error| of_system(path, error);
    drop(std::fs::remove_file(&new));
    drop(std::fs::remove_file(beside(&new, "-journal")));
    let file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(fail)?;
    let mut connection = Connection::open(&new).map_err(|error| fault(path, error))?;
    bring_up(&mut connection).map_err(|error| fault(path, error))?;
    connection.close().map_err(|(_, error)| fault(path, error))?;
    file.sync_all().map_err(fail)?;
    match renameat_with(CWD, &new, CWD, path, RenameFlags::NOREPLACE) {
        Ok(()) => sync_folder(path).map_err(fail),
        Err(rustix::io::Errno::EXIST) => std::fs::remove_file(&new).map_err(fail),
        Err(error) => Err(fail(error.into())),
    }
}

/// On a drive of a backup, or when somebody was generous, others might read it: it holds secrets.
fn close_to_others(path: &Path) -> Result<(), LedgerError> {
    for file in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        let Ok(metadata) = std::fs::metadata(&file) else { continue };
        if metadata.permissions().mode() & 0o077 != 0 {
            let closed = std::fs::set_permissions(&file, Permissions::from_mode(0o600));
            closed.map_err(|error| of_system(path, error))?;
        }
    }
    Ok(())
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, LedgerError> {
    let fail = |error| fault(path, error);
    let connection = Connection::open_with_flags(path, flags).map_err(fail)?;
    connection.busy_timeout(BUSY).map_err(fail)?;
    connection.pragma_update(None, "trusted_schema", "OFF").map_err(fail)?;
    connection.pragma_update(None, "cell_size_check", "ON").map_err(fail)?;
    let application: i64 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(fail)?;
    if application != APPLICATION {
        return Err(LedgerError::Damaged { path: path.to_owned(), why: "it is no ledger".into() });
    }
    let found = format(&connection).map_err(fail)?;
    if found > FORMAT {
        return Err(LedgerError::Newer { path: path.to_owned(), found, known: FORMAT });
    }
    Ok(connection)
}

/// Makes a file that nobody else reads.
pub(crate) fn create(path: &Path) -> Result<File, LedgerError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map_err(|error| of_system(path, error))
}

/// Reads all pages. It takes a second for a gigabyte, and money is worth it.
fn check(path: &Path, connection: &Connection) -> Result<(), LedgerError> {
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let page: u32 = connection
        .pragma_query_value(None, "page_size", |row| row.get(0))
        .map_err(|error| fault(path, error))?;
    // SQLite takes a part of a page for one that ends in zeros, and so does not see that bytes are gone.
    // With a log beside it the file may end anywhere: a crash while pages went into it.
    if length(&beside(path, "-wal")) == 0 && !length(path).is_multiple_of(u64::from(page)) {
        return Err(LedgerError::Damaged { path: path.to_owned(), why: "it was cut".into() });
    }
    let said = connection.pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0));
    match said.map_err(|error| fault(path, error))? {
        said if said == "ok" => Ok(()),
        why => Err(LedgerError::Damaged { path: path.to_owned(), why }),
    }
}

pub(crate) fn of_system(path: &Path, error: std::io::Error) -> LedgerError {
    LedgerError::File { path: path.to_owned(), error }
}

/// The path with something added to its last name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}
