//! Texts that nobody but their owner may read: made of random bytes, shown once, kept as hashes.

use piecework_hash::sha256;
use serde::{Deserialize, Serialize};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Random bytes a token is made of; 5 bits of each are used, 160 together.
pub const TOKEN_BYTES: usize = 32;
/// Random bytes a password of ours is made of: 100 bits together.
const PASSWORD_BYTES: usize = 20;
/// Letters and digits that nobody takes for one another; 32 of them, one for 5 bits.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A text that is not shown by accident, and leaves memory when it is dropped.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A token of random bytes, behind a prefix that says what it is.
    pub fn token(prefix: &str, random: &[u8; TOKEN_BYTES]) -> Self {
        Self::of_letters(prefix, random)
    }

    /// A password that can be typed: 20 letters and digits.
    pub fn password(random: &[u8; TOKEN_BYTES]) -> Self {
        Self::of_letters("", &random[..PASSWORD_BYTES])
    }

    fn of_letters(prefix: &str, random: &[u8]) -> Self {
        let letters = random.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)]));
        Self(Zeroizing::new(prefix.chars().chain(letters).collect()))
    }

    /// The text, to hand it to its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What is kept of a token: its SHA-256. A token has 160 bits of randomness, so nobody tries them out.
#[derive(Clone, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Print([u8; 32]);

impl Print {
    pub(crate) fn of(text: &str) -> Self {
        Self(sha256(text.as_bytes()).0)
    }

    /// In constant time: how long it takes says nothing of what is kept.
    pub(crate) fn is_of(&self, text: &str) -> bool {
        bool::from(self.0.ct_eq(&sha256(text.as_bytes()).0))
    }
}

impl fmt::Debug for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Print(..)")
    }
}

impl From<Print> for String {
    fn from(print: Print) -> Self {
        to_hex(&print.0)
    }
}

impl TryFrom<String> for Print {
    type Error = &'static str;

    fn try_from(hex: String) -> Result<Self, Self::Error> {
        from_hex(&hex).map(Self).ok_or("expected 64 hex digits")
    }
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn from_hex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if hex.len() != 2 * N || !hex.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        let secret = Secret::token("pw_", &[7; TOKEN_BYTES]);
        assert_eq!(secret.reveal().len(), 3 + TOKEN_BYTES);
        assert!(!format!("{secret:?} {:?}", Print::of(secret.reveal())).contains("hhh"));
        assert!(secret.reveal().contains("hhh"));
    }

    #[test]
    fn a_print_knows_its_text_and_no_other_and_survives_being_written_down() {
        let print = Print::of("one");
        let text = serde_json::to_string(&print).unwrap();
        let read: Print = serde_json::from_str(&text).unwrap();
        assert!(read.is_of("one") && !read.is_of("two"));
        assert!(serde_json::from_str::<Print>("\"00\"").is_err());
        assert!(serde_json::from_str::<Print>(&format!("\"{}\"", "é".repeat(32))).is_err());
    }
}
