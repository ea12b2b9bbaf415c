//! `piecework chain join`: believe a network file only after its servers were asked.

use crate::args::Common;
use crate::args::chain::JoinArgs;
use crate::failure::{Context, Failure};
use crate::out::{Out, note};
use crate::purse::{Purse, agree, amount, trust};
use crate::session::state_dir;
use piecework_net::Binding;
use piecework_settle::{Client, NETWORK_BYTES_MAX, Network, Patience};
use serde_json::json;
use std::path::Path;

/// Runs the command.
pub(super) fn run(args: &JoinArgs, common: &Common, out: Out) -> Result<(), Failure> {
    let network = load(&args.file)?;
    let state = state_dir(common)?;
    network.demand_free(&state).map_err(Failure::new)?;
    let (client, checked) =
        Client::connect(network.clone(), Patience::default()).map_err(Failure::new)?;
    for fault in &checked.failed {
        out.problem(&fault.to_string());
    }
    if !out.is_json() {
        note(&format!(
            "{}: chain {}, genesis {}. Contracts and tokens are as the file says.",
            network.name, network.chain_id, network.genesis
        ));
        note(&trust(&checked.trust));
        note("From now on this wallet signs for this network and no other.");
    }
    agree(&args.spend, out)?;
    let path = network.pin(&state).map_err(Failure::new)?;
    let told = json!({
        "event": "joined", "network": network.name, "chain_id": network.chain_id,
        "genesis": network.genesis, "file": path,
    });
    out.say(&format!("JOINED {} {}", network.chain_id, network.genesis), &told);
    drop(client);
    fund(args, common, out)
}

/// Deposit and bond, where both are asked for.
fn fund(args: &JoinArgs, common: &Common, out: Out) -> Result<(), Failure> {
    let (Some(deposit), Some(bond)) = (&args.deposit, &args.bond) else { return Ok(()) };
    let purse = Purse::open(common, out)?;
    let (owner, token) = (purse.owner()?, purse.preferred(None)?);
    let (deposit, bond) = (amount(deposit, token.decimals)?, amount(bond, token.decimals)?);
    let plan = purse.client.deposit(owner, &token, deposit).map_err(Failure::new)?;
    purse.carry_out(&plan, &args.spend, out)?;
    let plan = purse.client.bond(owner, &token, bond).map_err(Failure::new)?;
    purse.carry_out(&plan, &args.spend, out).map(drop)
}

fn load(from: &str) -> Result<Network, Failure> {
    let text = if from.starts_with("http://") || from.starts_with("https://") {
        let bytes = piecework_net::fetch(from, NETWORK_BYTES_MAX as u64, &Binding::default())
            .context(format_args!("cannot fetch {from}"))?;
        String::from_utf8(bytes).context("the network file is no UTF-8")?
    } else {
        let missing = || Failure::new(format!("there is no network file {from}"));
        Network::text(Path::new(from)).map_err(Failure::new)?.ok_or_else(missing)?
    };
    Network::parse(&text).map_err(Failure::new)
}
