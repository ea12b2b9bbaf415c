//! What the Vault would hold: accounts, locks, delegations, credit, and the owners' side of its rules.

use crate::error::SettleError;
use crate::vault::{Account, ChannelState, DelegationState, Lock, VaultEvent};
use alloy_primitives::{Address, B256, U256};
use piecework_pay::{Cheque, CloseLock, DELEGATION_SECONDS_MAX, Domain, Signature, Typed};
use std::collections::BTreeMap;

/// Seconds until a request for free money, a revocation or a lock's end takes effect.
pub(super) const DAY: u64 = 24 * 3600;
const BOND_EXIT_DELAY: u64 = 7 * DAY;

/// Events kept at most; what happens afterwards is refused, for tests are shorter.
const EVENTS_MAX: usize = 1 << 20;

/// What belongs to one channel: payer, payee, token, epoch and number.
pub(super) type ChannelKey = (Address, Address, Address, u64, u64);

/// The books of one Vault.
#[derive(Debug)]
pub struct Books {
    domain: Domain,
    /// Seconds since 1970.
    pub now: u64,
    wallets: BTreeMap<(Address, Address), u128>,
    pub(super) accounts: BTreeMap<(Address, Address), Account>,
    pub(super) locks: BTreeMap<(Address, Address, Address), Lock>,
    pub(super) channels: BTreeMap<ChannelKey, ChannelState>,
    /// The highest value shown beyond the cap of a delegation.
    pub(super) shown: BTreeMap<ChannelKey, u128>,
    pub(super) delegations: BTreeMap<(Address, B256), DelegationState>,
    pub(super) credits: BTreeMap<(Address, Address), U256>,
    pub(super) events: Vec<VaultEvent>,
}

impl Books {
    /// Empty books of a contract, at a time.
    #[must_use]
    pub fn new(domain: Domain, now: u64) -> Self {
        Self {
            domain,
            now,
            wallets: BTreeMap::new(),
            accounts: BTreeMap::new(),
            locks: BTreeMap::new(),
            channels: BTreeMap::new(),
            shown: BTreeMap::new(),
            delegations: BTreeMap::new(),
            credits: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// What cheques are signed for.
    #[must_use]
    pub fn domain(&self) -> Domain {
        self.domain
    }

    /// All that happened.
    #[must_use]
    pub fn events(&self) -> &[VaultEvent] {
        &self.events
    }

    /// What a payer has in a token.
    #[must_use]
    pub fn account(&self, payer: Address, token: Address) -> Account {
        self.accounts.get(&(payer, token)).copied().unwrap_or_default()
    }

    /// What a payer has reserved for a payee.
    #[must_use]
    pub fn lock_of(&self, payer: Address, payee: Address, token: Address) -> Lock {
        self.locks.get(&(payer, payee, token)).copied().unwrap_or_default()
    }

    /// What was promised and paid on a cheque's channel.
    #[must_use]
    pub fn channel(&self, cheque: &Cheque) -> ChannelState {
        self.channel_of(key(cheque))
    }

    pub(super) fn channel_of(&self, key: ChannelKey) -> ChannelState {
        self.channels.get(&key).copied().unwrap_or_default()
    }

    /// What a delegation has used up.
    #[must_use]
    pub fn delegation(&self, owner: Address, digest: B256) -> DelegationState {
        self.delegations.get(&(owner, digest)).copied().unwrap_or_default()
    }

    /// What was credited to a payee.
    #[must_use]
    pub fn credit(&self, payee: Address, token: Address) -> U256 {
        self.credits.get(&(payee, token)).copied().unwrap_or_default()
    }

    /// What an account has outside the vault.
    #[must_use]
    pub fn balance(&self, owner: Address, token: Address) -> u128 {
        self.wallets.get(&(owner, token)).copied().unwrap_or_default()
    }

    /// Gives an account tokens out of nothing.
    ///
    /// # Errors
    /// When it would have over 2^128 - 1.
    pub fn mint(
        &mut self,
        owner: Address,
        token: Address,
        amount: u128,
    ) -> Result<(), SettleError> {
        let wallet = self.wallets.entry((owner, token)).or_default();
        *wallet = wallet.checked_add(amount).ok_or_else(|| refused("too much for a wallet"))?;
        Ok(())
    }

    /// Adds to what is free and to the bond, from the wallet (rules 2 and 8).
    ///
    /// # Errors
    /// When the wallet has less.
    pub fn fund(
        &mut self,
        payer: Address,
        token: Address,
        (free, bond): (u128, u128),
    ) -> Result<(), SettleError> {
        let total = free.checked_add(bond).ok_or_else(|| refused("there is less of the token"))?;
        self.take(payer, token, total)?;
        self.add(payer, token, (free, bond))
    }

    /// Makes credit into funds (rule 6).
    ///
    /// # Errors
    /// When there is less credit.
    pub fn credit_to_vault(
        &mut self,
        payer: Address,
        token: Address,
        (free, bond): (u128, u128),
    ) -> Result<(), SettleError> {
        let total = U256::from(free) + U256::from(bond);
        let left = self.credit(payer, token).checked_sub(total);
        let left = left.ok_or_else(|| refused("there is less credit than that"))?;
        self.credits.insert((payer, token), left);
        self.add(payer, token, (free, bond))
    }

    /// Takes credit out (rule 6).
    ///
    /// # Errors
    /// When the wallet cannot hold it.
    pub fn withdraw(&mut self, payee: Address, token: Address) -> Result<(), SettleError> {
        let credit = self.credits.remove(&(payee, token)).unwrap_or_default();
        self.mint(payee, token, credit.saturating_to())?;
        self.tell(VaultEvent::Left { owner: payee, token })
    }

    /// Reserves for one payee (rule 7).
    ///
    /// # Errors
    /// When less is free, or it would end earlier.
    pub fn lock(
        &mut self,
        payer: Address,
        (payee, token): (Address, Address),
        (amount, until): (u128, u64),
    ) -> Result<(), SettleError> {
        let mut lock = self.lock_of(payer, payee, token);
        if until < lock.until {
            return Err(refused("a lock's end only moves on"));
        }
        let account = self.accounts.entry((payer, token)).or_default();
        let free = account.free.checked_sub(amount);
        account.free = free.ok_or_else(|| refused("the vault holds less than that free"))?;
        lock.amount = lock.amount.saturating_add(amount);
        lock.until = until;
        self.locks.insert((payer, payee, token), lock);
        self.tell(VaultEvent::Locked { payer, payee, token, amount: lock.amount, until })
    }

    /// Gives a lock back: with the payee's signature, or by the payer 24 hours after its end (rule 7).
    ///
    /// # Errors
    /// When neither holds.
    pub fn close_lock(
        &mut self,
        caller: Address,
        (payer, payee, token): (Address, Address, Address),
        signature: Option<&Signature>,
    ) -> Result<(), SettleError> {
        let mut lock = self.lock_of(payer, payee, token);
        match signature {
            None if caller != payer || self.now < lock.until.saturating_add(DAY) => {
                return Err(refused("the lock is not over"));
            }
            None => {}
            Some(signature) => {
                let closing = CloseLock { payer, payee, token, nonce: lock.nonce };
                signature.check(&closing.digest(&self.domain.separator()), payee)?;
            }
        }
        let account = self.accounts.entry((payer, token)).or_default();
        account.free = account.free.saturating_add(lock.amount);
        lock = Lock { amount: 0, until: 0, nonce: lock.nonce + 1 };
        self.locks.insert((payer, payee, token), lock);
        self.tell(VaultEvent::LockClosed { payer, payee, token })
    }

    /// Asks for free money back (rule 7).
    ///
    /// # Errors
    /// Never in a test of usual length.
    pub fn request_exit(
        &mut self,
        payer: Address,
        token: Address,
        amount: u128,
    ) -> Result<(), SettleError> {
        let time = if amount == 0 { 0 } else { self.now + DAY };
        let account = self.accounts.entry((payer, token)).or_default();
        (account.exit_amount, account.exit_at) = (amount, time);
        self.tell(VaultEvent::ExitRequested { payer, token, amount, time })
    }

    /// Takes free money out (rule 7).
    ///
    /// # Errors
    /// When it was not asked for, or not long enough ago.
    pub fn exit(&mut self, payer: Address, token: Address) -> Result<(), SettleError> {
        let now = self.now;
        let account = self.accounts.entry((payer, token)).or_default();
        demand_reached(account.exit_at, now)?;
        let amount = account.exit_amount.min(account.free);
        account.free -= amount;
        (account.exit_amount, account.exit_at) = (0, 0);
        self.mint(payer, token, amount)?;
        self.tell(VaultEvent::Left { owner: payer, token })
    }

    /// Asks for the bond back (rule 7).
    ///
    /// # Errors
    /// Never in a test of usual length.
    pub fn request_bond_exit(&mut self, payer: Address, token: Address) -> Result<(), SettleError> {
        let time = self.now + BOND_EXIT_DELAY;
        self.accounts.entry((payer, token)).or_default().bond_exit_at = time;
        self.tell(VaultEvent::BondExitRequested { payer, token, time })
    }

    /// Takes the bond out (rule 7).
    ///
    /// # Errors
    /// When it was not asked for, not long enough ago, or something is owed.
    pub fn bond_exit(&mut self, payer: Address, token: Address) -> Result<(), SettleError> {
        let now = self.now;
        let account = self.accounts.entry((payer, token)).or_default();
        demand_reached(account.bond_exit_at, now)?;
        if !account.owed.is_zero() {
            return Err(refused("cheques are still owed"));
        }
        let amount = std::mem::take(&mut account.bond);
        account.bond_exit_at = 0;
        self.mint(payer, token, amount)?;
        self.tell(VaultEvent::Left { owner: payer, token })
    }

    /// Ends a delegation in 24 hours (rule 5).
    ///
    /// # Errors
    /// When it is revoked already.
    pub fn revoke(&mut self, owner: Address, delegation: B256) -> Result<(), SettleError> {
        let time = self.now + DAY;
        let its = self.delegations.entry((owner, delegation)).or_default();
        if its.revoked_at != 0 {
            return Err(refused("it is revoked already"));
        }
        its.revoked_at = time;
        self.tell(VaultEvent::Revoked { owner, delegation, time })
    }

    /// Ends all delegations in 24 hours (rule 5).
    ///
    /// # Errors
    /// When that was done less than 24 hours ago.
    pub fn revoke_all(&mut self, owner: Address, token: Address) -> Result<(), SettleError> {
        let now = self.now;
        let account = self.accounts.entry((owner, token)).or_default();
        if account.voiding_until != 0 {
            if now < void_at(account.voiding_until) {
                return Err(refused("it is revoked already"));
            }
            account.void_until = account.voiding_until;
        }
        account.voiding_until = now + DELEGATION_SECONDS_MAX;
        self.tell(VaultEvent::RevokedAll { owner, token, time: now + DAY })
    }

    /// Takes out of a wallet.
    fn take(&mut self, owner: Address, token: Address, amount: u128) -> Result<(), SettleError> {
        let wallet = self.wallets.entry((owner, token)).or_default();
        let left = wallet.checked_sub(amount);
        *wallet = left.ok_or_else(|| refused("there is less of the token"))?;
        Ok(())
    }

    /// Every path by which money comes into an account (rule 2).
    fn add(
        &mut self,
        payer: Address,
        token: Address,
        (free, bond): (u128, u128),
    ) -> Result<(), SettleError> {
        let now = self.now;
        let account = self.accounts.entry((payer, token)).or_default();
        account.free = account.free.checked_add(free).ok_or_else(|| refused("too much"))?;
        account.bond = account.bond.checked_add(bond).ok_or_else(|| refused("too much"))?;
        if account.epoch == 0 && free | bond != 0 {
            account.epoch = now;
        }
        // A bond that is added to stays its 7 days.
        let cancels = bond != 0 && account.bond_exit_at != 0;
        if cancels {
            account.bond_exit_at = 0;
            self.tell(VaultEvent::BondExitRequested { payer, token, time: 0 })?;
        }
        self.tell(VaultEvent::Funded { payer, token })
    }

    pub(super) fn tell(&mut self, event: VaultEvent) -> Result<(), SettleError> {
        if self.events.len() >= EVENTS_MAX {
            return Err(refused("more happened than is kept"));
        }
        self.events.push(event);
        Ok(())
    }
}

/// When a revocation of all that reaches to `voiding` takes effect.
pub(super) fn void_at(voiding: u64) -> u64 {
    voiding - DELEGATION_SECONDS_MAX + DAY
}

pub(super) fn key(cheque: &Cheque) -> ChannelKey {
    let Cheque { payer, payee, token, epoch, channel, .. } = *cheque;
    (payer, payee, token, epoch, channel)
}

pub(super) fn refused(reason: &str) -> SettleError {
    SettleError::Refused { what: "this".into(), reason: reason.into() }
}

fn demand_reached(time: u64, now: u64) -> Result<(), SettleError> {
    match time {
        0 => Err(refused("it was not requested")),
        time if now < time => Err(refused("it is too early")),
        _ => Ok(()),
    }
}
