//! One account that we pay from: who signs for it, and how much it may still promise.

use super::books::{PayerKey, Sums};
use crate::{
    Bind, Cheque, Delegate, Delegation, FACTS_AGE, Facts, Hold, Key, Network, Signature, Typed,
};
use alloy_primitives::{Address, B256};
use piecework_types::Time;

/// Sellers refuse a delegation that ends sooner, in seconds; an hour more, for clocks that differ.
pub const DELEGATION_SECONDS_MIN: u64 = (48 + 1) * 3600;

/// An account that a purse pays from, in one network.
#[derive(Debug)]
pub struct Payer {
    /// In which money.
    pub network: Network,
    /// The account in the vault.
    pub account: Address,
    /// What signs: the account's own key, or a session's.
    pub key: Key,
    /// The account's word for a session key; none when the key is its own.
    pub delegation: Option<Delegation>,
    /// What the account's other delegations that have not ended may still claim.
    pub elsewhere: u128,
    /// Nothing is signed before, seconds since 1970. A node that was restored from a backup does not know
    /// what it has promised since: it waits until its old delegation has ended, or, with the account's own
    /// key, until the last of its cheques must have been cashed.
    pub quiet_until: u64,
}

impl Payer {
    pub(super) fn delegate(&self) -> Option<Delegate> {
        self.delegation.map(|word| Delegate {
            owner: self.account,
            session: word.session,
            token: self.network.token,
            max_amount: word.max_amount,
            bond_at_risk: word.bond_at_risk,
            valid_until: word.valid_until,
        })
    }
}

/// An account with what is known of it.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) payer: Payer,
    pub(super) payer_key: PayerKey,
    separator: B256,
    facts: Option<(Time, Facts)>,
    /// What was claimed before we knew of any of it.
    unknown: u128,
    is_first: bool,
}

impl Account {
    pub(super) fn new(payer: Payer) -> Self {
        let separator = payer.network.domain().separator();
        let delegation = payer.delegate().map(|delegate| delegate.digest(&separator));
        let payer_key = PayerKey { network: payer.network, account: payer.account, delegation };
        Self { payer, payer_key, separator, facts: None, unknown: 0, is_first: true }
    }

    /// The chain's answer, or that it gave none: the last one counts a while longer.
    pub(super) fn learn(&mut self, now: Time, facts: Option<Facts>, sums: Sums) {
        let Some(facts) = facts else { return };
        if std::mem::take(&mut self.is_first) {
            self.unknown = facts.spent.saturating_sub(sums.committed);
        }
        self.facts = Some((now, facts));
    }

    pub(super) fn epoch(&self) -> u64 {
        self.facts.map_or(0, |(_, facts)| facts.epoch)
    }

    /// What may be promised beyond all that is.
    ///
    /// # Errors
    /// Why nothing may.
    pub(super) fn room(&self, now: Time, wall: u64, sums: Sums) -> Result<u128, Hold> {
        let (at, facts) = self.facts.ok_or(Hold::Chain)?;
        let age = now.since(at);
        if age > FACTS_AGE {
            return Err(Hold::Chain);
        }
        let chain_time = facts.chain_time.saturating_add(age.as_secs());
        let is_open = match &self.payer.delegation {
            // Either clock may be wrong: the later one is the careful one.
            Some(word) => {
                let left = word.valid_until.saturating_sub(chain_time.max(wall));
                left >= DELEGATION_SECONDS_MIN && !facts.revoked
            }
            None => true,
        };
        if facts.epoch == 0 || wall < self.payer.quiet_until || !is_open {
            return Err(Hold::Funds);
        }
        let promised = sums.committed.saturating_add(self.unknown);
        let delegated = self.payer.delegation.map_or(u128::MAX, |word| word.max_amount);
        let delegated = delegated.saturating_sub(promised.max(facts.spent));
        let bound = facts.exit.saturating_add(facts.owed).saturating_add(self.payer.elsewhere);
        let bound = bound.saturating_add(promised.saturating_sub(facts.spent));
        Ok(delegated.min(facts.free.saturating_sub(bound)))
    }

    pub(super) fn sign(&self, cheque: &Cheque) -> Signature {
        self.payer.key.sign(&cheque.digest(&self.separator))
    }

    pub(super) fn bind(&self, bind: &Bind) -> Signature {
        self.payer.key.sign(&bind.digest(&self.separator))
    }

    /// Whether we have signed this.
    pub(super) fn has_signed(&self, cheque: &Cheque, signature: &Signature) -> bool {
        cheque.payer == self.payer.account
            && cheque.token == self.payer.network.token
            && signature.check(&cheque.digest(&self.separator), self.payer.key.address()).is_ok()
    }
}
