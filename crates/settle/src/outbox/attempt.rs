//! One signed form of a transaction.

use crate::client::Client;
use crate::error::SettleError;
use crate::fees::Fees;
use crate::plan::Step;
use alloy_consensus::{SignableTransaction, Signed, TxEip1559, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{B256, Bytes, Signature, TxKind, keccak256};
use piecework_pay::Signer;

/// A signed transaction: the bytes to send and their hash.
pub(super) struct Attempt {
    pub(super) hash: B256,
    pub(super) raw: Bytes,
}

impl Attempt {
    /// Signs a step for the network's chain alone (EIP-155).
    pub(super) fn sign(
        client: &Client,
        signer: &dyn Signer,
        nonce: u64,
        step: &Step,
        fees: Fees,
    ) -> Result<Self, SettleError> {
        let chain_id = client.network().chain_id;
        let to = step.call.to.map_or(TxKind::Create, TxKind::Call);
        let (value, input, gas_limit) = (step.call.value, step.call.data.clone(), step.gas);
        match fees {
            Fees::Market { most, tip } => {
                let transaction = TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: most,
                    max_priority_fee_per_gas: tip,
                    to,
                    value,
                    access_list: AccessList::default(),
                    input,
                };
                signed(signer, transaction)
            }
            Fees::Legacy { price } => {
                let (chain_id, gas_price) = (Some(chain_id), price);
                signed(signer, TxLegacy { chain_id, nonce, gas_price, gas_limit, to, value, input })
            }
        }
    }
}

fn signed<T>(signer: &dyn Signer, transaction: T) -> Result<Attempt, SettleError>
where
    T: SignableTransaction<Signature>,
    Signed<T>: Encodable2718,
{
    let digest = transaction.signature_hash();
    let signature = signer.sign(&digest).map_err(SettleError::NotSigned)?;
    // A wallet that signs something else would send somebody else's transaction.
    signature.check(&digest, signer.address())?;
    let signature = Signature::from_raw_array(signature.as_bytes())
        .map_err(|error| SettleError::NotSigned(error.to_string()))?;
    let raw: Bytes = transaction.into_signed(signature).encoded_2718().into();
    Ok(Attempt { hash: keccak256(&raw), raw })
}
