//! Key agreement: Diffie-Hellman with 768-bit numbers and exponents of 160 bits.
//!
//! Knows no arithmetic, which is `power`'s. The exponents are as short as the protocol allows: longer ones
//! would cost more and add nothing, because what follows is keyed with 160 bits.

use crate::MseFault;
use crate::power::{self, Power};

/// Bytes of a public key on the wire.
pub const KEY_BYTES: usize = 96;

/// Bytes of a secret exponent.
pub const SECRET_BYTES: usize = 20;

const GENERATOR: u8 = 2;

/// A secret exponent and the public key that follows from it.
pub struct KeyPair {
    exponent: [u8; SECRET_BYTES],
    public: [u8; KEY_BYTES],
}

impl KeyPair {
    /// The pair of a secret exponent, which comes from the operating system's randomness.
    pub fn new(secret: &[u8; SECRET_BYTES]) -> Self {
        let [pair] = Self::several([*secret]);
        pair
    }

    /// The pairs of several, which cost less than if each is made alone.
    pub(crate) fn several<const N: usize>(secrets: [[u8; SECRET_BYTES]; N]) -> [Self; N] {
        let mut base = [0; KEY_BYTES];
        base[KEY_BYTES - 1] = GENERATOR;
        let public = power::powers(&secrets.map(|exponent| Power { base, exponent }));
        std::array::from_fn(|at| Self { exponent: secrets[at], public: public[at] })
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
        let theirs = Theirs::new(*theirs)?;
        Ok(agree_all(&[(self, &theirs)])[0])
    }
}

/// The other side's key: a number of the group that does not make the secret known to all.
pub(crate) struct Theirs([u8; KEY_BYTES]);

impl Theirs {
    /// # Errors
    /// When it is another number.
    pub(crate) fn new(key: [u8; KEY_BYTES]) -> Result<Self, MseFault> {
        if power::is_strong(&key) { Ok(Self(key)) } else { Err(MseFault::WeakKey) }
    }
}

/// The numbers that only the two sides of each handshake know. Several cost less than if each is alone.
pub(crate) fn agree_all(handshakes: &[(&KeyPair, &Theirs)]) -> Vec<[u8; KEY_BYTES]> {
    let power =
        |&(ours, theirs): &(&KeyPair, &Theirs)| Power { base: theirs.0, exponent: ours.exponent };
    power::powers(&handshakes.iter().map(power).collect::<Vec<_>>())
}

/// The exponent is a secret: it is not printed.
impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyPair")
    }
}
