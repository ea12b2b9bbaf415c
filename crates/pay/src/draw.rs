//! Secrets from the one secret that a machine was started with.

use alloy_primitives::{B256, keccak256};
use zeroize::Zeroize;

/// A stream of secrets that nobody can tell from chance who does not know its beginning. What it has given
/// cannot be found from what it holds later. Its beginning must never be used twice.
pub(crate) struct Draw(B256);

impl Draw {
    pub(crate) fn new(entropy: [u8; 32]) -> Self {
        Self(B256::new(entropy))
    }

    pub(crate) fn secret(&mut self) -> B256 {
        let secret = self.hash(1);
        let next = self.hash(0);
        self.0.0.zeroize();
        self.0 = next;
        secret
    }

    pub(crate) fn number(&mut self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.secret().0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    fn hash(&self, which: u8) -> B256 {
        let mut bytes = [which; 33];
        bytes[..32].copy_from_slice(&self.0.0);
        let hash = keccak256(bytes);
        bytes.zeroize();
        hash
    }
}

impl Drop for Draw {
    fn drop(&mut self) {
        self.0.0.zeroize();
    }
}
