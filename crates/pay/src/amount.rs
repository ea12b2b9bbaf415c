//! Amounts on the wire: big-endian byte strings without leading zeros; the empty one is 0.

use crate::PayFault;

/// Bytes of an amount at most: 2^128 - 1.
pub const AMOUNT_BYTES_MAX: usize = 16;

/// The one byte string of an amount, 0 to [`AMOUNT_BYTES_MAX`] bytes.
#[must_use]
pub fn encode_amount(amount: u128) -> Vec<u8> {
    amount.to_be_bytes().into_iter().skip_while(|&byte| byte == 0).collect()
}

/// The amount that a byte string stands for.
///
/// # Errors
/// When the string is too long, or not the shortest of its amount.
pub fn decode_amount(bytes: &[u8]) -> Result<u128, PayFault> {
    if bytes.len() > AMOUNT_BYTES_MAX {
        return Err(PayFault::LongAmount { got_bytes: bytes.len() });
    }
    if bytes.first() == Some(&0) {
        return Err(PayFault::PaddedAmount);
    }
    Ok(bytes.iter().fold(0, |amount, &byte| amount << 8 | u128::from(byte)))
}
