//! What can go wrong with money, each with its cause and its remedy in one line.

use crate::amount::AmountFault;
use crate::check::CheckFault;
use crate::network::NetworkFault;
use crate::rpc::RpcError;
use alloy_primitives::{Address, B256, U256};
use std::time::Duration;

/// Why an operation failed. No text of it holds a key.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// A server could not be asked, or answered nonsense.
    #[error(transparent)]
    Rpc(Box<RpcError>),
    /// The network file is not true.
    #[error(transparent)]
    Check(Box<CheckFault>),
    /// A bad network file or address.
    #[error(transparent)]
    Network(#[from] NetworkFault),
    /// A bad amount.
    #[error(transparent)]
    Amount(#[from] AmountFault),
    /// A cheque, delegation or signature that is worth nothing.
    #[error(transparent)]
    Pay(#[from] piecework_pay::PayFault),
    /// Two servers say different things.
    #[error(
        "{} say different things about {what}: one lags behind or lies; try again, or ask their operators",
        .servers.join(" and ")
    )]
    Disagree {
        /// What they were asked.
        what: &'static str,
        /// Who they are.
        servers: Vec<String>,
    },
    /// The same first block, and another history: put back to an older copy, or a branch of its own.
    #[error(
        "{server} has block {got} at height {height}, where {expected} was seen before: its chain was put \
         back to an older copy or went another way, and what happened since may not have happened there. \
         Ask its operator, or another server; to go on with it, forget this network and join it again"
    )]
    Forked {
        /// Which server.
        server: String,
        /// Where the histories differ, at the latest.
        height: u64,
        /// What was there.
        expected: B256,
        /// What is there now.
        got: B256,
    },
    /// A shorter history than before.
    #[error(
        "there is no block {height} any more, which was seen before: the servers lag behind, or their chain \
         was put back to an older copy. Wait, or ask their operators; to go on with it, forget this network \
         and join it again"
    )]
    Behind {
        /// What was there.
        height: u64,
    },
    /// The note of the newest block that was seen.
    #[error("{0}")]
    SeenFile(String),
    /// Two have to say the same, and only one said anything.
    #[error("only one server of the network could be asked, and two have to agree; {0}")]
    OneWitness(Box<RpcError>),
    /// The wallet did not sign.
    #[error("not signed: {0}")]
    NotSigned(String),
    /// Too little of the chain's coin.
    #[error("{account} has {have} {coin}, this takes up to {needed}: send it some first")]
    Coin {
        /// Whose.
        account: Address,
        /// The coin's short name.
        coin: String,
        /// Amount and fees at most, whole coins.
        needed: String,
        /// What is there, whole coins.
        have: String,
    },
    /// Too little of a token, or of what the Vault holds.
    #[error("{what}: there are {have} {symbol}, this takes {needed}")]
    TooLittle {
        /// Of what.
        what: &'static str,
        /// The token's short name.
        symbol: String,
        /// Whole tokens.
        needed: String,
        /// Whole tokens.
        have: String,
    },
    /// A contract would refuse it, so it was not sent.
    #[error("{what} would be refused: {reason}; it was not sent")]
    Refused {
        /// What was to be done.
        what: String,
        /// The contract's reason.
        reason: String,
    },
    /// A later step of a plan went wrong, and those before it cannot be taken back.
    #[error("{error}; done before it: {}", .done.join(", "))]
    Stopped {
        /// The steps that count.
        done: Vec<String>,
        /// Why there are no more.
        error: Box<Self>,
    },
    /// An address that is no token's.
    #[error(
        "{0} is no token, for it does not tell how many decimals it has: is the address right, and of \
         this network?"
    )]
    NoToken(Address),
    /// It is on the chain, and failed there.
    #[error("{what} failed in block {block}: {reason}; only its fee was paid (transaction {hash})")]
    Failed {
        /// What was to be done.
        what: String,
        /// Where it is.
        block: u64,
        /// The contract's reason, if it can still be learnt.
        reason: String,
        /// The transaction.
        hash: B256,
    },
    /// More gas than a transaction may have.
    #[error("{what} takes {gas} gas, a transaction may take {most}: do less at once")]
    Gas {
        /// What was to be done.
        what: String,
        /// The estimate.
        gas: u64,
        /// The limit.
        most: u64,
    },
    /// Fees beyond any real chain's.
    #[error("{server} asks {price} wei a unit of gas, which no chain does: use another server")]
    Price {
        /// Which server.
        server: String,
        /// What it asks.
        price: u128,
    },
    /// Somebody else uses the same account.
    #[error(
        "another transaction of {account} took number {nonce}, so this one will never count: another \
         program uses this account; see what it did, then try again"
    )]
    Displaced {
        /// Whose number.
        account: Address,
        /// Which.
        nonce: u64,
    },
    /// Not in a block yet.
    #[error(
        "not in a block after {} s: it may still come, so look at transaction {hash} before sending again",
        .after.as_secs()
    )]
    NotMined {
        /// The transaction.
        hash: B256,
        /// How long it was waited for.
        after: Duration,
    },
    /// A server that calls our transaction by another name.
    #[error("{server} answered {got} for transaction {expected}: do not trust it")]
    WrongHash {
        /// Which server.
        server: String,
        /// What we sent.
        expected: B256,
        /// What it says.
        got: B256,
    },
    /// Too many transactions under way.
    #[error("{most} transactions are under way already: wait for them")]
    TooManySent {
        /// The limit.
        most: usize,
    },
    /// A number of a transaction that is not under way.
    #[error("no transaction of number {0} is under way")]
    NotSent(u64),
    /// More than fits.
    #[error("{what} is over {most}")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// The limit.
        most: U256,
    },
}

impl From<CheckFault> for SettleError {
    fn from(fault: CheckFault) -> Self {
        Self::Check(Box::new(fault))
    }
}

impl From<RpcError> for SettleError {
    fn from(error: RpcError) -> Self {
        Self::Rpc(Box::new(error))
    }
}
