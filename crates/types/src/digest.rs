//! SHA-1 and SHA-256 digests as types, printed and parsed as hex.

use std::fmt;
use std::str::FromStr;

/// Text that is not the hex form of a digest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DigestParseError {
    /// Hex digits that were expected.
    pub expected_digits: usize,
    /// Characters that came.
    pub got_chars: usize,
}

impl fmt::Display for DigestParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expected, got) = (self.expected_digits, self.got_chars);
        write!(
            f,
            "expected {expected} hex digits, got {got} characters or a character that is not hex"
        )
    }
}

impl std::error::Error for DigestParseError {}

/// In one piece: lists of torrents are written with two of them for each.
fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    // The longest is a SHA-256.
    let mut digits = [0; 64];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    let digits = digits.get(..2 * bytes.len()).ok_or(fmt::Error)?;
    f.write_str(std::str::from_utf8(digits).map_err(|_| fmt::Error)?)
}

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// Length in bytes.
            pub const BYTES: usize = $bytes;

            /// The digest in `bytes`, if there are exactly [`Self::BYTES`] of them.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = DigestParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let fault = DigestParseError { expected_digits: 2 * $bytes, got_chars: text.len() };
                let digits = text.as_bytes();
                if digits.len() != 2 * $bytes {
                    return Err(fault);
                }
                let mut out = [0; $bytes];
                for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
                    let (Some(high), Some(low)) = (nibble(pair[0]), nibble(pair[1])) else {
                        return Err(fault);
                    };
                    *byte = high << 4 | low;
                }
                Ok(Self(out))
            }
        }
    };
}

digest!(
    /// A SHA-1 digest: the hash of a v1 piece or info dictionary (BEP 3).
    Sha1Digest, 20
);
digest!(
    /// A SHA-256 digest: a node of a v2 hash tree or a v2 info dictionary (BEP 52).
    Sha256Digest, 32
);

fn nibble(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_there_and_back_and_rejects_other_text() {
        let digest = Sha1Digest(std::array::from_fn(|i| i as u8 * 13));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("0g".repeat(20).parse::<Sha1Digest>().is_err());
        assert!("é".repeat(20).parse::<Sha1Digest>().is_err());
        assert!("00".parse::<Sha256Digest>().is_err());
    }
}
