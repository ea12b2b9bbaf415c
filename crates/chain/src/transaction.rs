//! A signed transaction from bytes, with its sender recovered: what pool, executor and log hand around.
//!
//! Invariant: a [`Transaction`] is of a kind this chain takes, names a chain id, its signature is valid with
//! a low
//! `s` (EIP-2), and `raw` is its one canonical encoding (EIP-2718). Must not know: state, fees, time.

use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_eips::eip2718::{Decodable2718 as _, Encodable2718 as _};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256, uint};
use secp256k1::Message;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use std::sync::Arc;

/// Bytes of the longest encoding that is taken: what Ethereum's nodes pass on.
pub const TRANSACTION_BYTES_MAX: usize = 128 * 1024;

/// Half of the order of secp256k1: a larger `s` is the other form of the same signature (EIP-2).
const HALF_ORDER: U256 =
    uint!(0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0_U256);

/// A valid signed transaction. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Transaction(Arc<Contents>);

#[derive(Debug)]
struct Contents {
    envelope: TxEnvelope,
    hash: B256,
    sender: Address,
    raw: Bytes,
}

/// Why bytes are no transaction of this chain. The sender's fault, always.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// Longer than [`TRANSACTION_BYTES_MAX`].
    #[error("oversized data: {0} bytes, at most {TRANSACTION_BYTES_MAX} are taken")]
    TooLong(usize),
    /// No transaction in Ethereum's encoding, or bytes behind it.
    #[error("rlp: {0}")]
    Encoding(String),
    /// Blobs (EIP-4844) and set-code (EIP-7702) are not of this chain.
    #[error("transaction type not supported: {0}; use type 0, 1 or 2")]
    Kind(u8),
    /// A legacy transaction without EIP-155 could be replayed on every chain.
    #[error(
        "only replay-protected (EIP-155) transactions allowed over RPC: sign with the chain id"
    )]
    NoChainId,
    /// Signed for another chain.
    #[error("invalid chain id for signer: have {have}, want {want}")]
    ChainId {
        /// What the transaction names.
        have: u64,
        /// This chain's.
        want: u64,
    },
    /// The signature recovers to nobody, or has a high `s`.
    #[error("invalid transaction v, r, s values")]
    Signature,
}

impl Transaction {
    /// Decodes EIP-2718 bytes, checks that they are for `chain_id`, and recovers the sender: 60 us, so that
    /// callers with many of them use several threads.
    ///
    /// # Errors
    /// See [`Malformed`].
    pub fn decode(raw: &[u8], chain_id: u64) -> Result<Self, Malformed> {
        if raw.len() > TRANSACTION_BYTES_MAX {
            return Err(Malformed::TooLong(raw.len()));
        }
        let mut rest = raw;
        let envelope =
            TxEnvelope::decode_2718(&mut rest).map_err(|e| Malformed::Encoding(e.to_string()))?;
        if !rest.is_empty() {
            return Err(Malformed::Encoding(format!("{} bytes behind the end", rest.len())));
        }
        Self::check(envelope, raw, chain_id)
    }

    fn check(envelope: TxEnvelope, raw: &[u8], chain_id: u64) -> Result<Self, Malformed> {
        match &envelope {
            TxEnvelope::Legacy(_) | TxEnvelope::Eip2930(_) | TxEnvelope::Eip1559(_) => {}
            TxEnvelope::Eip4844(_) => return Err(Malformed::Kind(3)),
            TxEnvelope::Eip7702(_) => return Err(Malformed::Kind(4)),
        }
        let have = envelope.chain_id().ok_or(Malformed::NoChainId)?;
        if have != chain_id {
            return Err(Malformed::ChainId { have, want: chain_id });
        }
        let sender = recover(&envelope).ok_or(Malformed::Signature)?;
        // A lenient decoder may take several encodings; only one of them has this hash.
        let mut canonical = Vec::with_capacity(raw.len());
        envelope.encode_2718(&mut canonical);
        if canonical != raw {
            return Err(Malformed::Encoding("not the canonical encoding".into()));
        }
        let hash = *envelope.tx_hash();
        Ok(Self(Arc::new(Contents { envelope, hash, sender, raw: canonical.into() })))
    }

    /// One that this chain accepted before and kept, with the sender that was recovered then.
    ///
    /// # Errors
    /// When the bytes are no transaction: the file they come from is damaged.
    pub(crate) fn trusted(raw: Bytes, sender: Address) -> Result<Self, Malformed> {
        let envelope = TxEnvelope::decode_2718(&mut &raw[..])
            .map_err(|e| Malformed::Encoding(e.to_string()))?;
        let hash = *envelope.tx_hash();
        Ok(Self(Arc::new(Contents { envelope, hash, sender, raw })))
    }

    /// Whether the signature is that of [`Self::sender`]; 60 us.
    pub(crate) fn is_signed_by_sender(&self) -> bool {
        recover(&self.0.envelope) == Some(self.0.sender)
    }

    /// Ethereum's form of it.
    pub fn envelope(&self) -> &TxEnvelope {
        &self.0.envelope
    }

    /// keccak256 of the encoding: its name in every interface.
    pub fn hash(&self) -> B256 {
        self.0.hash
    }

    /// Who signed it.
    pub fn sender(&self) -> Address {
        self.0.sender
    }

    /// The EIP-2718 encoding.
    pub fn raw(&self) -> &Bytes {
        &self.0.raw
    }

    /// The most it may take from the sender: value, and all of its gas at the highest price; saturating.
    pub fn cost_max(&self) -> U256 {
        let envelope = self.envelope();
        U256::from(envelope.gas_limit())
            .saturating_mul(U256::from(envelope.max_fee_per_gas()))
            .saturating_add(envelope.value())
    }

    /// What the sealer would get per gas at `base_fee`; `None` while the transaction does not pay that.
    pub fn tip(&self, base_fee: u64) -> Option<u128> {
        self.envelope().effective_tip_per_gas(base_fee)
    }
}

impl PartialEq for Transaction {
    fn eq(&self, other: &Self) -> bool {
        self.0.hash == other.0.hash
    }
}

impl Eq for Transaction {}

fn recover(envelope: &TxEnvelope) -> Option<Address> {
    let signature = envelope.signature();
    if signature.s() > HALF_ORDER {
        return None;
    }
    let mut compact = [0; 64];
    compact[..32].copy_from_slice(&signature.r().to_be_bytes::<32>());
    compact[32..].copy_from_slice(&signature.s().to_be_bytes::<32>());
    let id = if signature.v() { RecoveryId::One } else { RecoveryId::Zero };
    let signature = RecoverableSignature::from_compact(&compact, id).ok()?;
    let digest = Message::from_digest(envelope.signature_hash().0);
    let key = signature.recover_ecdsa(digest).ok()?;
    let hash = keccak256(&key.serialize_uncompressed()[1..]);
    Some(Address::from_slice(&hash[12..]))
}
