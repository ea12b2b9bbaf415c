//! Accounts, storage and code in memory, and what a block changes in them.
//!
//! Owns: the flat state of the newest block and, for some blocks before it, what each of them overwrote, so
//! that a call can go on reading the block it began with. Invariant: an absent account and an empty one are
//! the same (EIP-161), as are an absent slot and zero. Must not know: transactions, tries, files.

use alloy_primitives::map::HashMap;
use alloy_primitives::{Address, B256, U256};
use alloy_trie::KECCAK_EMPTY;
use revm::bytecode::Bytecode;
use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

/// Hashes of blocks that BLOCKHASH can see.
pub const BLOCK_HASHES: usize = 256;

/// Blocks whose state can still be read behind the newest.
pub const UNDO_BLOCKS_MAX: usize = 128;

/// Values kept for that in all; some 100 bytes each. The newest block's are kept however many they are.
pub const UNDO_VALUES_MAX: usize = 500_000;

/// What an address has besides storage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Account {
    /// Coin, in its smallest unit.
    pub balance: U256,
    /// Transactions sent, or contracts made.
    pub nonce: u64,
    /// keccak256 of the code.
    pub code_hash: B256,
}

impl Default for Account {
    fn default() -> Self {
        Self { balance: U256::ZERO, nonce: 0, code_hash: KECCAK_EMPTY }
    }
}

impl Account {
    /// Nothing that would be worth keeping (EIP-161).
    pub fn is_empty(&self) -> bool {
        self.balance.is_zero() && self.nonce == 0 && self.code_hash == KECCAK_EMPTY
    }
}

/// Something that has accounts, storage and code: a state, a block's overlay over one, a view of an older
/// block.
pub trait StateRead {
    /// The account of an address, unless empty.
    ///
    /// # Errors
    /// When the state that was asked about is no longer kept.
    fn account(&self, address: Address) -> Result<Option<Account>, StateGone>;
    /// A slot; zero where nothing was written.
    ///
    /// # Errors
    /// As [`Self::account`].
    fn storage(&self, address: Address, slot: U256) -> Result<U256, StateGone>;
    /// The code with that hash; empty where there is none.
    ///
    /// # Errors
    /// As [`Self::account`].
    fn code(&self, hash: B256) -> Result<Bytecode, StateGone>;
    /// The hash of one of the last [`BLOCK_HASHES`] blocks, else zero.
    ///
    /// # Errors
    /// As [`Self::account`].
    fn block_hash(&self, number: u64) -> Result<B256, StateGone>;
}

/// The state after a block was asked for that is not kept: this node keeps few behind the newest.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "missing state: that of block {asked} is no longer kept, ask for `latest` or for {oldest} and later"
)]
pub struct StateGone {
    /// The block.
    pub asked: u64,
    /// The oldest one that would do.
    pub oldest: u64,
}

impl revm::database_interface::DBErrorMarker for StateGone {}

/// What a block, or several, did to the state: new values only.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// `None`: the account is empty or gone. It has no storage: only a contract made in the same transaction
    /// can go (EIP-6780).
    pub accounts: HashMap<Address, Option<Account>>,
    /// By address and slot; zero: the slot is gone.
    pub storage: HashMap<(Address, U256), U256>,
    /// New code by its hash.
    pub codes: HashMap<B256, Bytecode>,
}

impl Changes {
    /// Adds what came later: it wins.
    pub fn merge(&mut self, later: &Self) {
        self.accounts.extend(later.accounts.iter().map(|(k, v)| (*k, *v)));
        self.storage.extend(later.storage.iter().map(|(k, v)| (*k, *v)));
        self.codes.extend(later.codes.iter().map(|(k, v)| (*k, v.clone())));
    }

    /// Values in it.
    pub fn len(&self) -> usize {
        self.accounts.len() + self.storage.len()
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[derive(Debug, Default)]
struct Undo {
    accounts: HashMap<Address, Option<Account>>,
    storage: HashMap<(Address, U256), U256>,
}

/// The state after the newest block.
#[derive(Debug, Default)]
pub struct State {
    number: u64,
    accounts: HashMap<Address, Account>,
    storage: HashMap<Address, HashMap<U256, U256>>,
    codes: HashMap<B256, Bytecode>,
    /// Of `number`, then of those before it.
    hashes: VecDeque<B256>,
    /// What block `number` overwrote, then what those before it did.
    undo: VecDeque<Undo>,
    undo_values: usize,
}

impl State {
    /// The state after block `number` as it was stored; `hashes` are of that block and those before it,
    /// newest first.
    pub fn restored(number: u64, hashes: impl IntoIterator<Item = B256>, all: Changes) -> Self {
        let mut state = Self::default();
        state.replace(&all, None);
        state.number = number;
        state.hashes = hashes.into_iter().take(BLOCK_HASHES).collect();
        state.codes.extend(all.codes);
        state
    }

    /// Takes the next block's changes.
    pub fn apply(&mut self, number: u64, hash: B256, changes: &Changes) {
        let mut undo = Undo::default();
        self.replace(changes, Some(&mut undo));
        self.codes.extend(changes.codes.iter().map(|(hash, code)| (*hash, code.clone())));
        self.number = number;
        self.hashes.push_front(hash);
        self.hashes.truncate(BLOCK_HASHES);
        self.undo_values += undo.accounts.len() + undo.storage.len();
        self.undo.push_front(undo);
        while self.undo.len() > UNDO_BLOCKS_MAX
            || (self.undo_values > UNDO_VALUES_MAX && self.undo.len() > 1)
        {
            let dropped = self.undo.pop_back().unwrap_or_default();
            self.undo_values -= dropped.accounts.len() + dropped.storage.len();
        }
    }

    /// The block this is the state after.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Every account, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = (Address, Account)> {
        self.accounts.iter().map(|(address, account)| (*address, *account))
    }

    /// Every slot of an address, in no order.
    pub fn slots(&self, address: Address) -> impl Iterator<Item = (U256, U256)> {
        self.storage.get(&address).into_iter().flatten().map(|(slot, value)| (*slot, *value))
    }

    fn replace(&mut self, changes: &Changes, mut undo: Option<&mut Undo>) {
        for (address, account) in &changes.accounts {
            let old = match account {
                Some(account) => self.accounts.insert(*address, *account),
                None => self.accounts.remove(address),
            };
            if let Some(undo) = &mut undo {
                undo.accounts.insert(*address, old);
            }
        }
        for ((address, slot), value) in &changes.storage {
            let slots = self.storage.entry(*address).or_default();
            let old =
                if value.is_zero() { slots.remove(slot) } else { slots.insert(*slot, *value) };
            if slots.is_empty() {
                self.storage.remove(address);
            }
            if let Some(undo) = &mut undo {
                undo.storage.insert((*address, *slot), old.unwrap_or_default());
            }
        }
    }

    /// What blocks after `number` overwrote, oldest first.
    fn later_than(&self, number: u64) -> Result<impl Iterator<Item = &Undo>, StateGone> {
        let oldest = self.number.saturating_sub(self.undo.len() as u64);
        if number < oldest || number > self.number {
            return Err(StateGone { asked: number, oldest });
        }
        let later = usize::try_from(self.number - number).unwrap_or(usize::MAX);
        Ok(self.undo.iter().take(later).rev())
    }
}

impl StateRead for State {
    fn account(&self, address: Address) -> Result<Option<Account>, StateGone> {
        Ok(self.accounts.get(&address).copied())
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, StateGone> {
        let slots = self.storage.get(&address);
        Ok(slots.and_then(|slots| slots.get(&slot)).copied().unwrap_or_default())
    }

    fn code(&self, hash: B256) -> Result<Bytecode, StateGone> {
        Ok(self.codes.get(&hash).cloned().unwrap_or_default())
    }

    fn block_hash(&self, number: u64) -> Result<B256, StateGone> {
        let back = self.number.checked_sub(number).and_then(|back| usize::try_from(back).ok());
        Ok(back.and_then(|back| self.hashes.get(back)).copied().unwrap_or_default())
    }
}

/// The state after one block, read in small steps: however long the reader takes, blocks go on.
#[derive(Clone, Copy, Debug)]
pub struct StateAt<'a> {
    state: &'a RwLock<State>,
    number: u64,
}

impl<'a> StateAt<'a> {
    /// The state after block `number`, for as long as it is kept.
    pub fn new(state: &'a RwLock<State>, number: u64) -> Self {
        Self { state, number }
    }

    fn read<T>(self, read: impl FnOnce(&State) -> Result<T, StateGone>) -> Result<T, StateGone> {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StateRead for StateAt<'_> {
    fn account(&self, address: Address) -> Result<Option<Account>, StateGone> {
        self.read(|state| {
            let old = state.later_than(self.number)?.find_map(|undo| undo.accounts.get(&address));
            old.map_or_else(|| state.account(address), |old| Ok(*old))
        })
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, StateGone> {
        self.read(|state| {
            let key = (address, slot);
            let old = state.later_than(self.number)?.find_map(|undo| undo.storage.get(&key));
            old.map_or_else(|| state.storage(address, slot), |old| Ok(*old))
        })
    }

    fn code(&self, hash: B256) -> Result<Bytecode, StateGone> {
        self.read(|state| state.code(hash))
    }

    fn block_hash(&self, number: u64) -> Result<B256, StateGone> {
        // A call reads one block; what came later is not before it.
        self.read(
            |state| if number > self.number { Ok(B256::ZERO) } else { state.block_hash(number) },
        )
    }
}
