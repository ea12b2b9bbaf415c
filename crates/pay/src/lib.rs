//! Payments between peers: what a buyer signs, what it reveals, and what both are worth.
//!
//! A buyer signs one [`Cheque`] that commits to the end of a hash chain, and then pays by revealing one
//! 32-byte link after another. [`Links`] is the buyer's side of the chain, [`Held`] the seller's. What is
//! signed is EIP-712 typed data ([`Typed`]) of one contract on one chain ([`Domain`]), so that any Ethereum
//! wallet and the contract itself come to the same digest; a [`Key`] signs it, or what else is a [`Signer`],
//! [`Signature::recover`] tells who did, and [`Authority`] whether that account or session key may.
//!
//! This crate must not know sockets, files, clocks or a chain's state: time and randomness are arguments,
//! and whether an account has the money is asked elsewhere.

mod amount;
mod asking;
mod authority;
mod cheque;
mod draw;
mod entry;
mod exposure;
mod facts;
mod fault;
mod key;
mod lane;
mod links;
mod market;
mod message;
mod network;
mod payments;
mod price;
mod purse;
mod record;
mod seal;
mod seam;
mod signature;
mod signer;
mod talk;
mod till;
mod typed;
mod window;

pub use alloy_primitives::{Address, B256, keccak256};
pub use amount::{AMOUNT_BYTES_MAX, decode_amount, encode_amount};
pub use asking::Asking;
pub use authority::{Authority, DELEGATION_SECONDS_MAX};
pub use cheque::{CHEQUE_BYTES, Cheque, LINKS_MAX};
pub use entry::{Entry, Side, TorrentKey};
pub use exposure::{Exposure, FACTS_AGE, FACTS_AGE_MAX, Unworthy, exposure};
pub use facts::Facts;
pub use fault::PayFault;
pub use key::Key;
pub use lane::Lane;
pub use links::{CHECKPOINT_LINKS, Held, Links, fold_links};
pub use market::{Allocation, BIDS_MAX, MarketBid, SPEND_MAX, allocate};
pub use message::{
    Accepted, Ask, Bid, CloseReason, Delegation, EXTENSION_NAME, Hello, INNER_BYTES_MAX,
    LINK_BYTES_MAX, LINK_BYTES_MIN, LastCheque, MESSAGE_BYTES_MAX, Message, NETWORKS_MAX, Open,
    REASON_BYTES_MAX, Refused, RefusedCode, SignedCheque, Terms, VERSION,
};
pub use network::Network;
pub use payments::{
    CONNECTIONS_MAX, Connection, Payments, PaymentsConfig, PaymentsInput, PaymentsOutput,
};
pub use price::{BILL_BYTES_MAX, BILL_PRICES_MAX, Bill, PRICE_BYTES, PRICE_MAX, Price};
pub use purse::{
    DELEGATION_SECONDS_MIN, Payer, Purse, PurseConfig, SELLERS_MAX, SellerView, TORRENTS_MAX,
    TorrentView,
};
pub use record::{Purchase, Record, Sale, Seed, Standing, Write, WriteId};
pub use seam::{
    Counts, FactsKey, Hold, Meeting, PeerKey, PurseInput, PurseOutput, Service, TillInput,
    TillOutput, Wish,
};
pub use signature::{SIGNATURE_BYTES, Signature};
pub use signer::Signer;
pub use talk::{FAULTS_MAX, Heard, MESSAGES, Met, SIGNED_MESSAGES, Start, Talk};
pub use till::{
    ACCOUNTS_MAX, AccountView, BuyerView, CHANNELS_MAX, FREE_PERMILLE_MIN, PEERS_MAX, TRADES_MAX,
    Till, TillConfig,
};
pub use typed::{Bind, CloseLock, Delegate, Domain, Typed};
pub use window::{DEFAULT, LATE, PATIENCE, WINDOW_MAX, Window, first_window};

#[cfg(test)]
mod tests;
