//! `eth_getLogs`, and what filters have in common with it.

use crate::answers;
use crate::api::Api;
use crate::error::{failed, invalid_params, not_read};
use crate::parameters::Arguments;
use alloy_rpc_types_eth::{Filter, FilterBlockOption, Log};
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::ErrorObjectOwned;
use piecework_chain::chain::{LogFilter, ReadError};

/// Addresses, or values of one topic, that one filter may name.
const TERMS_MAX: usize = 1000;

type Answer<T> = Result<T, ErrorObjectOwned>;

pub(super) fn register(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_blocking_method("eth_getLogs", |params, api, _| {
        let filter: Filter = Arguments::of(&params, 1)?.required()?;
        matching(&filter, &api)
    })?;
    Ok(())
}

/// All that match.
pub(super) fn matching(filter: &Filter, api: &Api) -> Answer<Vec<Log>> {
    let (from, to) = range(filter, api)?;
    let found = api.chain.logs(&wanted(filter, from, to)).map_err(not_read)?;
    Ok(found.into_iter().map(answers::log_entry).collect())
}

/// Those of blocks from `start` on, as far as one answer reaches, and the block where the next begins.
pub(super) fn since(filter: &Filter, start: u64, api: &Api) -> Answer<(Vec<Log>, u64)> {
    let height = api.height();
    let (from, to) = match filter.block_option {
        // Blocks before the filter are not news, later ones are: the end is only a limit if it is a number.
        FilterBlockOption::Range { from_block, to_block } => {
            let number = |tag: Option<alloy_rpc_types_eth::BlockNumberOrTag>| tag?.as_number();
            (number(from_block).unwrap_or(0).max(start), number(to_block).unwrap_or(height))
        }
        FilterBlockOption::AtBlockHash(_) => return Ok((Vec::new(), height + 1)),
    };
    let mut to = to.min(height);
    loop {
        match api.chain.logs(&wanted(filter, from, to)) {
            Err(ReadError::TooMany) if to > from => to = from + (to - from) / 2,
            found => {
                let found = found.map_err(not_read)?;
                return Ok((
                    found.into_iter().map(answers::log_entry).collect(),
                    start.max(to + 1),
                ));
            }
        }
    }
}

/// Refuses a filter that would take long for each log.
pub(super) fn check_terms(filter: &Filter) -> Answer<()> {
    let topics = filter.topics.iter().map(|any| any.len());
    if topics.chain([filter.address.len()]).any(|terms| terms > TERMS_MAX) {
        return Err(invalid_params(format!(
            "a filter may name {TERMS_MAX} addresses, and as many values of each topic"
        )));
    }
    Ok(())
}

/// The blocks a filter is about.
pub(super) fn range(filter: &Filter, api: &Api) -> Answer<(u64, u64)> {
    check_terms(filter)?;
    match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let block = api.block(hash.into())?.ok_or_else(|| failed("unknown block"))?;
            Ok((block.number(), block.number()))
        }
        FilterBlockOption::Range { from_block, to_block } => {
            let number = |tag| api.number(tag);
            let to = to_block.map_or_else(|| api.height(), number);
            let from = from_block.map_or_else(|| api.height(), number);
            if from_block.is_some() && to_block.is_some() && from > to {
                return Err(invalid_params(
                    "invalid block range params: fromBlock is after toBlock",
                ));
            }
            Ok((from, to))
        }
    }
}

fn wanted(filter: &Filter, from: u64, to: u64) -> LogFilter {
    LogFilter {
        from,
        to,
        addresses: filter.address.iter().copied().collect(),
        topics: filter.topics.each_ref().map(|any| any.iter().copied().collect()),
    }
}
