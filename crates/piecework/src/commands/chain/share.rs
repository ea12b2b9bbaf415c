//! `piecework chain share`: the network file of a chain of one's own.

use super::init::NETWORK;
use crate::args::chain::ShareArgs;
use crate::failure::{Context, Failure};
use crate::out::{Out, note};
use crate::purse::pinned;
use piecework_chain::chain::Chain;
use piecework_settle::Network;
use piecework_wallet::write_over;
use std::path::Path;

/// Runs the command.
pub(super) fn run(args: &ShareArgs, folder: &Path, out: Out) -> Result<(), Failure> {
    let mut network = own(folder)?.ok_or_else(|| none(folder))?;
    if !args.rpc.is_empty() {
        network.rpc.clone_from(&args.rpc);
    }
    let text = network.write().map_err(Failure::new)?;
    if network.rpc.iter().any(|url| url.contains("//127.") || url.contains("//localhost")) {
        note(
            "others cannot reach a loopback address: name where they reach this server with --rpc URL",
        );
    }
    match &args.output {
        None => out.text(text.as_bytes()),
        Some(path) => {
            std::fs::write(path, text).context(format_args!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

fn none(folder: &Path) -> Failure {
    if Chain::is_in(folder) {
        return Failure::new(
            "this chain began without the contracts (--bare): `piecework chain run` it, and `piecework \
             chain deploy --rpc URL` puts them there and writes its network file",
        );
    }
    Failure::new("no chain of one's own here: `piecework chain init` makes one")
}

/// The network file of the chain in this folder, if it has one. Without a chain it is what an `init` has left
/// that was cut off.
pub(super) fn own(folder: &Path) -> Result<Option<Network>, Failure> {
    if !Chain::is_in(folder) {
        return Ok(None);
    }
    let text = Network::text(&folder.join(NETWORK)).map_err(Failure::new)?;
    text.map(|text| Network::parse(&text).map_err(Failure::new)).transpose()
}

/// Notes where the chain is served now, so that the wallet beside it asks there.
pub(super) fn served_at(url: &str, state: &Path, folder: &Path) -> Result<(), Failure> {
    let Some(mut network) = own(folder)? else { return Ok(()) };
    if network.rpc != [url] {
        network.rpc = vec![url.to_owned()];
        let text = network.write().map_err(Failure::new)?;
        write_over(&folder.join(NETWORK), text.as_bytes()).map_err(Failure::new)?;
    }
    if pinned(state)?.is_some_and(|known| known.genesis == network.genesis) {
        network.pin(state).map_err(Failure::new)?;
    }
    Ok(())
}
