//! Which money: a chain, the vault on it, and a token.

use crate::Domain;
use alloy_primitives::Address;

/// Where a payment is settled. Two sides can only trade in one that both know.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Network {
    /// The chain's number (EIP-155).
    pub chain_id: u64,
    /// The address of the vault.
    pub vault: Address,
    /// What is paid in.
    pub token: Address,
    /// The first 8 bytes of the hash of the chain's first block: a chain made anew is another one.
    pub genesis: [u8; 8],
}

impl Network {
    /// What signatures are given under.
    #[must_use]
    pub fn domain(&self) -> Domain {
        Domain { chain_id: self.chain_id, verifying_contract: self.vault }
    }
}
