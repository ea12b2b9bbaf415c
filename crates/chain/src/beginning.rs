//! A chain as it will begin, in memory: what can be asked of it before it has a folder.
//!
//! Owns: block 0 and the state after it. Must not know: files, later blocks.

use crate::block::Block;
use crate::call::{CallRequest, call};
use crate::execute::{Executed, Refused};
use crate::genesis::{Genesis, GenesisError, Rules};
use crate::state::{State, StateGone, StateRead as _};
use alloy_primitives::{Address, B256, Bytes};

/// What a genesis makes.
#[derive(Debug)]
pub struct Beginning {
    rules: Rules,
    block: Block,
    state: State,
}

impl Beginning {
    /// Executes a genesis.
    ///
    /// # Errors
    /// See [`GenesisError`].
    pub fn new(genesis: &Genesis) -> Result<Self, GenesisError> {
        let (block, changes) = genesis.build()?;
        let mut state = State::default();
        state.apply(block.number(), block.hash, &changes);
        Ok(Self { rules: genesis.rules(), block, state })
    }

    /// The hash of block 0.
    pub fn hash(&self) -> B256 {
        self.block.hash
    }

    /// The code at an address; empty without any.
    ///
    /// # Errors
    /// Never: nothing comes after this state.
    pub fn code(&self, address: Address) -> Result<Bytes, StateGone> {
        let Some(account) = self.state.account(address)? else { return Ok(Bytes::new()) };
        Ok(self.state.code(account.code_hash)?.original_bytes())
    }

    /// What a call would do in the first block.
    ///
    /// # Errors
    /// When it cannot be tried.
    pub fn call(&self, request: &CallRequest) -> Result<Executed, Refused> {
        let block = self.block.next_context(&self.rules, 0);
        call(&self.rules, block, &self.state, request)
    }
}
