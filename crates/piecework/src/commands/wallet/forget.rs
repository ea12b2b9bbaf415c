//! `piecework wallet forget-network`: only after this does the wallet sign for another chain.

use crate::failure::{Context, Failure};
use crate::out::{Out, note};
use crate::purse::pinned;
use crate::terminal::{Echo, Terminal};
use piecework_settle::{NETWORK_FILE, SeenFile};
use serde_json::json;
use std::path::Path;

/// Runs the command.
pub(super) fn run(yes: bool, state: &Path, out: Out) -> Result<(), Failure> {
    let known = pinned(state)?.ok_or_else(|| Failure::new("this wallet signs for no network"))?;
    if !yes {
        note(&format!("This wallet signs for {} (chain {}).", known.name, known.chain_id));
        note("What is on it stays there: keep its network file to come back.");
        let answer = Terminal::open("--yes does it without asking")?
            .ask(&format!("Type {} to give it up: ", known.chain_id), Echo::Shown)?;
        if answer.trim() != known.chain_id.to_string() {
            return Err(Failure::new("nothing was changed"));
        }
    }
    SeenFile::of(state).forget().map_err(Failure::new)?;
    let path = state.join(NETWORK_FILE);
    std::fs::remove_file(&path).context(format_args!("cannot remove {}", path.display()))?;
    let told = json!({ "event": "forgotten", "chain_id": known.chain_id });
    out.say(&format!("FORGOTTEN {}", known.chain_id), &told);
    Ok(())
}
