//! Blocks and what is in them.

use crate::answers::{self, BlockAnswer};
use crate::api::Api;
use crate::error::failed;
use crate::parameters::Arguments;
use alloy_primitives::{B256, U64};
use alloy_rpc_types_eth::{BlockId, BlockNumberOrTag, TransactionReceipt};
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use piecework_chain::block::Block;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

type Answer<T> = Result<Option<T>, ErrorObjectOwned>;

pub(super) fn register(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_blocking_method("eth_getBlockByNumber", |params, api, _| {
        let mut arguments = Arguments::of(&params, 2)?;
        if arguments.required::<BlockNumberOrTag>()?.is_pending() {
            return answers::pending(api.next())
                .map(|block| Some(Named::Pending(block)))
                .map_err(failed);
        }
        let (block, is_full) = asked::<BlockNumberOrTag>(&params, &api)?;
        answer(block, is_full)
    })?;
    module.register_blocking_method("eth_getBlockByHash", |params, api, _| {
        let (block, is_full) = asked::<B256>(&params, &api)?;
        answer(block, is_full)
    })?;
    module.register_blocking_method("eth_getBlockTransactionCountByNumber", |params, api, _| {
        let id: BlockNumberOrTag = Arguments::of(&params, 1)?.required()?;
        count(api.block(id.into())?.as_deref())
    })?;
    module.register_blocking_method("eth_getBlockTransactionCountByHash", |params, api, _| {
        let id: B256 = Arguments::of(&params, 1)?.required()?;
        count(api.block(id.into())?.as_deref())
    })?;
    module.register_blocking_method("eth_getBlockReceipts", |params, api, _| {
        receipts(&params, &api)
    })?;
    Ok(())
}

fn asked<T>(params: &Params<'_>, api: &Api) -> Result<(Option<Arc<Block>>, bool), ErrorObjectOwned>
where
    T: for<'a> serde::Deserialize<'a> + Into<BlockId>,
{
    let mut arguments = Arguments::of(params, 2)?;
    let id: T = arguments.required()?;
    let is_full = arguments.optional()?.unwrap_or(false);
    Ok((api.block(id.into())?, is_full))
}

/// A block that somebody asked for by name.
#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Named {
    Sealed(Box<BlockAnswer>),
    Pending(Value),
}

fn answer(block: Option<Arc<Block>>, is_full: bool) -> Answer<Named> {
    Ok(block.map(|block| Named::Sealed(Box::new(answers::block(&block, is_full)))))
}

fn count(block: Option<&Block>) -> Answer<U64> {
    Ok(block.map(|block| U64::from(block.transactions.len())))
}

fn receipts(params: &Params<'_>, api: &Api) -> Answer<Vec<TransactionReceipt>> {
    let id: BlockId = Arguments::of(params, 1)?.required()?;
    let block = api.block(id)?;
    Ok(block.map(|block| {
        (0..block.receipts.len()).filter_map(|index| answers::receipt_at(&block, index)).collect()
    }))
}
