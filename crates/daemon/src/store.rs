//! What outlives the process: records, metainfo and lists, in one redb file.
//!
//! Owns the tables. Invariant: what [`Store::commit`] returned from is on the drive, all of it; what it
//! failed at is not there at all. After a failure the file is opened anew before the next try, as redb
//! wants. It must not know what records mean.

use piecework_catalog::{Category, Place, Record};
use piecework_types::InfoHash;
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{PoisonError, RwLock};

/// The version of these tables.
const FORMAT: u64 = 1;

/// redb's own cache: records are in memory anyway, metainfo is read when a torrent is loaded or wakes, and
/// the kernel keeps pages of the file too. Half of it is for what a transaction writes: with less than a
/// hundred torrents touch, pages are written, read again and written again before they are flushed.
const CACHE_BYTES: usize = 2 * 1024 * 1024;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// JSON of a record by primary info-hash.
const RECORDS: TableDefinition<'_, [u8; 20], &[u8]> = TableDefinition::new("records");
/// Torrent files.
const METAINFO: TableDefinition<'_, [u8; 20], &[u8]> = TableDefinition::new("metainfo");
/// Info dictionaries of v2 torrents whose piece layers are not all known: no torrent file can be made.
const INFOS: TableDefinition<'_, [u8; 20], &[u8]> = TableDefinition::new("infos");
/// Records of torrents that were removed and whose files may still have to go.
const GONE: TableDefinition<'_, [u8; 20], &[u8]> = TableDefinition::new("gone");
const LISTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("lists");

/// The store cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What redb says.
    #[error("the catalog file: {0}")]
    Redb(Box<redb::Error>),
    /// A newer program wrote it.
    #[error(
        "the catalog file has format {found} and this program knows {FORMAT}: start the newer program \
         again, or restore a backup from before it"
    )]
    Newer {
        /// Its format.
        found: u64,
    },
    /// It holds something that is no record.
    #[error("the catalog file holds an entry that cannot be read: {0}; restore a backup")]
    Damaged(serde_json::Error),
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Redb(Box::new(error.into()))
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(StoreError::Damaged)
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(StoreError::Damaged)
}

/// What stands beside the torrents.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct Lists {
    pub(crate) categories: BTreeMap<String, Category>,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) is_alternative: bool,
}

/// A torrent that was removed before all of its files were.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Gone {
    pub(crate) record: Record,
    pub(crate) deletes_files: bool,
}

impl Gone {
    /// The folder that it lay in.
    pub(crate) fn folder(&self) -> String {
        let Record { lies_in, incomplete_path, save_path, place, .. } = &self.record;
        let incomplete = incomplete_path.as_ref().filter(|_| *place == Place::Incomplete);
        lies_in.as_ref().or(incomplete).unwrap_or(save_path).clone()
    }
}

/// What is kept of a torrent's contents.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Kept {
    /// A torrent file.
    Torrent(Vec<u8>),
    /// An info dictionary.
    Info(Vec<u8>),
}

/// What one transaction writes.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Records as they are now.
    pub(crate) records: BTreeMap<InfoHash, Record>,
    /// Records that are no more; whether their files go too. Their metainfo stays until they are forgotten.
    pub(crate) removed: BTreeMap<InfoHash, bool>,
    /// Metainfo that came.
    pub(crate) metainfo: BTreeMap<InfoHash, Kept>,
    /// Removed torrents of which nothing is left to do.
    pub(crate) forgotten: BTreeSet<InfoHash>,
    pub(crate) lists: Option<Lists>,
    /// Payload of all runs, received and sent. Alone it is no reason to write.
    pub(crate) bytes: (u64, u64),
}

impl Changes {
    /// Whether nothing changes but records of torrents that stay.
    pub(crate) fn are_records_alone(&self) -> bool {
        let Self { removed, metainfo, forgotten, lists, .. } = self;
        removed.is_empty() && metainfo.is_empty() && forgotten.is_empty() && lists.is_none()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.are_records_alone()
    }
}

/// What an earlier run left.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    pub(crate) records: Vec<Record>,
    pub(crate) gone: Vec<(InfoHash, Gone)>,
    pub(crate) lists: Lists,
    /// See [`Changes::bytes`].
    pub(crate) bytes: (u64, u64),
}

type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>;

/// The open file.
pub(crate) struct Store {
    open: Opener,
    /// `None` after a failure.
    database: RwLock<Option<Database>>,
}

impl Store {
    /// Opens or makes it.
    ///
    /// # Errors
    /// redb's; a format of a newer program.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let path = path.to_owned();
        Self::open_with(Box::new(move || {
            Database::builder().set_cache_size(CACHE_BYTES).create(&path)
        }))
    }

    /// The same over a file that `open` opens.
    pub(crate) fn open_with(open: Opener) -> Result<Self, StoreError> {
        let database = open()?;
        let write = database.begin_write()?;
        {
            let mut meta = write.open_table(META)?;
            let format = meta.get("format")?.map(|format| format.value());
            match format {
                Some(found) if found > FORMAT => return Err(StoreError::Newer { found }),
                Some(_) => {}
                None => drop(meta.insert("format", FORMAT)?),
            }
            write.open_table(RECORDS)?;
            write.open_table(METAINFO)?;
            write.open_table(INFOS)?;
            write.open_table(GONE)?;
            write.open_table(LISTS)?;
        }
        write.commit()?;
        Ok(Self { open, database: RwLock::new(Some(database)) })
    }

    /// Everything but metainfo.
    ///
    /// # Errors
    /// redb's; entries that cannot be read.
    pub(crate) fn load(&self) -> Result<Saved, StoreError> {
        self.read(|read| {
            let mut saved = Saved::default();
            for entry in read.open_table(RECORDS)?.iter()? {
                saved.records.push(decode(entry?.1.value())?);
            }
            for entry in read.open_table(GONE)?.iter()? {
                let (id, gone) = entry?;
                saved.gone.push((InfoHash(id.value()), decode(gone.value())?));
            }
            let meta = read.open_table(META)?;
            let count =
                |key| Ok::<_, redb::StorageError>(meta.get(key)?.map_or(0, |it| it.value()));
            saved.bytes = (count("down_bytes")?, count("up_bytes")?);
            if let Some(lists) = read.open_table(LISTS)?.get("lists")? {
                saved.lists = decode(lists.value())?;
            }
            Ok(saved)
        })
    }

    /// What is kept of a torrent's contents, if anything is.
    ///
    /// # Errors
    /// redb's.
    pub(crate) fn metainfo(&self, id: InfoHash) -> Result<Option<Kept>, StoreError> {
        self.read(|read| {
            if let Some(bytes) = read.open_table(METAINFO)?.get(id.0)? {
                return Ok(Some(Kept::Torrent(bytes.value().to_vec())));
            }
            let info = read.open_table(INFOS)?.get(id.0)?;
            Ok(info.map(|bytes| Kept::Info(bytes.value().to_vec())))
        })
    }

    /// The record of a torrent that was removed and has not been forgotten.
    ///
    /// # Errors
    /// redb's; an entry that cannot be read.
    pub(crate) fn gone(&self, id: InfoHash) -> Result<Option<Gone>, StoreError> {
        self.read(|read| {
            let entry = read.open_table(GONE)?.get(id.0)?;
            entry.map(|entry| decode(entry.value())).transpose()
        })
    }

    /// An entry beside the torrents, if it is there.
    ///
    /// # Errors
    /// redb's; an entry that cannot be read.
    pub(crate) fn entry<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        self.read(|read| {
            let entry = read.open_table(LISTS)?.get(name)?;
            entry.map(|entry| decode(entry.value())).transpose()
        })
    }

    /// Writes an entry beside the torrents, and flushes.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub(crate) fn keep<T: Serialize>(&self, name: &str, entry: &T) -> Result<(), StoreError> {
        let bytes = encode(entry)?;
        self.with_database(|database| {
            let write = database.begin_write()?;
            write.open_table(LISTS)?.insert(name, &*bytes)?;
            Ok(write.commit()?)
        })
    }

    /// Closes the file, so that another program may open it. Nothing can be read or written afterwards.
    pub(crate) fn close(&self) {
        drop(self.database.write().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Writes all of it, and flushes.
    ///
    /// # Errors
    /// redb's; nothing is written then.
    pub(crate) fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        self.with_database(|database| write(database, changes))
    }

    /// Writes; opens the file anew if the last try failed.
    fn with_database(
        &self,
        write: impl FnOnce(&Database) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let database = match slot.take() {
            Some(database) => database,
            None => (self.open)()?,
        };
        // Left closed where this fails.
        write(&database)?;
        *slot = Some(database);
        Ok(())
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&redb::ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let closed = || redb::Error::DatabaseClosed;
        let slot = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = slot.as_ref().ok_or_else(closed)?;
        read(&database.begin_read()?)
    }
}

fn write(database: &Database, changes: &Changes) -> Result<(), StoreError> {
    let write = database.begin_write()?;
    {
        let mut records = write.open_table(RECORDS)?;
        let (mut metainfo, mut infos) = (write.open_table(METAINFO)?, write.open_table(INFOS)?);
        let mut gone = write.open_table(GONE)?;
        for (id, deletes_files) in &changes.removed {
            let Some(record) = records.remove(id.0)? else { continue };
            let record = decode(record.value())?;
            let entry = Gone { record, deletes_files: *deletes_files };
            gone.insert(id.0, &*encode(&entry)?)?;
        }
        for id in &changes.forgotten {
            gone.remove(id.0)?;
            if records.get(id.0)?.is_none() {
                metainfo.remove(id.0)?;
                infos.remove(id.0)?;
            }
        }
        for (id, record) in &changes.records {
            records.insert(id.0, &*encode(record)?)?;
        }
        for (id, kept) in &changes.metainfo {
            match kept {
                Kept::Torrent(bytes) => {
                    metainfo.insert(id.0, &**bytes)?;
                    infos.remove(id.0)?;
                }
                Kept::Info(bytes) => drop(infos.insert(id.0, &**bytes)?),
            }
        }
        let mut meta = write.open_table(META)?;
        meta.insert("down_bytes", changes.bytes.0)?;
        meta.insert("up_bytes", changes.bytes.1)?;
        if let Some(lists) = &changes.lists {
            write.open_table(LISTS)?.insert("lists", &*encode(lists)?)?;
        }
    }
    write.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests;
