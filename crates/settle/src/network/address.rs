//! Addresses as people write them: 40 hexadecimal digits whose letter case is a checksum (EIP-55).

use super::NetworkFault;
use alloy_primitives::Address;
use piecework_wallet::{AddressFault, hex_address};
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
    // Other forms, which people may copy, have no place in a file.
    if text.strip_prefix("0x").is_none_or(|digits| digits.len() != 40) {
        return Err(refuse("0x and 40 hexadecimal digits"));
    }
    piecework_wallet::parse_address(text).map_err(|fault| match fault {
        AddressFault::HexChecksum => {
            refuse("without a mistyped digit (its letter case is a checksum)")
        }
        _ => refuse("0x and 40 hexadecimal digits"),
    })
}

pub(super) fn serialize<S: Serializer>(address: &Address, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex_address(address))
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
