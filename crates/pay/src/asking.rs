//! The seller's ask: it follows the load, slowly, and never falls under the user's floor.

use crate::{PRICE_MAX, Price};
use piecework_types::Time;
use std::time::Duration;

/// Above this load, in thousandths, the ask rises.
const BUSY_PERMILLE: u16 = 900;
/// For so long first.
const BUSY: Duration = Duration::from_secs(60);
/// Under this load the ask falls.
const QUIET_PERMILLE: u16 = 500;
/// For so long first.
const QUIET: Duration = Duration::from_secs(5 * 60);
/// Between two changes at least.
const STEP: Duration = Duration::from_secs(30);

/// What a MiB is offered for, at least.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    floor: Price,
    ask: Price,
    /// Since when the load is high, or low.
    tide: Option<(Tide, Time)>,
    changed: Option<Time>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tide {
    Busy,
    Quiet,
}

impl Asking {
    /// Begins at the floor.
    #[must_use]
    pub fn new(floor: Price) -> Self {
        Self { floor, ask: floor, tide: None, changed: None }
    }

    /// The ask.
    #[must_use]
    pub fn ask(&self) -> Price {
        self.ask
    }

    /// The user has set another floor. An ask under it rises at once.
    pub fn set_floor(&mut self, floor: Price) {
        self.floor = floor;
        self.ask = self.ask.max(floor);
    }

    /// What thousandths of the paid capacity were sold of late. While a tide lasts past its time, the ask
    /// goes on changing, one step each time that it may.
    pub fn observe(&mut self, now: Time, load_permille: u16) {
        let tide = match load_permille {
            load if load > BUSY_PERMILLE => Some(Tide::Busy),
            load if load < QUIET_PERMILLE => Some(Tide::Quiet),
            _ => None,
        };
        let since = self.tide.filter(|(was, _)| Some(*was) == tide).map_or(now, |(_, since)| since);
        self.tide = tide.map(|tide| (tide, since));
        if self.changed.is_some_and(|changed| now.since(changed) < STEP) {
            return;
        }
        let ask = match tide {
            Some(Tide::Busy) if now.since(since) >= BUSY => raised(self.ask),
            Some(Tide::Quiet) if now.since(since) >= QUIET => lowered(self.ask).max(self.floor),
            _ => return,
        };
        if ask != self.ask {
            (self.ask, self.changed) = (ask, Some(now));
        }
    }
}

/// By 5 %, at least by one.
fn raised(ask: Price) -> Price {
    let next = Price::new((ask.per_mib() + 1).min(PRICE_MAX)).unwrap_or(ask);
    ask.percent(105).max(next)
}

/// By 5 %, at least by one: rounded down.
fn lowered(ask: Price) -> Price {
    Price::new(ask.per_mib() * 95 / 100).unwrap_or(ask)
}

#[cfg(test)]
mod tests;
