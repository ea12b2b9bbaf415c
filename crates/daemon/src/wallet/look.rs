//! What a person sees of a wallet: whether it is there and locked, and what it has on its chain.

use super::fault::{WalletFault, WalletTrouble};
use super::room::payment_token;
use crate::clock;
use crate::shared::Shared;
use alloy_primitives::{Address, U256};
use piecework_cashier::{FEE_KEY_FILE, Treasury, fee_key};
use piecework_pay::Typed;
use piecework_settle::{Account, Network, TokenEntry};
use piecework_wallet::Agent;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Delegations that are revoked together are void so long before the last of them ends, seconds.
const VOID_AHEAD: u64 = 7 * 24 * 3600;

/// A wallet at one moment.
#[derive(Clone, Debug, Default)]
pub struct WalletView {
    /// Whether there is one.
    pub exists: bool,
    /// How long it stays unlocked; none while it is locked.
    pub unlocked: Option<Duration>,
    /// Its address.
    pub address: Option<Address>,
    /// The network it signs for.
    pub network: Option<Network>,
    /// The account that pays the fees of cashing.
    pub fee_account: Option<Address>,
    /// What it has; none where the chain does not tell.
    pub holdings: Option<Holdings>,
    /// Why something of this is missing, with a remedy.
    pub problem: Option<String>,
    /// Orders that are not over.
    pub orders_under_way: usize,
}

/// What an owner has on a chain. Amounts are in smallest units.
#[derive(Clone, Debug)]
pub struct Holdings {
    /// The newest block.
    pub height: u64,
    /// Of the chain's coin, wei.
    pub coin: U256,
    /// Of each token of the network file.
    pub tokens: Vec<(TokenEntry, U256)>,
    /// The token that is paid in, and what the vault has of it; none where the network has no token.
    pub vault: Option<(TokenEntry, VaultView)>,
    /// Coin of the account that pays the fees of cashing, wei.
    pub fee_coin: Option<U256>,
}

/// What the vault has of an owner, smallest units.
#[derive(Clone, Debug)]
pub struct VaultView {
    /// What cheques are paid from.
    pub free: u128,
    /// What written cheques and session keys can take of it.
    pub promised: U256,
    /// What burns if a cheque bounces.
    pub bond: u128,
    /// What was asked back.
    pub exit: Option<ExitView>,
    /// When the bond can be taken, seconds since 1970, if it was asked back.
    pub bond_exit_at: Option<u64>,
    /// What accepted cheques still have to get.
    pub owed: U256,
    /// What was earned and cashed, and not taken out.
    pub credit: U256,
    /// Cheques that could not be paid whole.
    pub bounces: u16,
    /// The newest session key.
    pub session: Option<SessionView>,
}

/// Money that was asked back.
#[derive(Clone, Copy, Debug)]
pub struct ExitView {
    /// How much.
    pub amount: u128,
    /// When it can be taken, seconds since 1970.
    pub at: u64,
}

/// A session key.
#[derive(Clone, Copy, Debug)]
pub struct SessionView {
    /// Its address.
    pub address: Address,
    /// Until when it counts, seconds since 1970.
    pub valid_until: u64,
    /// What it may spend in all.
    pub max: u128,
    /// What the chain knows it has spent.
    pub spent: u128,
    /// When its revocation counts, seconds since 1970.
    pub revoked_at: Option<u64>,
}

pub(super) fn look(shared: &Arc<Shared>) -> Result<WalletView, WalletFault> {
    let room = &shared.wallet;
    let mut view = WalletView::default();
    let Ok(folder) = room.folder() else {
        view.problem = room.state().err().map(|fault| fault.text);
        return Ok(view);
    };
    view.exists = folder.is_taken();
    view.orders_under_way = room.orders().map_or(0, |orders| orders.open_count());
    if view.exists {
        let keystore = folder.keystore()?;
        view.address = keystore.address();
        match Agent::of(&folder, &keystore) {
            Ok(agent) => view.unlocked = agent.map(|agent| agent.left()),
            Err(fault) => view.problem = Some(fault.to_string()),
        }
    }
    view.network = room.network()?;
    view.fee_account = fee_account(room.state()?);
    let Some(owner) = view.address else { return Ok(view) };
    match holdings(shared, owner, view.fee_account) {
        Ok(holdings) => view.holdings = Some(holdings),
        Err(fault) => {
            room.note(&fault);
            view.problem = Some(fault.text);
        }
    }
    Ok(view)
}

/// Only where there is one: to look draws no key.
fn fee_account(state: &Path) -> Option<Address> {
    if !state.join(FEE_KEY_FILE).exists() {
        return None;
    }
    fee_key(state).ok().map(|key| key.address())
}

fn holdings(
    shared: &Shared,
    owner: Address,
    fee_account: Option<Address>,
) -> Result<Holdings, WalletFault> {
    let treasury = shared.wallet.treasury()?;
    let client = &treasury.client;
    let mut tokens = Vec::new();
    for token in &client.network().tokens {
        tokens.push((token.clone(), client.balance(token.address, owner)?));
    }
    let settings = Arc::clone(&shared.settings.borrow());
    let vault = match payment_token(&treasury, settings.pay().token.as_deref()) {
        Ok(token) => {
            let view = vault(&treasury, owner, &token)?;
            Some((token, view))
        }
        Err(fault) if fault.trouble == WalletTrouble::NoNetwork => None,
        Err(fault) => return Err(fault),
    };
    Ok(Holdings {
        height: client.height()?,
        coin: client.coin(owner)?,
        tokens,
        vault,
        fee_coin: fee_account.map(|account| client.coin(account)).transpose()?,
    })
}

fn vault(
    treasury: &Treasury,
    owner: Address,
    token: &TokenEntry,
) -> Result<VaultView, WalletFault> {
    let account = treasury.client.account(owner, token.address)?;
    let exit = ExitView { amount: account.exit_amount, at: account.exit_at };
    Ok(VaultView {
        free: account.free,
        promised: treasury.promised(token)?,
        bond: account.bond,
        exit: Some(exit).filter(|exit| exit.at > 0),
        bond_exit_at: Some(account.bond_exit_at).filter(|at| *at > 0),
        owed: account.owed,
        credit: treasury.client.credit(owner, token.address)?,
        bounces: account.bounces,
        session: session(treasury, owner, token, &account)?,
    })
}

fn session(
    treasury: &Treasury,
    owner: Address,
    token: &TokenEntry,
    account: &Account,
) -> Result<Option<SessionView>, WalletFault> {
    let Some(session) = treasury.session(token, clock::unix_seconds())? else { return Ok(None) };
    let delegate = session.delegate;
    let digest = delegate.digest(&session.domain.separator());
    let state = treasury.client.delegation(owner, digest)?;
    Ok(Some(SessionView {
        address: delegate.session,
        valid_until: delegate.valid_until,
        max: delegate.max_amount,
        spent: state.spent,
        revoked_at: Some(state.revoked_at)
            .filter(|at| *at > 0)
            .or_else(|| void_at(account, delegate.valid_until)),
    }))
}

/// When a delegation ends with all others of its account, if they were revoked together.
fn void_at(account: &Account, valid_until: u64) -> Option<u64> {
    let is_void = |until: &u64| valid_until <= *until;
    let until = [account.void_until, account.voiding_until].into_iter().find(is_void)?;
    Some(until.saturating_sub(VOID_AHEAD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_revoked_with_all_others_is_void_a_week_before_the_last_of_them_would_end() {
        let day = 24 * 3600;
        let account = Account { void_until: 0, voiding_until: 108 * day, ..Account::default() };
        assert_eq!(void_at(&account, 107 * day), Some(101 * day));
        assert_eq!(void_at(&account, 109 * day), None);
        let account = Account { void_until: 108 * day, voiding_until: 120 * day, ..account };
        assert_eq!(void_at(&account, 107 * day), Some(101 * day));
        assert_eq!(void_at(&account, 115 * day), Some(113 * day));
        assert_eq!(void_at(&Account::default(), day), None);
    }
}
