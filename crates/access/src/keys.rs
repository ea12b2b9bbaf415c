//! API keys: names and scopes for programs.

use crate::secret::{Print, Secret, TOKEN_BYTES};
use crate::state::{Role, Scopes};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Keys at once.
pub const KEYS_MAX: usize = 100;
/// Characters of a key's name.
const NAME_CHARS_MAX: usize = 64;
/// What a key begins with, so that people and scanners of leaked secrets know it.
const PREFIX: &str = "pw_";

/// Names a key in lists and when it is deleted; never given twice.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct KeyId(pub u32);

/// What is kept of an API key.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Key {
    /// Its number.
    pub id: KeyId,
    /// What it is for, in its owner's words.
    pub name: String,
    /// What it is answered.
    pub scopes: Scopes,
    /// Unix seconds.
    pub created_at: u64,
    print: Print,
}

/// Why there is no new key.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum KeyFault {
    /// Nothing, or too much.
    #[error("a key's name has 1 to {NAME_CHARS_MAX} characters and no control characters")]
    Name,
    /// Two of that name.
    #[error("there is a key of that name: delete it first, or choose another")]
    Taken,
    /// No scope.
    #[error("a key needs at least one scope: read, control or spend")]
    Scopes,
    /// Too many.
    #[error("there are {KEYS_MAX} keys already: delete one first")]
    Full,
}

/// Makes a key and adds it; the secret is never seen again.
pub(crate) fn create(
    keys: &mut Vec<Key>,
    name: &str,
    scopes: Scopes,
    created_at: u64,
    random: &[u8; TOKEN_BYTES],
) -> Result<(KeyId, Secret), KeyFault> {
    let is_name = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    if !is_name || name.chars().any(char::is_control) {
        return Err(KeyFault::Name);
    }
    if keys.iter().any(|key| key.name == name) {
        return Err(KeyFault::Taken);
    }
    if scopes == Scopes::default() {
        return Err(KeyFault::Scopes);
    }
    if keys.len() >= KEYS_MAX {
        return Err(KeyFault::Full);
    }
    let id = KeyId(keys.iter().map(|key| key.id.0).max().unwrap_or(0).saturating_add(1));
    let secret = Secret::token(PREFIX, random);
    let print = Print::of(secret.reveal());
    keys.push(Key { id, name: name.to_owned(), scopes, created_at, print });
    Ok((id, secret))
}

/// Whose key it is. Looks at all of them, so the time says nothing.
pub(crate) fn role(keys: &[Key], text: &str) -> Option<Role> {
    if !text.starts_with(PREFIX) || text.len() != PREFIX.len() + TOKEN_BYTES {
        return None;
    }
    let found =
        keys.iter().fold(None, |found, key| if key.print.is_of(text) { Some(key) } else { found });
    found.map(|key| Role { name: key.name.clone(), scopes: key.scopes, is_key: true })
}
