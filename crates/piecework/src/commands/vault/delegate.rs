//! `piecework vault delegate`: a key of its own for this node, so that the owner's stays locked.

use super::promises::{Taking, demand_room};
use super::written::Written;
use crate::args::vault::DelegateArgs;
use crate::failure::Failure;
use crate::out::{Out, note};
use crate::purse::{Purse, agree, amount};
use piecework_pay::Typed;
use piecework_wallet::{Allowance, Session};
use serde_json::json;

/// Runs the command. The session is on the disk before its delegation is told to anybody.
pub(super) fn run(args: &DelegateArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let token = purse.preferred(args.of.token.as_deref())?;
    let max_amount = amount(&args.max, token.decimals)?;
    let bond_at_risk = amount(&args.bond_at_risk, token.decimals)?;
    demand_room(purse, &token, &mut Written::open(purse)?, Taking::More(max_amount))?;
    if !out.is_json() {
        note(&format!(
            "A key on this disk, without a password, will be able to spend up to {} {} for about 8 days.",
            args.max, token.symbol
        ));
    }
    agree(&args.of.spend, out)?;
    let owner = purse.signer(&args.of.spend, out)?;
    let domain = purse.client.domain();
    let allowance = Allowance { domain, token: token.address, max_amount, bond_at_risk };
    let now = purse.client.now().map_err(Failure::new)?;
    let session = Session::draw(owner.as_ref(), &allowance, now).map_err(Failure::new)?;
    let (delegate, digest) = (session.delegate, session.delegate.digest(&domain.separator()));
    let mut sessions = purse.wallet().sessions().map_err(Failure::new)?;
    sessions.push(session);
    purse.wallet().write_sessions(sessions).map_err(Failure::new)?;
    let told = json!({
        "event": "delegation", "digest": digest, "session": delegate.session,
        "valid_until": delegate.valid_until,
    });
    let text = format!("DELEGATION {digest} {} until {}", delegate.session, delegate.valid_until);
    out.say(&text, &told);
    Ok(())
}
