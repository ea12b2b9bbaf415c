//! What stands in a frame of the block log, as bytes and back.
//!
//! Owns: the encoding: a kind, then RLP. A block carries what its transactions make of it, senders and
//! receipts, so that reading one costs no execution and no signature. Must not know: files.

use crate::block::{Block, ReceiptFacts, receipt};
use crate::genesis::Genesis;
use crate::transaction::Transaction;
use alloy_consensus::Header;
use alloy_primitives::{Address, Bytes, Log};
use alloy_rlp::{Decodable as _, RlpDecodable, RlpEncodable};

const GENESIS: u8 = 0;
const BLOCK: u8 = 1;

/// Why bytes that passed their checksum are no record: a fault of the program that wrote them.
#[derive(Debug, thiserror::Error)]
#[error("a record of the block log cannot be read: {0}")]
pub struct BadRecord(String);

#[derive(RlpDecodable, RlpEncodable)]
struct BlockRecord {
    header: Header,
    transactions: Vec<TransactionRecord>,
}

#[derive(RlpDecodable, RlpEncodable)]
struct TransactionRecord {
    raw: Bytes,
    sender: Address,
    success: bool,
    is_free: bool,
    cumulative: u64,
    logs: Vec<Log>,
}

/// The first record of a log.
pub(crate) fn encode_genesis(genesis: &Genesis) -> Vec<u8> {
    encoded(GENESIS, genesis)
}

/// # Errors
/// When it is none.
pub(crate) fn decode_genesis(bytes: &[u8]) -> Result<Genesis, BadRecord> {
    decoded(GENESIS, bytes, Genesis::decode)
}

/// Any record but the first.
pub(crate) fn encode_block(block: &Block) -> Vec<u8> {
    let mut transactions = Vec::with_capacity(block.transactions.len());
    for (transaction, receipt) in block.transactions.iter().zip(&block.receipts) {
        transactions.push(TransactionRecord {
            raw: transaction.raw().clone(),
            sender: transaction.sender(),
            success: receipt.envelope.status(),
            is_free: receipt.is_free,
            cumulative: receipt.envelope.cumulative_gas_used(),
            logs: receipt.envelope.logs().to_vec(),
        });
    }
    encoded(BLOCK, &BlockRecord { header: block.header.clone(), transactions })
}

/// # Errors
/// When it is none.
pub(crate) fn decode_block(bytes: &[u8]) -> Result<Block, BadRecord> {
    let record = decoded(BLOCK, bytes, BlockRecord::decode)?;
    let header = record.header;
    let base_fee = header.base_fee_per_gas.unwrap_or_default();
    let mut transactions = Vec::with_capacity(record.transactions.len());
    let mut receipts = Vec::with_capacity(record.transactions.len());
    let mut before = (0, 0);
    for TransactionRecord { raw, sender, success, is_free, cumulative, logs } in record.transactions
    {
        let transaction =
            Transaction::trusted(raw, sender).map_err(|e| BadRecord(e.to_string()))?;
        let next = (cumulative, before.1 + logs.len());
        let facts = ReceiptFacts { success, cumulative, logs };
        receipts.push(receipt(&transaction, facts, is_free, before, base_fee));
        transactions.push(transaction);
        before = next;
    }
    let hash = header.hash_slow();
    Ok(Block { header, hash, transactions, receipts })
}

fn encoded(kind: u8, record: &impl alloy_rlp::Encodable) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + record.length());
    bytes.push(kind);
    record.encode(&mut bytes);
    bytes
}

fn decoded<T>(
    kind: u8,
    bytes: &[u8],
    decode: impl FnOnce(&mut &[u8]) -> alloy_rlp::Result<T>,
) -> Result<T, BadRecord> {
    let [found, rest @ ..] = bytes else {
        return Err(BadRecord("it is empty".into()));
    };
    if *found != kind {
        return Err(BadRecord(format!("kind {found} stands where {kind} is expected")));
    }
    let mut rest = rest;
    let record = decode(&mut rest).map_err(|e| BadRecord(e.to_string()))?;
    if rest.is_empty() { Ok(record) } else { Err(BadRecord("bytes behind its end".into())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Bare, genesis, wish};

    #[test]
    fn a_genesis_and_a_block_come_back_as_they_were() {
        let genesis = genesis();
        assert_eq!(decode_genesis(&encode_genesis(&genesis)).unwrap(), genesis);
        let mut chain = Bare::new(&genesis);
        let built = chain.block(0, vec![wish(0, 0).signed(), wish(1, 0).signed()]);
        let (block, _) = built.block.unwrap();
        let bytes = encode_block(&block);
        assert_eq!(decode_block(&bytes).unwrap(), block);
        for end in 0..bytes.len() {
            assert!(decode_block(&bytes[..end]).is_err());
        }
        assert!(decode_genesis(&bytes).is_err());
    }
}
