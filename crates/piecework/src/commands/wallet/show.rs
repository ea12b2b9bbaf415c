//! `piecework wallet show`: the address, the files, and what they protect.

use super::BACKUP_ADVICE;
use super::ask::agent;
use super::unlock::until;
use crate::commands::show::utc;
use crate::failure::Failure;
use crate::out::Out;
use piecework_wallet::{WalletFolder, hex_address, tron_address};
use serde_json::json;

const PROTECTS: &str = "The keystore's key spends all that the address owns, on every chain, and what it has \
    deposited and bonded. Who has the file still needs the password.";

/// Runs the command.
pub(super) fn run(folder: &WalletFolder, out: Out) -> Result<(), Failure> {
    let keystore = folder.keystore().map_err(Failure::new)?;
    let sessions = folder.sessions().map_err(Failure::new)?.len();
    let restored = folder.restored().map_err(Failure::new)?.len();
    let (file, sessions_file) = (folder.keystore_file(), folder.sessions_file());
    let address = keystore.address();
    let (hex, tron) = (address.as_ref().map(hex_address), address.as_ref().map(tron_address));
    let unlocked_until = agent(folder, &keystore, out).map(|agent| until(agent.left()));
    let unknown = "not in the keystore; `export` tells it";
    let mut text = format!(
        "address   {}\nTRON      {}\nkeystore  {}",
        hex.as_deref().unwrap_or(unknown),
        tron.as_deref().unwrap_or(unknown),
        file.display()
    );
    text += &match unlocked_until {
        Some(until) => format!("\nkey       unlocked until {}", utc(until)),
        None => "\nkey       locked".to_owned(),
    };
    if sessions > 0 {
        text += &format!("\nsessions  {sessions} keys in {}", sessions_file.display());
    }
    if restored > 0 {
        text += &format!("\nrestored  {restored} records of a backup");
    }
    out.say(
        &format!("{text}\n\n{PROTECTS}\n{BACKUP_ADVICE}"),
        &json!({
            "event": "wallet",
            "address": hex,
            "tron": tron,
            "keystore": file,
            "unlocked": unlocked_until.is_some(),
            "unlocked_until": unlocked_until,
            "sessions": sessions,
            "restored": restored,
        }),
    );
    Ok(())
}
