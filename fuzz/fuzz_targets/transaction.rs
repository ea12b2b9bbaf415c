//! Bytes that somebody sends to a chain as a transaction. What is taken is its own only encoding, has the
//! sender that Ethereum's library recovers too, and is read the same again.

#![no_main]

use alloy_consensus::transaction::SignerRecoverable;
use libfuzzer_sys::fuzz_target;
use piecework_chain::transaction::Transaction;

/// The chain that the corpus is signed for.
const CHAIN: u64 = 1;

fuzz_target!(|bytes: &[u8]| {
    let Ok(transaction) = Transaction::decode(bytes, CHAIN) else { return };
    assert_eq!(transaction.raw().as_ref(), bytes);
    assert_eq!(transaction.envelope().recover_signer().ok(), Some(transaction.sender()));
    assert_eq!(transaction.hash(), alloy_primitives::keccak256(bytes));
    assert!(transaction.tip(u64::MAX) <= transaction.tip(0));
});
