//! The pieces a player needs next, and when.
//!
//! Owns the streaming window: which pieces are urgent and the moment at which the player reaches each.
//! Knows nothing of who has them.

use piecework_types::{PieceGrid, PieceIndex, Time};
use std::ops::Range;
use std::time::Duration;

/// Fewest pieces in the window, and fewest bytes: players read ahead before they play, as fast as it comes.
const WINDOW_PIECES_MIN: u64 = 8;
const WINDOW_BYTES_MIN: u64 = 4 << 20;
/// How far the window reaches ahead of the player.
const WINDOW: Duration = Duration::from_secs(20);

/// Where a reader plays and how fast.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StreamWindow {
    /// The byte it reads next, counted with every piece before it as full.
    pub position: u64,
    /// Bytes it reads a second; 0 when it is not known, then all deadlines are now.
    pub bitrate_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    window: StreamWindow,
    since: Time,
}

impl Stream {
    pub(super) const fn new(window: StreamWindow, now: Time) -> Self {
        Self { window, since: now }
    }

    /// The urgent pieces: from the one being read, 20 s of bitrate ahead, at least 8 and 4 MiB.
    pub(super) fn pieces(&self, grid: &PieceGrid, now: Time) -> Range<u32> {
        let piece_bytes = u64::from(grid.piece_length());
        let first = self.window.position / piece_bytes;
        // While it plays the reader moves on, even if it does not tell.
        let ahead = WINDOW + now.since(self.since).min(WINDOW);
        let bytes = self.window.bitrate_bytes.saturating_mul(ahead.as_secs());
        let bytes = bytes.max(WINDOW_BYTES_MIN);
        let end = first.saturating_add((bytes / piece_bytes).max(WINDOW_PIECES_MIN));
        let limit = u64::from(grid.piece_count());
        // Both are at most the piece count, a u32.
        first.min(limit) as u32..end.min(limit) as u32
    }

    /// When the reader reaches the piece.
    pub(super) fn deadline(&self, grid: &PieceGrid, piece: PieceIndex) -> Time {
        let ahead = grid.piece_offset(piece).saturating_sub(self.window.position);
        let micros = u128::from(ahead) * 1_000_000 / u128::from(self.window.bitrate_bytes.max(1));
        if self.window.bitrate_bytes == 0 {
            return self.since;
        }
        self.since + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_twenty_seconds_or_eight_pieces_or_four_mib_and_ends_with_the_torrent() {
        let pieces_of = |piece_bytes: u32, position, bitrate_bytes| {
            let length = u64::from(piece_bytes) * 1000;
            let grid = PieceGrid::contiguous(length, piece_bytes).expect("a grid");
            let window = StreamWindow { position, bitrate_bytes };
            Stream::new(window, Time::ZERO).pieces(&grid, Time::ZERO)
        };
        let pieces =
            |position: u64, bitrate_bytes| pieces_of(1 << 20, position << 20, bitrate_bytes);
        assert_eq!(pieces(2, 0), 2..10);
        assert_eq!(pieces(2, 1 << 20), 2..22);
        assert_eq!(pieces(999, 1 << 20), 999..1000);
        assert_eq!(pieces_of(1 << 20, u64::MAX, u64::MAX), 1000..1000);
        assert_eq!(pieces_of(16 << 10, 16 << 10, 0), 1..257);
    }

    #[test]
    fn a_deadline_is_the_moment_the_player_gets_there() {
        let grid = PieceGrid::contiguous(1_000_000, 10_000).expect("a grid");
        let window = StreamWindow { position: 5_000, bitrate_bytes: 5_000 };
        let stream = Stream::new(window, Time::ZERO);
        let seconds =
            |index| stream.deadline(&grid, PieceIndex::trusted(index)).since(Time::ZERO).as_secs();
        assert_eq!([seconds(0), seconds(1), seconds(3)], [0, 1, 5]);
    }
}
