//! Session keys: a key of its own for a node, so that the owner's stays locked.

use super::{Treasury, TreasuryFault};
use piecework_pay::{Delegate, Signer};
use piecework_settle::TokenEntry;
use piecework_wallet::{Allowance, Session};

pub(super) fn entrust(
    treasury: &Treasury,
    owner: &dyn Signer,
    token: &TokenEntry,
    (max_amount, bond_at_risk): (u128, u128),
) -> Result<Delegate, TreasuryFault> {
    let domain = treasury.client.domain();
    let allowance = Allowance { domain, token: token.address, max_amount, bond_at_risk };
    let session = Session::draw(owner, &allowance, treasury.client.now()?)?;
    let delegate = session.delegate;
    let mut sessions = treasury.wallet.sessions()?;
    sessions.push(session);
    treasury.wallet.write_sessions(sessions)?;
    Ok(delegate)
}

pub(super) fn newest(
    treasury: &Treasury,
    token: &TokenEntry,
    now: u64,
) -> Result<Option<Session>, TreasuryFault> {
    let (owner, domain) = (treasury.owner()?, treasury.client.domain());
    let is_its = |session: &Session| {
        let Delegate { owner: its, token: address, valid_until, .. } = session.delegate;
        session.domain == domain && (its, address) == (owner, token.address) && valid_until > now
    };
    let sessions = treasury.wallet.sessions()?.into_iter().filter(is_its);
    Ok(sessions.max_by_key(|session| session.delegate.valid_until))
}
