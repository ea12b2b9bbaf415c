//! `piecework wallet`: the key of this node's account, and what it did.

mod ask;
mod backup;
mod export;
mod forget;
mod history;
mod hold;
mod new;
mod restore;
mod show;
mod unlock;

pub(crate) use ask::{new_password, read_secret, signer, with_password};

use super::token::send;
use crate::args::{Common, WalletArgs, WalletCommand};
use crate::failure::Failure;
use crate::out::Out;
use crate::purse::Purse;
use crate::session::state_dir;
use piecework_wallet::{WalletFolder, hex_address, tron_address};
use serde_json::json;

/// What a phrase cannot bring back.
const BACKUP_ADVICE: &str = "The words bring back the key and nothing else. Session keys, seeds of hash \
    chains and uncashed cheques come back from `piecework wallet backup FILE` alone.";

/// Runs the command.
pub(crate) fn run(args: &WalletArgs, common: &Common, out: Out) -> Result<(), Failure> {
    let folder = WalletFolder::of(&state_dir(common)?);
    match &args.command {
        WalletCommand::New(args) => new::run(args, &folder, out),
        WalletCommand::Restore(args) => restore::run(args, &folder, out),
        WalletCommand::Show => show::run(&folder, out),
        WalletCommand::Unlock(args) => unlock::run(args, &folder, &state_dir(common)?, out),
        WalletCommand::Lock => unlock::lock(&folder, out),
        WalletCommand::Hold(args) => hold::run(args, &folder, out),
        WalletCommand::Export(args) => export::run(args, &folder, out),
        WalletCommand::Backup(args) => backup::run(args, &folder, out),
        WalletCommand::Send(args) => send(args, &Purse::open(common, out)?, out),
        WalletCommand::History(args) => history::run(args, &Purse::open(common, out)?, out),
        WalletCommand::ForgetNetwork { yes } => forget::run(*yes, &state_dir(common)?, out),
    }
}

/// Fails, before anybody has typed anything, where a wallet is already.
fn refuse_second(folder: &WalletFolder) -> Result<(), Failure> {
    if !folder.is_taken() {
        return Ok(());
    }
    let file = folder.keystore_file();
    Err(Failure::new(format!(
        "a wallet is already there, in {}: back it up and move it away, or give another --state",
        file.display()
    )))
}

/// Says that there is a wallet now.
fn say_made(event: &str, address: &piecework_pay::Address, folder: &WalletFolder, out: Out) {
    let (hex, tron) = (hex_address(address), tron_address(address));
    let keystore = folder.keystore_file();
    out.say(
        &format!("address   {hex}\nTRON      {tron}\nkeystore  {}", keystore.display()),
        &json!({ "event": event, "address": hex, "tron": tron, "keystore": keystore }),
    );
}
