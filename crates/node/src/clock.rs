//! The one clock of the engine: monotonic, as the machines' own `Time`.
//!
//! A wall clock that jumps has no effect here; only resume data and torrent creation know the date.

use piecework_types::Time;
use std::time::Instant;

/// Gives every thread of an engine the same time line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    epoch: Instant,
}

impl Clock {
    /// A time line that starts at [`Time::ZERO`] now.
    pub(crate) fn start() -> Self {
        Self { epoch: Instant::now() }
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}
