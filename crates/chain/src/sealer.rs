//! When the next block is sealed: a decision of what waits and the time, and of nothing else.
//!
//! Owns: the trait behind which engines differ, and [`Solo`], the engine of one node. Must not know:
//! execution, the pool's contents, files.

use piecework_types::Time;
use std::time::Duration;

/// The shortest time between two blocks.
pub const BLOCK_INTERVAL: Duration = Duration::from_millis(50);

/// What waits to be sealed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Work {
    /// Transactions that could stand in the next block.
    pub ready: usize,
}

/// What to do now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// Seal a block of what is ready.
    Seal,
    /// Ask again then, or when there is more work.
    Wait(Time),
    /// Ask again when there is work.
    Rest,
}

/// Decides when blocks are sealed. Executor, pool and log do not know which engine it is; one that has to
/// agree with others answers [`Turn::Wait`] until they did.
pub trait Sealer: Send {
    /// What to do at `now` with what waits.
    fn turn(&mut self, work: Work, now: Time) -> Turn;

    /// At `now` it was tried to seal, with or without a block to show for it.
    fn tried(&mut self, now: Time);
}

/// One node that seals alone: when there is work, at most every [`BLOCK_INTERVAL`], never an empty block.
#[derive(Clone, Debug, Default)]
pub struct Solo {
    last: Option<Time>,
}

impl Sealer for Solo {
    fn turn(&mut self, work: Work, now: Time) -> Turn {
        if work.ready == 0 {
            return Turn::Rest;
        }
        match self.last.map(|last| last + BLOCK_INTERVAL) {
            Some(next) if next > now => Turn::Wait(next),
            Some(_) | None => Turn::Seal,
        }
    }

    fn tried(&mut self, now: Time) {
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solo_seals_at_once_then_keeps_its_interval_and_rests_without_work() {
        let (mut solo, start) = (Solo::default(), Time::from_micros(7_000_000));
        let (none, some) = (Work::default(), Work { ready: 1 });
        assert_eq!(solo.turn(none, start), Turn::Rest);
        assert_eq!(solo.turn(some, start), Turn::Seal);
        solo.tried(start);
        let early = start + Duration::from_millis(49);
        assert_eq!(solo.turn(some, early), Turn::Wait(start + BLOCK_INTERVAL));
        assert_eq!(solo.turn(none, early), Turn::Rest);
        assert_eq!(solo.turn(some, start + BLOCK_INTERVAL), Turn::Seal);
    }
}
