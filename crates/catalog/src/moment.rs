//! What time it is, as an argument.

use piecework_types::Time;

/// The time of a call: how long things last is measured by `now`, what people see is `unix`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment {
    /// Never goes back.
    pub now: Time,
    /// Seconds since 1970, UTC. May jump when a clock is set.
    pub unix: u64,
    /// What the clock on the wall says.
    pub local: LocalTime,
}

/// A minute of a week where the daemon runs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LocalTime {
    /// 0 is Monday, 6 is Sunday.
    pub weekday: u8,
    /// Minutes since midnight, 0 to 1439.
    pub minute: u16,
}
