//! The password: what is kept of it, and what trying one costs.

use crate::secret::{from_hex, to_hex};
use serde::{Deserialize, Serialize};
use std::fmt;
use subtle::ConstantTimeEq;
use thiserror::Error;

/// Characters of a password that a person chooses, at least.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Characters of a password at most: hashing takes time for each.
pub const PASSWORD_CHARS_MAX: usize = 256;

/// How much work a password costs whoever tries one (scrypt, RFC 7914).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cost {
    log_n: u8,
    r: u32,
    p: u32,
}

impl Cost {
    /// 16 MiB and about a tenth of a second: one of the sets that OWASP's Password Storage Cheat Sheet calls
    /// equal. The small one, for each login holds the memory.
    pub const STANDARD: Self = Self { log_n: 14, r: 8, p: 5 };
    /// 1 MiB: for tests, where the password guards nothing.
    pub const LIGHT: Self = Self { log_n: 10, r: 8, p: 1 };
    /// What a file may ask for at most: 64 MiB, 16 passes.
    const LOG_N_MAX: u8 = 16;
    const P_MAX: u32 = 16;
}

/// A text that cannot be a password.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters, this one {chars}")]
pub struct PasswordFault {
    /// How many it has.
    pub chars: usize,
}

/// What is kept of a password: salt and hash.
#[derive(Clone, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PasswordHash {
    cost: Cost,
    salt: [u8; 16],
    derived: [u8; 32],
}

impl PasswordHash {
    /// Hashes a password; takes as long as the cost says.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub fn new(password: &str, salt: [u8; 16], cost: Cost) -> Result<Self, PasswordFault> {
        let chars = password.chars().count();
        if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars) {
            return Err(PasswordFault { chars });
        }
        Ok(Self { cost, salt, derived: derive(password, &salt, cost) })
    }

    /// Whether it is of this password; takes as long as the cost says, whatever the answer.
    pub fn is_of(&self, password: &str) -> bool {
        // Longer ones are never set: they need no hashing, however long somebody makes them.
        if password.len() > 4 * PASSWORD_CHARS_MAX {
            return false;
        }
        bool::from(self.derived.ct_eq(&derive(password, &self.salt, self.cost)))
    }
}

fn derive(password: &str, salt: &[u8], cost: Cost) -> [u8; 32] {
    let mut derived = [0; 32];
    let params = scrypt::Params::new(cost.log_n, cost.r, cost.p);
    let params = params.expect("a Cost is made only of what scrypt allows");
    scrypt::scrypt(password.as_bytes(), salt, &params, &mut derived)
        .expect("32 bytes are a length that scrypt gives");
    derived
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// `scrypt$log_n$r$p$salt$hash`, in hex.
impl From<PasswordHash> for String {
    fn from(hash: PasswordHash) -> Self {
        let Cost { log_n, r, p } = hash.cost;
        format!("scrypt${log_n}${r}${p}${}${}", to_hex(&hash.salt), to_hex(&hash.derived))
    }
}

impl TryFrom<String> for PasswordHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let expected = "expected scrypt$log_n$r$p$salt$hash";
        let parts: Vec<&str> = text.split('$').collect();
        let ["scrypt", log_n, r, p, salt, derived] = parts[..] else { return Err(expected) };
        let (Ok(log_n), Ok(r), Ok(p)) = (log_n.parse(), r.parse(), p.parse()) else {
            return Err(expected);
        };
        let cost = Cost { log_n, r, p };
        let is_sane =
            (1..=Cost::LOG_N_MAX).contains(&log_n) && r == 8 && (1..=Cost::P_MAX).contains(&p);
        if !is_sane || scrypt::Params::new(log_n, r, p).is_err() {
            return Err("the password's cost is out of bounds");
        }
        let (Some(salt), Some(derived)) = (from_hex(salt), from_hex(derived)) else {
            return Err(expected);
        };
        Ok(Self { cost, salt, derived })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hash_knows_its_password_and_no_other_and_survives_being_written_down() {
        let hash = PasswordHash::new("correct horse", [3; 16], Cost::LIGHT).unwrap();
        let text = String::from(hash);
        let read = PasswordHash::try_from(text.clone()).unwrap();
        assert!(read.is_of("correct horse"));
        for wrong in ["correct hors", "correct horse ", "", &"x".repeat(100_000)] {
            assert!(!read.is_of(wrong), "{wrong:.20}");
        }
        assert!(!text.contains("horse") && !format!("{read:?}").contains("03"));
        let salted = PasswordHash::new("correct horse", [4; 16], Cost::LIGHT).unwrap();
        assert_ne!(String::from(salted), text);
    }

    /// Computed with Python's `hashlib.scrypt`; the vectors of RFC 7914 have other lengths of salt and
    /// output.
    #[test]
    fn the_hash_is_scrypt() {
        let hash = PasswordHash::new("password", [0; 16], Cost::LIGHT).unwrap();
        assert_eq!(to_hex(&hash.derived), SCRYPT_OF_PASSWORD);
    }

    const SCRYPT_OF_PASSWORD: &str =
        "cea1cbc109b79979f242acf290e277b5d7880cd4300980c2bf0882f4c161e320";

    #[test]
    fn too_short_and_too_long_passwords_are_refused() {
        for chars in [0, 7, 257] {
            let fault = PasswordHash::new(&"é".repeat(chars), [0; 16], Cost::LIGHT).unwrap_err();
            assert_eq!(fault, PasswordFault { chars });
        }
        for chars in [8, 256] {
            let password = "é".repeat(chars);
            assert!(PasswordHash::new(&password, [0; 16], Cost::LIGHT).unwrap().is_of(&password));
        }
    }

    proptest! {
        #[test]
        fn no_text_in_a_file_makes_reading_it_expensive(log_n in 0_u8..64, r in 0_u32..12, p in 0_u32..40) {
            let text = format!("scrypt${log_n}${r}${p}${}${}", "01".repeat(16), "02".repeat(32));
            let hash = PasswordHash::try_from(text.clone());
            prop_assert_eq!(hash.is_ok(), (1..=16).contains(&log_n) && r == 8 && (1..=16).contains(&p));
            if let Ok(hash) = hash {
                prop_assert_eq!(String::from(hash), text);
            }
        }

        #[test]
        fn nothing_in_a_file_panics(text in "(scrypt[$])?([0-9]{1,3}[$]){0,3}.{0,80}") {
            let _ = PasswordHash::try_from(text);
        }
    }
}
