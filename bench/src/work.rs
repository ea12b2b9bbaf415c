//! A piece of work that clients do: what is measured once in each round.

use std::fmt;

use crate::kind::Kind;

/// Transmission moves a few MiB a second here, so it gets less to move. Its figures are per GiB.
const SLOW_SIZE_MIB: u32 = 32;
/// What each of the leechers of a fan-out gets.
const FANOUT_SIZE_MIB: u32 = 128;

/// What is transferred.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Payload {
    /// One file, 1 MiB pieces.
    File,
    /// The same file, 16 MiB pieces.
    File16,
    /// The same file in a v2-only torrent, 1 MiB pieces.
    V2,
    /// 20,000 files of 50 KiB, 1 MiB pieces.
    Files,
}

impl Payload {
    /// The word the harness knows it by.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::File16 => "file16",
            Self::V2 => "v2",
            Self::Files => "files",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::File => "one file",
            Self::File16 => "one file, 16 MiB pieces",
            Self::V2 => "one file, v2-only",
            Self::Files => "20,000 files of 50 KiB",
        }
    }
}

/// One measurement by its participants; equal works are measured once and serve several rows.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Work {
    /// `seed` sends everything to `leech`.
    Transfer { payload: Payload, seed: Kind, leech: Kind },
    /// The same, with handshakes and payload encrypted.
    Encrypted { seed: Kind, leech: Kind },
    /// Strangers that do an encrypted handshake with a seeder and go.
    Handshakes(Kind),
    /// Hashing a complete file.
    Check(Kind),
    /// One seeder, 20 leechers of the same kind that know only the seeder.
    Fanout(Kind),
    /// 1,000 torrents that nobody asks for.
    Idle(Kind),
    /// The metadata of 20,000 files by a magnet link, from a libtorrent that seeds.
    Magnet(Kind),
    /// One torrent that nobody asks for, with and without the DHT of 20 nodes of libtorrent's.
    Dht(Kind),
}

impl Work {
    /// Everybody who takes part.
    pub(crate) fn kinds(self) -> Vec<Kind> {
        match self {
            Self::Transfer { seed, leech, .. } | Self::Encrypted { seed, leech }
                if seed != leech =>
            {
                vec![seed, leech]
            }
            Self::Transfer { leech: kind, .. }
            | Self::Encrypted { leech: kind, .. }
            | Self::Handshakes(kind)
            | Self::Check(kind)
            | Self::Fanout(kind)
            | Self::Idle(kind) => vec![kind],
            Self::Dht(Kind::Lt21) => vec![Kind::Lt21],
            Self::Dht(kind) => vec![Kind::Lt21, kind],
            Self::Magnet(Kind::Lt21) => vec![Kind::Lt21],
            Self::Magnet(kind) => vec![Kind::Lt21, kind],
        }
    }

    /// The payload it needs, and its size in MiB where `size_mib` is asked for.
    pub(crate) fn payload(self, size_mib: u32) -> Option<(Payload, u32)> {
        let size_mib = match self {
            _ if self.kinds().contains(&Kind::Transmission) => SLOW_SIZE_MIB.min(size_mib),
            Self::Fanout(_) => FANOUT_SIZE_MIB.min(size_mib),
            Self::Handshakes(_) => 1,
            _ => size_mib,
        };
        match self {
            Self::Transfer { payload, .. } => Some((payload, size_mib)),
            Self::Encrypted { .. } | Self::Handshakes(_) | Self::Check(_) | Self::Fanout(_) => {
                Some((Payload::File, size_mib))
            }
            Self::Magnet(_) => Some((Payload::Files, size_mib)),
            Self::Idle(_) | Self::Dht(_) => None,
        }
    }

    /// How often it is measured at most: some work takes minutes and hardly varies.
    pub(crate) const fn runs_max(self) -> u32 {
        match self {
            Self::Idle(_) | Self::Dht(_) => 1,
            Self::Transfer { .. }
            | Self::Encrypted { .. }
            | Self::Handshakes(_)
            | Self::Check(_)
            | Self::Fanout(_)
            | Self::Magnet(_) => u32::MAX,
        }
    }

    /// The arguments that make the harness measure it.
    pub(crate) fn arguments(self, size_mib: u32) -> Vec<String> {
        let (case, who) = match self {
            Self::Transfer { seed, leech, .. } => {
                ("transfer", vec!["--seed", seed.word(), "--leech", leech.word()])
            }
            Self::Encrypted { seed, leech } => {
                let ends = ["--encrypted", "--seed", seed.word(), "--leech", leech.word()];
                ("transfer", ends.to_vec())
            }
            Self::Handshakes(kind) => ("handshakes", vec!["--encrypted", "--kind", kind.word()]),
            Self::Check(kind) => ("check", vec!["--kind", kind.word()]),
            Self::Fanout(kind) => ("fanout", vec!["--kind", kind.word()]),
            Self::Idle(kind) => ("idle", vec!["--kind", kind.word()]),
            Self::Magnet(kind) => ("magnet", vec!["--kind", kind.word()]),
            Self::Dht(kind) => ("dht", vec!["--kind", kind.word()]),
        };
        let mut arguments = vec![case.to_owned()];
        arguments.extend(who.into_iter().map(str::to_owned));
        if let Some((payload, size_mib)) = self.payload(size_mib) {
            arguments.extend(["--payload".into(), payload.word().into()]);
            arguments.extend(["--size-mib".into(), size_mib.to_string()]);
        }
        arguments
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transfer { payload, seed, leech } => {
                write!(f, "{seed} -> {leech}, {}", payload.title())
            }
            Self::Encrypted { seed, leech } => write!(f, "{seed} -> {leech}, encrypted"),
            Self::Handshakes(kind) => write!(f, "strangers greet {kind}"),
            Self::Check(kind) => write!(f, "{kind} checks"),
            Self::Fanout(kind) => write!(f, "{kind} -> 20 of {kind}"),
            Self::Idle(kind) => write!(f, "{kind} with 1,000 idle torrents"),
            Self::Magnet(kind) => write!(f, "{kind} fetches metadata"),
            Self::Dht(kind) => write!(f, "{kind} idle in a DHT"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_names_its_two_ends_and_its_payload() {
        let transfer = Work::Transfer { payload: Payload::V2, seed: Kind::Lt21, leech: Kind::Ours };
        let wanted = "transfer --seed lt21 --leech ours --payload v2 --size-mib 1024";
        assert_eq!(transfer.arguments(1024).join(" "), wanted);
        assert_eq!(transfer.kinds(), [Kind::Lt21, Kind::Ours]);
    }

    #[test]
    fn transmission_gets_less_to_move() {
        let check = Work::Check(Kind::Transmission);
        assert_eq!(check.payload(1024), Some((Payload::File, SLOW_SIZE_MIB)));
        assert_eq!(Work::Check(Kind::Aria2).payload(1024), Some((Payload::File, 1024)));
    }

    #[test]
    fn two_of_a_kind_are_one_kind() {
        let kind = Kind::Aria2;
        let pair = Work::Transfer { payload: Payload::File, seed: kind, leech: kind };
        assert_eq!(pair.kinds(), [Kind::Aria2]);
    }
}
