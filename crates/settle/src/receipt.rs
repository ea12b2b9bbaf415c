//! What became of a transaction, and what contracts said in it.

use crate::rpc::{Field, RpcFault};
use alloy_primitives::{Address, B256, Bytes, U256};

/// Logs of one answer at most.
pub(crate) const LOGS_MAX: usize = 100_000;

/// A transaction in a block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// The transaction.
    pub hash: B256,
    /// Its block's height.
    pub block: u64,
    /// Its block's hash.
    pub block_hash: B256,
    /// Whether it did what it said; else only its fee was paid.
    pub is_success: bool,
    /// Gas used.
    pub gas: u64,
    /// The fee, wei.
    pub fee: U256,
    /// The contract it made, if it made one.
    pub contract: Option<Address>,
    /// What contracts said.
    pub logs: Vec<Log>,
}

/// What a contract said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Log {
    /// Who said it.
    pub address: Address,
    /// The event and its indexed fields.
    pub topics: Vec<B256>,
    /// Its other fields.
    pub data: Bytes,
    /// The block's height.
    pub block: u64,
    /// The transaction.
    pub transaction: B256,
    /// Its place in the block.
    pub index: u64,
}

impl Receipt {
    /// Reads a receipt of transaction `hash`; null is none.
    pub(crate) fn read(it: Field<'_>, hash: B256) -> Result<Option<Self>, RpcFault> {
        if it.is_null() {
            return Ok(None);
        }
        if it.get("transactionHash").b256()? != hash {
            return Err(it.get("transactionHash").wrong("the transaction that was asked for"));
        }
        let gas = it.get("gasUsed").u64()?;
        // Chains before EIP-1559 name no price; the fee is then told as 0.
        let price = it.get("effectiveGasPrice").present().map(Field::u128).transpose()?;
        Ok(Some(Self {
            hash,
            block: it.get("blockNumber").u64()?,
            block_hash: it.get("blockHash").b256()?,
            is_success: it.get("status").quantity()? == U256::from(1),
            gas,
            fee: U256::from(price.unwrap_or(0)) * U256::from(gas),
            contract: it.get("contractAddress").present().map(Field::address).transpose()?,
            logs: Log::read_all(it.get("logs"))?,
        }))
    }
}

impl Log {
    /// Reads a list of logs.
    pub(crate) fn read_all(list: Field<'_>) -> Result<Vec<Self>, RpcFault> {
        let items = list.items()?;
        if items.len() > LOGS_MAX {
            return Err(list.wrong("of fewer entries"));
        }
        items.iter().map(|item| Self::read(Field::new("a log", item))).collect()
    }

    fn read(it: Field<'_>) -> Result<Self, RpcFault> {
        let topics = it.get("topics").items()?;
        if topics.len() > 4 {
            return Err(it.get("topics").wrong("at most 4"));
        }
        Ok(Self {
            address: it.get("address").address()?,
            topics: topics
                .iter()
                .map(|it| Field::new("a topic", it).b256())
                .collect::<Result<_, _>>()?,
            data: it.get("data").bytes()?,
            block: it.get("blockNumber").u64()?,
            transaction: it.get("transactionHash").b256()?,
            index: it.get("logIndex").u64()?,
        })
    }
}
