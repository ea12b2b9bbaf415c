//! `piecework chain deploy`: the contracts on a chain of somebody else's.

use crate::args::Common;
use crate::args::chain::DeployArgs;
use crate::failure::{Context, Failure};
use crate::out::{Out, note};
use crate::purse::{carry_out, owner};
use crate::session::state_dir;
use piecework_chain::contracts::Contract;
use piecework_settle::{CreationCodes, Deployment, DeploymentNames, Patience};
use piecework_wallet::WalletFolder;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;

/// Runs the command.
pub(super) fn run(args: &DeployArgs, common: &Common, out: Out) -> Result<(), Failure> {
    let wallet = WalletFolder::of(&state_dir(common)?);
    let from = owner(&wallet)?;
    let names = DeploymentNames {
        network: args.name.clone(),
        coin: args.coin.clone(),
        hardfork: args.hardfork.clone(),
        confirmations: args.confirmations,
    };
    let codes = CreationCodes {
        vault: Contract::Vault.creation_code(),
        assets: Contract::Assets.creation_code(),
        wrapped: Contract::Wrapped.creation_code(),
    };
    let deployment = Deployment::survey(args.rpc.clone(), names, codes, from, Patience::default())
        .map_err(Failure::new)?;
    let plan = deployment.plan(from).map_err(Failure::new)?;
    // Opened first: what was paid for must not be lost for want of a file.
    let doing = format!("cannot write {}", args.output.display());
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(&args.output).context(&doing)?;
    let network = if plan.steps.is_empty() {
        note("The contracts are there already.");
        deployment.network()
    } else {
        let sent = carry_out(deployment.client(), &wallet, &plan, &args.spend, out);
        sent.inspect_err(|_| drop(std::fs::remove_file(&args.output)))?;
        deployment.network()
    };
    let network = network.map_err(Failure::new)?;
    let text = network.write().map_err(Failure::new)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).context(&doing)?;
    let told = json!({
        "event": "deployed", "chain_id": network.chain_id, "vault": network.vault.address,
        "assets": network.assets.address, "file": args.output,
    });
    out.say(&format!("DEPLOYED {} {}", network.chain_id, args.output.display()), &told);
    Ok(())
}
