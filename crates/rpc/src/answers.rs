//! What the chain has, in the forms that Ethereum's JSON-RPC answers with.

use alloy_consensus::transaction::Recovered;
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::{B256, U256};
use alloy_rpc_types_eth::{BlockTransactions, Header, Log, Transaction, TransactionReceipt};
use piecework_chain::block::Block;
use piecework_chain::chain::LogEntry;
use piecework_chain::transaction;
use serde_json::Value;

/// A block as it is answered.
pub(crate) type BlockAnswer = alloy_rpc_types_eth::Block<Transaction, Header>;

/// A block, with its transactions in full or by hash.
pub(crate) fn block(block: &Block, is_full: bool) -> BlockAnswer {
    let transactions = if is_full {
        let all = 0..block.transactions.len();
        BlockTransactions::Full(all.filter_map(|index| transaction_at(block, index)).collect())
    } else {
        BlockTransactions::Hashes(block.transactions.iter().map(|of| of.hash()).collect())
    };
    BlockAnswer {
        header: header(block),
        uncles: Vec::new(),
        transactions,
        withdrawals: Some(Withdrawals::default()),
    }
}

/// A block that is not sealed yet: it has no hash.
pub(crate) fn pending(header: alloy_consensus::Header) -> Result<Value, serde_json::Error> {
    let header = Header { hash: B256::ZERO, inner: header, total_difficulty: None, size: None };
    let block = BlockAnswer {
        header,
        uncles: Vec::new(),
        transactions: BlockTransactions::Hashes(Vec::new()),
        withdrawals: Some(Withdrawals::default()),
    };
    let mut value = serde_json::to_value(block)?;
    for unknown in ["hash", "nonce", "logsBloom"] {
        value[unknown] = Value::Null;
    }
    Ok(value)
}

/// The head of a block.
pub(crate) fn header(block: &Block) -> Header {
    let body: usize = block.transactions.iter().map(|of| of.raw().len()).sum();
    let size = block.header.size().saturating_add(body);
    Header {
        hash: block.hash,
        inner: block.header.clone(),
        total_difficulty: Some(U256::ZERO),
        size: Some(U256::from(size)),
    }
}

/// A transaction in its block.
pub(crate) fn transaction_at(block: &Block, index: usize) -> Option<Transaction> {
    let of = block.transactions.get(index)?;
    let gas_price = block.receipts.get(index).map(|receipt| receipt.gas_price);
    Some(Transaction {
        block_hash: Some(block.hash),
        block_number: Some(block.number()),
        transaction_index: Some(index as u64),
        effective_gas_price: gas_price,
        block_timestamp: Some(block.header.timestamp),
        ..waiting(of)
    })
}

/// A transaction that is in no block yet.
pub(crate) fn waiting(of: &transaction::Transaction) -> Transaction {
    let inner: Recovered<TxEnvelope> = Recovered::new_unchecked(of.envelope().clone(), of.sender());
    Transaction {
        inner,
        block_hash: None,
        block_number: None,
        transaction_index: None,
        effective_gas_price: None,
        block_timestamp: None,
    }
}

/// The receipt of a transaction in its block.
pub(crate) fn receipt_at(block: &Block, index: usize) -> Option<TransactionReceipt> {
    let (of, receipt) = (block.transactions.get(index)?, block.receipts.get(index)?);
    let mut log_index = receipt.log_index;
    let inner = receipt.envelope.clone().map_logs(|inner| {
        log_index += 1;
        log((block, index, log_index - 1), inner)
    });
    Some(TransactionReceipt {
        inner,
        transaction_hash: of.hash(),
        transaction_index: Some(index as u64),
        block_hash: Some(block.hash),
        block_number: Some(block.number()),
        gas_used: receipt.gas_used,
        effective_gas_price: receipt.gas_price,
        blob_gas_used: None,
        blob_gas_price: None,
        from: of.sender(),
        to: of.envelope().to(),
        contract_address: receipt.created,
    })
}

/// A log that was searched for.
pub(crate) fn log_entry(entry: LogEntry) -> Log {
    Log {
        inner: entry.log,
        block_hash: Some(entry.block_hash),
        block_number: Some(entry.block_number),
        block_timestamp: Some(entry.timestamp),
        transaction_hash: Some(entry.transaction),
        transaction_index: Some(entry.transaction_index as u64),
        log_index: Some(entry.index as u64),
        removed: false,
    }
}

/// A log of a block: of which transaction, and its index among all logs of the block.
pub(crate) fn log(
    (block, transaction, index): (&Block, usize, usize),
    inner: alloy_primitives::Log,
) -> Log {
    Log {
        inner,
        block_hash: Some(block.hash),
        block_number: Some(block.number()),
        block_timestamp: Some(block.header.timestamp),
        transaction_hash: block.transactions.get(transaction).map(|of| of.hash()),
        transaction_index: Some(transaction as u64),
        log_index: Some(index as u64),
        removed: false,
    }
}
