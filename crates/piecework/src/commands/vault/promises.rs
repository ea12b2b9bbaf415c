//! What the wallet has promised out of an account: cheques that are not paid yet, and what session keys may
//! still spend. All of it together is free in the vault, or a cheque could bounce and burn the bond.

use super::written::Written;
use crate::failure::Failure;
use crate::purse::Purse;
use alloy_primitives::{Address, U256};
use piecework_pay::Typed;
use piecework_settle::{Account, TokenEntry, format_amount};

/// What a command takes of what is free.
#[derive(Clone, Copy, Debug)]
pub(super) enum Taking {
    /// So much more.
    More(u128),
    /// So much, in place of what was asked back before.
    Exit(u128),
}

/// That what is free covers all that is promised and what is taken now.
pub(super) fn demand_room(
    purse: &Purse,
    token: &TokenEntry,
    written: &mut Written,
    taking: Taking,
) -> Result<Account, Failure> {
    let owner = purse.owner()?;
    let account = purse.client.account(owner, token.address).map_err(Failure::new)?;
    let promised = written.outstanding(purse, token.address)? + delegated(purse, owner, token)?;
    let (free, taken) = match taking {
        Taking::More(amount) => (account.staying(), amount),
        Taking::Exit(amount) => (account.free, amount),
    };
    if promised + U256::from(taken) <= U256::from(free) {
        return Ok(account);
    }
    let whole = |amount| format_amount(amount, token.decimals);
    Err(Failure::new(format!(
        "{} {} are free in the vault; written cheques and session keys can take {} of it and this takes {}: \
         `piecework vault deposit` more, have cheques cashed, or revoke delegations and wait 24 hours",
        whole(U256::from(free)),
        token.symbol,
        whole(promised),
        whole(U256::from(taken))
    )))
}

/// What this node's session keys may still spend of the owner's account.
fn delegated(purse: &Purse, owner: Address, token: &TokenEntry) -> Result<U256, Failure> {
    let (now, domain) = (purse.client.now().map_err(Failure::new)?, purse.client.domain());
    let sessions = purse.wallet().sessions().map_err(Failure::new)?;
    let mut sum = U256::ZERO;
    for session in sessions.iter().filter(|it| it.domain == domain) {
        let delegate = &session.delegate;
        if (delegate.owner, delegate.token) != (owner, token.address) || delegate.valid_until < now
        {
            continue;
        }
        let digest = delegate.digest(&domain.separator());
        let state = purse.client.delegation(owner, digest).map_err(Failure::new)?;
        if state.revoked_at == 0 || state.revoked_at > now {
            sum += U256::from(delegate.max_amount.saturating_sub(state.spent));
        }
    }
    Ok(sum)
}
