//! `piecework chain backup` and `restore`: the block log is the chain; all else follows from it.

use super::init::NETWORK;
use crate::failure::{Context, Failure};
use crate::out::{Out, note};
use crate::purse::{read_network, remove};
use piecework_chain::chain::Chain;
use piecework_wallet::write_over;
use serde_json::json;
use std::fs;
use std::path::Path;

/// Copies the chain, which may go on meanwhile.
pub(super) fn save(folder: &Path, to: &Path, out: Out) -> Result<(), Failure> {
    let bytes = copy(folder, to)?;
    let told = json!({ "event": "backup", "folder": to, "bytes": bytes });
    out.say(&format!("BACKUP {bytes} {}", to.display()), &told);
    Ok(())
}

/// Copies it back and opens it, which executes every block anew.
pub(super) fn restore(folder: &Path, from: &Path, out: Out) -> Result<(), Failure> {
    copy(from, folder)?;
    note("executing every block again");
    let chain = Chain::open(folder).map_err(Failure::new)?;
    let head = chain.head();
    let told = json!({ "event": "restored", "block": head.number(), "hash": head.hash });
    out.say(&format!("RESTORED {} {}", head.number(), head.hash), &told);
    Ok(())
}

/// Copies the network file and then the chain, so that none is ever without the other.
fn copy(from: &Path, to: &Path) -> Result<u64, Failure> {
    if Chain::is_in(from) && !Chain::is_in(to) {
        let doing = format!("cannot copy {NETWORK} to {}", to.display());
        fs::create_dir_all(to).context(&doing)?;
        match read_network(&from.join(NETWORK))? {
            Some(text) => write_over(&to.join(NETWORK), text.as_bytes()).context(&doing)?,
            None => remove(&to.join(NETWORK))?,
        }
    }
    Chain::copy(from, to).map_err(Failure::new)
}
