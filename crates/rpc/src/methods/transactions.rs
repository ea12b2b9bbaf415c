//! Transactions: in, by hash, by place.

use crate::answers;
use crate::api::Api;
use crate::parameters::Arguments;
use alloy_primitives::{B256, Bytes};
use alloy_rpc_types_eth::{BlockId, BlockNumberOrTag, Index, Transaction, TransactionReceipt};
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::{ErrorObjectOwned, Params};

type Answer<T> = Result<Option<T>, ErrorObjectOwned>;

pub(super) fn register(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_async_method("eth_sendRawTransaction", |params, api, _| async move {
        let raw: Bytes = Arguments::of(&params, 1)?.required()?;
        api.submitter.submit(raw).await
    })?;
    module.register_blocking_method("eth_getTransactionByHash", |params, api, _| {
        by_hash(Arguments::of(&params, 1)?.required()?, &api)
    })?;
    module
        .register_blocking_method("eth_getTransactionByBlockNumberAndIndex", |params, api, _| {
            by_place::<BlockNumberOrTag>(&params, &api)
        })?;
    module
        .register_blocking_method("eth_getTransactionByBlockHashAndIndex", |params, api, _| {
            by_place::<B256>(&params, &api)
        })?;
    module.register_blocking_method("eth_getTransactionReceipt", |params, api, _| {
        receipt(Arguments::of(&params, 1)?.required()?, &api)
    })?;
    Ok(())
}

fn by_hash(hash: B256, api: &Api) -> Answer<Transaction> {
    match api.transaction(hash)? {
        Some(found) => Ok(answers::transaction_at(&found.block, found.index)),
        None => Ok(api.chain.waiting(hash).as_ref().map(answers::waiting)),
    }
}

fn by_place<T>(params: &Params<'_>, api: &Api) -> Answer<Transaction>
where
    T: for<'a> serde::Deserialize<'a> + Into<BlockId>,
{
    let mut arguments = Arguments::of(params, 2)?;
    let id: T = arguments.required()?;
    let Index(index) = arguments.required()?;
    let block = api.block(id.into())?;
    Ok(block.and_then(|block| answers::transaction_at(&block, index)))
}

fn receipt(hash: B256, api: &Api) -> Answer<TransactionReceipt> {
    let found = api.transaction(hash)?;
    Ok(found.and_then(|found| answers::receipt_at(&found.block, found.index)))
}
