//! What time it is, for the catalog.

use jiff::Zoned;
use piecework_catalog::{LocalTime, Moment};
use piecework_types::Time;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The clocks of this machine.
pub(crate) struct Clock {
    start: Instant,
    /// The local time of a minute, by its number since 1970: time zones are not looked up more often.
    local: (u64, LocalTime),
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), local: (u64::MAX, LocalTime { weekday: 0, minute: 0 }) }
    }

    /// The present moment.
    pub(crate) fn moment(&mut self) -> Moment {
        let unix = unix_seconds();
        if self.local.0 != unix / 60 {
            self.local = (unix / 60, local_time());
        }
        Moment { now: Time::ZERO + self.start.elapsed(), unix, local: self.local.1 }
    }

    /// How long it is until a time; nothing if it has passed.
    pub(crate) fn until(&self, time: Time) -> Duration {
        time.since(Time::ZERO + self.start.elapsed())
    }
}

/// Seconds since 1970.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn local_time() -> LocalTime {
    let now = Zoned::now();
    let weekday = now.weekday().to_monday_zero_offset().unsigned_abs();
    let minute = u16::from(now.hour().unsigned_abs()) * 60 + u16::from(now.minute().unsigned_abs());
    LocalTime { weekday, minute }
}
