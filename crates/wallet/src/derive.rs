//! From a seed to keys: BIP-32 with private parents, along the paths of BIP-44.

use aws_lc_rs::hmac;
use piecework_pay::Key;
use secp256k1::{Scalar, SecretKey};
use thiserror::Error;
use zeroize::Zeroizing;

/// From this number on a child is hardened: it cannot be found from its parent's public key.
const HARDENED: u32 = 1 << 31;

/// Whose account numbers a path follows (SLIP-44).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Coin {
    /// `m/44'/60'/0'/0/n`, as nearly every wallet of an EVM chain has it.
    #[default]
    Ethereum,
    /// `m/44'/195'/0'/0/n`.
    Tron,
}

/// A path leads to no key. It happens to one seed in 2^127; the next account has one.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("this phrase has no key at this account: take the next number")]
pub struct DeriveFault;

/// The key of account `number` of a seed.
///
/// # Errors
/// When there is none.
pub fn account(seed: &[u8; 64], coin: Coin, number: u32) -> Result<Key, DeriveFault> {
    let coin = match coin {
        Coin::Ethereum => 60,
        Coin::Tron => 195,
    };
    let number = if number < HARDENED { number } else { return Err(DeriveFault) };
    derive(seed, &[44 | HARDENED, coin | HARDENED, HARDENED, 0, number])
}

/// The key at the end of a path, whose hardened steps have their highest bit set.
///
/// # Errors
/// When there is none.
pub fn derive(seed: &[u8], path: &[u32]) -> Result<Key, DeriveFault> {
    let mut node = Node::of(b"Bitcoin seed", seed)?;
    for step in path {
        node = node.child(*step)?;
    }
    Ok(node.key)
}

/// A private key with the chain code that its children are made with.
struct Node {
    key: Key,
    code: Zeroizing<[u8; 32]>,
}

impl Node {
    fn of(code: &[u8], data: &[u8]) -> Result<Self, DeriveFault> {
        let halves = Halves::of(code, data);
        let key = Key::new(&halves.left).map_err(|_| DeriveFault)?;
        Ok(Self { key, code: halves.right })
    }

    /// "Private parent key to private child key" of BIP-32.
    fn child(&self, step: u32) -> Result<Self, DeriveFault> {
        let mut data = Zeroizing::new([0; 33 + 4]);
        if step >= HARDENED {
            data[1..33].copy_from_slice(self.key.secret());
        } else {
            data[..33].copy_from_slice(&self.key.public());
        }
        data[33..].copy_from_slice(&step.to_be_bytes());
        let halves = Halves::of(&*self.code, &*data);
        let tweak = Scalar::from_be_bytes(*halves.left).map_err(|_| DeriveFault)?;
        let parent = SecretKey::from_secret_bytes(*self.key.secret()).map_err(|_| DeriveFault)?;
        let mut child = parent.add_tweak(&tweak).map_err(|_| DeriveFault)?;
        let key = Key::new(child.as_secret_bytes()).map_err(|_| DeriveFault)?;
        child.non_secure_erase();
        Ok(Self { key, code: halves.right })
    }
}

/// HMAC-SHA512 in two.
struct Halves {
    left: Zeroizing<[u8; 32]>,
    right: Zeroizing<[u8; 32]>,
}

impl Halves {
    fn of(key: &[u8], data: &[u8]) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, key), data);
        let mut halves = Self { left: Zeroizing::new([0; 32]), right: Zeroizing::new([0; 32]) };
        halves.left.copy_from_slice(&tag.as_ref()[..32]);
        halves.right.copy_from_slice(&tag.as_ref()[32..]);
        halves
    }
}
