//! `piecework chain status`: what a server says of its chain.

use crate::args::chain::StatusArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::purse::pinned;
use piecework_settle::{At, Patience, Rpc};
use serde_json::json;
use std::path::Path;

/// Runs the command.
pub(super) fn run(args: &StatusArgs, state: &Path, out: Out) -> Result<(), Failure> {
    let joined = || -> Result<_, Failure> {
        let network = pinned(state)?;
        let first = network.and_then(|network| network.rpc.into_iter().next());
        first.ok_or_else(|| Failure::usage("no network was joined: name a server with --rpc URL"))
    };
    let url = args.rpc.clone().map_or_else(joined, Ok)?;
    let rpc = Rpc::new(&url, Patience::default()).map_err(Failure::new)?;
    let chain_id = rpc.chain_id().map_err(Failure::new)?;
    let block = |at| -> Result<_, Failure> {
        let found = rpc.block(at).map_err(Failure::new)?;
        found.ok_or_else(|| Failure::new(format!("{} has no block {at:?}", rpc.name())))
    };
    let (first, head) = (block(At::Block(0))?, block(At::Latest)?);
    let told = json!({
        "rpc": rpc.name(), "chain_id": chain_id, "genesis": first.hash,
        "block": head.number, "hash": head.hash, "time": head.timestamp,
    });
    let text = format!(
        "{}: chain {chain_id}\ngenesis {}\nblock {} {}",
        rpc.name(),
        first.hash,
        head.number,
        head.hash
    );
    out.say(&text, &told);
    Ok(())
}
