//! Addresses as people copy them: EIP-55 hex, and TRON's base58check of the same 20 bytes.
//!
//! Both carry a checksum; an address with a wrong one is refused, and so no money goes where nobody is.

use aws_lc_rs::digest::{SHA256, digest};
use piecework_pay::Address;
use thiserror::Error;

/// What stands before the 20 bytes of a TRON address; it makes the text begin with `T`.
const TRON_PREFIX: u8 = 0x41;
/// Hashed twice, the first four bytes of the digest.
const CHECKSUM_BYTES: usize = 4;
const TRON_BYTES: usize = 1 + 20 + CHECKSUM_BYTES;
const TRON_CHARS: usize = 34;
const HEX_DIGITS: usize = 40;

/// Why a text is no address.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum AddressFault {
    /// Neither form.
    #[error(
        "an address is 0x and {HEX_DIGITS} hex digits, or T and {} letters and digits (TRON); \
         got {got} characters",
        TRON_CHARS - 1
    )]
    Form {
        /// How many characters came.
        got: usize,
    },
    /// A character that none of its kind has.
    #[error("character {place} of the address, {got:?}, is never in one: copy it again")]
    Character {
        /// From 1.
        place: usize,
        /// What stands there.
        got: char,
    },
    /// EIP-55: capital letters are the checksum.
    #[error("the address has a wrong letter or a wrong capital (EIP-55 checksum): copy it again")]
    HexChecksum,
    /// Base58check.
    #[error("the TRON address has a wrong character (base58 checksum): copy it again")]
    TronChecksum,
}

/// The address in EIP-55 hex, with `0x`.
#[must_use]
pub fn hex_address(address: &Address) -> String {
    address.to_checksum(None)
}

/// The same address as TRON writes it.
#[must_use]
pub fn tron_address(address: &Address) -> String {
    let mut bytes = [0; TRON_BYTES];
    bytes[0] = TRON_PREFIX;
    bytes[1..21].copy_from_slice(address.as_slice());
    let checksum = checksum(&bytes[..21]);
    bytes[21..].copy_from_slice(&checksum);
    bs58::encode(bytes).into_string()
}

/// Reads an address in either form. Hex in one case only has no checksum, and is taken as it is.
///
/// # Errors
/// When it has neither form, a character that does not belong, or a wrong checksum.
pub fn parse_address(text: &str) -> Result<Address, AddressFault> {
    let text = text.trim();
    let form = AddressFault::Form { got: text.chars().count() };
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        character(digits, 3, |c| c.is_ascii_hexdigit())?;
        return if digits.len() == HEX_DIGITS { hex(digits) } else { Err(form) };
    }
    if !text.starts_with('T') || text.chars().count() != TRON_CHARS {
        return Err(form);
    }
    character(text, 1, |c| c.is_ascii_alphanumeric() && !"0OIl".contains(c))?;
    let mut bytes = [0; TRON_BYTES];
    // Some texts of this length stand for a byte more, or less: they have a wrong character as well.
    let length = bs58::decode(text).onto(&mut bytes);
    let is_whole = length == Ok(TRON_BYTES) && bytes[0] == TRON_PREFIX;
    if !is_whole || checksum(&bytes[..21]) != bytes[21..] {
        return Err(AddressFault::TronChecksum);
    }
    Ok(Address::from_slice(&bytes[1..21]))
}

fn hex(digits: &str) -> Result<Address, AddressFault> {
    let address: Address = digits.parse().map_err(|_| AddressFault::HexChecksum)?;
    let has = |is: fn(&u8) -> bool| digits.as_bytes().iter().any(is);
    let is_mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    if is_mixed && hex_address(&address)[2..] != *digits {
        return Err(AddressFault::HexChecksum);
    }
    Ok(address)
}

fn character(text: &str, first: usize, is_good: fn(char) -> bool) -> Result<(), AddressFault> {
    let bad = text.chars().zip(first..).find(|(c, _)| !is_good(*c));
    bad.map_or(Ok(()), |(got, place)| Err(AddressFault::Character { place, got }))
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let twice = digest(&SHA256, digest(&SHA256, bytes).as_ref());
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&twice.as_ref()[..CHECKSUM_BYTES]);
    checksum
}
