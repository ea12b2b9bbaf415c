//! `piecework chain run`: seal blocks and serve them until a signal.

use super::backup::open;
use super::share::served_at;
use crate::args::chain::RunArgs;
use crate::failure::Failure;
use crate::out::{Out, note};
use crate::signals::Signals;
use piecework_chain::chain::{Chain, Status};
use piecework_rpc::{Server, Settings};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time between two lines of figures, if there are new blocks.
const LINE_AFTER: Duration = Duration::from_secs(10);

/// Time between two objects under `--json`.
const OBJECT_AFTER: Duration = Duration::from_secs(1);

/// Runs the command.
pub(super) fn run(args: &RunArgs, state: &Path, folder: &Path, out: Out) -> Result<(), Failure> {
    let signals = Signals::install()?;
    let main = std::thread::current();
    signals.wake(move || main.unpark())?;
    if !out.is_json() {
        note("opening the chain; after a crash its last blocks are executed again");
    }
    let chain = Arc::new(open(folder, out)?);
    let settings = Settings {
        listen: args.rpc,
        hosts: args.host.clone(),
        is_public: args.public,
        is_free_for_all: args.open_free,
        ..Settings::default()
    };
    let server = Server::start(Arc::clone(&chain), settings).map_err(Failure::new)?;
    let (url, chain_id) = (format!("http://{}", server.address()), chain.rules().chain_id);
    served_at(&url, state, folder)?;
    let ready = json!({
        "event": "ready", "chain_id": chain_id, "genesis": chain.genesis_hash(), "rpc": url,
    });
    out.say(&format!("READY chain {chain_id} {url}"), &ready);
    let outcome = watch(&chain, &signals, out);
    server.stop();
    outcome
}

/// Shows figures until a signal comes, or the chain can seal no more.
fn watch(chain: &Chain, signals: &Signals, out: Out) -> Result<(), Failure> {
    let after = if out.is_json() { OBJECT_AFTER } else { LINE_AFTER };
    let (mut shown, mut last) = (Instant::now(), None);
    while signals.status().is_none() {
        let status = chain.status();
        if let Some(halted) = &status.halted {
            return Err(Failure::new(halted));
        }
        if shown.elapsed() >= after {
            shown = Instant::now();
            if last.as_ref() != Some(&status) {
                show(&status, out);
                last = Some(status);
            }
        }
        std::thread::park_timeout(after.saturating_sub(shown.elapsed()));
    }
    Ok(())
}

fn show(status: &Status, out: Out) {
    let Status { height, checkpointed, waiting, .. } = status;
    if out.is_json() {
        out.event(&json!({
            "event": "progress", "block": height, "checkpointed": checkpointed, "waiting": waiting,
        }));
    } else {
        note(&format!("chain: block {height}, {waiting} transactions waiting"));
    }
}
