//! Who may sign for a payer: it itself, or a session key with its word.

use crate::{Cheque, Delegate, PayFault, Signature, Typed};
use alloy_primitives::{Address, B256};

/// Seconds from now to a delegation's end at most: a contract refuses one that lives longer.
pub const DELEGATION_SECONDS_MAX: u64 = 8 * 24 * 3600;

/// The key that a payer's cheques have to be signed with. A seller makes one when a buyer opens, and then
/// checks any number of cheques with it, one signature each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Authority {
    /// The payer signs itself.
    Owner {
        /// Its account.
        payer: Address,
    },
    /// A session key signs in one token; the owner's signature has been checked.
    Session {
        /// What the owner has signed.
        delegate: Delegate,
    },
}

impl Authority {
    /// The authority of a session key.
    ///
    /// Whether the delegation still lives, is revoked or spent, is for who has the time and the chain.
    ///
    /// # Errors
    /// When the signature is not the owner's.
    pub fn session(
        delegate: Delegate,
        signature: &Signature,
        separator: &B256,
    ) -> Result<Self, PayFault> {
        signature.check(&delegate.digest(separator), delegate.owner)?;
        Ok(Self::Session { delegate })
    }

    /// That this authority signed the cheque.
    ///
    /// # Errors
    /// When the cheque is another payer's, or in a token that the session key has no word for, or when the
    /// signature is somebody else's.
    pub fn check(
        &self,
        cheque: &Cheque,
        signature: &Signature,
        separator: &B256,
    ) -> Result<(), PayFault> {
        let (payer, signer) = match self {
            Self::Owner { payer } => (*payer, *payer),
            Self::Session { delegate } => (delegate.owner, delegate.session),
        };
        if cheque.payer != payer {
            return Err(PayFault::WrongPayer { expected: payer, got: cheque.payer });
        }
        if let Self::Session { delegate } = self
            && cheque.token != delegate.token
        {
            return Err(PayFault::ForeignToken { expected: delegate.token, got: cheque.token });
        }
        signature.check(&cheque.digest(separator), signer)
    }
}
