//! Scopes, roles, and what is written down.

use crate::keys::Key;
use crate::password::PasswordHash;
use serde::{Deserialize, Serialize};

/// A kind of request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To look at everything but secrets.
    Read,
    /// To change what the daemon does.
    Control,
    /// To spend money. Never given by default.
    Spend,
}

impl Scope {
    /// The word for scripts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Control => "control",
            Self::Spend => "spend",
        }
    }
}

/// Which kinds of requests are answered. Whoever may change things may look at them.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct Scopes {
    read: bool,
    control: bool,
    spend: bool,
}

impl Scopes {
    /// To look.
    pub const READ: Self = Self { read: true, control: false, spend: false };
    /// To look and to change, not to spend.
    pub const CONTROL: Self = Self { read: true, control: true, spend: false };

    /// Whether a request of that kind is answered.
    pub const fn allow(self, scope: Scope) -> bool {
        match scope {
            Scope::Read => self.read,
            Scope::Control => self.control,
            Scope::Spend => self.spend,
        }
    }

    /// Their words.
    pub fn words(self) -> Vec<&'static str> {
        Vec::<Scope>::from(self).into_iter().map(Scope::word).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::default(), |scopes, scope| match scope {
            Scope::Read => Self { read: true, ..scopes },
            Scope::Control => Self { read: true, control: true, ..scopes },
            Scope::Spend => Self { read: true, spend: true, ..scopes },
        })
    }
}

impl From<Vec<Scope>> for Scopes {
    fn from(scopes: Vec<Scope>) -> Self {
        scopes.into_iter().collect()
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        let all = [Scope::Read, Scope::Control, Scope::Spend];
        all.into_iter().filter(|scope| scopes.allow(*scope)).collect()
    }
}

/// Who asks, as far as anybody needs to know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Role {
    /// The user, or the key's name.
    pub name: String,
    /// What is answered.
    pub scopes: Scopes,
    /// By an API key: no browser sends one by itself, so no web page can borrow it.
    pub is_key: bool,
}

/// What outlives the process. Logins do not.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct State {
    /// Of this format.
    pub version: u32,
    /// The one user there is.
    pub user: String,
    /// Absent: nobody can log in, keys alone are answered.
    pub password: Option<PasswordHash>,
    /// API keys.
    pub keys: Vec<Key>,
}

impl State {
    /// The format that is written.
    pub const VERSION: u32 = 1;
    /// The user's name unless another is set.
    pub const USER: &'static str = "admin";
}

impl Default for State {
    fn default() -> Self {
        Self { version: Self::VERSION, user: Self::USER.into(), password: None, keys: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_change_may_look_and_nobody_may_spend_unasked() {
        let control: Scopes = [Scope::Control].into_iter().collect();
        assert_eq!(control, Scopes::CONTROL);
        assert!(!control.allow(Scope::Spend));
        let spend: Scopes = [Scope::Spend].into_iter().collect();
        assert_eq!(spend.words(), ["read", "spend"]);
        assert_eq!(Scopes::default().words(), [""; 0]);
    }
}
