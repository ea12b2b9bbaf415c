//! The payees' side of the Vault's rules: what a cheque is worth, what is paid of it, and what burns.

use super::books::{Books, ChannelKey, key, refused, void_at};
use crate::error::SettleError;
use crate::reason::cheque_fault;
use crate::vault::{Cashed, Claim, VaultEvent};
use alloy_primitives::{Address, B256, U256};
use piecework_pay::{DELEGATION_SECONDS_MAX, Delegate, LINKS_MAX, Typed, fold_links};

/// The numbers that the Vault gives to what is wrong with a cheque.
mod fault {
    pub(super) const TOO_MANY_LINKS: u8 = 1;
    pub(super) const LINK_OUT_OF_RANGE: u8 = 2;
    pub(super) const VALUE_TOO_HIGH: u8 = 3;
    pub(super) const WRONG_EPOCH: u8 = 4;
    pub(super) const BROKEN_CHAIN: u8 = 5;
    pub(super) const BAD_SIGNATURE: u8 = 6;
    pub(super) const WRONG_DELEGATE: u8 = 7;
    pub(super) const DELEGATE_EXPIRED: u8 = 8;
    pub(super) const DELEGATE_TOO_LONG: u8 = 9;
    pub(super) const DELEGATE_REVOKED: u8 = 10;
    pub(super) const BAD_DELEGATE_SIGNATURE: u8 = 11;
}

/// The most that the contract keeps of what was ever paid.
const TOTAL_PAID_MAX: u128 = (1 << 120) - 1;

/// A valid claim: its value, and the delegation by its digest.
struct Valid<'a> {
    value: u128,
    delegation: Option<(&'a Delegate, B256)>,
}

impl Books {
    /// Pays a cheque out to its payee (rules 3 to 6).
    ///
    /// # Errors
    /// When it is invalid.
    pub fn cash(&mut self, claim: &Claim) -> Result<Cashed, SettleError> {
        let valid = self.check(claim).map_err(|fault| {
            let reason = format!("the cheque is invalid: {}", cheque_fault(fault));
            refused(&reason)
        })?;
        let cashed = self.settle(claim, &valid)?;
        self.mint(claim.cheque.payee, claim.cheque.token, cashed.paid)?;
        Ok(cashed)
    }

    /// Credits many cheques to their payees; the invalid ones are skipped (rule 6).
    ///
    /// # Errors
    /// Never in a test of usual length.
    pub fn cash_many(&mut self, claims: &[Claim]) -> Result<Cashed, SettleError> {
        let mut all = Cashed::default();
        // Cheques to one payee that follow one another are credited in one go.
        let (mut whom, mut sum) = ((Address::ZERO, Address::ZERO), U256::ZERO);
        for (index, claim) in (0..).zip(claims) {
            let cashed = match self.check(claim) {
                Ok(valid) => self.settle(claim, &valid)?,
                Err(fault) => {
                    let reason = cheque_fault(fault);
                    all.skipped.push((index, reason));
                    self.tell(VaultEvent::Skipped { index: U256::from(index), reason })?;
                    continue;
                }
            };
            let payee = (claim.cheque.payee, claim.cheque.token);
            if payee != whom {
                self.add_credit(whom, std::mem::take(&mut sum))?;
                whom = payee;
            }
            sum = sum.saturating_add(U256::from(cashed.paid));
            all.paid = all.paid.saturating_add(cashed.paid);
            all.missing = all.missing.saturating_add(cashed.missing);
            all.burnt = all.burnt.saturating_add(cashed.burnt);
        }
        self.add_credit(whom, sum)?;
        Ok(all)
    }

    fn add_credit(
        &mut self,
        (payee, token): (Address, Address),
        amount: U256,
    ) -> Result<(), SettleError> {
        if amount.is_zero() {
            return Ok(());
        }
        let credit = self.credits.entry((payee, token)).or_default();
        *credit = credit.saturating_add(amount);
        self.tell(VaultEvent::Credited { payee, token, amount })
    }

    /// Pays what is still owed on a channel, as far as there is something (rule 4).
    ///
    /// # Errors
    /// Never in a test of usual length.
    pub fn repay(
        &mut self,
        (payer, payee, token): (Address, Address, Address),
        (epoch, channel): (u64, u64),
    ) -> Result<u128, SettleError> {
        let key = (payer, payee, token, epoch, channel);
        let mut its = self.channels.get(&key).copied().unwrap_or_default();
        let amount = self.draw(key, its.claimed - its.paid);
        if amount == 0 {
            return Ok(0);
        }
        its.paid += amount;
        self.channels.insert(key, its);
        let account = self.accounts.entry((payer, token)).or_default();
        account.owed -= U256::from(amount);
        self.mint(payee, token, amount)?;
        let delegation = None;
        self.tell(VaultEvent::Paid { payer, payee, token, channel, amount, delegation })?;
        Ok(amount)
    }

    /// Rule 3, in the contract's order.
    fn check<'a>(&self, claim: &'a Claim) -> Result<Valid<'a>, u8> {
        let cheque = &claim.cheque;
        if cheque.links > LINKS_MAX {
            return Err(fault::TOO_MANY_LINKS);
        }
        if claim.count > cheque.links {
            return Err(fault::LINK_OUT_OF_RANGE);
        }
        let value = cheque.worth(claim.count).map_err(|_| fault::VALUE_TOO_HIGH)?;
        let account = self.account(cheque.payer, cheque.token);
        if account.epoch == 0 || cheque.epoch != account.epoch {
            return Err(fault::WRONG_EPOCH);
        }
        if claim.count > 0 && fold_links(claim.link, claim.count) != cheque.root {
            return Err(fault::BROKEN_CHAIN);
        }
        let separator = self.domain().separator();
        let signer = claim.signature.recover(&cheque.digest(&separator));
        let signer = signer.map_err(|_| fault::BAD_SIGNATURE)?;
        let Some((delegate, word)) = &claim.delegation else {
            let is_owner = signer == cheque.payer;
            return if is_owner {
                Ok(Valid { value, delegation: None })
            } else {
                Err(fault::BAD_SIGNATURE)
            };
        };
        let Delegate { owner, session, token, valid_until, .. } = *delegate;
        if (owner, token, session) != (cheque.payer, cheque.token, signer) {
            return Err(fault::WRONG_DELEGATE);
        }
        if self.now > valid_until {
            return Err(fault::DELEGATE_EXPIRED);
        }
        if valid_until > self.now + DELEGATION_SECONDS_MAX {
            return Err(fault::DELEGATE_TOO_LONG);
        }
        let digest = delegate.digest(&separator);
        let revoked_at = self.delegation(owner, digest).revoked_at;
        let voiding = account.voiding_until;
        if (revoked_at != 0 && self.now >= revoked_at)
            || valid_until <= account.void_until
            || (valid_until <= voiding && self.now >= void_at(voiding))
        {
            return Err(fault::DELEGATE_REVOKED);
        }
        word.check(&digest, owner).map_err(|_| fault::BAD_DELEGATE_SIGNATURE)?;
        Ok(Valid { value, delegation: Some((delegate, digest)) })
    }

    /// Rules 4 and 5.
    fn settle(&mut self, claim: &Claim, valid: &Valid<'_>) -> Result<Cashed, SettleError> {
        let (key, value) = (key(&claim.cheque), valid.value);
        let (payer, payee, token, _, channel) = key;
        let mut its = self.channels.get(&key).copied().unwrap_or_default();
        let owed_before = its.claimed - its.paid;
        let (mut raised, mut bounces) = (value.saturating_sub(its.claimed), false);
        if raised > 0
            && let Some((delegate, digest)) = valid.delegation
        {
            (raised, bounces) = self.charge((delegate, digest), raised, (key, value));
        }
        its.claimed += raised;
        let amount = self.draw(key, owed_before.saturating_add(raised));
        its.paid += amount;
        let delegation = valid.delegation.map(|(_, digest)| digest);
        if raised != 0 || amount != 0 {
            self.channels.insert(key, its);
            self.tell(VaultEvent::Paid { payer, payee, token, channel, amount, delegation })?;
        }
        let owed_after = its.claimed - its.paid;
        let account = self.accounts.entry((payer, token)).or_default();
        account.owed = account.owed + U256::from(owed_after) - U256::from(owed_before);
        let mut cashed = Cashed { paid: amount, ..Cashed::default() };
        if bounces || (raised != 0 && owed_after != 0) {
            cashed.missing = value - its.paid;
            cashed.burnt = self.bounce((payer, token), valid.delegation);
            let (missing, burnt) = (cashed.missing, cashed.burnt);
            self.tell(VaultEvent::Bounced { payer, payee, token, missing, burnt, delegation })?;
        }
        Ok(cashed)
    }

    /// What a delegation lets a cheque raise its claim by, and whether that is less than it wants, shown
    /// for the first time.
    fn charge(
        &mut self,
        (delegate, digest): (&Delegate, B256),
        raise: u128,
        (key, value): (ChannelKey, u128),
    ) -> (u128, bool) {
        let its = self.delegations.entry((delegate.owner, digest)).or_default();
        let room = delegate.max_amount - its.spent;
        let granted = raise.min(room);
        its.spent += granted;
        if raise <= room {
            return (granted, false);
        }
        let shown = self.shown.entry(key).or_default();
        let is_new = value > *shown;
        *shown = value.max(*shown);
        (granted, is_new)
    }

    /// Takes from the lock first, then from what is free.
    fn draw(&mut self, (payer, payee, token, ..): ChannelKey, due: u128) -> u128 {
        if due == 0 {
            return 0;
        }
        let mut amount = 0;
        if let Some(lock) = self.locks.get_mut(&(payer, payee, token)) {
            amount = due.min(lock.amount);
            lock.amount -= amount;
        }
        let account = self.accounts.entry((payer, token)).or_default();
        let free = account.free.min(due - amount);
        account.free -= free;
        amount += free;
        account.total_paid = account.total_paid.saturating_add(amount).min(TOTAL_PAID_MAX);
        amount
    }

    /// Burns the bond, or what a delegation puts at risk of it.
    fn bounce(
        &mut self,
        (payer, token): (Address, Address),
        delegation: Option<(&Delegate, B256)>,
    ) -> u128 {
        let account = self.accounts.entry((payer, token)).or_default();
        let mut burnt = account.bond;
        if let Some((delegate, digest)) = delegation {
            let its = self.delegations.entry((payer, digest)).or_default();
            burnt = burnt.min(delegate.bond_at_risk - its.burnt);
            its.burnt += burnt;
        }
        account.bounces = account.bounces.saturating_add(1);
        account.bond -= burnt;
        burnt
    }
}
