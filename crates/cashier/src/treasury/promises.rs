//! What the wallet has promised out of an account: cheques that are not paid yet, and what session keys may
//! still spend. All of it together is free in the vault, or a cheque could bounce and burn the bond.

use super::written::Written;
use super::{Treasury, TreasuryFault};
use alloy_primitives::{Address, U256};
use piecework_pay::Typed;
use piecework_settle::{Account, TokenEntry, format_amount};

/// What is taken of what is free.
#[derive(Clone, Copy, Debug)]
pub enum Taking {
    /// So much more.
    More(u128),
    /// So much, in place of what was asked back before.
    Exit(u128),
}

pub(super) fn promised(
    treasury: &Treasury,
    token: &TokenEntry,
    written: &mut Written,
) -> Result<U256, TreasuryFault> {
    let outstanding = written.outstanding(&treasury.client, token.address)?;
    Ok(outstanding.saturating_add(delegated(treasury, treasury.owner()?, token)?))
}

pub(super) fn demand_room(
    treasury: &Treasury,
    token: &TokenEntry,
    taking: Taking,
    written: &mut Written,
) -> Result<Account, TreasuryFault> {
    let account = treasury.client.account(treasury.owner()?, token.address)?;
    let promised = promised(treasury, token, written)?;
    let (free, taken) = match taking {
        Taking::More(amount) => (account.staying(), amount),
        Taking::Exit(amount) => (account.free, amount),
    };
    if promised.saturating_add(U256::from(taken)) <= U256::from(free) {
        return Ok(account);
    }
    let whole = |amount| format_amount(amount, token.decimals);
    Err(TreasuryFault::NoRoom {
        free: whole(U256::from(free)),
        symbol: token.symbol.clone(),
        promised: whole(promised),
        taken: whole(U256::from(taken)),
    })
}

/// What this node's session keys may still spend of the owner's account.
fn delegated(
    treasury: &Treasury,
    owner: Address,
    token: &TokenEntry,
) -> Result<U256, TreasuryFault> {
    let client = &treasury.client;
    let (now, domain) = (client.now()?, client.domain());
    let sessions = treasury.wallet.sessions()?;
    let mut sum = U256::ZERO;
    for session in sessions.iter().filter(|it| it.domain == domain) {
        let delegate = &session.delegate;
        if (delegate.owner, delegate.token) != (owner, token.address) || delegate.valid_until < now
        {
            continue;
        }
        let digest = delegate.digest(&domain.separator());
        let state = client.delegation(owner, digest)?;
        if state.revoked_at == 0 || state.revoked_at > now {
            sum += U256::from(delegate.max_amount.saturating_sub(state.spent));
        }
    }
    Ok(sum)
}
