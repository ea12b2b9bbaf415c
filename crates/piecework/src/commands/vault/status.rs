//! `piecework vault status` and `recover`.

use crate::args::vault::StatusArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::purse::{Purse, address};
use alloy_primitives::{Address, U256};
use piecework_settle::{Account, TokenEntry, format_amount};
use serde_json::json;

/// What somebody has in the Vault.
pub(super) fn show(args: &StatusArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let token = purse.preferred(args.token.as_deref())?;
    let owner = match &args.address {
        Some(text) => address(text)?,
        None => purse.owner()?,
    };
    let account = purse.client.account(owner, token.address).map_err(Failure::new)?;
    let credit = purse.client.credit(owner, token.address).map_err(Failure::new)?;
    tell(owner, &token, &account, credit, out);
    Ok(())
}

/// All that is left of an account.
pub(super) fn recover(purse: &Purse, out: Out) -> Result<(), Failure> {
    let owner = purse.owner()?;
    let found = purse.client.recover(owner).map_err(Failure::new)?;
    let token = |address| purse.client.token(address).map_err(Failure::new);
    for (address, account) in &found.accounts {
        tell(owner, &token(*address)?, account, U256::ZERO, out);
    }
    for (address, credit) in &found.credit {
        let token = token(*address)?;
        let whole = format_amount(*credit, token.decimals);
        let told = json!({ "event": "credit", "token": address, "amount": whole });
        out.say(&format!("credit {whole} {}", token.symbol), &told);
    }
    for lock in &found.locks {
        let token = token(lock.token)?;
        let whole = format_amount(U256::from(lock.lock.amount), token.decimals);
        let (payee, until) = (lock.payee, lock.lock.until);
        let told = json!({
            "event": "lock", "token": lock.token, "payee": payee, "amount": whole, "until": until,
        });
        out.say(&format!("lock {whole} {} for {payee} until {until}", token.symbol), &told);
    }
    for delegation in &found.delegations {
        let (digest, state) = (delegation.digest, &delegation.state);
        let told = json!({
            "event": "delegation", "digest": digest, "spent": state.spent.to_string(),
            "revoked_at": state.revoked_at,
        });
        out.say(&format!("delegation {digest} spent {} smallest units", state.spent), &told);
    }
    if !out.is_json() {
        crate::out::note(
            "Cheques that were not cashed and session keys are not on the chain: a backup has them.",
        );
    }
    Ok(())
}

fn tell(owner: Address, token: &TokenEntry, account: &Account, credit: U256, out: Out) {
    let whole = |amount: u128| format_amount(U256::from(amount), token.decimals);
    let (free, bond, asked) =
        (whole(account.free), whole(account.bond), whole(account.exit_amount));
    let owed = format_amount(account.owed, token.decimals);
    let credit = format_amount(credit, token.decimals);
    let told = json!({
        "event": "account", "owner": owner, "token": token.address, "symbol": token.symbol, "free": free,
        "bond": bond, "exit_amount": asked, "exit_at": account.exit_at, "bond_exit_at": account.bond_exit_at,
        "epoch": account.epoch, "bounces": account.bounces, "owed": owed, "credit": credit,
        "total_paid": whole(account.total_paid),
    });
    let symbol = &token.symbol;
    let mut text =
        format!("{owner}: free {free}, bond {bond}, credit {credit}, owed {owed} {symbol}");
    if account.exit_at > 0 {
        text += &format!("\nasked back {asked} {symbol}, to be had from {}", account.exit_at);
    }
    if account.bond_exit_at > 0 {
        text += &format!("\nthe bond was asked back, to be had from {}", account.bond_exit_at);
    }
    if account.bounces > 0 {
        text += &format!("\n{} cheques bounced: sellers refuse accounts that owe", account.bounces);
    }
    out.say(&text, &told);
}
