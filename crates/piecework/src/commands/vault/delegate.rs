//! `piecework vault delegate`: a key of its own for this node, so that the owner's stays locked.

use crate::args::spend::SpendArgs;
use crate::args::vault::DelegateArgs;
use crate::failure::Failure;
use crate::out::{Out, note};
use crate::purse::{Purse, agree, amount};
use piecework_cashier::Taking;
use piecework_pay::Typed;
use piecework_settle::TokenEntry;
use serde_json::json;

/// Runs the command.
pub(super) fn run(args: &DelegateArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let token = purse.preferred(args.of.token.as_deref())?;
    let amounts = (args.max.as_str(), Some(args.bond_at_risk.as_str()));
    entrust(purse, &token, amounts, &args.of.spend, out)
}

/// Draws a session key that may spend so much, and risk so much of the bond: all of it where nothing is said.
/// The session is on the disk before its delegation is told to anybody.
pub(super) fn entrust(
    purse: &Purse,
    token: &TokenEntry,
    (max, bond_at_risk): (&str, Option<&str>),
    spend: &SpendArgs,
    out: Out,
) -> Result<(), Failure> {
    let max_amount = amount(max, token.decimals)?;
    let account = purse.demand_room(token, Taking::More(max_amount)).map_err(Failure::new)?;
    let bond_at_risk =
        bond_at_risk.map_or(Ok(account.bond), |bond| amount(bond, token.decimals))?;
    if !out.is_json() {
        note(&format!(
            "A key on this disk, without a password, will be able to spend up to {max} {} for about 8 days.",
            token.symbol
        ));
    }
    agree(spend, out)?;
    let owner = purse.signer(spend, out)?;
    let amounts = (max_amount, bond_at_risk);
    let delegate = purse.entrust(owner.as_ref(), token, amounts).map_err(Failure::new)?;
    let digest = delegate.digest(&purse.client.domain().separator());
    let told = json!({
        "event": "delegation", "digest": digest, "session": delegate.session,
        "valid_until": delegate.valid_until,
    });
    let text = format!("DELEGATION {digest} {} until {}", delegate.session, delegate.valid_until);
    out.say(&text, &told);
    Ok(())
}
