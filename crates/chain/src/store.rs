//! The checkpoint of state and indexes in redb: what spares an opening the replay of all blocks.
//!
//! Owns: the tables. Invariant: one commit has one height and everything up to it; the store is a function of
//! the block log and may be thrown away. Must not know: execution, tries.

use crate::block::Block;
use crate::log::FramePlace;
use crate::state::{Account, Changes};
use alloy_primitives::{Address, B256, Bloom, U256};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use revm::bytecode::Bytecode;
use std::path::Path;
use std::sync::Arc;

/// The version of these tables. A store of another one is made anew.
const FORMAT: u64 = 1;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const ACCOUNTS: TableDefinition<'_, [u8; 20], &[u8]> = TableDefinition::new("accounts");
const STORAGE: TableDefinition<'_, [u8; 52], [u8; 32]> = TableDefinition::new("storage");
const CODES: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("codes");
const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
const NUMBERS: TableDefinition<'_, [u8; 32], u64> = TableDefinition::new("numbers");
const TRANSACTIONS: TableDefinition<'_, [u8; 32], (u64, u32)> =
    TableDefinition::new("transactions");

/// redb's own cache; the state is in memory anyway.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// The store cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What redb says.
    #[error("the state store: {0}")]
    Redb(Box<redb::Error>),
    /// It is not what a store of this chain and version is.
    #[error("the state store does not fit the block log: {0}")]
    Unfit(&'static str),
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Redb(Box::new(error.into()))
    }
}

/// Where a block is, and what its logs are about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BlockEntry {
    pub(crate) hash: B256,
    pub(crate) place: FramePlace,
    pub(crate) bloom: Bloom,
}

/// Blocks that a checkpoint adds, with what they did in all.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) changes: Changes,
    pub(crate) blocks: Vec<(Arc<Block>, FramePlace)>,
}

impl Batch {
    pub(crate) fn add(&mut self, block: Arc<Block>, place: FramePlace, changes: &Changes) {
        self.changes.merge(changes);
        self.blocks.push((block, place));
    }
}

/// The open store.
#[derive(Debug)]
pub(crate) struct Store {
    database: Database,
}

impl Store {
    /// Opens or makes it, and checks that no page of it was lost.
    ///
    /// # Errors
    /// redb's; another format.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut database = Database::builder().set_cache_size(CACHE_BYTES).create(path)?;
        // An index is compared with nothing later. Reading all pages costs as much as reading the state.
        database.check_integrity()?;
        let write = database.begin_write()?;
        {
            let mut meta = write.open_table(META)?;
            let format = meta.get("format")?.map(|format| format.value());
            match format {
                None => {
                    meta.insert("format", FORMAT)?;
                }
                Some(FORMAT) => {}
                Some(_) => return Err(StoreError::Unfit("it has another format")),
            }
            write.open_table(ACCOUNTS)?;
            write.open_table(STORAGE)?;
            write.open_table(CODES)?;
            write.open_table(BLOCKS)?;
            write.open_table(NUMBERS)?;
            write.open_table(TRANSACTIONS)?;
        }
        write.commit()?;
        Ok(Self { database })
    }

    /// Commits a batch with the height it ends at.
    ///
    /// # Errors
    /// redb's; then the store is as it was.
    pub(crate) fn checkpoint(&self, batch: &Batch) -> Result<(), StoreError> {
        let write = self.database.begin_write()?;
        put_state(&write, &batch.changes)?;
        {
            let (mut blocks, mut numbers) = (write.open_table(BLOCKS)?, write.open_table(NUMBERS)?);
            let mut transactions = write.open_table(TRANSACTIONS)?;
            let mut hashes = Vec::new();
            for (block, place) in &batch.blocks {
                blocks.insert(block.number(), &*encode_entry(block, *place))?;
                numbers.insert(block.hash.0, block.number())?;
                let indexed = (0_u32..).zip(&block.transactions);
                hashes.extend(indexed.map(|(at, t)| (t.hash().0, (block.number(), at))));
            }
            // In order, so that each page of the tree is touched once.
            hashes.sort_unstable();
            for (hash, place) in hashes {
                transactions.insert(hash, place)?;
            }
            if let Some((last, _)) = batch.blocks.last() {
                write.open_table(META)?.insert("height", last.number())?;
            }
        }
        write.commit()?;
        Ok(())
    }

    /// The height of the last checkpoint; `None` of a new store.
    ///
    /// # Errors
    /// redb's.
    pub(crate) fn height(&self) -> Result<Option<u64>, StoreError> {
        let read = self.database.begin_read()?;
        Ok(read.open_table(META)?.get("height")?.map(|height| height.value()))
    }

    /// All accounts, storage and code.
    ///
    /// # Errors
    /// redb's; values of another length.
    pub(crate) fn state(&self) -> Result<Changes, StoreError> {
        let read = self.database.begin_read()?;
        let mut all = Changes::default();
        for row in read.open_table(ACCOUNTS)?.iter()? {
            let (address, account) = row?;
            let account = decode_account(account.value())?;
            all.accounts.insert(Address::from(address.value()), Some(account));
        }
        for row in read.open_table(STORAGE)?.iter()? {
            let (key, value) = row?;
            let (address, slot) = split_key(&key.value());
            all.storage.insert((address, slot), U256::from_be_bytes(value.value()));
        }
        for row in read.open_table(CODES)?.iter()? {
            let (hash, code) = row?;
            let code = Bytecode::new_raw_checked(code.value().to_vec().into())
                .map_err(|_| StoreError::Unfit("code that is none"))?;
            all.codes.insert(B256::from(hash.value()), code);
        }
        Ok(all)
    }

    /// Where a checkpointed block is.
    ///
    /// # Errors
    /// redb's; a value of another length.
    pub(crate) fn block(&self, number: u64) -> Result<Option<BlockEntry>, StoreError> {
        let read = self.database.begin_read()?;
        let entry = read.open_table(BLOCKS)?.get(number)?;
        entry.map(|entry| decode_entry(entry.value())).transpose()
    }

    /// Checkpointed blocks of a range whose bloom `wanted` likes, in order, at most `max`.
    ///
    /// # Errors
    /// redb's; a value of another length.
    pub(crate) fn blocks(
        &self,
        range: std::ops::RangeInclusive<u64>,
        max: usize,
        wanted: impl Fn(&Bloom) -> bool,
    ) -> Result<Vec<u64>, StoreError> {
        let read = self.database.begin_read()?;
        let mut found = Vec::new();
        for row in read.open_table(BLOCKS)?.range(range)? {
            let (number, entry) = row?;
            if found.len() >= max {
                break;
            }
            if wanted(&decode_entry(entry.value())?.bloom) {
                found.push(number.value());
            }
        }
        Ok(found)
    }

    /// The number of a checkpointed block.
    ///
    /// # Errors
    /// redb's.
    pub(crate) fn number(&self, hash: B256) -> Result<Option<u64>, StoreError> {
        let read = self.database.begin_read()?;
        Ok(read.open_table(NUMBERS)?.get(hash.0)?.map(|number| number.value()))
    }

    /// The block and index of a checkpointed transaction.
    ///
    /// # Errors
    /// redb's.
    pub(crate) fn transaction(&self, hash: B256) -> Result<Option<(u64, u32)>, StoreError> {
        let read = self.database.begin_read()?;
        Ok(read.open_table(TRANSACTIONS)?.get(hash.0)?.map(|place| place.value()))
    }
}

fn put_state(write: &redb::WriteTransaction, changes: &Changes) -> Result<(), StoreError> {
    let mut accounts = write.open_table(ACCOUNTS)?;
    let mut sorted: Vec<_> = changes.accounts.iter().collect();
    sorted.sort_unstable_by_key(|(address, _)| **address);
    for (address, account) in sorted {
        match account {
            Some(account) => accounts.insert(address.0.0, &encode_account(account)[..])?,
            None => accounts.remove(address.0.0)?,
        };
    }
    let mut storage = write.open_table(STORAGE)?;
    let mut sorted: Vec<_> = changes.storage.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| **key);
    for ((address, slot), value) in sorted {
        let key = join_key(*address, *slot);
        if value.is_zero() {
            storage.remove(key)?;
        } else {
            storage.insert(key, value.to_be_bytes::<32>())?;
        }
    }
    let mut codes = write.open_table(CODES)?;
    for (hash, code) in &changes.codes {
        codes.insert(hash.0, code.original_byte_slice())?;
    }
    Ok(())
}

fn encode_account(account: &Account) -> [u8; 72] {
    let mut bytes = [0; 72];
    bytes[..8].copy_from_slice(&account.nonce.to_be_bytes());
    bytes[8..40].copy_from_slice(&account.balance.to_be_bytes::<32>());
    bytes[40..].copy_from_slice(account.code_hash.as_slice());
    bytes
}

fn decode_account(bytes: &[u8]) -> Result<Account, StoreError> {
    let bytes: &[u8; 72] =
        bytes.try_into().map_err(|_| StoreError::Unfit("an account of another length"))?;
    let (nonce, rest) = bytes.split_first_chunk::<8>().expect("72 bytes have 8");
    let (balance, code_hash) = rest.split_at(32);
    Ok(Account {
        nonce: u64::from_be_bytes(*nonce),
        balance: U256::from_be_slice(balance),
        code_hash: B256::from_slice(code_hash),
    })
}

fn join_key(address: Address, slot: U256) -> [u8; 52] {
    let mut key = [0; 52];
    key[..20].copy_from_slice(address.as_slice());
    key[20..].copy_from_slice(&slot.to_be_bytes::<32>());
    key
}

fn split_key(key: &[u8; 52]) -> (Address, U256) {
    let (address, slot) = key.split_at(20);
    (Address::from_slice(address), U256::from_be_slice(slot))
}

/// Offset, length, hash; then the bloom unless it is empty.
fn encode_entry(block: &Block, place: FramePlace) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(300);
    bytes.extend_from_slice(&place.offset.to_be_bytes());
    bytes.extend_from_slice(&place.length.to_be_bytes());
    bytes.extend_from_slice(block.hash.as_slice());
    if !block.header.logs_bloom.is_zero() {
        bytes.extend_from_slice(block.header.logs_bloom.as_slice());
    }
    bytes
}

fn decode_entry(bytes: &[u8]) -> Result<BlockEntry, StoreError> {
    let unfit = StoreError::Unfit("a block's entry of another length");
    let Some((offset, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(unfit);
    };
    let Some((length, rest)) = rest.split_first_chunk::<4>() else {
        return Err(unfit);
    };
    let Some((hash, bloom)) = rest.split_first_chunk::<32>() else {
        return Err(unfit);
    };
    let bloom = match bloom.len() {
        0 => Bloom::ZERO,
        256 => Bloom::from_slice(bloom),
        _ => return Err(unfit),
    };
    let place =
        FramePlace { offset: u64::from_be_bytes(*offset), length: u32::from_be_bytes(*length) };
    Ok(BlockEntry { hash: B256::from(*hash), place, bloom })
}
