//! Session keys: what a node pays with while its owner's key stays locked.
//!
//! A session key is drawn at random, by each node about once a week, and lies on the disk without a password.
//! A thief of it spends at most what its delegation says, until the delegation ends or is revoked.

use crate::{RandomFault, random};
use piecework_pay::{
    Address, DELEGATION_SECONDS_MAX, Delegate, Domain, Key, Signature, Signer, Typed,
};
use thiserror::Error;

/// How far the clocks of a node and of a chain may differ: a delegation that ends over
/// [`DELEGATION_SECONDS_MAX`] after the chain's time is refused there.
const CLOCK_SECONDS: u64 = 3600;
/// What has to be left of a delegation: sellers refuse cheques of one that ends sooner.
const LEFT_SECONDS_MIN: u64 = 48 * 3600;

/// What an owner entrusts to a session key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Allowance {
    /// The contract and chain it is for.
    pub domain: Domain,
    /// The token it may spend.
    pub token: Address,
    /// What all its cheques together may claim.
    pub max_amount: u128,
    /// What all its bounces together may burn of the bond.
    pub bond_at_risk: u128,
}

/// A session key with its owner's word for it.
#[derive(Debug)]
pub struct Session {
    /// Where the word counts.
    pub domain: Domain,
    /// What it says.
    pub delegate: Delegate,
    /// The owner's signature.
    pub word: Signature,
    /// The key of [`Delegate::session`].
    pub key: Key,
}

/// Why there is no session key.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum SessionFault {
    /// Nothing to draw a key from.
    #[error(transparent)]
    Random(#[from] RandomFault),
    /// The owner's wallet did not sign.
    #[error("not signed: {0}")]
    NotSigned(String),
}

impl Session {
    /// Draws a key and has the owner sign for it, for nearly as long as contracts allow.
    ///
    /// `now` counts seconds since 1970.
    ///
    /// # Errors
    /// When the operating system gives no random bytes, or the owner's wallet does not sign.
    pub fn draw(owner: &dyn Signer, allowance: &Allowance, now: u64) -> Result<Self, SessionFault> {
        // Of 2^128 draws about one is no key.
        let key = Key::new(&*random()?).map_err(|_| RandomFault)?;
        let Allowance { domain, token, max_amount, bond_at_risk } = *allowance;
        let delegate = Delegate {
            owner: owner.address(),
            session: key.address(),
            token,
            max_amount,
            bond_at_risk,
            valid_until: now.saturating_add(DELEGATION_SECONDS_MAX - CLOCK_SECONDS),
        };
        let word =
            owner.sign(&delegate.digest(&domain.separator())).map_err(SessionFault::NotSigned)?;
        Ok(Self { domain, delegate, word, key })
    }

    /// Whether sellers still take its cheques. When they do not, the node draws the next.
    #[must_use]
    pub fn is_usable(&self, now: u64) -> bool {
        self.delegate.valid_until.saturating_sub(now) >= LEFT_SECONDS_MIN
    }
}
