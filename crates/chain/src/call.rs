//! Calls that change nothing: what `eth_call` and `eth_estimateGas` ask.
//!
//! Owns: the search for the gas a call needs. Must not know: the pool, which block is meant.

use crate::execute::{BlockContext, Executed, Executor, Outcome, Refused};
use crate::genesis::Rules;
use crate::state::StateRead;
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use revm::context::TxEnv;

/// Gas of a plain transfer: no transaction uses less.
const TRANSFER_GAS: u64 = 21_000;

/// A call as a client describes it; what it leaves out is nothing, or as much as there may be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CallRequest {
    /// Who calls.
    pub from: Address,
    /// The contract; `None` creates one.
    pub to: Option<Address>,
    /// Gas at most; else, and at most, what a transaction may ask for.
    pub gas: Option<u64>,
    /// Coin for a unit of gas; zero asks nobody for coin.
    pub gas_price: u128,
    /// Coin that goes along.
    pub value: U256,
    /// Calldata, or the code that creates.
    pub data: Bytes,
    /// Warm from the start (EIP-2930).
    pub access_list: AccessList,
}

/// Why there is no estimate.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoEstimate {
    /// It could not be tried.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It fails however much gas it has.
    #[error("execution reverted")]
    Fails(Outcome),
}

/// Executes `request` in `block` over `state`, and keeps nothing of it.
///
/// # Errors
/// When it cannot be tried: too little coin or gas, or the state is no longer kept.
pub fn call<S: StateRead>(
    rules: &Rules,
    block: BlockContext,
    state: &S,
    request: &CallRequest,
) -> Result<Executed, Refused> {
    let gas = gas_max(rules, request);
    run(rules, block, state, request, gas).map(|(executed, _)| executed)
}

/// The least gas that `request` succeeds with, give or take a sixty-fourth.
///
/// # Errors
/// When it fails with all the gas there may be, with what it said.
pub fn estimate_gas<S: StateRead>(
    rules: &Rules,
    block: BlockContext,
    state: &S,
    request: &CallRequest,
) -> Result<u64, NoEstimate> {
    let succeeds = |gas| match run(rules, block, state, request, gas) {
        Ok((executed, _)) => Ok(executed.outcome.is_success()),
        // Less than what is due before the first instruction.
        Err(Refused::Invalid(_)) => Ok(false),
        Err(other) => Err(NoEstimate::from(other)),
    };
    let most = gas_max(rules, request);
    let (executed, refunded) = run(rules, block, state, request, most)?;
    if !executed.outcome.is_success() {
        return Err(NoEstimate::Fails(executed.outcome));
    }
    let used = executed.gas_used;
    if used == TRANSFER_GAS {
        return Ok(TRANSFER_GAS);
    }
    // A call inside gets at most 63/64 of what is left (EIP-150), and a refund comes after the end.
    let likely = used.saturating_add(refunded).saturating_add(2300).saturating_mul(64) / 63;
    let (mut low, mut high) = (used.saturating_sub(1), most);
    if likely < high {
        if succeeds(likely)? {
            high = likely;
        } else {
            low = low.max(likely);
        }
    }
    while high - low > 1 && high - low > high / 64 {
        let middle = low + (high - low) / 2;
        if succeeds(middle)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high)
}

fn gas_max(rules: &Rules, request: &CallRequest) -> u64 {
    request.gas.unwrap_or(u64::MAX).min(rules.transaction_gas_max)
}

fn run<S: StateRead>(
    rules: &Rules,
    block: BlockContext,
    state: &S,
    request: &CallRequest,
    gas: u64,
) -> Result<(Executed, u64), Refused> {
    let nonce = state.account(request.from)?.unwrap_or_default().nonce;
    Executor::new(rules, block, state).call(TxEnv {
        tx_type: u8::from(!request.access_list.0.is_empty()),
        caller: request.from,
        gas_limit: gas,
        gas_price: request.gas_price,
        kind: request.to.map_or(TxKind::Create, TxKind::Call),
        value: request.value,
        data: request.data.clone(),
        nonce,
        chain_id: Some(rules.chain_id),
        access_list: request.access_list.clone(),
        ..TxEnv::default()
    })
}
