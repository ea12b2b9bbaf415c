//! Key agreement: Diffie-Hellman with 768-bit numbers and exponents of 160 bits.
//!
//! Owns the arithmetic and nothing else. The exponents are as short as the protocol allows: longer ones
//! would cost more and add nothing, because what follows is keyed with 160 bits.

use crate::MseFault;
use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams};
use crypto_bigint::{U768, const_monty_params};

/// Bytes of a public key on the wire.
pub const KEY_BYTES: usize = 96;

/// Bytes of a secret exponent.
pub const SECRET_BYTES: usize = 20;

/// Bits of a secret exponent.
const SECRET_BITS: u32 = 8 * SECRET_BYTES as u32;

const_monty_params!(
    Prime,
    U768,
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74\
     020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437\
     4fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563",
    "The prime of the protocol; its generator is 2."
);

type Residue = ConstMontyForm<Prime, { U768::LIMBS }>;

/// A secret exponent and the public key that follows from it.
pub struct KeyPair {
    exponent: U768,
    public: [u8; KEY_BYTES],
}

impl KeyPair {
    /// The pair of a secret exponent, which comes from the operating system's randomness.
    pub fn new(secret: &[u8; SECRET_BYTES]) -> Self {
        let mut wide = [0; KEY_BYTES];
        wide[KEY_BYTES - SECRET_BYTES..].copy_from_slice(secret);
        let exponent = U768::from_be_slice(&wide);
        let public = power(&Residue::new(&U768::from_u8(2)), &exponent);
        Self { exponent, public }
    }

    /// What the other side may know.
    pub const fn public(&self) -> &[u8; KEY_BYTES] {
        &self.public
    }

    /// The number that only the two sides know. Costs tens of microseconds.
    ///
    /// # Errors
    /// When the other side's key is not a number of the group, or one that makes the secret known to all.
    pub fn agree(&self, theirs: &[u8; KEY_BYTES]) -> Result<[u8; KEY_BYTES], MseFault> {
        let theirs = U768::from_be_slice(theirs);
        let last = Prime::PARAMS.modulus().as_ref().wrapping_sub(&U768::ONE);
        if theirs <= U768::ONE || theirs >= last {
            return Err(MseFault::WeakKey);
        }
        Ok(power(&Residue::new(&theirs), &self.exponent))
    }
}

/// The exponent is a secret: it is not printed.
impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyPair")
    }
}

fn power(base: &Residue, exponent: &U768) -> [u8; KEY_BYTES] {
    let mut bytes = [0; KEY_BYTES];
    let power = base.pow_amm_bounded_exp(exponent, SECRET_BITS).retrieve();
    bytes.copy_from_slice(power.to_be_bytes().as_ref());
    bytes
}
