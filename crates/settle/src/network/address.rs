//! Addresses as people write them: 40 hexadecimal digits whose letter case is a checksum (EIP-55).

use super::NetworkFault;
use alloy_primitives::Address;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Reads an address. Letters of both cases have to be the checksum's; all of one case carry none.
///
/// # Errors
/// When it is not `0x` and 40 digits, or a letter's case is wrong: then most likely a digit is.
pub(super) fn parse_address(text: &str) -> Result<Address, NetworkFault> {
    let refuse = |expected: &str| NetworkFault::Bounds {
        what: "address",
        expected: format!("{expected}, got {:?}", text.chars().take(50).collect::<String>()),
    };
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 40);
    let address = digits.and_then(|digits| digits.parse::<Address>().ok());
    let (Some(address), Some(digits)) = (address, digits) else {
        return Err(refuse("0x and 40 hexadecimal digits"));
    };
    let has_checksum = digits.bytes().any(|byte| byte.is_ascii_uppercase())
        && digits.bytes().any(|byte| byte.is_ascii_lowercase());
    if has_checksum && address.to_checksum(None) != text {
        return Err(refuse("without a mistyped digit (its letter case is a checksum)"));
    }
    Ok(address)
}

pub(super) fn serialize<S: Serializer>(address: &Address, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&address.to_checksum(None))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Address, D::Error> {
    let text = String::deserialize(from)?;
    parse_address(&text).map_err(|fault| match fault {
        NetworkFault::Bounds { expected, .. } => {
            D::Error::custom(format!("an address is {expected}"))
        }
        other => D::Error::custom(other),
    })
}
