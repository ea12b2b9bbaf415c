//! `piecework vault delegate`: a key of its own for this node, so that the owner's stays locked.

use crate::args::vault::DelegateArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::purse::{Purse, agree, amount};
use alloy_primitives::U256;
use piecework_pay::{Delegate, Key, Typed};
use piecework_settle::format_amount;
use piecework_wallet::{Session, random};
use serde_json::json;

const DAY_SECONDS: u64 = 24 * 3600;

/// Runs the command. The session is on the disk before its delegation is told to anybody.
pub(super) fn run(args: &DelegateArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let (owner, token) = (purse.owner()?, purse.preferred(args.of.token.as_deref())?);
    let max_amount = amount(&args.max, token.decimals)?;
    let bond_at_risk = amount(&args.bond_at_risk, token.decimals)?;
    let account = purse.client.account(owner, token.address).map_err(Failure::new)?;
    let mut sessions = purse.wallet().sessions().map_err(Failure::new)?;
    let now = purse.client.now().map_err(Failure::new)?;
    let domain = purse.client.domain();
    let mut promised = U256::from(max_amount);
    for session in
        sessions.iter().filter(|it| it.domain == domain && it.delegate.token == token.address)
    {
        if session.delegate.valid_until > now && session.delegate.owner == owner {
            let digest = session.delegate.digest(&domain.separator());
            let used = purse.client.delegation(owner, digest).map_err(Failure::new)?.spent;
            promised += U256::from(session.delegate.max_amount.saturating_sub(used));
        }
    }
    if promised > U256::from(account.staying()) {
        let whole = |amount| format_amount(amount, token.decimals);
        return Err(Failure::new(format!(
            "all session keys together could spend {} {}, and {} are free in the vault: deposit more, or \
             revoke one",
            whole(promised),
            token.symbol,
            whole(U256::from(account.staying()))
        )));
    }
    if !out.is_json() {
        crate::out::note(&format!(
            "A key on this disk, without a password, will be able to spend up to {} {} for {} days.",
            args.max, token.symbol, args.days
        ));
    }
    agree(&args.of.spend, out)?;
    let owner_key = purse.unlock(&args.of.spend)?;
    let key = Key::new(&*random().map_err(Failure::new)?).map_err(Failure::new)?;
    let valid_until = now.saturating_add(args.days * DAY_SECONDS);
    let (session, token) = (key.address(), token.address);
    let delegate = Delegate { owner, session, token, max_amount, bond_at_risk, valid_until };
    let word = purse.client.sign_delegation(&owner_key, &delegate).map_err(Failure::new)?;
    let digest = delegate.digest(&domain.separator());
    sessions.push(Session { domain, delegate, word, key });
    purse.wallet().write_sessions(sessions).map_err(Failure::new)?;
    let told = json!({
        "event": "delegation", "digest": digest, "session": session, "valid_until": valid_until,
    });
    out.say(&format!("DELEGATION {digest} {session} until {valid_until}"), &told);
    Ok(())
}
