//! `piecework chain backup` and `restore`: the block log is the chain; all else follows from it.

use super::init::NETWORK;
use crate::failure::{Context, Failure};
use crate::out::{Out, note};
use piecework_chain::chain::Chain;
use serde_json::json;
use std::fs;
use std::io::ErrorKind;
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

fn copy(from: &Path, to: &Path) -> Result<u64, Failure> {
    let bytes = Chain::copy(from, to).map_err(Failure::new)?;
    match fs::copy(from.join(NETWORK), to.join(NETWORK)) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        copied => {
            copied.context(format_args!("cannot copy {NETWORK} to {}", to.display()))?;
        }
    }
    Ok(bytes)
}
