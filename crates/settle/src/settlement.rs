//! What a node needs of money, whichever chain it is on: whether a payer can pay, and getting paid.
//!
//! [`Evm`] asks a chain; [`Memory`](crate::Memory) keeps the same rules in memory, for tests of those who
//! use this. Cashing does not wait: a [`Ticket`] tells later what came of it.

use crate::error::SettleError;
use crate::vault::{
    Account, Answer, Cashed, ChannelState, Claim, DelegationState, Happened, Lock, Question,
};
use alloy_primitives::{Address, B256, U256};
use piecework_pay::{Cheque, Domain};

mod evm;

pub use evm::Evm;

/// Which chain and contract money is on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Info {
    /// What cheques are signed for.
    pub domain: Domain,
    /// The hash of the chain's first block.
    pub genesis: B256,
    /// Blocks on top until something counts.
    pub confirmations: u64,
}

/// What a payer has for one payee.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Funds {
    /// The payer's account.
    pub account: Account,
    /// What is reserved for this payee.
    pub lock: Lock,
}

/// What an account has for fees.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Means {
    /// Its coin, wei.
    pub coin: U256,
    /// What cashing one cheque takes of it about, wei.
    pub cheque_fee: U256,
}

/// What a transaction cost us, and when it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cost {
    /// Its fee, wei; 0 when it is somebody else's.
    pub fee: U256,
    /// The time of its block, seconds since 1970.
    pub at: u64,
}

/// Something sent, by its number.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ticket(pub(crate) u64);

/// Money as a node sees it, for one account of its own.
pub trait Settlement: Send {
    /// Which chain and contract.
    fn info(&self) -> Info;

    /// Whose coin pays the fees.
    fn account(&self) -> Address;

    /// The chain's time, seconds since 1970.
    ///
    /// # Errors
    /// When the chain does not tell.
    fn now(&self) -> Result<u64, SettleError>;

    /// What a payer has for a payee, in a token.
    ///
    /// # Errors
    /// When the chain does not tell.
    fn verify_funds(
        &self,
        payer: Address,
        payee: Address,
        token: Address,
    ) -> Result<Funds, SettleError>;

    /// What the Vault says of payers, in few exchanges, in the order of the questions.
    ///
    /// # Errors
    /// When the chain does not tell.
    fn statements(&self, questions: &[Question]) -> Result<Vec<Answer>, SettleError>;

    /// What there is for fees.
    ///
    /// # Errors
    /// When the chain does not tell.
    fn means(&self) -> Result<Means, SettleError>;

    /// What a transaction that [`Self::watch`] told of has cost.
    ///
    /// # Errors
    /// When the chain does not tell.
    fn cost(&self, happened: &Happened) -> Result<Cost, SettleError>;

    /// What was promised and paid on a cheque's channel.
    ///
    /// # Errors
    /// When the chain does not tell.
    fn channel(&self, cheque: &Cheque) -> Result<ChannelState, SettleError>;

    /// What a delegation has used up.
    ///
    /// # Errors
    /// When the chain does not tell.
    fn delegation(&self, owner: Address, digest: B256) -> Result<DelegationState, SettleError>;

    /// What was credited to a payee and not taken out.
    ///
    /// # Errors
    /// When the chain does not tell.
    fn credit(&self, payee: Address, token: Address) -> Result<U256, SettleError>;

    /// Cashes one cheque; the payee is paid at once.
    ///
    /// # Errors
    /// When it is invalid, or nothing can be sent.
    fn cash(&mut self, claim: &Claim) -> Result<Ticket, SettleError>;

    /// Cashes many; payees are credited. Invalid ones are skipped, which the outcome says.
    ///
    /// # Errors
    /// When nothing can be sent. What was sent before is under way, and cashing it again costs nothing but
    /// the fee.
    fn cash_many(&mut self, claims: &[Claim]) -> Result<Vec<Ticket>, SettleError>;

    /// What came of something sent; none while it is under way. An outcome is told once.
    ///
    /// # Errors
    /// When it failed, or the chain does not tell.
    fn outcome(&mut self, ticket: Ticket) -> Result<Option<Cashed>, SettleError>;

    /// Sends something that is in no block yet again at a higher price, and answers whether there was room
    /// for one.
    ///
    /// # Errors
    /// When it is not under way, or nothing can be sent.
    fn hurry(&mut self, ticket: Ticket) -> Result<bool, SettleError>;

    /// Whether the account has transactions under way that this process did not send: an earlier run may
    /// have. What they do is not known yet.
    ///
    /// # Errors
    /// When the chain does not tell.
    fn is_busy(&self) -> Result<bool, SettleError>;

    /// What happened to all accounts since the last call, as far as it counts.
    ///
    /// # Errors
    /// When the chain does not tell; nothing is lost, the next call tells it.
    fn watch(&mut self) -> Result<Vec<Happened>, SettleError>;

    /// From where the next [`Self::watch`] looks.
    fn watched(&self) -> u64;

    /// Looks from there: what happened while nobody watched.
    fn watch_from(&mut self, place: u64);
}
