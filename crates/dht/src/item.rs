//! Items that anybody may store in the DHT: immutable ones under their hash, mutable ones under their
//! owner's key (BEP 44), and mutable ones that point to a torrent (BEP 46).
//!
//! Owns targets, signatures and the bytes they cover. A value of these types that came from a node was
//! verified; nothing else makes them. Must not know who stores what.

use crate::NodeId;
use crate::krpc::{SALT_BYTES_MAX, Signed, VALUE_BYTES_MAX};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use piecework_bencode::{Mode, Value, decode, encode_dict};
use piecework_hash::sha1;
use piecework_types::InfoHash;
use std::fmt;
use thiserror::Error;

/// An Ed25519 public key.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PublicKey(pub [u8; 32]);

/// An Ed25519 signature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signature(pub [u8; 64]);

/// A key that makes mutable items.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// Why bytes are no item.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ItemFault {
    /// The value is longer than [`VALUE_BYTES_MAX`].
    #[error("a value may have {VALUE_BYTES_MAX} bytes encoded, got {0}")]
    ValueTooLong(usize),
    /// The value is not canonical bencode.
    #[error("a value must be canonical bencode")]
    NotCanonical,
    /// The salt is longer than [`SALT_BYTES_MAX`].
    #[error("a salt may have {SALT_BYTES_MAX} bytes, got {0}")]
    SaltTooLong(usize),
    /// The sequence is below zero.
    #[error("a sequence must not be negative, got {0}")]
    Sequence(i64),
    /// The owner did not sign this.
    #[error("the signature does not cover this salt, sequence and value")]
    Signature,
    /// The bytes of a signing key are none.
    #[error("these 32 bytes are no signing key")]
    Key,
}

/// Where a mutable item is found: whose it is, and which of theirs.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct MutableName {
    key: PublicKey,
    salt: Vec<u8>,
}

/// A value under its own hash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImmutableItem {
    value: Vec<u8>,
}

/// A value that its owner signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MutableItem {
    name: MutableName,
    sequence: i64,
    signature: Signature,
    value: Vec<u8>,
}

/// An item of either kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Item {
    /// Under its hash.
    Immutable(ImmutableItem),
    /// Under its owner's key and salt.
    Mutable(MutableItem),
}

impl SigningKey {
    /// The key of this seed (RFC 8032). The seed is the secret: 32 bytes of true randomness.
    ///
    /// # Errors
    /// [`ItemFault::Key`], which no 32 bytes are known to cause.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, ItemFault> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| ItemFault::Key)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| ItemFault::Key)?;
        Ok(Self { pair, public: PublicKey(public) })
    }

    /// What others verify with.
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a value under this key and `salt`. A higher `sequence` replaces a lower one.
    ///
    /// # Errors
    /// When value, salt or sequence are out of bounds, or the value is not canonical bencode.
    pub fn sign(
        &self,
        salt: &[u8],
        sequence: i64,
        value: Vec<u8>,
    ) -> Result<MutableItem, ItemFault> {
        let name = MutableName::new(self.public, salt)?;
        check_value(&value)?;
        check_sequence(sequence)?;
        let signed = self.pair.try_sign(&covered(salt, sequence, &value));
        let signed = signed.map_err(|_| ItemFault::Key)?;
        let signature = signed.as_ref().try_into().map_err(|_| ItemFault::Key)?;
        Ok(MutableItem { name, sequence, signature: Signature(signature), value })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl MutableName {
    /// The name of this key's item with this salt; an empty salt is none.
    ///
    /// # Errors
    /// [`ItemFault::SaltTooLong`].
    pub fn new(key: PublicKey, salt: &[u8]) -> Result<Self, ItemFault> {
        match salt.len() {
            0..=SALT_BYTES_MAX => Ok(Self { key, salt: salt.to_vec() }),
            length => Err(ItemFault::SaltTooLong(length)),
        }
    }

    /// Where nodes keep it: the SHA-1 of key and salt.
    pub fn target(&self) -> NodeId {
        NodeId(sha1(&[&self.key.0[..], &self.salt].concat()).0)
    }

    /// Whose it is.
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// Which of theirs.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }
}

impl ImmutableItem {
    /// A bencoded value.
    ///
    /// # Errors
    /// When it is too long or not canonical.
    pub fn new(value: Vec<u8>) -> Result<Self, ItemFault> {
        check_value(&value)?;
        Ok(Self { value })
    }

    /// Where nodes keep it: the SHA-1 of the value.
    pub fn target(&self) -> NodeId {
        NodeId(sha1(&self.value).0)
    }

    /// The value, encoded.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

impl MutableItem {
    /// What a node sent or is asked to store. The value may have any form: its signature vouches.
    ///
    /// # Errors
    /// When a bound is broken or the signature is wrong.
    pub fn verify(
        name: MutableName,
        sequence: i64,
        signature: Signature,
        value: Vec<u8>,
    ) -> Result<Self, ItemFault> {
        if value.len() > VALUE_BYTES_MAX {
            return Err(ItemFault::ValueTooLong(value.len()));
        }
        check_sequence(sequence)?;
        let key = UnparsedPublicKey::new(&ED25519, name.key.0);
        key.verify(&covered(&name.salt, sequence, &value), &signature.0)
            .map_err(|_| ItemFault::Signature)?;
        Ok(Self { name, sequence, signature, value })
    }

    /// Whose it is, and which of theirs.
    pub const fn name(&self) -> &MutableName {
        &self.name
    }

    /// How new it is.
    pub const fn sequence(&self) -> i64 {
        self.sequence
    }

    /// The owner's signature.
    pub const fn signature(&self) -> Signature {
        self.signature
    }

    /// The value, encoded.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The torrent it points to, if it is such an item (BEP 46).
    pub fn torrent(&self) -> Option<InfoHash> {
        let document = decode(&self.value, Mode::Lenient).ok()?;
        let hash = document.root().get("ih").and_then(Value::as_bytes)?;
        hash.try_into().ok().map(InfoHash)
    }

    /// As the arguments of a put.
    pub(crate) fn signed(&self, compare: Option<i64>) -> Signed {
        Signed {
            key: self.name.key,
            salt: self.name.salt.clone(),
            sequence: self.sequence,
            signature: self.signature,
            compare,
        }
    }
}

impl Item {
    /// Where nodes keep it.
    pub fn target(&self) -> NodeId {
        match self {
            Self::Immutable(item) => item.target(),
            Self::Mutable(item) => item.name.target(),
        }
    }

    /// The value, encoded.
    pub fn value(&self) -> &[u8] {
        match self {
            Self::Immutable(item) => &item.value,
            Self::Mutable(item) => &item.value,
        }
    }
}

/// The value of an item that points to a torrent (BEP 46).
pub fn torrent_pointer(info_hash: InfoHash) -> Vec<u8> {
    encode_dict(|dict| dict.bytes("ih", info_hash.0))
}

fn check_value(value: &[u8]) -> Result<(), ItemFault> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(ItemFault::ValueTooLong(value.len()));
    }
    decode(value, Mode::Strict).map(|_| ()).map_err(|_| ItemFault::NotCanonical)
}

const fn check_sequence(sequence: i64) -> Result<(), ItemFault> {
    if sequence < 0 { Err(ItemFault::Sequence(sequence)) } else { Ok(()) }
}

/// The bytes that a signature covers (BEP 44, "Signature Verification").
fn covered(salt: &[u8], sequence: i64, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(salt.len() + value.len() + 48);
    if !salt.is_empty() {
        bytes.extend(format!("4:salt{}:", salt.len()).into_bytes());
        bytes.extend_from_slice(salt);
    }
    bytes.extend(format!("3:seqi{sequence}e1:v").into_bytes());
    bytes.extend_from_slice(value);
    bytes
}

#[cfg(test)]
mod tests;
