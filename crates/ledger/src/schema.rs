//! The tables, and the rule by which later programs change them.
//!
//! `PRAGMA user_version` holds the format. A program opens its own format and older ones, which it brings up
//! to its own in one transaction, step by step: [`STEPS`] only ever grows. A newer format is refused.

use rusqlite::{Connection, TransactionBehavior};

/// The format that this program writes.
pub(crate) const FORMAT: i64 = STEPS.len() as i64;

/// Tells our file from other people's SQLite files: `PWLG`.
pub(crate) const APPLICATION: i64 = 0x5057_4c47;

/// What makes format n + 1 of format n.
const STEPS: &[&str] = &[FIRST];

/// `entries` is a line a day for each side, torrent and channel; its key begins with what cash-outs are of,
/// so that a channel is read in one go and in the order of its days.
const FIRST: &str = "
    CREATE TABLE purchases (
        network BLOB NOT NULL, payee BLOB NOT NULL, channel INTEGER NOT NULL,
        torrent BLOB NOT NULL, cheque BLOB NOT NULL, signature BLOB NOT NULL, seed BLOB NOT NULL,
        revealed INTEGER NOT NULL, at_most BLOB NOT NULL, delegation BLOB,
        day INTEGER NOT NULL, before BLOB NOT NULL,
        PRIMARY KEY (network, payee, channel)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sales (
        network BLOB NOT NULL, payer BLOB NOT NULL, channel INTEGER NOT NULL,
        torrent BLOB NOT NULL, cheque BLOB NOT NULL, signature BLOB NOT NULL,
        number INTEGER NOT NULL, link BLOB NOT NULL,
        delegation BLOB, paid BLOB NOT NULL, since INTEGER NOT NULL, changed INTEGER NOT NULL,
        PRIMARY KEY (network, payer, channel)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE standings (
        network BLOB NOT NULL, account BLOB NOT NULL,
        defaults INTEGER NOT NULL, banned_until INTEGER NOT NULL, changed INTEGER NOT NULL,
        PRIMARY KEY (network, account)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE entries (
        side INTEGER NOT NULL, network BLOB NOT NULL, counterparty BLOB NOT NULL,
        channel INTEGER NOT NULL, day INTEGER NOT NULL, torrent BLOB NOT NULL,
        bytes INTEGER NOT NULL, amount BLOB NOT NULL, price BLOB NOT NULL,
        first INTEGER NOT NULL, last INTEGER NOT NULL,
        PRIMARY KEY (side, network, counterparty, channel, day, torrent)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE cash_outs (
        side INTEGER NOT NULL, network BLOB NOT NULL, counterparty BLOB NOT NULL,
        channel INTEGER NOT NULL, tx BLOB NOT NULL,
        paid BLOB NOT NULL, fee_wei BLOB NOT NULL, fee_token BLOB NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (side, network, counterparty, channel, tx)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE lane_times (
        torrent BLOB NOT NULL, day INTEGER NOT NULL,
        seconds INTEGER NOT NULL, paid_bytes INTEGER NOT NULL, free_bytes INTEGER NOT NULL,
        PRIMARY KEY (torrent, day)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE wishes (
        torrent BLOB NOT NULL, network BLOB NOT NULL, lane INTEGER NOT NULL, rate INTEGER NOT NULL,
        budget BLOB NOT NULL, price_max BLOB NOT NULL,
        PRIMARY KEY (torrent, network)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE moments (name TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// Brings the tables up to [`FORMAT`], all or nothing. Two processes may do so at once: the second finds it
/// done.
pub(crate) fn bring_up(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = usize::try_from(format(&transaction)?).unwrap_or(STEPS.len());
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    if done < STEPS.len() {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    transaction.commit()
}

/// The format of a file; 0 before it has tables.
pub(crate) fn format(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}
