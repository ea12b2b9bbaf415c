//! Why the ledger cannot be read or written.

use std::path::PathBuf;

/// The ledger cannot be read or written. Holds no secret: SQLite's texts name statements, never values.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A newer program wrote it.
    #[error(
        "the ledger {} has format {found} and this program knows {known}: start the newer program again, \
         or restore a backup from before it", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// It is there and cannot be a ledger, or not a whole one.
    #[error(
        "the ledger {} is damaged ({why}): restore it from a backup; it is not begun anew, as it knows what \
         others owe and what was promised", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The drive is full. Nothing was written.
    #[error("the drive with the ledger {} is full: make room", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file or its folder cannot be used.
    #[error("the ledger {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// What else SQLite says. Nothing was written.
    #[error("the ledger {}: {error}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Its words.
        error: rusqlite::Error,
    },
    /// A sum is over what its type holds. Nothing was written.
    #[error("a sum of the ledger is over 2^128 - 1")]
    Overflow,
    /// There is more than one answer may hold.
    #[error("the ledger has more than {max} {what} of that time: ask for fewer days")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        max: usize,
    },
}
