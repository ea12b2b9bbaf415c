//! The seal of one conversation: X25519, HKDF-SHA256 and ChaCha20-Poly1305 (RFC 7748, 5869, 8439).
//!
//! Each direction has a key and a counter of its own, so a message opens once, in its turn, or not at all.
//! It hides what is said from who listens. It does not tell who speaks: that is what `au` of an open is for.
//! No key is shown; ours are wiped, and so are those that the library keeps.

use crate::PayFault;
use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes that sealing adds to what is sealed.
pub(crate) const TAG_BYTES: usize = 16;

/// What the keys of both directions are derived for: i opened the connection, r was connected to.
const INFO: [&[u8]; 2] = [b"pw_pay 1 i>r", b"pw_pay 1 r>i"];

/// Why the library cannot refuse: no number, length or state here is anybody's but ours.
const FITS: &str = "X25519 takes any 32 bytes, the other two a key of 32";

/// One side's key of one connection, used for nothing else.
pub(crate) struct Ephemeral {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl Ephemeral {
    /// The key of these 32 random bytes.
    pub(crate) fn new(secret: Zeroizing<[u8; 32]>) -> Self {
        let public = private(&secret).compute_public_key().expect(FITS);
        let public = public.as_ref().try_into().expect("a public key of X25519 has 32 bytes");
        Self { secret, public }
    }

    /// `e` of our hello.
    pub(crate) fn public(&self) -> &[u8; 32] {
        &self.public
    }
}

impl fmt::Debug for Ephemeral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ephemeral(..)")
    }
}

/// Who both sides are and what they speak about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sides {
    /// Whether we opened the connection.
    pub(crate) is_initiator: bool,
    /// Of the handshake.
    pub(crate) info_hash: [u8; 20],
    /// The other side's `e`.
    pub(crate) other: [u8; 32],
}

impl Sides {
    /// The initiator's `e` and the responder's, of which `ours` is one.
    pub(crate) fn order(&self, ours: [u8; 32]) -> [[u8; 32]; 2] {
        if self.is_initiator { [ours, self.other] } else { [self.other, ours] }
    }
}

/// Seals what is sent and opens what comes, each in its order.
#[derive(Debug)]
pub(crate) struct Seal {
    sending: Direction,
    receiving: Direction,
}

impl Seal {
    /// Agrees with the other side.
    ///
    /// # Errors
    /// When its key is one with which any secret gives zeros, or our own.
    pub(crate) fn new(ephemeral: &Ephemeral, sides: &Sides) -> Result<Self, PayFault> {
        if sides.other == ephemeral.public {
            return Err(PayFault::OwnKey);
        }
        let [initiator, responder] = sides.order(ephemeral.public);
        let salt = [&sides.info_hash[..], &initiator, &responder].concat();
        let other = UnparsedPublicKey::new(&X25519, sides.other);
        // The library refuses the secret of zeros, as section 6.1 of RFC 7748 wants.
        let extracted =
            agree(&private(&ephemeral.secret), other, PayFault::ZeroSecret, |secret| {
                Ok(Salt::new(HKDF_SHA256, &salt).extract(secret))
            })?;
        let [forth, back] = INFO.map(|info| Direction::new(&extracted, info));
        let (sending, receiving) = if sides.is_initiator { (forth, back) } else { (back, forth) };
        Ok(Self { sending, receiving })
    }

    /// The next message of ours, sealed. None when the counter is used up: it never begins anew.
    pub(crate) fn seal(&mut self, inner: &[u8]) -> Option<Vec<u8>> {
        let nonce = self.sending.nonce();
        self.sending.step()?;
        let mut sealed = Vec::with_capacity(inner.len() + TAG_BYTES);
        sealed.extend_from_slice(inner);
        self.sending.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut sealed).ok()?;
        Some(sealed)
    }

    /// The next message of the other side.
    ///
    /// # Errors
    /// When it is not what the other side sealed as its next one. The turn stays.
    pub(crate) fn open(&mut self, mut sealed: Vec<u8>) -> Result<Vec<u8>, PayFault> {
        let fault = PayFault::Unopened { number: self.receiving.next };
        let nonce = self.receiving.nonce();
        let opened = self.receiving.key.open_in_place(nonce, Aad::empty(), &mut sealed);
        let bytes = opened.map_err(|_| fault)?.len();
        self.receiving.step().ok_or(fault)?;
        sealed.truncate(bytes);
        Ok(sealed)
    }
}

/// One direction: its key, and the number of its next message.
struct Direction {
    key: LessSafeKey,
    next: u64,
}

impl Direction {
    fn new(extracted: &Prk, info: &[u8]) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let info = [info];
        extracted
            .expand(&info, HKDF_SHA256)
            .and_then(|okm| okm.fill(key.as_mut_slice()))
            .expect(FITS);
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice()).expect(FITS);
        Self { key: LessSafeKey::new(key), next: 0 }
    }

    /// The counter, big-endian. Of its 96 bits nobody will use more than 64.
    fn nonce(&self) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[NONCE_LEN - 8..].copy_from_slice(&self.next.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }

    fn step(&mut self) -> Option<()> {
        self.next = self.next.checked_add(1)?;
        Some(())
    }
}

impl fmt::Debug for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direction").field("next", &self.next).finish_non_exhaustive()
    }
}

fn private(secret: &[u8; 32]) -> PrivateKey {
    PrivateKey::from_private_key(&X25519, secret).expect(FITS)
}

#[cfg(test)]
mod tests;
