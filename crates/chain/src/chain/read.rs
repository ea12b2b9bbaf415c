//! What can be asked of a chain: blocks, transactions, logs, accounts, calls, fees.
//!
//! Invariant: an answer is of one block, and that block is durable. Must not know: how a client asks.

use super::{Chain, lock};
use crate::block::Block;
use crate::call::{self, CallRequest, NoEstimate};
use crate::execute::{BlockContext, Executed, Refused};
use crate::log::{LogError, read_payload};
use crate::record::{BadRecord, decode_block};
use crate::state::{Account, StateAt, StateGone, StateRead as _};
use crate::store::StoreError;
use crate::transaction::Transaction;
use alloy_primitives::{Address, B256, Bloom, BloomInput, Bytes, Log, U256};
use std::sync::Arc;

/// Logs in one answer.
pub const LOGS_MAX: usize = 20_000;

/// Blocks that one question about logs reads.
const LOG_BLOCKS_MAX: usize = 10_000;

/// Blocks in one answer about fees.
pub const FEE_BLOCKS_MAX: u64 = 1024;

/// Which block is meant, where only its state matters.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum At {
    /// After the newest block, at its number, but now: time has gone on since. Under
    /// [`Solo`](crate::sealer::Solo) it is `safe` and `finalized` too.
    #[default]
    Latest,
    /// As the next block would see it.
    Pending,
    /// After that block, if its state is still kept.
    Number(u64),
}

/// Which block is meant, where the block itself is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BlockId {
    /// By height.
    Number(u64),
    /// By hash.
    Hash(B256),
}

/// A transaction in its block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The block; `block.transactions[index]` and `block.receipts[index]` are the transaction's.
    pub block: Arc<Block>,
    /// Which of its transactions, from 0.
    pub index: usize,
}

/// Which logs are wanted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LogFilter {
    /// From this block on.
    pub from: u64,
    /// To this one.
    pub to: u64,
    /// Of these contracts; empty: of all.
    pub addresses: Vec<Address>,
    /// For each topic in turn those that it may be; empty: any, if it is there.
    pub topics: [Vec<B256>; 4],
}

/// A log with its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogEntry {
    /// What the contract said.
    pub log: Log,
    /// In which block.
    pub block_number: u64,
    /// Its hash.
    pub block_hash: B256,
    /// Its timestamp, in seconds.
    pub timestamp: u64,
    /// In which transaction.
    pub transaction: B256,
    /// Which of the block's transactions, from 0.
    pub transaction_index: usize,
    /// Which of the block's logs, from 0.
    pub index: usize,
}

/// What blocks cost, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeeHistory {
    /// The first block.
    pub oldest: u64,
    /// Base fee of each block, and of the one after the last.
    pub base_fees: Vec<u64>,
    /// Part of each block's gas that was used.
    pub gas_used_ratios: Vec<f64>,
    /// For each block the tips at the percentiles that were asked for, by gas used.
    pub rewards: Vec<Vec<u128>>,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The state is no longer kept.
    #[error(transparent)]
    Gone(#[from] StateGone),
    /// It could not be tried.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is no estimate.
    #[error(transparent)]
    NoEstimate(#[from] NoEstimate),
    /// There is no such block.
    #[error("header not found: block {0}")]
    NoBlock(u64),
    /// The answer would be too long.
    #[error(
        "query returned more than {LOGS_MAX} results or reads too many blocks: ask for fewer blocks"
    )]
    TooMany,
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The block log fails.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The block log has something else than a block.
    #[error(transparent)]
    Record(#[from] BadRecord),
}

impl LogFilter {
    /// Whether a block with this bloom may have what is wanted.
    pub fn may_be_in(&self, bloom: &Bloom) -> bool {
        let has = |bytes: &[u8]| bloom.contains_input(BloomInput::Raw(bytes));
        let addresses =
            self.addresses.is_empty() || self.addresses.iter().any(|a| has(a.as_slice()));
        addresses
            && self.topics.iter().all(|any| any.is_empty() || any.iter().any(|t| has(t.as_slice())))
    }

    /// Whether this log is wanted.
    pub fn takes(&self, log: &Log) -> bool {
        let of_address = self.addresses.is_empty() || self.addresses.contains(&log.address);
        of_address
            && self.topics.iter().enumerate().all(|(at, any)| {
                any.is_empty() || log.topics().get(at).is_some_and(|topic| any.contains(topic))
            })
    }
}

impl Chain {
    /// The newest block.
    pub fn head(&self) -> Arc<Block> {
        self.shared.head()
    }

    /// A block with its transactions and receipts.
    ///
    /// # Errors
    /// When log or store fail.
    pub fn block(&self, id: BlockId) -> Result<Option<Arc<Block>>, ReadError> {
        let number = match id {
            BlockId::Number(number) => Some(number),
            BlockId::Hash(hash) => {
                let recent = self.shared.read_recent().number(hash);
                recent.map_or_else(|| self.shared.store.number(hash), |number| Ok(Some(number)))?
            }
        };
        number.map_or(Ok(None), |number| self.block_at(number))
    }

    fn block_at(&self, number: u64) -> Result<Option<Arc<Block>>, ReadError> {
        if number == 0 {
            return Ok(Some(Arc::clone(&self.shared.genesis_block)));
        }
        if let Some(block) = self.shared.read_recent().block(number) {
            return Ok(Some(block));
        }
        if let Some(block) = lock(&self.shared.reread).get(number) {
            return Ok(Some(block));
        }
        let Some(entry) = self.shared.store.block(number)? else {
            return Ok(None);
        };
        let block = Arc::new(decode_block(&read_payload(&self.shared.log, entry.place)?)?);
        lock(&self.shared.reread).put(Arc::clone(&block));
        Ok(Some(block))
    }

    /// A transaction that is in a block.
    ///
    /// # Errors
    /// When log or store fail.
    pub fn transaction(&self, hash: B256) -> Result<Option<Found>, ReadError> {
        let recent = self.shared.read_recent().transaction(hash);
        let place =
            recent.map_or_else(|| self.shared.store.transaction(hash), |at| Ok(Some(at)))?;
        let Some((number, index)) = place else {
            return Ok(None);
        };
        let block = self.block_at(number)?;
        Ok(block.map(|block| Found { block, index: index as usize }))
    }

    /// A transaction that waits.
    pub fn waiting(&self, hash: B256) -> Option<Transaction> {
        lock(&self.shared.pool).get(hash)
    }

    /// Logs of a range of blocks, in order.
    ///
    /// # Errors
    /// When there are too many, or log or store fail.
    pub fn logs(&self, filter: &LogFilter) -> Result<Vec<LogEntry>, ReadError> {
        let to = filter.to.min(self.head().number());
        if filter.from > to {
            return Ok(Vec::new());
        }
        let first_recent = self.shared.read_recent().first();
        let mut numbers = Vec::new();
        if filter.from < first_recent {
            let range = filter.from..=to.min(first_recent - 1);
            let may = |bloom: &Bloom| filter.may_be_in(bloom);
            numbers = self.shared.store.blocks(range, LOG_BLOCKS_MAX + 1, may)?;
            if numbers.len() > LOG_BLOCKS_MAX {
                return Err(ReadError::TooMany);
            }
        }
        numbers.extend(filter.from.max(first_recent)..=to);
        let mut found = Vec::new();
        for number in numbers {
            let Some(block) = self.block_at(number)? else {
                return Err(ReadError::NoBlock(number));
            };
            if filter.may_be_in(&block.header.logs_bloom) {
                found.extend(logs_in(&block, filter));
            }
            if found.len() > LOGS_MAX {
                return Err(ReadError::TooMany);
            }
        }
        Ok(found)
    }

    /// An account; one that nobody ever used is empty.
    ///
    /// # Errors
    /// When the state is no longer kept.
    pub fn account(&self, address: Address, at: At) -> Result<Account, ReadError> {
        let (state, _) = self.state_at(at)?;
        Ok(state.account(address)?.unwrap_or_default())
    }

    /// The nonce that the sender's next transaction must have; with [`At::Pending`] after those that wait.
    ///
    /// # Errors
    /// When the state is no longer kept.
    pub fn nonce(&self, address: Address, at: At) -> Result<u64, ReadError> {
        let next = self.account(address, at)?.nonce;
        Ok(match at {
            At::Pending => lock(&self.shared.pool).nonce_after(address, next),
            At::Latest | At::Number(_) => next,
        })
    }

    /// A contract's code.
    ///
    /// # Errors
    /// When the state is no longer kept.
    pub fn code(&self, address: Address, at: At) -> Result<Bytes, ReadError> {
        let (state, _) = self.state_at(at)?;
        let Some(account) = state.account(address)? else {
            return Ok(Bytes::new());
        };
        Ok(state.code(account.code_hash)?.original_bytes())
    }

    /// A word of a contract's storage.
    ///
    /// # Errors
    /// When the state is no longer kept.
    pub fn storage(&self, address: Address, slot: U256, at: At) -> Result<U256, ReadError> {
        let (state, _) = self.state_at(at)?;
        Ok(state.storage(address, slot)?)
    }

    /// Executes a call and keeps nothing of it.
    ///
    /// # Errors
    /// When it cannot be tried, or the state is no longer kept.
    pub fn call(&self, request: &CallRequest, at: At) -> Result<Executed, ReadError> {
        let (state, context) = self.state_at(at)?;
        Ok(call::call(&self.shared.rules, context, &state, request)?)
    }

    /// The least gas a call succeeds with, give or take little.
    ///
    /// # Errors
    /// When it fails with any, with what it said.
    pub fn estimate_gas(&self, request: &CallRequest, at: At) -> Result<u64, ReadError> {
        let (state, context) = self.state_at(at)?;
        Ok(call::estimate_gas(&self.shared.rules, context, &state, request)?)
    }

    /// The header fields of the block that would be sealed now.
    pub fn next_context(&self) -> BlockContext {
        self.head().next_context(&self.shared.rules, self.shared.clock.unix())
    }

    /// What `count` blocks up to `newest` cost, with the tips at `percentiles` of their gas.
    ///
    /// # Errors
    /// When there is no such block, or log or store fail.
    pub fn fee_history(
        &self,
        count: u64,
        newest: u64,
        percentiles: &[f64],
    ) -> Result<FeeHistory, ReadError> {
        let count = count.clamp(1, FEE_BLOCKS_MAX).min(newest.saturating_add(1));
        let oldest = newest + 1 - count;
        let mut history = FeeHistory { oldest, ..FeeHistory::default() };
        for number in oldest..=newest {
            let block = self.block_at(number)?.ok_or(ReadError::NoBlock(number))?;
            let (used, limit) = (block.header.gas_used, block.header.gas_limit);
            history.base_fees.push(block.base_fee());
            history.gas_used_ratios.push(used as f64 / limit as f64);
            if !percentiles.is_empty() {
                history.rewards.push(rewards(&block, percentiles));
            }
            if number == newest {
                history.base_fees.push(self.shared.next_base_fee(&block));
            }
        }
        Ok(history)
    }

    /// The state that is meant, and the block that calls on it believe to be in.
    fn state_at(&self, at: At) -> Result<(StateAt<'_>, BlockContext), ReadError> {
        let head = self.head();
        let next = head.next_context(&self.shared.rules, self.shared.clock.unix());
        let (number, context) = match at {
            At::Pending => (head.number(), next),
            At::Latest => {
                let (number, base_fee) = (head.number(), head.base_fee());
                (number, BlockContext { number, base_fee, ..next })
            }
            At::Number(number) if number == head.number() => return self.state_at(At::Latest),
            At::Number(number) => {
                let block = self.block_at(number)?.ok_or(ReadError::NoBlock(number))?;
                let context = BlockContext {
                    number,
                    timestamp: block.header.timestamp,
                    base_fee: block.base_fee(),
                    beneficiary: block.header.beneficiary,
                    random: block.header.mix_hash,
                };
                (number, context)
            }
        };
        Ok((StateAt::new(&self.shared.state, number), context))
    }
}

fn logs_in(block: &Block, filter: &LogFilter) -> impl Iterator<Item = LogEntry> {
    let wanted = block.logs().filter(|(_, _, log)| filter.takes(log));
    wanted.map(|(index, transaction_index, log)| LogEntry {
        log: log.clone(),
        block_number: block.number(),
        block_hash: block.hash,
        timestamp: block.header.timestamp,
        transaction: block.transactions[transaction_index].hash(),
        transaction_index,
        index,
    })
}

/// The tip below which each percentile of the block's gas was paid.
fn rewards(block: &Block, percentiles: &[f64]) -> Vec<u128> {
    let base_fee = u128::from(block.base_fee());
    let tip = |price: u128| price.saturating_sub(base_fee);
    let mut paid: Vec<_> =
        block.receipts.iter().map(|receipt| (tip(receipt.gas_price), receipt.gas_used)).collect();
    paid.sort_unstable();
    let at = |percentile: f64| {
        let threshold = (block.header.gas_used as f64 * percentile / 100.0) as u64;
        let mut sum = 0_u64;
        let found = paid.iter().find(|(_, gas)| {
            sum = sum.saturating_add(*gas);
            sum >= threshold
        });
        found.or_else(|| paid.last()).map_or(0, |(tip, _)| *tip)
    };
    percentiles.iter().map(|percentile| at(*percentile)).collect()
}
