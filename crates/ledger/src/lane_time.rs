//! What paying has saved: time.

/// Seconds in which a torrent had a paid lane, and what came in them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LaneTime {
    /// Seconds in which at least one peer was paid.
    pub seconds: u64,
    /// Bytes of those that were paid.
    pub paid_bytes: u64,
    /// Bytes of all others, in the same seconds.
    pub free_bytes: u64,
}

impl LaneTime {
    /// Seconds that the paid bytes would have taken at the rate of the free ones; none when there was no
    /// free rate to compare with.
    ///
    /// Without the paid lane all bytes take `(paid + free) / rate`, with it they took `free / rate`.
    #[must_use]
    pub fn saved_seconds(&self) -> Option<u64> {
        let worked = u128::from(self.paid_bytes) * u128::from(self.seconds);
        let saved = worked.checked_div(u128::from(self.free_bytes))?;
        Some(u64::try_from(saved).unwrap_or(u64::MAX))
    }
}
