//! A private key, and the address it speaks for.

use crate::{PayFault, Signature};
use alloy_primitives::{Address, B256, keccak256};
use secp256k1::ecdsa::RecoverableSignature;
use secp256k1::{PublicKey, SecretKey};
use std::fmt;

/// A private key of secp256k1: of an account or of a session. It is wiped from memory, and not shown.
pub struct Key {
    secret: SecretKey,
    address: Address,
}

impl Key {
    /// The key of these 32 bytes. Those that the caller holds are the caller's to wipe.
    ///
    /// # Errors
    /// When they are 0 or not below the order of the curve.
    pub fn new(secret: &[u8; 32]) -> Result<Self, PayFault> {
        let secret = SecretKey::from_secret_bytes(*secret).map_err(|_| PayFault::BadKey)?;
        let address = address_of(&secret.public_key());
        Ok(Self { secret, address })
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// The 32 bytes, for who stores them or derives from them.
    #[must_use]
    pub fn secret(&self) -> &[u8; 32] {
        self.secret.as_secret_bytes()
    }

    /// Its public key, compressed (SEC 1).
    #[must_use]
    pub fn public(&self) -> [u8; 33] {
        self.secret.public_key().serialize()
    }

    /// Signs a digest; the same digest gives the same signature (RFC 6979), with s in the lower half.
    #[must_use]
    pub fn sign(&self, digest: &B256) -> Signature {
        let message = secp256k1::Message::from_digest(digest.0);
        Signature::of(RecoverableSignature::sign_ecdsa_recoverable(message, &self.secret))
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.secret.non_secure_erase();
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The last 20 bytes of the hash of both coordinates.
pub(crate) fn address_of(public: &PublicKey) -> Address {
    Address::from_word(keccak256(&public.serialize_uncompressed()[1..]))
}
