//! Who may ask a daemon what: the password, API keys with scopes, logins, and which names and web pages are
//! strangers. One machine for all faces.
//!
//! [`Access`] takes the time and random bytes as arguments. A login has three steps, because hashing a
//! password takes a tenth of a second and is done by the caller, on a thread that may wait:
//!
//! 1. [`Access::admit`] says whether this address may try now, and gives the [`PasswordHash`] to try against.
//! 2. [`PasswordHash::is_of`] hashes.
//! 3. [`Access::admitted`] opens a login or counts a failure.
//!
//! Secrets are kept as hashes, compared in constant time, and never appear in `Debug`.
//!
//! It must not know: HTTP libraries, files, clocks, what is asked for.

mod access;
mod attempts;
mod hosts;
mod keys;
mod logins;
mod password;
mod secret;
mod signer;
mod state;

pub use access::{Access, Attempt, Limits};
pub use attempts::Refused;
pub use hosts::{Foreign, Hosts, Page};
pub use keys::{KEYS_MAX, Key, KeyFault, KeyId};
pub use logins::{Face, LOGINS_MAX};
pub use password::{Cost, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, PasswordFault, PasswordHash};
pub use secret::{Secret, TOKEN_BYTES};
pub use signer::Signer;
pub use state::{Role, Scope, Scopes, State};
