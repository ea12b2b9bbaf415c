//! The time of day, which may be wrong.

use std::time::SystemTime;

/// A clock on the wall, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct WallClock {
    offset_seconds: i64,
}

impl WallClock {
    /// The system's clock, put off by so many seconds: how a node fares with a wrong one is tested so.
    #[must_use]
    pub fn shifted(offset_seconds: i64) -> Self {
        Self { offset_seconds }
    }

    /// What it shows; 0 before 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        let system = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
        system.saturating_add_signed(self.offset_seconds)
    }
}
