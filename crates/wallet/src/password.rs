//! What a person types and nobody may see, and what nobody may foresee.

use std::fmt;
use thiserror::Error;
use zeroize::Zeroizing;

/// Characters of a new password at least: the file may be tried for years.
pub const PASSWORD_CHARS_MIN: usize = 8;

/// A password. It is wiped from memory, and not shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes the text as it is, blanks and all.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// How many characters it has.
    #[must_use]
    pub fn char_count(&self) -> usize {
        self.0.chars().count()
    }

    /// Whether it may guard something new.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.char_count() >= PASSWORD_CHARS_MIN
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// The operating system gives no random bytes.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the operating system gives no random bytes: no key can be made here")]
pub struct RandomFault;

/// Random bytes of the operating system, fit for keys.
///
/// # Errors
/// When it has none.
pub fn random<const BYTES: usize>() -> Result<Zeroizing<[u8; BYTES]>, RandomFault> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    aws_lc_rs::rand::fill(bytes.as_mut()).map_err(|_| RandomFault)?;
    Ok(bytes)
}
