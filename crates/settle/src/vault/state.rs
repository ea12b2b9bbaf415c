//! What the Vault keeps: accounts, locks, channels, delegations, credit; and what a payee shows it.

use crate::abi::{self, Vault};
use crate::client::Client;
use crate::error::SettleError;
use alloy_primitives::{Address, B256, U256};
use piecework_pay::{Cheque, Delegate, Signature};

/// What one payer has in one token, smallest units. Times are seconds since 1970; 0 is never.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Account {
    /// What cheques are paid from; a pending exit is a part of it.
    pub free: u128,
    /// What burns if a cheque bounces.
    pub bond: u128,
    /// What was asked back of what is free.
    pub exit_amount: u128,
    /// When that can be taken.
    pub exit_at: u64,
    /// When the bond can be taken.
    pub bond_exit_at: u64,
    /// When the account was first funded; cheques name it.
    pub epoch: u64,
    /// Cheques that could not be paid whole.
    pub bounces: u16,
    /// What accepted cheques still have to get.
    pub owed: U256,
    /// What was ever paid.
    pub total_paid: u128,
    /// Delegations that end up to here are void.
    pub void_until: u64,
    /// Those up to here will be, 7 days before it.
    pub voiding_until: u64,
}

impl Account {
    /// What is free and not asked back.
    #[must_use]
    pub fn staying(&self) -> u128 {
        self.free.saturating_sub(self.exit_amount)
    }
}

/// What is reserved for one payee.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lock {
    /// How much, smallest units.
    pub amount: u128,
    /// Until when at least, seconds since 1970.
    pub until: u64,
    /// How often it was closed.
    pub nonce: u64,
}

/// What was promised and paid on one channel, smallest units. Both only grow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ChannelState {
    /// The highest value that was accepted.
    pub claimed: u128,
    /// What was paid of it.
    pub paid: u128,
}

/// What a delegation has used up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DelegationState {
    /// What its cheques have claimed, smallest units.
    pub spent: u128,
    /// When its revocation takes effect, seconds since 1970; 0 without one.
    pub revoked_at: u64,
    /// What its bounces have burnt of the bond.
    pub burnt: u128,
}

/// A cheque as it is cashed: with its best link, and the delegation if a session key signed it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    /// The cheque.
    pub cheque: Cheque,
    /// The number of the best link; 0 without any.
    pub count: u32,
    /// That link; not looked at without any.
    pub link: B256,
    /// The payer's signature, or the session key's.
    pub signature: Signature,
    /// The owner's word for the session key, and its signature.
    pub delegation: Option<(Delegate, Signature)>,
}

impl Claim {
    pub(super) fn cash_call(&self) -> Vault::cashCall {
        let abi::Claim { cheque, i, w, sig, delegate, dsig } = self.to_abi();
        Vault::cashCall { cheque, i, w, sig, delegate, dsig }
    }

    pub(super) fn to_abi(&self) -> abi::Claim {
        let Cheque { payer, payee, token, epoch, cumulative, root, unit, links, channel } =
            self.cheque;
        let (delegate, dsig) =
            self.delegation.as_ref().map_or_else(Default::default, |(its, sig)| {
                let delegate = abi::Delegate {
                    owner: its.owner,
                    session: its.session,
                    token: its.token,
                    maxAmount: its.max_amount,
                    bondAtRisk: its.bond_at_risk,
                    validUntil: its.valid_until,
                };
                (delegate, sig.as_bytes().to_vec())
            });
        abi::Claim {
            cheque: abi::Cheque {
                payer,
                payee,
                token,
                epoch,
                cumulative,
                root,
                unit,
                links,
                channel,
            },
            i: self.count,
            w: self.link,
            sig: self.signature.as_bytes().to_vec().into(),
            delegate,
            dsig: dsig.into(),
        }
    }
}

impl Client {
    /// What a payer has in a token, behind the network's confirmations.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same.
    pub fn account(&self, payer: Address, token: Address) -> Result<Account, SettleError> {
        let vault = self.network().vault.address;
        let it = self.settled(vault, &Vault::accountCall { payer, token })?;
        Ok(account(&it))
    }

    /// What a payer has reserved for a payee.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same.
    pub fn lock_of(
        &self,
        payer: Address,
        payee: Address,
        token: Address,
    ) -> Result<Lock, SettleError> {
        let vault = self.network().vault.address;
        let it = self.settled(vault, &Vault::lockOfCall { payer, payee, token })?;
        Ok(lock(&it))
    }

    /// What was promised and paid on a cheque's channel.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same.
    pub fn channel(&self, cheque: &Cheque) -> Result<ChannelState, SettleError> {
        let vault = self.network().vault.address;
        let Cheque { payer, payee, token, epoch, channel: channel_, .. } = *cheque;
        let it =
            self.settled(vault, &Vault::channelCall { payer, payee, token, epoch, channel_ })?;
        Ok(channel(&it))
    }

    /// What a delegation, named by its digest, has used up.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same.
    pub fn delegation(&self, owner: Address, digest: B256) -> Result<DelegationState, SettleError> {
        let vault = self.network().vault.address;
        let it = self.settled(vault, &Vault::delegationCall { owner, digest })?;
        Ok(delegation(&it))
    }

    /// What was credited to a payee and not taken out, smallest units.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same.
    pub fn credit(&self, payee: Address, token: Address) -> Result<U256, SettleError> {
        self.settled(self.network().vault.address, &Vault::creditCall { payee, token })
    }
}

pub(super) fn account(it: &abi::Account) -> Account {
    Account {
        free: it.free,
        bond: it.bond,
        exit_amount: it.exitAmount,
        exit_at: it.exitAt.to(),
        bond_exit_at: it.bondExitAt.to(),
        epoch: it.epoch.to(),
        bounces: it.bounces,
        owed: it.owed,
        total_paid: it.totalPaid.to(),
        void_until: it.voidUntil.to(),
        voiding_until: it.voidingUntil.to(),
    }
}

pub(super) fn lock(it: &abi::Lock) -> Lock {
    Lock { amount: it.amount, until: it.until, nonce: it.nonce }
}

pub(super) fn channel(it: &abi::Channel) -> ChannelState {
    ChannelState { claimed: it.claimed, paid: it.paid }
}

pub(super) fn delegation(it: &abi::Delegation) -> DelegationState {
    DelegationState { spent: it.spent, revoked_at: it.revokedAt.to(), burnt: it.burnt }
}
