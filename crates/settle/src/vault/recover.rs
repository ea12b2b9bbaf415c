//! What a phrase alone brings back: all that the Vault ever told of an account, and what is left of it.

use super::{Account, DelegationState, Lock, VaultEvent};
use crate::client::Client;
use crate::error::SettleError;
use alloy_primitives::{Address, B256, U256};
use std::collections::BTreeSet;

/// Tokens, locks and delegations that are looked up at most, each.
const FOUND_MAX: usize = 1024;

/// A lock that still holds something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecoveredLock {
    /// For whom.
    pub payee: Address,
    /// In which token.
    pub token: Address,
    /// What it holds.
    pub lock: Lock,
}

/// A delegation that was used or revoked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SpentDelegation {
    /// Its digest.
    pub digest: B256,
    /// What it used up.
    pub state: DelegationState,
}

/// All that the Vault holds for an account. Cheques that were not cashed and session keys are not among it:
/// no chain knows of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Recovered {
    /// Its accounts, by token.
    pub accounts: Vec<(Address, Account)>,
    /// Its locks that hold something.
    pub locks: Vec<RecoveredLock>,
    /// Its delegations that were used or revoked.
    pub delegations: Vec<SpentDelegation>,
    /// Credit that was not taken out, by token, smallest units.
    pub credit: Vec<(Address, U256)>,
}

#[derive(Default)]
struct Names {
    accounts: BTreeSet<Address>,
    locks: BTreeSet<(Address, Address)>,
    delegations: BTreeSet<B256>,
    credit: BTreeSet<Address>,
}

impl Client {
    /// Finds all that the Vault holds for `owner`, by its events from the network's first block on.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same, or there is more than is looked up.
    pub fn recover(&self, owner: Address) -> Result<Recovered, SettleError> {
        let last = self.height()?.saturating_sub(self.network().confirmations);
        let mut names = Names::default();
        for event in self.vault_events(Some(owner), (self.network().first_block, last))? {
            names.hear(&event);
        }
        names.demand_few()?;
        let mut found = Recovered::default();
        for token in names.accounts {
            found.accounts.push((token, self.account(owner, token)?));
        }
        for (payee, token) in names.locks {
            let lock = self.lock_of(owner, payee, token)?;
            if lock.amount > 0 {
                found.locks.push(RecoveredLock { payee, token, lock });
            }
        }
        for digest in names.delegations {
            let state = self.delegation(owner, digest)?;
            found.delegations.push(SpentDelegation { digest, state });
        }
        for token in names.credit {
            let credit = self.credit(owner, token)?;
            if !credit.is_zero() {
                found.credit.push((token, credit));
            }
        }
        Ok(found)
    }
}

impl Names {
    fn hear(&mut self, event: &VaultEvent) {
        match *event {
            VaultEvent::Funded { token, .. }
            | VaultEvent::ExitRequested { token, .. }
            | VaultEvent::BondExitRequested { token, .. }
            | VaultEvent::RevokedAll { token, .. } => drop(self.accounts.insert(token)),
            VaultEvent::Paid { delegation, .. } | VaultEvent::Bounced { delegation, .. } => {
                self.delegations.extend(delegation);
            }
            VaultEvent::Credited { token, .. } => drop(self.credit.insert(token)),
            VaultEvent::Locked { payee, token, .. } => drop(self.locks.insert((payee, token))),
            VaultEvent::Revoked { delegation, .. } => drop(self.delegations.insert(delegation)),
            VaultEvent::Skipped { .. }
            | VaultEvent::LockClosed { .. }
            | VaultEvent::Left { .. } => {}
        }
    }

    fn demand_few(&self) -> Result<(), SettleError> {
        let Self { accounts, locks, delegations, credit } = self;
        for (what, found) in [
            ("the number of tokens", accounts.len()),
            ("the number of locks", locks.len()),
            ("the number of delegations", delegations.len()),
            ("the number of tokens with credit", credit.len()),
        ] {
            if found > FOUND_MAX {
                return Err(SettleError::TooLarge { what, most: U256::from(FOUND_MAX) });
            }
        }
        Ok(())
    }
}
