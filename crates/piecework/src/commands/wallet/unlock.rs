//! `piecework wallet unlock` and `lock`: an agent that signs for later commands, and its end.

use super::ask::unlock;
use crate::args::UnlockArgs;
use crate::commands::show::utc;
use crate::failure::{Context, Failure};
use crate::out::Out;
use piecework_pay::Key;
use piecework_wallet::{Agent, WalletFolder, hex_address};
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What an agent says once it listens; anything else is why it does not.
pub(super) const READY: &str = "ready";
/// Bytes of what it says at most.
const SAID_BYTES_MAX: u64 = 4096;

/// Unlocks for a while. A wallet that is unlocked already stays so as long as is said now.
pub(super) fn run(
    args: &UnlockArgs,
    folder: &WalletFolder,
    state: &Path,
    out: Out,
) -> Result<(), Failure> {
    let (key, _) = unlock(folder, &args.password)?;
    start_agent(&key, args.duration, state)?;
    let (address, until) = (hex_address(&key.address()), until(args.duration));
    out.say(
        &format!("UNLOCKED {address} until {}", utc(until)),
        &json!({ "event": "unlocked", "address": address, "unlocked_until": until }),
    );
    Ok(())
}

/// Locks at once.
pub(super) fn lock(folder: &WalletFolder, out: Out) -> Result<(), Failure> {
    let was_unlocked = Agent::lock(folder).map_err(Failure::new)?;
    if !was_unlocked && !folder.is_taken() {
        folder.keystore().map_err(Failure::new)?;
    }
    let text = if was_unlocked { "LOCKED" } else { "LOCKED already" };
    out.say(text, &json!({ "event": "locked", "was_unlocked": was_unlocked }));
    Ok(())
}

/// When a time from now will be over, in seconds since 1970.
pub(super) fn until(left: Duration) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_add(left).as_secs()
}

/// A process of its own, which gets the key through a pipe and outlives this one. When this returns, it
/// listens.
fn start_agent(key: &Key, duration: Duration, state: &Path) -> Result<(), Failure> {
    let doing = "cannot start the process that keeps the wallet unlocked";
    let (program, state) =
        (std::env::current_exe().context(doing)?, std::path::absolute(state).context(doing)?);
    let mut command = Command::new(program);
    command.args(["wallet", "hold", "--for", &format!("{}s", duration.as_secs()), "--state"]);
    // No folder is kept in use by a process that nobody sees.
    command.arg(state).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().context(doing)?;
    // It may have ended before it reads; why stands on its stdout.
    let given = child.stdin.take().map(|mut stdin| stdin.write_all(key.secret()));
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout.take(SAID_BYTES_MAX)).read_line(&mut said).context(doing)?;
    }
    match (said.trim(), given) {
        (READY, _) => Ok(()),
        ("", Some(Err(error))) => Err(Failure::new(format!("{doing}: {error}"))),
        ("", _) => Err(Failure::new(format!("{doing}: it ended"))),
        (why, _) => Err(Failure::new(why)),
    }
}
