//! The client's side of money, against any EVM chain: which network, what it is asked and told.
//!
//! [`Rpc`] carries one question to one server; [`Network`] is the file that two people share, [`ChequeFile`]
//! a cheque as one hands it to another; [`check()`] asks the servers whether the network file is true. A
//! [`Client`] of one that is plans what people do with coin, tokens and the Vault: a [`Plan`] says what it
//! costs, an [`Outbox`] carries it out, so that it happens once. [`SeenFile`] notices a chain that was put
//! back or went another way. [`Settlement`] is what a node needs of all this. Amounts are integers in
//! a token's smallest unit; [`parse_amount`] and [`format_amount`] turn them to what people write, exactly.
//!
//! Calls block and take seconds: ask from a thread of your own. This crate must not know peers, pieces
//! or keys, nor other files than that note and the network file.

mod abi;
mod amount;
mod check;
mod cheque_file;
mod client;
mod deploy;
mod error;
mod eth;
mod fees;
mod memory;
mod network;
mod outbox;
mod plan;
mod price;
mod reason;
mod receipt;
mod rpc;
mod seen;
mod settlement;
mod token;
mod vault;

pub use amount::{AmountFault, DECIMALS_MAX, format_amount, parse_amount};
pub use check::{CheckFault, Checked, Trust, check};
pub use cheque_file::{CHEQUE_FILE_BYTES_MAX, ChequeFile, ChequeFileFault};
pub use client::{Client, GAS_MAX, LOG_BLOCKS, STEPS_MAX, Seen};
pub use deploy::{CreationCodes, Deployment, DeploymentNames, FACTORY};
pub use error::SettleError;
pub use eth::{At, Block};
pub use fees::Fees;
pub use memory::{Books, Memory};
pub use network::{
    COIN_DECIMALS, CONFIRMATIONS_MAX, Coin, Contract, Format, Money, NAME_CHARS_MAX,
    NETWORK_BYTES_MAX, NETWORK_FILE, Network, NetworkFault, SERVERS_MAX, TOKENS_MAX, TokenEntry,
};
pub use outbox::{Outbox, Progress, SENT_MAX, Waiting};
pub use plan::{Call, Plan, Step};
pub use price::{format_price, parse_price};
pub use receipt::{Log, Receipt};
pub use rpc::{
    ANSWER_BYTES_MAX, Patience, Received, Rpc, RpcError, RpcFault, Transport, URL_BYTES_MAX,
};
pub use seen::SeenFile;
pub use settlement::{Cost, Evm, Funds, Info, Means, Settlement, Ticket};
pub use token::{Issued, LISTED_MAX, Movement, NewToken};
pub use vault::{
    Account, Answer, CLAIMS_MAX, CLAIMS_PLANNED_MAX, Cashed, ChannelState, Claim, DelegationState,
    Happened, Lock, QUESTIONS_MAX, Question, Recovered, RecoveredLock, SpentDelegation, Statement,
    VaultEvent,
};
