//! Whose fault an error is; the answer decides the reaction.

use std::fmt;

/// Who has to change something before the same thing can succeed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Blame {
    /// This machine: disk, memory, network, clock. Retry or show.
    Local,
    /// The remote side broke the protocol. Drop or ban.
    Peer,
    /// Neither: a rule or setting forbids it. Tell the user which.
    Policy,
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "this machine",
            Self::Peer => "the peer",
            Self::Policy => "a setting",
        })
    }
}
