//! Which chain this is, how far it is, and what a transaction costs.

use crate::api::Api;
use crate::error::{failed, invalid_params};
use crate::parameters::Arguments;
use alloy_primitives::{Address, U64, U256};
use alloy_rpc_types_eth::{BlockNumberOrTag, FeeHistory};
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde::Deserialize;

/// What is answered to `web3_clientVersion`.
const CLIENT_VERSION: &str = concat!("piecework/v", env!("CARGO_PKG_VERSION"));
/// Percentiles of one fee history, as geth has it.
const PERCENTILES_MAX: usize = 100;

type Answer<T> = Result<T, ErrorObjectOwned>;

pub(super) fn register(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_method("web3_clientVersion", |_, _, _| CLIENT_VERSION)?;
    module.register_method("net_version", |_, api, _| api.rules().chain_id.to_string())?;
    module
        .register_method("eth_chainId", |_, api, _| Answer::Ok(U64::from(api.rules().chain_id)))?;
    module.register_method("eth_syncing", |_, _, _| false)?;
    module.register_method("eth_accounts", |_, _, _| Vec::<Address>::new())?;
    module.register_method("eth_blockNumber", |_, api, _| Answer::Ok(U64::from(api.height())))?;
    module.register_method("eth_gasPrice", |_, api, _| {
        let base_fee = U256::from(api.next_base_fee());
        api.suggested_tip().map(|tip| base_fee.saturating_add(U256::from(tip)))
    })?;
    module.register_method("eth_maxPriorityFeePerGas", |_, api, _| {
        api.suggested_tip().map(U256::from)
    })?;
    module
        .register_blocking_method("eth_feeHistory", |params, api, _| fee_history(&params, &api))?;
    Ok(())
}

/// A number as Ethereum's quantities are written, or plain, as some clients send it here.
#[derive(Deserialize)]
#[serde(untagged)]
enum Count {
    Plain(u64),
    Quantity(U64),
}

fn fee_history(params: &Params<'_>, api: &Api) -> Answer<FeeHistory> {
    let mut arguments = Arguments::of(params, 3)?;
    let count = match arguments.required()? {
        Count::Plain(count) => count,
        Count::Quantity(count) => count.to(),
    };
    let newest = api.number(arguments.required::<BlockNumberOrTag>()?);
    if newest > api.height() {
        return Err(failed("request beyond head block"));
    }
    let percentiles: Option<Vec<f64>> = arguments.optional()?;
    let percentiles = percentiles.unwrap_or_default();
    let is_rising =
        percentiles.is_sorted() && percentiles.iter().all(|of| (0.0..=100.0).contains(of));
    if !is_rising || percentiles.len() > PERCENTILES_MAX {
        return Err(invalid_params(format!(
            "percentiles must rise from 0 to 100, and be at most {PERCENTILES_MAX}"
        )));
    }
    let history = api.fee_history((count, newest), &percentiles)?;
    let base_fees = history.base_fees.iter().map(|fee| u128::from(*fee));
    Ok(FeeHistory {
        base_fee_per_gas: base_fees.collect(),
        gas_used_ratio: history.gas_used_ratios,
        oldest_block: history.oldest,
        reward: (!percentiles.is_empty()).then_some(history.rewards),
        ..FeeHistory::default()
    })
}
