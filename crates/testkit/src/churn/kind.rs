//! What sorts of peers come and go, how each of them leaves, and how often each is drawn.

use piecework_types::Rng;

/// What a connection is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Asks for blocks and reads them at a pace of its own.
    Leecher,
    /// Has everything and serves it at a pace of its own.
    Seed,
    /// Has some pieces, and says one by one that it has more.
    Partial,
    /// Serves blocks with an inverted byte.
    Corrupt,
    /// Unchokes, and answers no request.
    FalseSeed,
    /// Sends a handshake and nothing else.
    HandshakeOnly,
    /// Connects and says nothing.
    Silent,
    /// Sends noise instead of a handshake.
    NoiseFirst,
    /// Sends noise behind a handshake.
    NoiseLater,
    /// Sends a bitfield of the wrong length.
    BadBitfield,
    /// Announces a frame of gigabytes and sends a part of it.
    Oversize,
    /// Names pieces and spans that do not exist.
    OutOfRange,
    /// Asks for ten thousand blocks at once.
    Flood,
    /// Asks for hundreds of blocks and never reads.
    NeverReads,
    /// Sends blocks that nobody asked for.
    Unasked,
    /// Names peers that do not exist (BEP 11).
    Gossip,
    /// Asks for metadata over and over (BEP 9).
    Metadata,
    /// Wants a torrent that is not there.
    OtherTorrent,
    /// Becomes interested and uninterested in turns.
    Fickle,
}

impl Kind {
    /// Every kind, with its share of the draws.
    pub(super) const SHARES: [(Self, u64); 19] = [
        (Self::Leecher, 30),
        (Self::Seed, 14),
        (Self::Partial, 6),
        (Self::Corrupt, 3),
        (Self::FalseSeed, 3),
        (Self::HandshakeOnly, 5),
        (Self::Silent, 3),
        (Self::NoiseFirst, 2),
        (Self::NoiseLater, 2),
        (Self::BadBitfield, 3),
        (Self::Oversize, 2),
        (Self::OutOfRange, 3),
        (Self::Flood, 3),
        (Self::NeverReads, 4),
        (Self::Unasked, 2),
        (Self::Gossip, 4),
        (Self::Metadata, 4),
        (Self::OtherTorrent, 2),
        (Self::Fickle, 5),
    ];

    /// Draws one.
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let total = Self::SHARES.iter().map(|(_, share)| share).sum();
        let mut at = rng.below(total);
        for (kind, share) in Self::SHARES {
            if at < share {
                return kind;
            }
            at -= share;
        }
        Self::Leecher
    }

    /// Whether it gives blocks, good or bad, and so belongs to a process that downloads.
    pub(super) const fn serves(self) -> bool {
        matches!(self, Self::Seed | Self::Partial | Self::Corrupt | Self::FalseSeed | Self::Unasked)
    }

    /// Whether it says that it has everything.
    pub(super) const fn claims_all(self) -> bool {
        matches!(self, Self::Seed | Self::Corrupt | Self::FalseSeed | Self::Unasked)
    }
}

/// How a connection ends from our side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    /// With the last message complete.
    Polite,
    /// With RST: what is on its way is lost.
    Reset,
    /// In the middle of a message.
    Torn,
}

impl Ending {
    /// Draws one.
    pub(super) fn draw(rng: &mut Rng) -> Self {
        match rng.below(3) {
            0 => Self::Polite,
            1 => Self::Reset,
            _ => Self::Torn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_drawn_about_as_often_as_its_share_says() {
        let mut rng = Rng::new(7);
        let drawn: Vec<Kind> = (0..10_000).map(|_| Kind::draw(&mut rng)).collect();
        assert_eq!(Kind::SHARES.iter().map(|(_, share)| share).sum::<u64>(), 100);
        for (kind, share) in Kind::SHARES {
            let count = drawn.iter().filter(|drawn| **drawn == kind).count() as u64;
            assert!((share * 70..share * 130).contains(&count), "{kind:?}: {count} of 10,000");
        }
    }
}
