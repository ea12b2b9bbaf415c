//! Who signs: a key at hand, or something that holds one and does not give it away.

use crate::{Key, Signature};
use alloy_primitives::{Address, B256};

/// Signs digests for one account.
pub trait Signer {
    /// Whose signature it is.
    fn address(&self) -> Address;

    /// Signs a digest.
    ///
    /// # Errors
    /// When the wallet is locked or refuses; the text is shown to people.
    fn sign(&self, digest: &B256) -> Result<Signature, String>;
}

impl Signer for Key {
    fn address(&self) -> Address {
        Self::address(self)
    }

    fn sign(&self, digest: &B256) -> Result<Signature, String> {
        Ok(Self::sign(self, digest))
    }
}
