//! The chain as the methods ask it: blocks by every way Ethereum names them, and errors in its shapes.

use crate::error::{failed, not_executed, not_read};
use crate::feed::Feed;
use crate::filters::Filters;
use crate::settings::Settings;
use crate::submit::Submitter;
use alloy_consensus::{EMPTY_ROOT_HASH, Header};
use alloy_primitives::{Address, B256, Bloom, Bytes, U256};
use alloy_rpc_types_eth::{BlockId, BlockNumberOrTag};
use jsonrpsee::types::ErrorObjectOwned;
use piecework_chain::block::Block;
use piecework_chain::call::CallRequest;
use piecework_chain::chain::{self, At, Chain, FeeHistory, Found};
use piecework_chain::execute::Outcome;
use piecework_chain::genesis::Rules;
use piecework_chain::state::Account;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Blocks whose tips make the suggestion, and of each block's gas, and of them, this percentile: as geth.
const TIP_BLOCKS: u64 = 20;
const TIP_PERCENTILE: f64 = 60.0;

type Answer<T> = Result<T, ErrorObjectOwned>;

/// A chain, and what is kept for its clients.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) chain: Arc<Chain>,
    pub(crate) filters: Filters,
    pub(crate) feed: Feed,
    pub(crate) submitter: Submitter,
    pub(crate) call_gas_max: u64,
    pub(crate) lag_max: Duration,
    /// What was suggested last, and after which block.
    tip: Mutex<(u64, u128)>,
}

impl Api {
    /// Starts the threads that join clients and chain.
    pub(crate) fn start(chain: Arc<Chain>, settings: &Settings) -> io::Result<Self> {
        Ok(Self {
            filters: Filters::new(settings),
            feed: Feed::start(Arc::clone(&chain))?,
            submitter: Submitter::start(Arc::clone(&chain))?,
            call_gas_max: settings.call_gas_max,
            lag_max: settings.subscription_lag_max,
            tip: Mutex::new((u64::MAX, 0)),
            chain,
        })
    }

    /// What blocks are held to.
    pub(crate) fn rules(&self) -> &Rules {
        self.chain.rules()
    }

    /// The number of the newest block.
    pub(crate) fn height(&self) -> u64 {
        self.chain.head().number()
    }

    /// The number that a tag means; a number as it is.
    pub(crate) fn number(&self, tag: BlockNumberOrTag) -> u64 {
        match tag {
            BlockNumberOrTag::Number(number) => number,
            BlockNumberOrTag::Earliest => 0,
            // One node seals: its newest block is as final as it gets.
            BlockNumberOrTag::Latest
            | BlockNumberOrTag::Safe
            | BlockNumberOrTag::Finalized
            | BlockNumberOrTag::Pending => self.height(),
        }
    }

    /// A block; the pending one has no content yet, see [`Self::next`].
    pub(crate) fn block(&self, id: BlockId) -> Answer<Option<Arc<Block>>> {
        let id = match id {
            BlockId::Hash(hash) => chain::BlockId::Hash(hash.block_hash),
            BlockId::Number(BlockNumberOrTag::Pending) => return Ok(None),
            BlockId::Number(tag) => chain::BlockId::Number(self.number(tag)),
        };
        self.chain.block(id).map_err(not_read)
    }

    /// The head that the next block would have if it were sealed now, and it were empty.
    pub(crate) fn next(&self) -> Header {
        let parent = self.chain.head();
        let context = self.chain.next_context();
        Header {
            parent_hash: parent.hash,
            number: context.number,
            timestamp: context.timestamp,
            base_fee_per_gas: Some(context.base_fee),
            beneficiary: context.beneficiary,
            mix_hash: context.random,
            gas_used: 0,
            logs_bloom: Bloom::ZERO,
            transactions_root: EMPTY_ROOT_HASH,
            receipts_root: EMPTY_ROOT_HASH,
            ..parent.header.clone()
        }
    }

    /// The state that is meant; the newest, if nothing is said.
    pub(crate) fn at(&self, id: Option<BlockId>) -> Answer<At> {
        match id {
            None => Ok(At::Latest),
            Some(BlockId::Number(tag)) => match tag {
                BlockNumberOrTag::Pending => Ok(At::Pending),
                BlockNumberOrTag::Earliest => Ok(At::Number(0)),
                BlockNumberOrTag::Number(number) if number > self.height() => {
                    Err(failed("header not found"))
                }
                BlockNumberOrTag::Number(number) => Ok(At::Number(number)),
                BlockNumberOrTag::Latest | BlockNumberOrTag::Safe | BlockNumberOrTag::Finalized => {
                    Ok(At::Latest)
                }
            },
            Some(BlockId::Hash(hash)) => match self.block(hash.block_hash.into())? {
                Some(block) => Ok(At::Number(block.number())),
                None => Err(failed("header for hash not found")),
            },
        }
    }

    pub(crate) fn account(&self, address: Address, at: At) -> Answer<Account> {
        self.chain.account(address, at).map_err(not_read)
    }

    pub(crate) fn nonce(&self, address: Address, at: At) -> Answer<u64> {
        self.chain.nonce(address, at).map_err(not_read)
    }

    pub(crate) fn code(&self, address: Address, at: At) -> Answer<Bytes> {
        self.chain.code(address, at).map_err(not_read)
    }

    pub(crate) fn storage(&self, address: Address, slot: U256, at: At) -> Answer<U256> {
        self.chain.storage(address, slot, at).map_err(not_read)
    }

    /// What a call returns.
    pub(crate) fn call(&self, request: &CallRequest, at: At) -> Answer<Bytes> {
        match self.chain.call(request, at).map_err(not_read)?.outcome {
            Outcome::Success { output, .. } => Ok(output),
            outcome => Err(not_executed(&outcome)),
        }
    }

    pub(crate) fn estimate_gas(&self, request: &CallRequest, at: At) -> Answer<u64> {
        self.chain.estimate_gas(request, at).map_err(not_read)
    }

    /// A transaction that is in a block.
    pub(crate) fn transaction(&self, hash: B256) -> Answer<Option<Found>> {
        self.chain.transaction(hash).map_err(not_read)
    }

    pub(crate) fn fee_history(
        &self,
        (count, newest): (u64, u64),
        percentiles: &[f64],
    ) -> Answer<FeeHistory> {
        self.chain.fee_history(count, newest, percentiles).map_err(not_read)
    }

    /// The base fee of the next block.
    pub(crate) fn next_base_fee(&self) -> u64 {
        self.chain.next_context().base_fee
    }

    /// What blocks of late took above the base fee.
    pub(crate) fn suggested_tip(&self) -> Answer<u128> {
        let height = self.height();
        let known = *self.tip.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 == height {
            return Ok(known.1);
        }
        let history = self.fee_history((TIP_BLOCKS, height), &[TIP_PERCENTILE])?;
        // An empty block took no tip, which says nothing.
        let taken = history.rewards.iter().zip(&history.gas_used_ratios).filter(|of| *of.1 > 0.0);
        let mut tips: Vec<_> = taken.flat_map(|(tips, _)| tips).copied().collect();
        tips.sort_unstable();
        let place = tips.len().saturating_sub(1) * 60 / 100;
        let tip = tips.get(place).copied().unwrap_or_default();
        *self.tip.lock().unwrap_or_else(PoisonError::into_inner) = (height, tip);
        Ok(tip)
    }
}
