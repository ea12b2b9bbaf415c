//! How a ledger knows that it was put back: a copy says that it is one, and whoever opens it first as a
//! ledger to write to notes when that was.
//!
//! The mark is made in the copy, not when it is put back, so that no way of putting it back can forget it.
//! A file that somebody copies by other means is not told apart from the one it was copied from.

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::path::Path;

/// Since when a file is a copy that nobody has opened to write to.
const COPIED: &str = "copied";
/// When a copy became the ledger, the last time that happened.
const RESTORED: &str = "restored";

/// Copies all there is to `path`, an empty file, and marks it.
pub(crate) fn copy(from: &Connection, path: &Path, wall: u64) -> rusqlite::Result<()> {
    let Some(name) = path.to_str() else {
        return Err(rusqlite::Error::InvalidPath(path.to_owned()));
    };
    from.execute("VACUUM INTO ?1", [name])?;
    let copy = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    copy.pragma_update(None, "synchronous", "FULL")?;
    copy.execute("REPLACE INTO moments VALUES (?1, ?2)", (COPIED, wall.cast_signed()))?;
    copy.close().map_err(|(_, error)| error)
}

/// When this file last was a copy that became the ledger. A copy becomes it now.
pub(crate) fn note(connection: &mut Connection, wall: u64) -> rusqlite::Result<Option<u64>> {
    let transaction = connection.transaction()?;
    let find = |name| -> rusqlite::Result<Option<i64>> {
        let find = "SELECT at FROM moments WHERE name = ?1";
        transaction.query_row(find, [name], |row| row.get(0)).optional()
    };
    let mut restored_at = find(RESTORED)?;
    if let Some(copied_at) = find(COPIED)? {
        // A clock that was set back must not make the wait shorter.
        let now = wall.cast_signed().max(copied_at).max(restored_at.unwrap_or(0));
        transaction.execute("REPLACE INTO moments VALUES (?1, ?2)", (RESTORED, now))?;
        transaction.execute("DELETE FROM moments WHERE name = ?1", [COPIED])?;
        restored_at = Some(now);
    }
    transaction.commit()?;
    Ok(restored_at.map(i64::cast_unsigned))
}
