//! The key: made, unlocked, locked, and what is signed with it without a transaction.

use super::fault::{WalletFault, WalletTrouble};
use super::room::payment_token;
use crate::market::MarketRoom;
use crate::shared::Shared;
use piecework_cashier::Taking;
use piecework_pay::Delegate;
use piecework_settle::{TokenEntry, parse_amount};
use piecework_wallet::{
    Agent, Coin, Cost, Keystore, PASSWORD_CHARS_MIN, Password, Phrase, WalletFolder, account,
};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

pub(super) fn make(
    shared: &Arc<Shared>,
    words: &Phrase,
    password: &Password,
) -> Result<(), WalletFault> {
    let folder = shared.wallet.folder()?;
    if folder.is_taken() {
        let file = folder.keystore_file();
        let text = format!(
            "a wallet is already there, in {}: back it up and move it away before another takes its place",
            file.display()
        );
        return Err(WalletFault::new(WalletTrouble::Exists, text));
    }
    if !password.is_long() {
        let text = format!("a password has at least {PASSWORD_CHARS_MIN} characters");
        return Err(WalletFault::new(WalletTrouble::Invalid, text));
    }
    let key = account(&words.seed(""), Coin::Ethereum, 0);
    let key = key.map_err(|fault| WalletFault::new(WalletTrouble::Invalid, fault))?;
    folder.create(&Keystore::encrypt(&key, password, Cost::STANDARD)?)?;
    MarketRoom::reopen(shared);
    shared.wallet.changed();
    Ok(())
}

/// One password after the other: each takes 128 MiB and some tenths of a second.
pub(super) fn unlock(
    shared: &Arc<Shared>,
    password: &Password,
    most: Duration,
) -> Result<(), WalletFault> {
    let room = &shared.wallet;
    let (folder, state) = (room.folder()?, room.state()?);
    let keystore = folder.keystore()?;
    let mut tries = room.tries.lock().unwrap_or_else(PoisonError::into_inner);
    tries.admit(Instant::now()).map_err(|wait| {
        let seconds = wait.as_secs().saturating_add(1);
        let text = format!("the wallet's password was wrong too often: try again in {seconds} s");
        WalletFault::new(WalletTrouble::TooMany(wait), text)
    })?;
    let key = match keystore.decrypt(password).map_err(WalletFault::from) {
        Ok(key) => key,
        Err(fault) => {
            if fault.trouble == WalletTrouble::WrongPassword {
                tries.wrong(Instant::now());
            }
            return Err(fault);
        }
    };
    tries.right();
    drop(tries);
    Agent::start(state, &key, most)?;
    room.changed();
    Ok(())
}

pub(super) fn lock(shared: &Arc<Shared>) -> Result<(), WalletFault> {
    let folder = shared.wallet.folder()?;
    if !Agent::lock(&folder)? && !folder.is_taken() {
        return Err(WalletFault::no_wallet());
    }
    shared.wallet.changed();
    Ok(())
}

/// Who signs for the wallet, while it is unlocked.
pub(super) fn signer(folder: &WalletFolder) -> Result<Agent, WalletFault> {
    let keystore = folder.keystore()?;
    Agent::of(folder, &keystore)?.ok_or_else(WalletFault::locked)
}

pub(super) fn entrust(
    shared: &Arc<Shared>,
    max: &str,
    bond_at_risk: Option<&str>,
) -> Result<(Delegate, TokenEntry), WalletFault> {
    let room = &shared.wallet;
    let signer = signer(&room.folder()?)?;
    let _turn = room.drawing.lock().unwrap_or_else(PoisonError::into_inner);
    let drawn = (|| {
        let treasury = room.treasury()?;
        let settings = Arc::clone(&shared.settings.borrow());
        let token = payment_token(&treasury, settings.pay().token.as_deref())?;
        let max = parse_amount(max, token.decimals)?;
        let account = treasury.demand_room(&token, Taking::More(max))?;
        let bond = match bond_at_risk {
            Some(text) => parse_amount(text, token.decimals)?,
            None => account.bond,
        };
        let delegate = treasury.entrust(&signer, &token, (max, bond))?;
        // A node that buys pays with it from now on.
        shared.market.follow(&settings);
        Ok((delegate, token))
    })();
    drawn.inspect_err(|fault| room.note(fault)).inspect(|_| room.changed())
}
