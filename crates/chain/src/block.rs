//! Blocks in Ethereum's own form: made from what executed, and checked again when they are replayed.
//!
//! Owns: headers, receipts, and the tries behind their roots. Invariant: a block is a function of its parent,
//! its timestamp and its transactions; every node computes the same one. Must not know: who seals, the pool,
//! files.

use crate::execute::{BlockContext, Executed, Executor, Refused};
use crate::genesis::Rules;
use crate::state::{Changes, StateGone, StateRead};
use crate::transaction::Transaction;
use crate::trie::Trie;
use alloy_consensus::constants::EMPTY_WITHDRAWALS;
use alloy_consensus::{
    Eip658Value, Header, Receipt, ReceiptEnvelope, Transaction as _, TxReceipt as _,
};
use alloy_eips::eip1559::{BaseFeeParams, calc_next_block_base_fee};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_primitives::map::{HashMap, HashSet};
use alloy_primitives::{Address, B256, Bloom, Log, U256, keccak256};
use alloy_trie::TrieAccount;
use alloy_trie::root::ordered_trie_root_encoded;

/// Transactions of a block, whatever they ask for.
pub const BLOCK_TRANSACTIONS_MAX: usize = 4096;

/// A block with all that happened in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Block {
    /// Ethereum's header, as of prague.
    pub header: Header,
    /// keccak256 of the header.
    pub hash: B256,
    /// In the order in which they executed.
    pub transactions: Vec<Transaction>,
    /// One for each transaction.
    pub receipts: Vec<BlockReceipt>,
}

/// What a transaction did, with what Ethereum's receipt leaves to be computed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BlockReceipt {
    /// Ethereum's receipt: status, gas used in the block up to here, logs, bloom.
    pub envelope: ReceiptEnvelope,
    /// Gas this transaction used.
    pub gas_used: u64,
    /// What it paid for a unit of gas.
    pub gas_price: u128,
    /// Whether the quota paid.
    pub is_free: bool,
    /// Where its contract is, if it is one that creates.
    pub created: Option<Address>,
    /// The block's logs before its own.
    pub log_index: usize,
}

/// What came of trying to make a block.
#[derive(Debug)]
pub struct Built {
    /// The block and what it does to the state; `None` if not one candidate could stand in it.
    pub block: Option<(Block, Changes)>,
    /// Candidates that were tried and are not in it.
    pub refused: Vec<(Transaction, Refused)>,
}

/// Why a block is not what its transactions make of its parent.
#[derive(Debug, thiserror::Error)]
pub enum Mismatch {
    /// A transaction cannot stand where it stands.
    #[error("block {number}: transaction {index} is refused: {reason}")]
    Refused {
        /// The block.
        number: u64,
        /// Which, from 0.
        index: usize,
        /// Why.
        reason: Refused,
    },
    /// Execution gave another header.
    #[error("block {number}: execution gives {computed}, the block says {claimed}")]
    Header {
        /// The block.
        number: u64,
        /// The hash of what execution gives.
        computed: B256,
        /// The block's own hash.
        claimed: B256,
    },
    /// The state it builds on is no longer kept.
    #[error(transparent)]
    Gone(#[from] StateGone),
}

impl Block {
    /// A block without transactions.
    pub(crate) fn genesis(header: Header) -> Self {
        let hash = header.hash_slow();
        Self { header, hash, transactions: Vec::new(), receipts: Vec::new() }
    }

    /// Height above genesis.
    pub fn number(&self) -> u64 {
        self.header.number
    }

    /// What a unit of gas cost at least.
    pub fn base_fee(&self) -> u64 {
        self.header.base_fee_per_gas.unwrap_or_default()
    }

    /// Its logs: index in the block, index of the transaction, log.
    pub fn logs(&self) -> impl Iterator<Item = (usize, usize, &Log)> {
        self.receipts.iter().enumerate().flat_map(|(transaction, receipt)| {
            let logs = receipt.envelope.logs().iter().enumerate();
            logs.map(move |(index, log)| (receipt.log_index + index, transaction, log))
        })
    }

    /// What transactions of the next block see, if it is sealed at `timestamp`.
    pub fn next_context(&self, rules: &Rules, timestamp: u64) -> BlockContext {
        BlockContext {
            number: self.number() + 1,
            timestamp: timestamp.max(self.header.timestamp),
            base_fee: next_base_fee(&self.header, rules),
            beneficiary: rules.beneficiary,
            random: self.hash,
        }
    }
}

/// The base fee after a block: EIP-1559's, but never below the floor, and zero stays zero.
pub fn next_base_fee(parent: &Header, rules: &Rules) -> u64 {
    let base_fee = parent.base_fee_per_gas.unwrap_or_default();
    if base_fee == 0 {
        return rules.base_fee_floor;
    }
    let params = BaseFeeParams::ethereum();
    calc_next_block_base_fee(parent.gas_used, parent.gas_limit, base_fee, params)
        .max(rules.base_fee_floor)
}

/// Makes the block after `parent` of as many candidates as fit, in their order.
///
/// `state` and `tries` are those after `parent`; the tries are moved on if, and only if, there is a block.
///
/// # Errors
/// When `state` is no longer kept.
pub fn build<S: StateRead>(
    rules: &Rules,
    parent: &Block,
    timestamp: u64,
    (state, tries): (&S, &mut Tries),
    candidates: impl IntoIterator<Item = Transaction>,
) -> Result<Built, StateGone> {
    let context = parent.next_context(rules, timestamp);
    let mut executor = Executor::new(rules, context, state);
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for transaction in candidates.into_iter().take(BLOCK_TRANSACTIONS_MAX) {
        match executor.execute(&transaction) {
            Ok(executed) => done.push((transaction, executed)),
            Err(Refused::Gone(gone)) => return Err(gone),
            Err(reason) => refused.push((transaction, reason)),
        }
    }
    let (changes, gas_used) = executor.finish()?;
    if done.is_empty() {
        return Ok(Built { block: None, refused });
    }
    let state_root = tries.update_over(state, &changes)?;
    let block = assemble(parent, &context, rules, (done, gas_used), state_root);
    Ok(Built { block: Some((block, changes)), refused })
}

/// Executes a block again and compares everything.
///
/// # Errors
/// When it is not what execution gives; `tries` are then of no further use.
pub fn replay<S: StateRead>(
    rules: &Rules,
    parent: &Block,
    block: &Block,
    (state, tries): (&S, &mut Tries),
) -> Result<Changes, Mismatch> {
    let number = block.number();
    let context = parent.next_context(rules, block.header.timestamp);
    let mut executor = Executor::new(rules, context, state);
    let mut done = Vec::with_capacity(block.transactions.len());
    for (index, transaction) in block.transactions.iter().enumerate() {
        let executed = executor.execute(transaction).map_err(|reason| Mismatch::Refused {
            number,
            index,
            reason,
        })?;
        done.push((transaction.clone(), executed));
    }
    let (changes, gas_used) = executor.finish()?;
    let state_root = tries.update_over(state, &changes)?;
    let again = assemble(parent, &context, rules, (done, gas_used), state_root);
    if again.hash == block.hash && again.receipts == block.receipts {
        Ok(changes)
    } else {
        Err(Mismatch::Header { number, computed: again.hash, claimed: block.hash })
    }
}

fn assemble(
    parent: &Block,
    context: &BlockContext,
    rules: &Rules,
    (done, gas_used): (Vec<(Transaction, Executed)>, u64),
    state_root: B256,
) -> Block {
    let mut transactions = Vec::with_capacity(done.len());
    let mut receipts = Vec::with_capacity(done.len());
    let (mut cumulative, mut log_index, mut logs_bloom) = (0, 0, Bloom::ZERO);
    for (transaction, executed) in done {
        cumulative += executed.gas_used;
        let success = executed.outcome.is_success();
        let facts = ReceiptFacts { success, cumulative, logs: executed.logs };
        let before = (cumulative - executed.gas_used, log_index);
        let receipt = receipt(&transaction, facts, executed.is_free, before, context.base_fee);
        log_index += receipt.envelope.logs().len();
        logs_bloom |= receipt.envelope.bloom();
        transactions.push(transaction);
        receipts.push(receipt);
    }
    let mut header = empty_header();
    header.parent_hash = parent.hash;
    header.number = context.number;
    header.timestamp = context.timestamp;
    header.gas_limit = rules.gas_limit;
    header.gas_used = gas_used;
    header.base_fee_per_gas = Some(context.base_fee);
    header.beneficiary = context.beneficiary;
    header.mix_hash = context.random;
    header.state_root = state_root;
    let raw: Vec<_> = transactions.iter().map(Transaction::raw).collect();
    header.transactions_root = ordered_trie_root_encoded(&raw);
    let envelopes: Vec<_> = receipts.iter().map(|receipt| &receipt.envelope).collect();
    header.receipts_root = receipts_root(&envelopes);
    header.logs_bloom = logs_bloom;
    let hash = header.hash_slow();
    Block { header, hash, transactions, receipts }
}

/// What of a receipt cannot be computed from the transaction.
#[derive(Clone, Debug)]
pub(crate) struct ReceiptFacts {
    pub(crate) success: bool,
    pub(crate) cumulative: u64,
    pub(crate) logs: Vec<Log>,
}

/// `before`: gas used by, and logs of, the transactions before it in its block.
pub(crate) fn receipt(
    transaction: &Transaction,
    facts: ReceiptFacts,
    is_free: bool,
    (gas_before, log_index): (u64, usize),
    base_fee: u64,
) -> BlockReceipt {
    let envelope = transaction.envelope();
    let receipt = Receipt {
        status: Eip658Value::Eip658(facts.success),
        cumulative_gas_used: facts.cumulative,
        logs: facts.logs,
    };
    BlockReceipt {
        envelope: ReceiptEnvelope::from_typed(envelope.tx_type(), receipt),
        gas_used: facts.cumulative.saturating_sub(gas_before),
        gas_price: if is_free { 0 } else { envelope.effective_gas_price(Some(base_fee)) },
        is_free,
        created: envelope.is_create().then(|| transaction.sender().create(envelope.nonce())),
        log_index,
    }
}

fn receipts_root(receipts: &[&ReceiptEnvelope]) -> B256 {
    alloy_trie::root::ordered_trie_root_with_encoder(receipts, |receipt, buffer| {
        alloy_eips::eip2718::Encodable2718::encode_2718(*receipt, buffer);
    })
}

/// A header of prague in which nothing happened: no blobs, no withdrawals, no requests, no beacon chain.
pub(crate) fn empty_header() -> Header {
    Header {
        withdrawals_root: Some(EMPTY_WITHDRAWALS),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    }
}

/// The trie of accounts, and each contract's trie of storage.
#[derive(Debug, Default)]
pub struct Tries {
    accounts: Trie,
    storage: HashMap<Address, Trie>,
}

impl Tries {
    /// Puts in what an empty state becomes; the state root.
    pub fn update(&mut self, changes: &Changes) -> B256 {
        let nothing = crate::state::State::default();
        self.update_over(&nothing, changes).expect("a state in memory is always kept")
    }

    /// Puts in what a block changed in `state`; the state root after it.
    ///
    /// # Errors
    /// When `state` is no longer kept.
    pub fn update_over<S: StateRead>(
        &mut self,
        state: &S,
        changes: &Changes,
    ) -> Result<B256, StateGone> {
        let mut touched: HashSet<Address> = changes.accounts.keys().copied().collect();
        for ((address, slot), value) in &changes.storage {
            touched.insert(*address);
            let trie = self.storage.entry(*address).or_default();
            let key = keccak256(slot.to_be_bytes::<32>());
            trie.set(key, &if value.is_zero() { Vec::new() } else { alloy_rlp::encode(value) });
        }
        for address in touched {
            let account = match changes.accounts.get(&address) {
                Some(account) => *account,
                None => state.account(address)?,
            };
            let leaf = account.map_or_else(Vec::new, |account| {
                let storage_root =
                    self.storage.get_mut(&address).map_or(alloy_trie::EMPTY_ROOT_HASH, Trie::root);
                let balance: U256 = account.balance;
                alloy_rlp::encode(TrieAccount::new(
                    account.nonce,
                    balance,
                    storage_root,
                    account.code_hash,
                ))
            });
            if self.storage.get(&address).is_some_and(Trie::is_empty) {
                self.storage.remove(&address);
            }
            self.accounts.set(keccak256(address), &leaf);
        }
        Ok(self.accounts.root())
    }
}
