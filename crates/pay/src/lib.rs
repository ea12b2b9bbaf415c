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
mod authority;
mod cheque;
mod fault;
mod key;
mod links;
mod signature;
mod signer;
mod typed;

pub use alloy_primitives::{Address, B256, keccak256};
pub use amount::{AMOUNT_BYTES_MAX, decode_amount, encode_amount};
pub use authority::{Authority, DELEGATION_SECONDS_MAX};
pub use cheque::{CHEQUE_BYTES, Cheque, LINKS_MAX};
pub use fault::PayFault;
pub use key::Key;
pub use links::{CHECKPOINT_LINKS, Held, Links, fold_links};
pub use signature::{SIGNATURE_BYTES, Signature};
pub use signer::Signer;
pub use typed::{Bind, CloseLock, Delegate, Domain, Typed};

#[cfg(test)]
mod tests;
