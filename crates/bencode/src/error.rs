//! What can be wrong with bencode. Every error names the byte where it was seen.

use std::fmt;

/// Input that is refused. All of these are the fault of whoever wrote the input.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input stops inside a value.
    #[error("input ends at byte {offset} inside a value")]
    UnexpectedEnd {
        /// Where the input ends.
        offset: usize,
    },
    /// A byte that cannot stand where it stands.
    #[error("expected {expected} at byte {offset}, got 0x{got:02x}")]
    UnexpectedByte {
        /// Where it stands.
        offset: usize,
        /// What it is.
        got: u8,
        /// What could have stood there.
        expected: &'static str,
    },
    /// A string that claims more bytes than there are.
    #[error("string at byte {offset} claims more than the {available} bytes that are left")]
    StringTooLong {
        /// Where its length starts.
        offset: usize,
        /// Bytes behind its colon, or behind its length if that already is too long.
        available: usize,
    },
    /// An integer with more digits than any 64-bit number has.
    #[error("integer at byte {offset} has more than {} digits", crate::INTEGER_DIGITS_MAX)]
    IntegerTooLong {
        /// Where its `i` stands.
        offset: usize,
    },
    /// Containers within containers beyond [`Limits::depth`](crate::Limits::depth).
    #[error("nesting at byte {offset} is deeper than {max}")]
    TooDeep {
        /// Where the container starts that is too much.
        offset: usize,
        /// The limit.
        max: usize,
    },
    /// More values than [`Limits::tokens`](crate::Limits::tokens).
    #[error("more than {max} values before byte {offset}")]
    TooManyTokens {
        /// Where the value starts that is too much.
        offset: usize,
        /// The limit.
        max: usize,
    },
    /// More input than offsets of 32 bits can name.
    #[error("input of {bytes} bytes is longer than 4 GiB")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Readable, but not the one canonical form; only in [`Mode::Strict`](crate::Mode::Strict).
    #[error("not canonical bencode: {0}")]
    NotCanonical(Irregularity),
}

/// A place where lenient decoding read something that the canonical form forbids.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Irregularity {
    /// Byte where it starts.
    pub offset: usize,
    /// The rule it breaks.
    pub rule: Rule,
}

/// A rule of the canonical form (BEP 3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rule {
    /// Keys ascend as raw strings.
    KeysSorted,
    /// A key stands once.
    KeysUnique,
    /// Numbers and lengths have no leading zero.
    NoLeadingZero,
    /// Zero has no sign.
    NoNegativeZero,
    /// Nothing follows the value.
    NoTrailingBytes,
}

impl fmt::Display for Irregularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.rule {
            Rule::KeysSorted => "key out of order",
            Rule::KeysUnique => "repeated key",
            Rule::NoLeadingZero => "leading zero",
            Rule::NoNegativeZero => "negative zero",
            Rule::NoTrailingBytes => "bytes after the end",
        };
        write!(f, "{what} at byte {}", self.offset)
    }
}
