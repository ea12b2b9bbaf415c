//! What the user allows, and what two sides may agree on.

use std::str::FromStr;

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Encryption {
    /// Encrypted handshakes first, plaintext for those who know no other; the payload is encrypted when
    /// the other side wants it.
    #[default]
    Prefer,
    /// Everything is encrypted, payload included; who cannot is refused.
    Require,
    /// Plaintext only.
    Off,
}

impl FromStr for Encryption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "off" => Ok(Self::Off),
            _ => Err(format!("expected prefer, require or off, got {text:?}")),
        }
    }
}

/// How a connection goes on behind the encrypted handshake. The numbers are those of the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// In the clear.
    Plaintext = 1,
    /// Encrypted with RC4.
    Rc4 = 2,
}

impl Encryption {
    /// The ways to go on that an initiator offers.
    pub(crate) const fn offer(self) -> u32 {
        match self {
            Self::Prefer => Method::Plaintext as u32 | Method::Rc4 as u32,
            Self::Require => Method::Rc4 as u32,
            Self::Off => Method::Plaintext as u32,
        }
    }

    /// What a responder chooses: the cheapest way that both allow.
    pub(crate) const fn choose(self, offer: u32) -> Option<Method> {
        let common = offer & self.offer();
        if common & Method::Plaintext as u32 != 0 {
            Some(Method::Plaintext)
        } else if common & Method::Rc4 as u32 != 0 {
            Some(Method::Rc4)
        } else {
            None
        }
    }

    /// What an initiator finds chosen, if it has offered that.
    pub(crate) const fn chosen(self, choice: u32) -> Option<Method> {
        match choice & self.offer() {
            1 if choice == 1 => Some(Method::Plaintext),
            2 if choice == 2 => Some(Method::Rc4),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_responder_takes_plaintext_only_where_both_allow_it() {
        use Encryption::{Prefer, Require};
        let both = Prefer.offer();
        assert_eq!(Prefer.choose(both), Some(Method::Plaintext));
        assert_eq!(Prefer.choose(Require.offer()), Some(Method::Rc4));
        assert_eq!(Require.choose(both), Some(Method::Rc4));
        assert_eq!(Require.choose(1), None);
        assert_eq!(Prefer.choose(0xffff_fffc), None);
    }

    #[test]
    fn the_initiator_takes_one_of_what_it_offered() {
        use Encryption::{Prefer, Require};
        assert_eq!(Prefer.chosen(1), Some(Method::Plaintext));
        assert_eq!(Prefer.chosen(2), Some(Method::Rc4));
        assert_eq!(
            [Require.chosen(1), Prefer.chosen(3), Prefer.chosen(0), Prefer.chosen(4)],
            [None; 4]
        );
    }
}
