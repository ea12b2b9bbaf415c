//! `piecework wallet unlock` and `lock`: an agent that signs for later commands, and its end.

use super::ask::unlock;
use crate::args::UnlockArgs;
use crate::commands::show::utc;
use crate::failure::Failure;
use crate::out::Out;
use piecework_wallet::{Agent, WalletFolder, hex_address};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Unlocks for a while. A wallet that is unlocked already stays so as long as is said now.
pub(super) fn run(
    args: &UnlockArgs,
    folder: &WalletFolder,
    state: &Path,
    out: Out,
) -> Result<(), Failure> {
    let (key, _) = unlock(folder, &args.password)?;
    Agent::start(state, &key, args.duration).map_err(Failure::new)?;
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
