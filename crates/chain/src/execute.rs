//! Transactions on top of a state, one after the other, with revm: what a block does, before it is a block.
//!
//! Owns: the overlay of what the block changed so far. Invariant: a transaction that is refused changed
//! nothing, one that failed paid for its gas and changed nothing else. Must not know: where transactions come
//! from, who seals.

use crate::genesis::Rules;
use crate::quota::{QUOTA_ADDRESS, QUOTA_BLOCK_DIVISOR, Quota};
use crate::state::{Account, Changes, StateGone, StateRead};
use crate::transaction::Transaction;
use alloy_consensus::Transaction as _;
use alloy_primitives::map::AddressMap;
use alloy_primitives::{Address, B256, Bytes, Log, U256};
use revm::bytecode::Bytecode;
use revm::context::result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction, Output};
use revm::context::{BlockEnv, CfgEnv, Context, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::context_interface::cfg::gas::calculate_initial_tx_gas;
use revm::handler::MainnetContext;
use revm::primitives::eip3860::MAX_INITCODE_SIZE;
use revm::primitives::hardfork::SpecId;
use revm::state::AccountInfo;
use revm::{Database, DatabaseCommit, ExecuteEvm, MainBuilder, MainContext, MainnetEvm};

/// Where and when transactions execute: what contracts can see of their block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BlockContext {
    /// The block's number.
    pub number: u64,
    /// Seconds since the UNIX epoch.
    pub timestamp: u64,
    /// What a unit of gas costs at least; it is burnt.
    pub base_fee: u64,
    /// Who gets what is paid on top.
    pub beneficiary: Address,
    /// PREVRANDAO: the parent's hash. It is no source of randomness: who seals knows it.
    pub random: B256,
}

/// What a transaction in a block did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Executed {
    /// How it ended.
    pub outcome: Outcome,
    /// Gas it used, after refunds.
    pub gas_used: u64,
    /// Events, in order; none of one that failed.
    pub logs: Vec<Log>,
    /// Coin paid for a unit of gas; zero where the quota paid.
    pub gas_price: u128,
    /// Whether the quota paid.
    pub is_free: bool,
}

/// How a transaction or call ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It returned.
    Success {
        /// What it returned; the code of a created contract.
        output: Bytes,
        /// The contract it created.
        created: Option<Address>,
    },
    /// It called REVERT.
    Revert {
        /// The reason, as Solidity encodes it.
        output: Bytes,
    },
    /// The machine stopped it, and all its gas is gone.
    Halt {
        /// Why.
        reason: HaltReason,
    },
}

impl Outcome {
    /// Whether its receipt has status 1.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Success { .. })
    }
}

/// Why a transaction could not execute here at all.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// It does not fit the state or the block: nonce, balance, fee, gas.
    #[error("{}", words(.0))]
    Invalid(InvalidTransaction),
    /// The block has no gas left for it; a later one has.
    #[error("the block is full")]
    BlockFull,
    /// The state is no longer kept.
    #[error(transparent)]
    Gone(#[from] StateGone),
    /// The machine gave up on it for a reason of its own.
    #[error("execution failed: {0}")]
    Other(String),
}

/// As other Ethereum nodes say it, where clients look for their words.
fn words(invalid: &InvalidTransaction) -> String {
    match invalid {
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => {
            format!("insufficient funds for gas * price + value: balance {balance}, tx cost {fee}")
        }
        InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas, gas_limit } => {
            format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}")
        }
        InvalidTransaction::GasFloorMoreThanGasLimit { gas_floor, gas_limit } => {
            format!("intrinsic gas too low: have {gas_limit}, want {gas_floor}")
        }
        InvalidTransaction::GasPriceLessThanBasefee => {
            "max fee per gas less than block base fee".into()
        }
        InvalidTransaction::PriorityFeeGreaterThanMaxFee => {
            "max priority fee per gas higher than max fee per gas".into()
        }
        InvalidTransaction::CallerGasLimitMoreThanBlock => "exceeds block gas limit".into(),
        InvalidTransaction::CreateInitCodeSizeLimit => "max initcode size exceeded".into(),
        other => other.to_string(),
    }
}

impl From<EVMError<StateGone>> for Refused {
    fn from(error: EVMError<StateGone>) -> Self {
        match error {
            EVMError::Transaction(invalid) => Self::Invalid(invalid),
            EVMError::Database(gone) => Self::Gone(gone),
            other => Self::Other(other.to_string()),
        }
    }
}

/// Executes the transactions of one block over `state`.
pub struct Executor<'a, S: StateRead> {
    evm: MainnetEvm<MainnetContext<Overlay<'a, S>>>,
    rules: &'a Rules,
    gas_used: u64,
    free_gas_used: u64,
}

impl<'a, S: StateRead> Executor<'a, S> {
    /// A block in which nothing happened yet.
    pub fn new(rules: &'a Rules, block: BlockContext, state: &'a S) -> Self {
        let overlay = Overlay { base: state, changes: Changes::default() };
        let mut cfg = CfgEnv::new_with_spec(SpecId::PRAGUE).with_chain_id(rules.chain_id);
        cfg.tx_gas_limit_cap = Some(rules.transaction_gas_max);
        let evm = Context::mainnet()
            .with_db(overlay)
            .with_cfg(cfg)
            .with_block(BlockEnv {
                number: U256::from(block.number),
                beneficiary: block.beneficiary,
                timestamp: U256::from(block.timestamp),
                gas_limit: rules.gas_limit,
                basefee: block.base_fee,
                prevrandao: Some(block.random),
                blob_excess_gas_and_price: Some(BlobExcessGasAndPrice {
                    excess_blob_gas: 0,
                    blob_gasprice: 1,
                }),
                ..BlockEnv::default()
            })
            .build_mainnet();
        Self { evm, rules, gas_used: 0, free_gas_used: 0 }
    }

    /// Executes the next transaction of the block.
    ///
    /// # Errors
    /// When it cannot stand here; the block goes on as if it had never been tried.
    pub fn execute(&mut self, transaction: &Transaction) -> Result<Executed, Refused> {
        let envelope = transaction.envelope();
        let gas_limit = envelope.gas_limit();
        if gas_limit > self.gas_left() {
            return Err(Refused::BlockFull);
        }
        let sender = transaction.sender();
        let base_fee = self.evm.ctx.block.basefee;
        let is_free = match self.share_of_quota(sender, gas_limit)? {
            Share::Free => true,
            Share::NotInThisBlock if transaction.tip(base_fee).is_none() => {
                return Err(Refused::BlockFull);
            }
            Share::NotInThisBlock | Share::None => false,
        };
        let mut environment = environment(transaction);
        if is_free {
            environment.gas_price = 0;
            environment.gas_priority_fee = environment.gas_priority_fee.map(|_| 0);
        }
        let gas_price = if is_free { 0 } else { envelope.effective_gas_price(Some(base_fee)) };
        self.evm.ctx.cfg.disable_base_fee = is_free;
        let result = self.evm.transact(environment)?;
        self.overlay().commit(result.state);
        let gas_used = result.result.tx_gas_used();
        self.gas_used = self.gas_used.saturating_add(gas_used);
        if is_free {
            // At most what it asked for, which was no more than was left.
            self.free_gas_used += gas_used;
            let timestamp = self.timestamp();
            let overlay = self.overlay();
            let (slot, word) = Quota::charge(overlay, sender, timestamp, gas_used)?;
            overlay.changes.storage.insert((QUOTA_ADDRESS, slot), word);
        }
        let (outcome, logs) = split(result.result);
        Ok(Executed { outcome, gas_used, logs, gas_price, is_free })
    }

    /// Executes without any of the checks that protect a sender: no nonce, no fee, no signature; keeps
    /// nothing.
    pub(crate) fn call(&mut self, call: TxEnv) -> Result<(Executed, u64), Refused> {
        let gas_price = call.gas_price;
        let cfg = &mut self.evm.ctx.cfg;
        cfg.disable_nonce_check = true;
        cfg.disable_eip3607 = true;
        cfg.disable_base_fee = gas_price == 0;
        let result = self.evm.transact(call)?.result;
        let (gas_used, refunded) = (result.tx_gas_used(), result.gas().final_refunded());
        let (outcome, logs) = split(result);
        Ok((Executed { outcome, gas_used, logs, gas_price, is_free: false }, refunded))
    }

    /// Executes on behalf of the chain itself, at genesis: free, and the caller's nonce stays.
    pub(crate) fn system(&mut self, call: TxEnv) -> Result<Executed, Refused> {
        let caller = call.caller;
        let cfg = &mut self.evm.ctx.cfg;
        cfg.disable_nonce_check = true;
        cfg.disable_base_fee = true;
        cfg.tx_gas_limit_cap = Some(call.gas_limit);
        let overlay = self.overlay();
        let nonce = overlay.account(caller)?.unwrap_or_default().nonce;
        let result = self.evm.transact(call)?;
        let overlay = self.overlay();
        overlay.commit(result.state);
        if let Some(account) = overlay.account(caller)? {
            overlay.set_account(caller, Account { nonce, ..account });
        }
        let gas_used = result.result.tx_gas_used();
        let (outcome, logs) = split(result.result);
        Ok(Executed { outcome, gas_used, logs, gas_price: 0, is_free: true })
    }

    /// Gas that transactions can still ask for in this block.
    pub fn gas_left(&self) -> u64 {
        self.rules.gas_limit.saturating_sub(self.gas_used)
    }

    /// Ends the block: what it changed, and the gas it used.
    ///
    /// # Errors
    /// When the state is no longer kept.
    pub fn finish(mut self) -> Result<(Changes, u64), StateGone> {
        let (quota, timestamp) = (self.rules.quota, self.timestamp());
        let overlay = self.overlay();
        for (slot, word) in quota.note_holders(overlay, &overlay.changes, timestamp)? {
            overlay.changes.storage.insert((QUOTA_ADDRESS, slot), word);
        }
        Ok((std::mem::take(&mut overlay.changes), self.gas_used))
    }

    /// What the block sees and has changed so far.
    pub(crate) fn overlay(&mut self) -> &mut Overlay<'a, S> {
        &mut self.evm.ctx.journaled_state.database
    }

    fn timestamp(&self) -> u64 {
        self.evm.ctx.block.timestamp.saturating_to()
    }

    fn share_of_quota(&mut self, sender: Address, gas_limit: u64) -> Result<Share, StateGone> {
        let quota = self.rules.quota;
        if !quota.is_on() {
            return Ok(Share::None);
        }
        let in_block = self.rules.gas_limit / QUOTA_BLOCK_DIVISOR;
        let timestamp = self.timestamp();
        let left = quota.left(self.overlay(), sender, timestamp)?;
        Ok(if gas_limit > left || gas_limit > in_block {
            Share::None
        } else if gas_limit > in_block - self.free_gas_used {
            Share::NotInThisBlock
        } else {
            Share::Free
        })
    }
}

/// What the quota does for a transaction.
enum Share {
    /// It pays.
    Free,
    /// It would pay, but this block has given away its share.
    NotInThisBlock,
    /// Nothing.
    None,
}

/// A block's changes so far over the state it began with.
pub(crate) struct Overlay<'a, S> {
    base: &'a S,
    pub(crate) changes: Changes,
}

impl<S: StateRead> Overlay<'_, S> {
    pub(crate) fn set_account(&mut self, address: Address, account: Account) {
        self.changes.accounts.insert(address, (!account.is_empty()).then_some(account));
    }
}

impl<S: StateRead> StateRead for Overlay<'_, S> {
    fn account(&self, address: Address) -> Result<Option<Account>, StateGone> {
        match self.changes.accounts.get(&address) {
            Some(account) => Ok(*account),
            None => self.base.account(address),
        }
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, StateGone> {
        match self.changes.storage.get(&(address, slot)) {
            Some(value) => Ok(*value),
            None => self.base.storage(address, slot),
        }
    }

    fn code(&self, hash: B256) -> Result<Bytecode, StateGone> {
        match self.changes.codes.get(&hash) {
            Some(code) => Ok(code.clone()),
            None => self.base.code(hash),
        }
    }

    fn block_hash(&self, number: u64) -> Result<B256, StateGone> {
        self.base.block_hash(number)
    }
}

impl<S: StateRead> Database for Overlay<'_, S> {
    type Error = StateGone;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, StateGone> {
        Ok(self.account(address)?.map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            account_id: None,
            code: None,
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, StateGone> {
        self.code(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, StateGone> {
        StateRead::storage(self, address, slot)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, StateGone> {
        StateRead::block_hash(self, number)
    }
}

impl<S: StateRead> DatabaseCommit for Overlay<'_, S> {
    fn commit(&mut self, touched: AddressMap<revm::state::Account>) {
        for (address, account) in touched {
            if !account.is_touched() {
                continue;
            }
            if account.is_selfdestructed() {
                self.changes.accounts.insert(address, None);
                continue;
            }
            for (slot, value) in account.changed_storage_slots() {
                self.changes.storage.insert((address, *slot), value.present_value);
            }
            let info = account.info;
            if let Some(code) = info.code.filter(|code| !code.is_empty())
                && account.status.contains(revm::state::AccountStatus::Created)
            {
                self.changes.codes.insert(info.code_hash, code);
            }
            let (balance, nonce, code_hash) = (info.balance, info.nonce, info.code_hash);
            self.set_account(address, Account { balance, nonce, code_hash });
        }
    }
}

fn split(result: ExecutionResult) -> (Outcome, Vec<Log>) {
    match result {
        ExecutionResult::Success { logs, output, .. } => {
            let (output, created) = match output {
                Output::Call(output) => (output, None),
                Output::Create(output, created) => (output, created),
            };
            (Outcome::Success { output, created }, logs)
        }
        ExecutionResult::Revert { output, .. } => (Outcome::Revert { output }, Vec::new()),
        ExecutionResult::Halt { reason, .. } => (Outcome::Halt { reason }, Vec::new()),
    }
}

fn environment(transaction: &Transaction) -> TxEnv {
    let envelope = transaction.envelope();
    TxEnv {
        tx_type: envelope.tx_type() as u8,
        caller: transaction.sender(),
        gas_limit: envelope.gas_limit(),
        gas_price: envelope.max_fee_per_gas(),
        kind: envelope.kind(),
        value: envelope.value(),
        data: envelope.input().clone(),
        nonce: envelope.nonce(),
        chain_id: envelope.chain_id(),
        access_list: envelope.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: envelope.max_priority_fee_per_gas(),
        blob_hashes: Vec::new(),
        max_fee_per_blob_gas: 0,
        authorization_list: Vec::new(),
    }
}

/// Refuses what no block could take: less gas than is due before the first instruction (EIP-2028, 2930, 3860,
/// 7623), or more code to create with than EIP-3860 allows.
pub(crate) fn check_intrinsic(transaction: &Transaction) -> Result<(), String> {
    let envelope = transaction.envelope();
    let lists = envelope.access_list().map_or(&[][..], |list| &list.0);
    let slots = lists.iter().map(|item| item.storage_keys.len() as u64).sum();
    let create = envelope.is_create();
    let input = envelope.input();
    if create && input.len() > MAX_INITCODE_SIZE {
        let length = input.len();
        return Err(format!(
            "max initcode size exceeded: {length} bytes, limit {MAX_INITCODE_SIZE}"
        ));
    }
    let (have, accounts) = (envelope.gas_limit(), lists.len() as u64);
    let due = calculate_initial_tx_gas(SpecId::PRAGUE, input, create, accounts, slots, 0, None);
    let want = due.initial_total_gas().max(due.floor_gas());
    if have < want {
        return Err(format!("intrinsic gas too low: have {have}, want {want}"));
    }
    Ok(())
}
