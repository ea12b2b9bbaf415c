//! Signatures as Ethereum's contracts take them: r, s and v, with one form for each.

use crate::PayFault;
use crate::key::address_of;
use alloy_primitives::{Address, B256, b256};
use secp256k1::Message;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};

/// Bytes of a signature: r, s, and v.
pub const SIGNATURE_BYTES: usize = 32 + 32 + 1;

/// The highest s, half the order of the curve (EIP-2).
const S_MAX: B256 = b256!("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");

/// What v counts from: 27 or 28, by which of two points r stands for.
const V_BASE: u8 = 27;

/// A signature whose signer can be recovered; s lies in the lower half, v is 27 or 28.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signature([u8; SIGNATURE_BYTES]);

impl Signature {
    /// Reads r, s and v.
    ///
    /// # Errors
    /// When there are more or fewer than [`SIGNATURE_BYTES`], v is neither 27 nor 28, or s is the larger of
    /// the two that fit. Whether any key has signed with r and s is known on [`Self::recover`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PayFault> {
        let signature: [u8; SIGNATURE_BYTES] = bytes.try_into().map_err(|_| PayFault::Length {
            what: "a signature",
            expected_bytes: SIGNATURE_BYTES,
            got_bytes: bytes.len(),
        })?;
        let v = signature[64];
        if !(V_BASE..=V_BASE + 1).contains(&v) {
            return Err(PayFault::RecoveryValue { got: v });
        }
        if signature[32..64] > S_MAX.0[..] {
            return Err(PayFault::HighS);
        }
        Ok(Self(signature))
    }

    /// r, s and v.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.0
    }

    /// The address whose key has signed this digest; with another digest, somebody else's or none.
    ///
    /// It is the address that a contract's `ecrecover` finds. A check against a known public key would be
    /// a little faster, but takes either v, and a contract does not.
    ///
    /// # Errors
    /// When no key makes this signature.
    pub fn recover(&self, digest: &B256) -> Result<Address, PayFault> {
        let id = RecoveryId::from_u8_masked(self.0[64] - V_BASE);
        let signature = RecoverableSignature::from_compact(&self.0[..64], id);
        let public = signature.and_then(|it| it.recover_ecdsa(Message::from_digest(digest.0)));
        public.map(|public| address_of(&public)).map_err(|_| PayFault::BadSignature)
    }

    /// That `signer` has signed this digest.
    ///
    /// # Errors
    /// When somebody else has, or nobody.
    pub fn check(&self, digest: &B256, signer: Address) -> Result<(), PayFault> {
        let got = self.recover(digest)?;
        if got == signer { Ok(()) } else { Err(PayFault::WrongSigner { expected: signer, got }) }
    }

    /// What the library signs has s in the lower half, and an r below the order of the curve, for no nonce
    /// is known that would give another: so its two low bits suffice.
    pub(crate) fn of(signature: RecoverableSignature) -> Self {
        let (id, compact) = signature.serialize_compact();
        let mut bytes = [0; SIGNATURE_BYTES];
        bytes[..64].copy_from_slice(&compact);
        bytes[64] = V_BASE + (id.to_u8() & 1);
        Self(bytes)
    }
}
