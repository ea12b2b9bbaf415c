//! Credit in bytes: how much a buyer may have that it has not paid.
//!
//! It begins with what one unverified piece and one link take, doubles with each window that was paid whole
//! and is halved when a payment is late. What an account has earned is remembered at a quarter.

use std::time::Duration;

/// No window grows beyond this because of a high rate.
pub const WINDOW_MAX: u64 = 32 << 20;

/// Of a piece at most so much is credit at first; larger ones are paid before they are verified.
const PIECE_MAX: u64 = 4 << 20;

/// A window carries its rate for so long.
const RATE_SECONDS: u64 = 2;

/// Service has waited for so long at the end of a window: the payment is late.
pub const LATE: Duration = Duration::from_secs(5);
/// The buyer gets the free lane.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// What is owed counts as not paid.
pub const DEFAULT: Duration = Duration::from_secs(60);

/// The first window: `max(2g, min(piece, 4 MiB) + g)`, where `g` is what a link pays for and `piece` what is
/// verified at once.
#[must_use]
pub fn first_window(link_bytes: u32, piece_bytes: u32) -> u64 {
    let (link, piece) = (u64::from(link_bytes), u64::from(piece_bytes));
    (2 * link).max(piece.min(PIECE_MAX) + link)
}

/// The window of one trade.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    first: u64,
    bytes: u64,
    /// Bytes that were paid under the present size.
    paid: u64,
}

impl Window {
    /// A window that begins at `first`, or at a quarter of what the account had reached before.
    #[must_use]
    pub fn new(first: u64, remembered: u64) -> Self {
        Self { first, bytes: first.max((remembered / 4).min(WINDOW_MAX)), paid: 0 }
    }

    /// Its size now.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// So many bytes more are paid, at an allocated rate in bytes a second: a window that is paid whole
    /// doubles, up to `max(first, min(32 MiB, 2 s of the rate))`.
    pub fn pay(&mut self, bytes: u64, rate: u64) {
        self.paid = self.paid.saturating_add(bytes);
        let most = self.first.max(rate.saturating_mul(RATE_SECONDS).min(WINDOW_MAX));
        while self.paid >= self.bytes {
            if self.bytes >= most {
                self.paid = 0;
                return;
            }
            self.paid -= self.bytes;
            self.bytes = self.bytes.saturating_mul(2).min(most);
        }
    }

    /// A payment is late: half, but no less than two links, so that one can be paid while the next is used.
    pub fn halve(&mut self, link_bytes: u32) {
        self.bytes = (self.bytes / 2).max(2 * u64::from(link_bytes));
        self.paid = 0;
    }
}

#[cfg(test)]
mod tests;
