//! `piecework chain backup` and `restore`: the block log is the chain; all else follows from it.

use super::init::NETWORK;
use crate::failure::{Context, Failure};
use crate::out::Out;
use crate::progress::Progress;
use crate::purse::remove;
use piecework_chain::chain::Chain;
use piecework_settings::human;
use piecework_settle::Network;
use piecework_wallet::write_over;
use serde_json::json;
use std::fs;
use std::path::Path;

/// Copies the chain, which may go on meanwhile.
pub(super) fn save(folder: &Path, to: &Path, out: Out) -> Result<(), Failure> {
    let bytes = copy(folder, to, out)?;
    let told = json!({ "event": "backup", "folder": to, "bytes": bytes });
    out.say(&format!("BACKUP {bytes} {}", to.display()), &told);
    Ok(())
}

/// Copies it back and opens it, which executes every block anew.
pub(super) fn restore(folder: &Path, from: &Path, out: Out) -> Result<(), Failure> {
    copy(from, folder, out)?;
    let chain = open(folder, out)?;
    let head = chain.head();
    let told = json!({ "event": "restored", "block": head.number(), "hash": head.hash });
    out.say(&format!("RESTORED {} {}", head.number(), head.hash), &told);
    Ok(())
}

/// Opens a chain, and shows how far it is if that takes long.
pub(super) fn open(folder: &Path, out: Out) -> Result<Chain, Failure> {
    let mut progress = Progress::of_a_wait(out, "executing blocks again");
    let opened = Chain::open_telling(folder, &mut |done, all| progress.waited(done, all, human));
    progress.clear();
    opened.map_err(Failure::new)
}

/// Copies the network file and then the chain, so that none is ever without the other.
fn copy(from: &Path, to: &Path, out: Out) -> Result<u64, Failure> {
    if Chain::is_in(from) && !Chain::is_in(to) {
        let doing = format!("cannot copy {NETWORK} to {}", to.display());
        fs::create_dir_all(to).context(&doing)?;
        match Network::text(&from.join(NETWORK)).map_err(Failure::new)? {
            Some(text) => write_over(&to.join(NETWORK), text.as_bytes()).context(&doing)?,
            None => remove(&to.join(NETWORK))?,
        }
    }
    let mut progress = Progress::of_a_wait(out, "copying the chain");
    let copied = Chain::copy(from, to, &mut |done, all| progress.waited(done, all, human));
    progress.clear();
    copied.map_err(Failure::new)
}
