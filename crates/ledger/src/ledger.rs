//! The ledger: what is written, and what machines are restored from.

use crate::cell::{of_amount, of_network};
use crate::{LaneTime, LedgerError, file, lines, record, restored};
use piecework_pay::{
    Address, B256, CHANNELS_MAX, DELEGATION_SECONDS_MAX, Entry, Network, Record, Side, TorrentKey,
};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Its name in the state folder.
pub const LEDGER_FILE: &str = "ledger.db";

/// Purchases that are loaded at most, those of the latest days first: as many as a purse remembers.
pub const PURCHASES_MAX: usize = 65_536;

/// Sales that are loaded at most, those that wait to be cashed first: as many as a till keeps.
pub const SALES_MAX: usize = piecework_pay::ACCOUNTS_MAX * CHANNELS_MAX;

/// Standings that are loaded at most, those that changed last first: as many as a till keeps.
pub const STANDINGS_MAX: usize = piecework_pay::ACCOUNTS_MAX;

/// Seconds of a day.
pub(crate) const DAY: u64 = 24 * 3600;

/// A cash-out, ours or one of our cheques.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CashOut {
    /// Selling: we were paid. Buying: a cheque of ours was cashed.
    pub side: Side,
    /// In which money.
    pub network: Network,
    /// The other's account.
    pub counterparty: Address,
    /// The channel.
    pub channel: u64,
    /// What the vault has paid on the channel in all, with this one.
    pub paid: u128,
    /// What we paid for it in the chain's coin, in wei. Of a transaction for several channels each has its
    /// part.
    pub fee_wei: u128,
    /// The same in the token.
    pub fee_token: u128,
    /// The transaction.
    pub tx: B256,
    /// The time of its block, seconds since 1970.
    pub at: u64,
}

/// The ledger of a node. A clone is the same ledger.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Beside the other one, so that a long report holds up no payment. Dropped first: the last that is
    /// closed brings all of SQLite's log into the file, for which it has to be one that writes.
    reader: Mutex<Connection>,
    /// None: opened to be read.
    writer: Option<Mutex<Connection>>,
    restored_at: Option<u64>,
}

impl Ledger {
    /// Opens the ledger of this path, or begins one where there is none.
    ///
    /// # Errors
    /// When it was written by a newer program, is damaged, or cannot be used.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let mut writer = file::open(path)?;
        let restored = restored::note(&mut writer, wall());
        let restored_at = restored.map_err(|error| file::fault(path, error))?;
        let Some(reader) = file::open_to_read(path)? else {
            let why = "it is gone".into();
            return Err(LedgerError::Damaged { path: path.to_owned(), why });
        };
        Ok(Self::of(path, Some(writer), reader, restored_at))
    }

    /// Opens the ledger to read it, while another process may write; none where there is none.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_to_read(path: &Path) -> Result<Option<Self>, LedgerError> {
        let reader = file::open_to_read(path)?;
        Ok(reader.map(|reader| Self::of(path, None, reader, None)))
    }

    fn of(
        path: &Path,
        writer: Option<Connection>,
        reader: Connection,
        restored_at: Option<u64>,
    ) -> Self {
        let (writer, reader) = (writer.map(Mutex::new), Mutex::new(reader));
        Self(Arc::new(Inner { path: path.to_owned(), writer, reader, restored_at }))
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// When this ledger was first opened as a copy of [`Self::copy_to`], seconds since 1970; none when it is
    /// no copy. What was promised between the copy and that moment is not in it.
    #[must_use]
    pub fn restored_at(&self) -> Option<u64> {
        self.0.restored_at
    }

    /// Until when a payer signs nothing ([`piecework_pay::Payer::quiet_until`]), seconds since 1970; 0 when
    /// it may. By then every delegation of before has ended and, as sellers cash within three days, every
    /// cheque is cashed.
    #[must_use]
    pub fn quiet_until(&self) -> u64 {
        self.0.restored_at.map_or(0, |at| at.saturating_add(DELEGATION_SECONDS_MAX))
    }

    /// Copies the ledger as it is now to a new file, marked as a copy; other processes may write meanwhile.
    ///
    /// # Errors
    /// When something is there already, or the copy cannot be made; then none is left.
    pub fn copy_to(&self, path: &Path) -> Result<(), LedgerError> {
        let file = file::create(path)?;
        let copied = restored::copy(&take(&self.0.reader), path, wall());
        let copied = copied.map_err(|error| file::fault(path, error));
        let synced = copied.and_then(|()| file.sync_all().map_err(|it| file::of_system(path, it)));
        synced.inspect_err(|_| drop(std::fs::remove_file(path)))
    }

    /// Writes all of them in one transaction, and returns when they are on the drive.
    ///
    /// # Errors
    /// When that fails; then nothing is written.
    pub fn write(&self, records: &[Record]) -> Result<(), LedgerError> {
        self.write_at(records, wall())
    }

    /// [`Self::write`] at a moment, in seconds since 1970: entries count for its day (UTC).
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub fn write_at(&self, records: &[Record], wall: u64) -> Result<(), LedgerError> {
        if records.is_empty() {
            return Ok(());
        }
        self.change(|transaction| {
            for record in records {
                match record {
                    Record::Purchase(purchase) => record::put_purchase(transaction, purchase)?,
                    Record::Sale(sale) => record::put_sale(transaction, sale, wall)?,
                    Record::Standing(it) => record::put_standing(transaction, it, wall)?,
                    Record::Entry(entry) => add_entry(transaction, entry, wall)?,
                }
            }
            Ok(())
        })
    }

    /// What machines are restored from: purchases, sales, standings. Entries are not among them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn load(&self) -> Result<Vec<Record>, LedgerError> {
        self.read(|transaction| {
            let mut records = Vec::new();
            let mut put = |sql, max: usize, read: fn(&Row<'_>) -> rusqlite::Result<Record>| {
                let mut statement = transaction.prepare(sql)?;
                for record in statement.query_map([max as i64], read)? {
                    records.push(record?);
                }
                Ok::<_, Fault>(())
            };
            put(record::PURCHASES, PURCHASES_MAX, |row| {
                record::purchase(row).map(|it| Record::Purchase(Box::new(it)))
            })?;
            put(record::SALES, SALES_MAX, |row| {
                record::sale(row).map(|it| Record::Sale(Box::new(it)))
            })?;
            put(record::STANDINGS, STANDINGS_MAX, |row| {
                record::standing(row).map(Record::Standing)
            })?;
            Ok(records)
        })
    }

    /// A cash-out was seen, or made. Telling of one again changes nothing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn settled(&self, cash_out: &CashOut) -> Result<(), LedgerError> {
        let row = params![
            lines::of_side(cash_out.side),
            of_network(&cash_out.network),
            cash_out.counterparty.0.0,
            cash_out.channel.cast_signed(),
            cash_out.tx.0,
            of_amount(cash_out.paid),
            of_amount(cash_out.fee_wei),
            of_amount(cash_out.fee_token),
            cash_out.at.cast_signed(),
        ];
        let put = "INSERT INTO cash_outs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
            ON CONFLICT DO NOTHING";
        self.change(|transaction| Ok(transaction.execute(put, row).map(drop)?))
    }

    /// A torrent has had a paid lane: adds to what it had today.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn lane_time(&self, torrent: TorrentKey, time: LaneTime) -> Result<(), LedgerError> {
        self.lane_time_at(torrent, time, wall())
    }

    /// [`Self::lane_time`] at a moment, in seconds since 1970.
    ///
    /// # Errors
    /// As for [`Self::lane_time`].
    pub fn lane_time_at(
        &self,
        torrent: TorrentKey,
        time: LaneTime,
        wall: u64,
    ) -> Result<(), LedgerError> {
        let LaneTime { seconds, paid_bytes, free_bytes } = time;
        let [seconds, paid_bytes, free_bytes] =
            [seconds, paid_bytes, free_bytes].map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        let row = params![torrent, (wall / DAY).cast_signed(), seconds, paid_bytes, free_bytes];
        let put = "INSERT INTO lane_times VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET \
            seconds = seconds + excluded.seconds, paid_bytes = paid_bytes + excluded.paid_bytes, \
            free_bytes = free_bytes + excluded.free_bytes";
        self.change(|transaction| Ok(transaction.execute(put, row).map(drop)?))
    }

    /// One transaction, all or nothing.
    pub(crate) fn change<T>(
        &self,
        how: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, LedgerError> {
        let Some(writer) = &self.0.writer else {
            let error = std::io::ErrorKind::ReadOnlyFilesystem.into();
            return Err(file::of_system(&self.0.path, error));
        };
        let mut writer = take(writer);
        let changed = (|| {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let told = how(&transaction)?;
            transaction.commit()?;
            Ok(told)
        })();
        changed.map_err(|fault| self.named(fault))
    }

    /// One view of the file, whatever is written meanwhile.
    pub(crate) fn read<T>(
        &self,
        how: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, LedgerError> {
        let mut reader = take(&self.0.reader);
        let read = reader.transaction().map_err(Fault::Sqlite).and_then(|view| how(&view));
        read.map_err(|fault| self.named(fault))
    }

    fn named(&self, fault: Fault) -> LedgerError {
        match fault {
            Fault::Sqlite(error) => file::fault(&self.0.path, error),
            Fault::Ledger(error) => error,
        }
    }
}

/// An error before it is told of which file.
pub(crate) enum Fault {
    Sqlite(rusqlite::Error),
    Ledger(LedgerError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// Adds an entry to the row of its day.
fn add_entry(transaction: &Transaction<'_>, entry: &Entry, wall: u64) -> Result<(), Fault> {
    let key = params![
        lines::of_side(entry.side),
        of_network(&entry.network),
        entry.counterparty.0.0,
        entry.channel.cast_signed(),
        (wall / DAY).cast_signed(),
        entry.torrent,
    ];
    let find = "SELECT bytes, amount, first FROM entries WHERE side = ?1 AND network = ?2 \
        AND counterparty = ?3 AND channel = ?4 AND day = ?5 AND torrent = ?6";
    let old = transaction.query_row(find, key, lines::before).optional()?;
    let (bytes, amount, first) = old.unwrap_or((0, 0, wall));
    let bytes = bytes.checked_add(entry.bytes).ok_or(LedgerError::Overflow)?;
    let amount = amount.checked_add(entry.amount).ok_or(LedgerError::Overflow)?;
    let row = params![
        lines::of_side(entry.side),
        of_network(&entry.network),
        entry.counterparty.0.0,
        entry.channel.cast_signed(),
        (wall / DAY).cast_signed(),
        entry.torrent,
        bytes.cast_signed(),
        of_amount(amount),
        of_amount(entry.price.per_mib()),
        first.cast_signed(),
        wall.cast_signed(),
    ];
    let put = "REPLACE INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    transaction.execute(put, row)?;
    Ok(())
}

fn take(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A panic in a transaction has rolled it back.
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wall() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}
