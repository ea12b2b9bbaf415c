//! The filters that clients poll.

use crate::api::Api;
use crate::filters::{Looking, Place};
use crate::parameters::Arguments;
use alloy_primitives::{B256, U256};
use alloy_rpc_types_eth::{Filter, Log};
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

/// Hashes in one answer; the next one goes on from there.
const HASHES_MAX: usize = 10_000;

type Answer<T> = Result<T, ErrorObjectOwned>;

pub(super) fn register(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_method("eth_newFilter", |params, api, _| {
        let filter: Filter = Arguments::of(&params, 1)?.required()?;
        super::logs::range(&filter, api)?;
        add(Looking::Logs(Arc::new(filter)), api)
    })?;
    module.register_method("eth_newBlockFilter", |_, api, _| add(Looking::Blocks, api))?;
    module.register_method("eth_newPendingTransactionFilter", |_, api, _| {
        add(Looking::Transactions, api)
    })?;
    module.register_method("eth_uninstallFilter", |params, api, _| {
        let id: U256 = Arguments::of(&params, 1)?.required()?;
        Answer::Ok(api.filters.remove(id, Instant::now()))
    })?;
    module.register_blocking_method("eth_getFilterChanges", |params, api, _| {
        changes(&params, &api)
    })?;
    module.register_blocking_method("eth_getFilterLogs", |params, api, _| logs(&params, &api))?;
    Ok(())
}

/// What is new since the last answer.
#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Changes {
    Hashes(Vec<B256>),
    Logs(Vec<Log>),
}

fn add(looking: Looking, api: &Api) -> Answer<U256> {
    api.filters.add(looking, api.height() + 1, Instant::now())
}

fn changes(params: &Params<'_>, api: &Api) -> Answer<Changes> {
    let id: U256 = Arguments::of(params, 1)?.required()?;
    let (looking, from) = api.filters.find(id, Instant::now())?;
    let (changes, next) = match looking {
        Looking::Logs(filter) => {
            let (logs, next) = super::logs::since(&filter, from.block, api)?;
            (Changes::Logs(logs), Place { block: next, item: 0 })
        }
        Looking::Blocks => {
            let (hashes, next) = block_hashes(from, api)?;
            (Changes::Hashes(hashes), next)
        }
        Looking::Transactions => {
            let (hashes, next) = transaction_hashes(from, api)?;
            (Changes::Hashes(hashes), next)
        }
    };
    api.filters.advance(id, next, Instant::now());
    Ok(changes)
}

fn logs(params: &Params<'_>, api: &Api) -> Answer<Vec<Log>> {
    let id: U256 = Arguments::of(params, 1)?.required()?;
    match api.filters.find(id, Instant::now())? {
        (Looking::Logs(filter), _) => super::logs::matching(&filter, api),
        (Looking::Blocks | Looking::Transactions, _) => {
            Err(crate::error::failed("filter not found"))
        }
    }
}

fn block_hashes(from: Place, api: &Api) -> Answer<(Vec<B256>, Place)> {
    let mut hashes = Vec::new();
    let mut next = from.block;
    while hashes.len() < HASHES_MAX
        && let Some(block) = api.block(next.into())?
    {
        hashes.push(block.hash);
        next += 1;
    }
    Ok((hashes, Place { block: next, item: 0 }))
}

/// Of the transactions that came into blocks: none waits longer for one than a client takes to ask.
fn transaction_hashes(from: Place, api: &Api) -> Answer<(Vec<B256>, Place)> {
    let (mut hashes, mut next) = (Vec::new(), from);
    while hashes.len() < HASHES_MAX
        && let Some(block) = api.block(next.block.into())?
    {
        let room = HASHES_MAX - hashes.len();
        hashes.extend(block.transactions.iter().skip(next.item).take(room).map(|of| of.hash()));
        next = if block.transactions.len() > next.item.saturating_add(room) {
            Place { block: next.block, item: next.item + room }
        } else {
            Place { block: next.block + 1, item: 0 }
        };
    }
    Ok((hashes, next))
}
