//! The clients that are compared.

use std::fmt;

/// One client in one version.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    /// The client under test.
    Ours,
    /// libtorrent 2.1.1: what ratios are made with.
    Lt21,
    /// libtorrent 2.0, as Debian has it.
    Lt20,
    /// rqbit 9.1.0.
    Rqbit,
    /// aria2, as Debian has it.
    Aria2,
    /// Transmission, as Debian has it.
    Transmission,
}

impl Kind {
    /// All but ours.
    pub(crate) const RIVALS: [Self; 5] =
        [Self::Lt21, Self::Lt20, Self::Rqbit, Self::Aria2, Self::Transmission];

    /// The word the harness knows it by.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Lt21 => "lt21",
            Self::Lt20 => "lt20",
            Self::Rqbit => "rqbit",
            Self::Aria2 => "aria2",
            Self::Transmission => "transmission",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "piecework",
            Self::Lt21 => "libtorrent 2.1.1",
            Self::Lt20 => "libtorrent 2.0",
            Self::Rqbit => "rqbit",
            Self::Aria2 => "aria2",
            Self::Transmission => "Transmission",
        })
    }
}
