//! What owners and payees do with the Vault: each operation as a plan, its state as values.
//!
//! The rules are the contract's. What it would refuse is mostly found out here, before anything is sent,
//! by asking it to try; only where its answer would puzzle a person is something checked beforehand.

use crate::abi::Vault;
use crate::amount::format_amount;
use crate::client::{Client, GAS_MAX};
use crate::error::SettleError;
use crate::network::TokenEntry;
use crate::plan::{Call, Plan};
use crate::token::{contract_call, too_little};
use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolCall;
use piecework_pay::{CloseLock, DELEGATION_SECONDS_MAX, Delegate, Signature, Signer, Typed};

mod event;
mod recover;
mod state;
mod statement;

pub use event::{Cashed, Happened, VaultEvent};
pub use recover::{Recovered, RecoveredLock, SpentDelegation};
pub use state::{Account, ChannelState, Claim, DelegationState, Lock};
pub use statement::{Answer, QUESTIONS_MAX, Question, Statement};

/// Cheques of one call at most: the contract's own limit.
pub const CLAIMS_MAX: usize = 256;

/// Cheques of one plan at most.
pub const CLAIMS_PLANNED_MAX: usize = 4096;

/// Gas that operations which call no token stay under, and those that do.
const BOOK_GAS_MOST: u64 = 200_000;
const MOVE_GAS_MOST: u64 = 400_000;

impl Client {
    /// Adds to what cheques are paid from: lets the Vault take it, and tells it to.
    ///
    /// # Errors
    /// When there is too little of the token or the coin.
    pub fn deposit(
        &self,
        from: Address,
        token: &TokenEntry,
        amount: u128,
    ) -> Result<Plan, SettleError> {
        let call = Vault::depositCall { token: token.address, amount };
        self.fund(from, token, (amount, "deposit"), &call)
    }

    /// Adds to what burns if a cheque bounces.
    ///
    /// # Errors
    /// When there is too little of the token or the coin.
    pub fn bond(
        &self,
        from: Address,
        token: &TokenEntry,
        amount: u128,
    ) -> Result<Plan, SettleError> {
        let call = Vault::bondCall { token: token.address, amount };
        self.fund(from, token, (amount, "bond"), &call)
    }

    fn fund(
        &self,
        from: Address,
        token: &TokenEntry,
        (amount, verb): (u128, &str),
        call: &impl SolCall,
    ) -> Result<Plan, SettleError> {
        self.demand_token(from, token, amount, "your account")?;
        let mut calls = self.permit(from, token, amount)?;
        let what = format!("{verb} {} in the vault", whole(token, amount));
        calls.push(self.vault_call(what, call, MOVE_GAS_MOST));
        self.plan(from, calls)
    }

    /// Reserves of what is free for one payee until `until` (seconds since 1970) and 24 hours more.
    ///
    /// # Errors
    /// When there is less free than `amount`, or the lock would end earlier than now agreed.
    pub fn lock(
        &self,
        from: Address,
        token: &TokenEntry,
        payee: Address,
        (amount, until): (u128, u64),
    ) -> Result<Plan, SettleError> {
        self.demand_free(from, token, amount)?;
        let what = format!("lock {} for {payee} until {until}", whole(token, amount));
        let call = Vault::lockCall { payee, token: token.address, amount, until };
        self.book(from, what, &call)
    }

    /// Returns a lock to what is free: with the payee's signature at once, else 24 hours after its end.
    ///
    /// # Errors
    /// When neither holds.
    pub fn close_lock(
        &self,
        from: Address,
        (payer, payee): (Address, Address),
        token: &TokenEntry,
        signature: Option<&Signature>,
    ) -> Result<Plan, SettleError> {
        let what = format!("close the lock of {payer} for {payee} in {}", token.symbol);
        let sig = signature.map(|it| it.as_bytes().to_vec()).unwrap_or_default().into();
        let call = Vault::closeLockCall { payer, payee, token: token.address, sig };
        self.book(from, what, &call)
    }

    /// The payee's word that a lock in its favour may be closed now.
    ///
    /// # Errors
    /// When the wallet does not sign, or the servers do not tell the lock's number.
    pub fn sign_close_lock(
        &self,
        signer: &dyn Signer,
        payer: Address,
        token: Address,
    ) -> Result<Signature, SettleError> {
        let payee = signer.address();
        let nonce = self.lock_of(payer, payee, token)?.nonce;
        let closing = CloseLock { payer, payee, token, nonce };
        signer.sign(&closing.digest(&self.domain().separator())).map_err(SettleError::NotSigned)
    }

    /// The owner's word for a session key. It is not sent anywhere: sellers get it with the first cheque.
    ///
    /// # Errors
    /// When it would end in the past or more than 8 days from the chain's time, or the wallet does not sign.
    pub fn sign_delegation(
        &self,
        signer: &dyn Signer,
        delegate: &Delegate,
    ) -> Result<Signature, SettleError> {
        let refuse = |reason: &str| {
            let what = format!("a delegation to {}", delegate.session);
            Err(SettleError::Refused { what, reason: reason.into() })
        };
        let now = self.now()?;
        if delegate.owner != signer.address() {
            return refuse("it is another owner's: open that wallet");
        }
        if delegate.valid_until <= now || delegate.valid_until - now > DELEGATION_SECONDS_MAX {
            return refuse("it has to end within 8 days from now");
        }
        let digest = delegate.digest(&self.domain().separator());
        signer.sign(&digest).map_err(SettleError::NotSigned)
    }

    /// Pays a cheque out to its payee. Anyone may send it.
    ///
    /// # Errors
    /// When the cheque is invalid, in the contract's words.
    pub fn cash(&self, from: Address, claim: &Claim) -> Result<Plan, SettleError> {
        let cheque = &claim.cheque;
        let what = format!("cash a cheque of {} for {}", cheque.payer, cheque.payee);
        let call = self.vault_call(what, &claim.cash_call(), GAS_MAX);
        self.plan(from, vec![call])
    }

    /// Credits many cheques to their payees, in as few transactions as their gas allows. Invalid ones are
    /// skipped; [`Cashed`] says which.
    ///
    /// # Errors
    /// When there are over 4,096, or the coin does not suffice for the fees.
    pub fn cash_many(&self, from: Address, claims: &[Claim]) -> Result<Plan, SettleError> {
        if claims.len() > CLAIMS_PLANNED_MAX {
            let most = U256::from(CLAIMS_PLANNED_MAX);
            return Err(SettleError::TooLarge { what: "the number of cheques", most });
        }
        let (mut calls, mut first) = (Vec::new(), 0);
        let mut length = CLAIMS_MAX;
        while first < claims.len() {
            let end = claims.len().min(first.saturating_add(length));
            let some = claims[first..end].iter().map(Claim::to_abi).collect();
            let what = format!("credit {} cheques, from number {}", end - first, first + 1);
            let call = self.vault_call(what, &Vault::cashManyCall { claims: some }, GAS_MAX);
            let has_room = match self.gas(from, &call) {
                Ok(gas) => gas < GAS_MAX,
                // What a server refuses to estimate is mostly too much for a block.
                Err(SettleError::Gas { .. } | SettleError::Refused { .. }) if end - first > 1 => {
                    false
                }
                Err(error) => return Err(error),
            };
            if has_room || end - first == 1 {
                calls.push(call);
                first = end;
            } else {
                length = (end - first).div_ceil(2);
            }
        }
        self.plan(from, calls)
    }

    /// Pays what is still owed on a channel, as far as there is something. Anyone may send it.
    ///
    /// # Errors
    /// When the fee cannot be paid.
    pub fn repay(
        &self,
        from: Address,
        (payer, payee, token): (Address, Address, Address),
        (epoch, channel_): (u64, u64),
    ) -> Result<Plan, SettleError> {
        let what = format!("pay what {payer} owes {payee} on channel {channel_}");
        let call = Vault::repayCall { payer, payee, token, epoch, channel_ };
        self.plan(from, vec![self.vault_call(what, &call, MOVE_GAS_MOST)])
    }

    /// Takes out all that was credited.
    ///
    /// # Errors
    /// When there is no credit.
    pub fn withdraw(&self, from: Address, token: &TokenEntry) -> Result<Plan, SettleError> {
        let credit = self.credit(from, token.address)?;
        if credit.is_zero() {
            return Err(too_little("your credit", token, (U256::from(1), credit)));
        }
        let what = format!("withdraw {} {}", format_amount(credit, token.decimals), token.symbol);
        let call = Vault::withdrawCall { token: token.address };
        self.plan(from, vec![self.vault_call(what, &call, MOVE_GAS_MOST)])
    }

    /// Makes credit into funds of one's own account, without a transfer.
    ///
    /// # Errors
    /// When there is less credit.
    pub fn credit_to_vault(
        &self,
        from: Address,
        token: &TokenEntry,
        (free, bond_): (u128, u128),
    ) -> Result<Plan, SettleError> {
        let (have, needed) =
            (self.credit(from, token.address)?, U256::from(free) + U256::from(bond_));
        if have < needed {
            return Err(too_little("your credit", token, (needed, have)));
        }
        let (free_, bonded) = (whole(token, free), whole(token, bond_));
        let what = format!("move {free_} of the credit to what is free and {bonded} to the bond");
        self.book(from, what, &Vault::creditToVaultCall { token: token.address, free, bond_ })
    }

    /// Ends a delegation in 24 hours.
    ///
    /// # Errors
    /// When it is revoked already.
    pub fn revoke(&self, from: Address, delegation: B256) -> Result<Plan, SettleError> {
        let what = format!("revoke delegation {delegation}");
        self.book(from, what, &Vault::revokeCall { digest: delegation })
    }

    /// Ends, in 24 hours, every delegation of the account in a token.
    ///
    /// # Errors
    /// When that was done less than 24 hours ago.
    pub fn revoke_all(&self, from: Address, token: &TokenEntry) -> Result<Plan, SettleError> {
        let what = format!("revoke all delegations in {}", token.symbol);
        self.book(from, what, &Vault::revokeAllCall { token: token.address })
    }

    /// Asks for free money back; it can be taken in 24 hours. Replaces an earlier request; 0 cancels it.
    ///
    /// # Errors
    /// When there is less free.
    pub fn request_exit(
        &self,
        from: Address,
        token: &TokenEntry,
        amount: u128,
    ) -> Result<Plan, SettleError> {
        self.demand_free(from, token, amount)?;
        let what = format!("ask for {} back, in 24 hours", whole(token, amount));
        self.book(from, what, &Vault::requestExitCall { token: token.address, amount })
    }

    /// Takes out what was asked for, or what cheques have left of it.
    ///
    /// # Errors
    /// When it was not asked for, or less than 24 hours ago.
    pub fn exit(&self, from: Address, token: &TokenEntry) -> Result<Plan, SettleError> {
        let account = self.account(from, token.address)?;
        let amount = account.exit_amount.min(account.free);
        let what = format!("take {} out of the vault", whole(token, amount));
        let call = Vault::exitCall { token: token.address };
        self.plan(from, vec![self.vault_call(what, &call, MOVE_GAS_MOST)])
    }

    /// Asks for the bond back; it can be taken in 7 days.
    ///
    /// # Errors
    /// When the fee cannot be paid.
    pub fn request_bond_exit(
        &self,
        from: Address,
        token: &TokenEntry,
    ) -> Result<Plan, SettleError> {
        let what = format!("ask for the bond in {} back, in 7 days", token.symbol);
        self.book(from, what, &Vault::requestBondExitCall { token: token.address })
    }

    /// Takes the bond out.
    ///
    /// # Errors
    /// When it was not asked for, less than 7 days ago, or something is owed.
    pub fn bond_exit(&self, from: Address, token: &TokenEntry) -> Result<Plan, SettleError> {
        let bond = self.account(from, token.address)?.bond;
        let what = format!("take the bond of {} out", whole(token, bond));
        let call = Vault::bondExitCall { token: token.address };
        self.plan(from, vec![self.vault_call(what, &call, MOVE_GAS_MOST)])
    }

    fn demand_free(
        &self,
        from: Address,
        token: &TokenEntry,
        needed: u128,
    ) -> Result<(), SettleError> {
        let free = self.account(from, token.address)?.free;
        if free >= needed {
            return Ok(());
        }
        Err(too_little("free in the vault", token, (U256::from(needed), U256::from(free))))
    }

    fn book(&self, from: Address, what: String, call: &impl SolCall) -> Result<Plan, SettleError> {
        self.plan(from, vec![self.vault_call(what, call, BOOK_GAS_MOST)])
    }

    fn vault_call(&self, what: String, call: &impl SolCall, gas_most: u64) -> Call {
        contract_call(what, self.network().vault.address, call, gas_most)
    }
}

fn whole(token: &TokenEntry, amount: u128) -> String {
    format!("{} {}", format_amount(U256::from(amount), token.decimals), token.symbol)
}
