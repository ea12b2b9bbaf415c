//! How a chain begins: its identity, its rules, who owns what, and the contracts that are there from the
//! start.
//!
//! Owns: block 0 and the state after it. Invariant: the genesis hash binds every field, the chain id
//! included, so two chains that differ in anything differ in it. Must not know: randomness (the identity is
//! an argument), files.

use crate::block::{Block, Tries, empty_header};
use crate::execute::{BlockContext, Executed, Executor, Outcome, Refused};
use crate::quota::{QUOTA_ADDRESS, Quota};
use crate::state::{Account, Changes, State, StateGone};
use alloy_primitives::{Address, B64, B256, Bytes, TxKind, U256, address, bytes, keccak256};
use alloy_rlp::{Encodable as _, RlpDecodable, RlpEncodable};
use revm::bytecode::Bytecode;
use revm::context::TxEnv;
use std::ops::Range;

/// Chain ids a chain may draw: above all that are handed out, and exact in a double, as JavaScript has them.
pub const CHAIN_IDS: Range<u64> = 1 << 32..1 << 52;

/// Gas of a block, unless genesis says otherwise.
pub const GAS_LIMIT: u64 = 300_000_000;

/// Gas one transaction may ask for (EIP-7825), unless genesis says otherwise.
pub const TRANSACTION_GAS_MAX: u64 = 1 << 24;

/// Where the contract stands that creates others at addresses that follow from salt and code alone (CREATE2):
/// the address that tools of others expect it at.
pub const FACTORY: Address = address!("0x4e59b44847b379578588920cA78FbF26c0B4956C");

/// Its code, in the public domain: calldata is a salt and then the code to create with.
const FACTORY_CODE: Bytes = bytes!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe036016000"
    "81602082378035828234f58015156039578182fd5b8082525050506014600cf3"
);

/// Who deploys at genesis; nobody has its key.
pub const SYSTEM: Address = address!("0xfffffffffffffffffffffffffffffffffffffffe");

/// Bytes of the longest genesis that is taken.
pub const GENESIS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a chain is made of. Its encoding in RLP is the first frame of the block log.
#[derive(Clone, Debug, Eq, PartialEq, RlpDecodable, RlpEncodable)]
pub struct Genesis {
    /// Drawn at random from [`CHAIN_IDS`]: no two chains share one.
    pub chain_id: u64,
    /// 32 random bytes: two chains never agree on an address, a hash or a signature. Also the block's extra
    /// data.
    pub salt: B256,
    /// When, in seconds since the UNIX epoch.
    pub timestamp: u64,
    /// Gas of every block.
    pub gas_limit: u64,
    /// Gas one transaction may ask for.
    pub transaction_gas_max: u64,
    /// The base fee of the first block; zero stays zero for ever.
    pub base_fee: u64,
    /// What the base fee never falls below.
    pub base_fee_floor: u64,
    /// Who gets what transactions pay above the base fee.
    pub beneficiary: Address,
    /// Who may hand out coin to whoever asks; zero: nobody.
    pub faucet: Address,
    /// Free gas; off by default.
    pub quota: Quota,
    /// Who owns coin, and contracts given by their code.
    pub accounts: Vec<GenesisAccount>,
    /// What is done then, in order; all must succeed.
    pub calls: Vec<GenesisCall>,
}

/// An account that exists from the start.
#[derive(Clone, Debug, Default, Eq, PartialEq, RlpDecodable, RlpEncodable)]
pub struct GenesisAccount {
    /// Its address.
    pub address: Address,
    /// Coin, in its smallest unit.
    pub balance: U256,
    /// Its nonce; a contract's begins at 1.
    pub nonce: u64,
    /// The code of a contract, as it runs.
    pub code: Bytes,
    /// Its storage.
    pub storage: Vec<GenesisSlot>,
}

/// A word of storage.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, RlpDecodable, RlpEncodable)]
pub struct GenesisSlot {
    /// Where.
    pub slot: U256,
    /// What.
    pub value: U256,
}

/// A call made at genesis, free of charge: a deployment, or what a contract needs in order to begin.
#[derive(Clone, Debug, Default, Eq, PartialEq, RlpDecodable, RlpEncodable)]
pub struct GenesisCall {
    /// Who calls; its nonce stays as it is.
    pub from: Address,
    /// The contract.
    pub to: Address,
    /// Coin that goes along; `from` must have it.
    pub value: U256,
    /// Calldata.
    pub data: Bytes,
}

impl GenesisCall {
    /// Creates a contract from `code` (constructor and arguments) at [`created_at`]`(salt, code)`.
    pub fn create(salt: B256, code: &[u8]) -> Self {
        let data = [salt.as_slice(), code].concat().into();
        Self { from: SYSTEM, to: FACTORY, value: U256::ZERO, data }
    }
}

/// Where [`GenesisCall::create`], or anybody through [`FACTORY`], puts a contract.
pub fn created_at(salt: B256, code: &[u8]) -> Address {
    FACTORY.create2(salt, keccak256(code))
}

/// What of a genesis every block is held to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rules {
    /// What transactions must be signed for.
    pub chain_id: u64,
    /// Gas of a block.
    pub gas_limit: u64,
    /// Gas of a transaction.
    pub transaction_gas_max: u64,
    /// What the base fee never falls below.
    pub base_fee_floor: u64,
    /// Who gets tips.
    pub beneficiary: Address,
    /// Free gas.
    pub quota: Quota,
}

/// Why a genesis makes no chain. The fault of who wrote it.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// See [`CHAIN_IDS`].
    #[error("chain id {0} is not in 2^32..2^52: draw another")]
    ChainId(u64),
    /// Limits that no transaction fits into.
    #[error(
        "a transaction may ask for {transaction} gas and a block has {block}: 21000 <= transaction <= block"
    )]
    Gas {
        /// The transaction's.
        transaction: u64,
        /// The block's.
        block: u64,
    },
    /// The base fee starts below what it may never fall below.
    #[error("base fee {base_fee} is below the floor {floor}")]
    BaseFee {
        /// The first one.
        base_fee: u64,
        /// The floor.
        floor: u64,
    },
    /// All coin must fit in 256 bits, as must every sum of it.
    #[error("the accounts own more coin than 256 bits hold")]
    Supply,
    /// An account is listed twice, or is one that the chain itself needs.
    #[error("account {0} is listed twice or belongs to the chain itself")]
    Account(Address),
    /// A call did not succeed.
    #[error("call {index} of the genesis failed: {outcome:?}")]
    Call {
        /// Which, from 0.
        index: usize,
        /// How.
        outcome: Box<Outcome>,
    },
    /// A call could not be made.
    #[error("call {index} of the genesis is refused: {reason}")]
    Refused {
        /// Which, from 0.
        index: usize,
        /// Why.
        reason: Refused,
    },
    /// More than [`GENESIS_BYTES_MAX`].
    #[error("the genesis has {0} bytes, at most {GENESIS_BYTES_MAX} are taken")]
    TooLong(usize),
    /// Never, as there is nothing before genesis.
    #[error(transparent)]
    Gone(#[from] StateGone),
}

impl Genesis {
    /// A chain without fees, quota, coin or contracts.
    pub fn new(chain_id: u64, salt: B256, timestamp: u64) -> Self {
        Self {
            chain_id,
            salt,
            timestamp,
            gas_limit: GAS_LIMIT,
            transaction_gas_max: TRANSACTION_GAS_MAX,
            base_fee: 0,
            base_fee_floor: 0,
            beneficiary: Address::ZERO,
            faucet: Address::ZERO,
            quota: Quota::default(),
            accounts: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Gives coin to an address.
    #[must_use]
    pub fn with_balance(mut self, address: Address, balance: U256) -> Self {
        self.accounts.push(GenesisAccount { address, balance, ..GenesisAccount::default() });
        self
    }

    /// What every block is held to.
    pub fn rules(&self) -> Rules {
        Rules {
            chain_id: self.chain_id,
            gas_limit: self.gas_limit,
            transaction_gas_max: self.transaction_gas_max,
            base_fee_floor: self.base_fee_floor,
            beneficiary: self.beneficiary,
            quota: self.quota,
        }
    }

    /// Block 0, and what it makes of an empty state.
    ///
    /// # Errors
    /// See [`GenesisError`].
    pub fn build(&self) -> Result<(Block, Changes), GenesisError> {
        self.check()?;
        let encoded = alloy_rlp::encode(self);
        let (changes, _) = self.state()?;
        let mut header = empty_header();
        header.state_root = Tries::default().update(&changes);
        header.timestamp = self.timestamp;
        header.gas_limit = self.gas_limit;
        header.base_fee_per_gas = Some(self.base_fee);
        header.beneficiary = self.beneficiary;
        header.extra_data = self.salt.to_vec().into();
        header.nonce = B64::from(self.chain_id);
        header.mix_hash = keccak256(&encoded);
        Ok((Block::genesis(header), changes))
    }

    fn check(&self) -> Result<(), GenesisError> {
        if !CHAIN_IDS.contains(&self.chain_id) {
            return Err(GenesisError::ChainId(self.chain_id));
        }
        let (transaction, block) = (self.transaction_gas_max, self.gas_limit);
        if transaction < 21_000 || transaction > block {
            return Err(GenesisError::Gas { transaction, block });
        }
        let (base_fee, floor) = (self.base_fee, self.base_fee_floor);
        if base_fee < floor {
            return Err(GenesisError::BaseFee { base_fee, floor });
        }
        let mut supply = U256::ZERO;
        for account in &self.accounts {
            supply = supply.checked_add(account.balance).ok_or(GenesisError::Supply)?;
        }
        let length = self.length();
        if length > GENESIS_BYTES_MAX { Err(GenesisError::TooLong(length)) } else { Ok(()) }
    }

    /// The state after block 0, and what the calls did.
    fn state(&self) -> Result<(Changes, Vec<Executed>), GenesisError> {
        let (empty, rules) = (State::default(), self.rules());
        let block = BlockContext {
            number: 0,
            timestamp: self.timestamp,
            base_fee: self.base_fee,
            beneficiary: self.beneficiary,
            random: self.salt,
        };
        let mut executor = Executor::new(&rules, block, &empty);
        self.place_accounts(&mut executor.overlay().changes)?;
        let mut results = Vec::with_capacity(self.calls.len());
        for (index, call) in self.calls.iter().enumerate() {
            let done = executor
                .system(TxEnv {
                    caller: call.from,
                    kind: TxKind::Call(call.to),
                    value: call.value,
                    data: call.data.clone(),
                    gas_limit: self.gas_limit,
                    chain_id: Some(self.chain_id),
                    gas_price: 0,
                    ..TxEnv::default()
                })
                .map_err(|reason| GenesisError::Refused { index, reason })?;
            if !done.outcome.is_success() {
                return Err(GenesisError::Call { index, outcome: Box::new(done.outcome) });
            }
            results.push(done);
        }
        let (changes, _) = executor.finish()?;
        Ok((changes, results))
    }

    fn place_accounts(&self, changes: &mut Changes) -> Result<(), GenesisError> {
        let factory = GenesisAccount {
            address: FACTORY,
            nonce: 1,
            code: FACTORY_CODE,
            ..GenesisAccount::default()
        };
        let record =
            GenesisAccount { address: QUOTA_ADDRESS, nonce: 1, ..GenesisAccount::default() };
        let own = std::iter::once(&factory).chain(self.quota.is_on().then_some(&record));
        for account in own.chain(&self.accounts) {
            let code = Bytecode::new_raw_checked(account.code.clone())
                .map_err(|_| GenesisError::Account(account.address))?;
            let code_hash = keccak256(&account.code);
            let (balance, nonce) = (account.balance, account.nonce);
            let new = Account { balance, nonce, code_hash };
            if new.is_empty() {
                continue;
            }
            if changes.accounts.insert(account.address, Some(new)).is_some() {
                return Err(GenesisError::Account(account.address));
            }
            if !account.code.is_empty() {
                changes.codes.insert(code_hash, code);
            }
            for GenesisSlot { slot, value } in &account.storage {
                changes.storage.insert((account.address, *slot), *value);
            }
        }
        Ok(())
    }
}
