//! What accounts have, and calls that keep nothing.

use crate::api::Api;
use crate::error::invalid_params;
use crate::parameters::Arguments;
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_rpc_types_eth::{BlockId, TransactionRequest};
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use piecework_chain::call::CallRequest;
use piecework_chain::chain::At;
use serde_json::{Map, Value};

type Answer<T> = Result<T, ErrorObjectOwned>;

pub(super) fn register(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_method("eth_getBalance", |params, api, _| {
        let (address, at) = account(&params, api)?;
        api.account(address, at).map(|account| account.balance)
    })?;
    module.register_method("eth_getTransactionCount", |params, api, _| {
        let (address, at) = account(&params, api)?;
        api.nonce(address, at).map(U64::from)
    })?;
    module.register_method("eth_getCode", |params, api, _| {
        let (address, at) = account(&params, api)?;
        api.code(address, at)
    })?;
    module.register_method("eth_getStorageAt", |params, api, _| storage(&params, api))?;
    module.register_blocking_method("eth_call", |params, api, _| call(&params, &api))?;
    module.register_blocking_method("eth_estimateGas", |params, api, _| estimate(&params, &api))?;
    Ok(())
}

fn account(params: &Params<'_>, api: &Api) -> Answer<(Address, At)> {
    let mut arguments = Arguments::of(params, 2)?;
    Ok((arguments.required()?, api.at(arguments.optional::<BlockId>()?)?))
}

fn storage(params: &Params<'_>, api: &Api) -> Answer<B256> {
    let mut arguments = Arguments::of(params, 3)?;
    let (address, slot) = (arguments.required()?, arguments.required::<U256>()?);
    let at = api.at(arguments.optional()?)?;
    api.storage(address, slot, at).map(B256::from)
}

fn call(params: &Params<'_>, api: &Api) -> Answer<Bytes> {
    let (request, at) = called(params, api)?;
    api.call(&request, at)
}

fn estimate(params: &Params<'_>, api: &Api) -> Answer<U64> {
    let (request, at) = called(params, api)?;
    api.estimate_gas(&request, at).map(U64::from)
}

/// The call, and where it is made. Overrides of state or block are refused, unless they are empty.
fn called(params: &Params<'_>, api: &Api) -> Answer<(CallRequest, At)> {
    let mut arguments = Arguments::of(params, 4)?;
    let request: TransactionRequest = arguments.required()?;
    let at = api.at(arguments.optional()?)?;
    for what in ["state", "block"] {
        let overrides: Option<Map<String, Value>> = arguments.optional()?;
        if overrides.is_some_and(|overrides| !overrides.is_empty()) {
            return Err(invalid_params(format!("{what} overrides are not supported")));
        }
    }
    Ok((call_request(request, api)?, at))
}

fn call_request(request: TransactionRequest, api: &Api) -> Answer<CallRequest> {
    if request.blob_versioned_hashes.is_some() || request.sidecar.is_some() {
        return Err(invalid_params("blobs are not of this chain"));
    }
    if request.authorization_list.is_some() {
        return Err(invalid_params("set-code transactions are not of this chain"));
    }
    let (have, want) = (request.chain_id, api.rules().chain_id);
    if let Some(have) = have.filter(|have| *have != want) {
        return Err(invalid_params(format!(
            "chainId does not match node's (have={have}, want={want})"
        )));
    }
    if request.gas_price.is_some() && request.max_fee_per_gas.is_some() {
        return Err(invalid_params(
            "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified",
        ));
    }
    let data = request
        .input
        .try_into_unique_input()
        .map_err(|_| invalid_params(r#"both "data" and "input" are set and not equal"#))?;
    let gas = request.gas.unwrap_or(u64::MAX).min(api.call_gas_max);
    Ok(CallRequest {
        from: request.from.unwrap_or_default(),
        to: request.to.and_then(|to| to.into_to()),
        gas: Some(gas),
        gas_price: request.gas_price.or(request.max_fee_per_gas).unwrap_or_default(),
        value: request.value.unwrap_or_default(),
        data: data.unwrap_or_default(),
        access_list: request.access_list.unwrap_or_default(),
    })
}
