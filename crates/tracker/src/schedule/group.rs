//! Trackers as the schedule sees them, and the groups in which they stand in for each other.
//!
//! Owns what each tracker has been told and the order of trying (BEP 12). Must not know policy: the
//! waiting times come from the schedule.

use super::{Reason, TrackerIndex};
use crate::announce::Event;
use piecework_types::Time;

/// What is known about one tracker in this run.
#[derive(Clone, Debug)]
pub(super) struct Tracker {
    pub(super) tier: u32,
    /// It answered an announce, so it knows us.
    pub(super) is_started: bool,
    /// It was told of a download and has to hear that it is complete.
    pub(super) completed_due: bool,
    pub(super) in_flight: Option<Event>,
    pub(super) failures: u32,
    /// When it may be tried again after a failure. The minimum interval is its group's.
    pub(super) retry_at: Time,
    /// That time is what it asked for, not our back-off.
    pub(super) is_told_when: bool,
    /// It does not want to see us again in this run.
    pub(super) is_gone: bool,
}

impl Tracker {
    pub(super) const fn new(tier: u32) -> Self {
        Self {
            tier,
            is_started: false,
            completed_due: false,
            in_flight: None,
            failures: 0,
            retry_at: Time::ZERO,
            is_told_when: false,
            is_gone: false,
        }
    }

    pub(super) const fn may_be_asked(&self, now: Time) -> bool {
        !self.is_gone && self.retry_at.as_micros() <= now.as_micros()
    }

    /// Notes that an announce begins, and says with which event.
    pub(super) const fn begin(&mut self, is_partial_seed: bool) -> Event {
        let event = if is_partial_seed {
            Event::Paused
        } else if !self.is_started {
            // A torrent that is complete by now starts as a seed: nothing was completed for it.
            self.completed_due = false;
            Event::Started
        } else if self.completed_due {
            Event::Completed
        } else {
            Event::Periodic
        };
        self.in_flight = Some(event);
        event
    }
}

/// Trackers that stand in for each other: one of them is announced to at a time.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// The order of trying: tier by tier.
    pub(super) order: Vec<TrackerIndex>,
    pub(super) in_flight: Option<TrackerIndex>,
    /// When the last announce began.
    pub(super) asked_at: Option<Time>,
    /// The last one that answered.
    pub(super) current: Option<TrackerIndex>,
    /// Next announce when peers are not wanted, and why then.
    pub(super) due: Time,
    pub(super) reason: Reason,
    /// Next announce when they are: never after `due`.
    pub(super) early: Time,
    /// The next announce goes to `current` first, whatever the order says.
    pub(super) is_forced: bool,
}

impl Group {
    pub(super) const fn new(order: Vec<TrackerIndex>) -> Self {
        Self {
            order,
            in_flight: None,
            asked_at: None,
            current: None,
            due: Time::NEVER,
            reason: Reason::Interval,
            early: Time::NEVER,
            is_forced: false,
        }
    }

    /// Sets the next announce, peers wanted or not.
    pub(super) const fn due_at(&mut self, due: Time, reason: Reason) {
        (self.due, self.early, self.reason) = (due, due, reason);
    }

    /// Makes the next announce go to the current tracker at once, minimum interval or not.
    pub(super) const fn force(&mut self, now: Time) {
        self.is_forced = true;
        self.due_at(now, Reason::Interval);
    }
}

pub(super) fn find(trackers: &[Tracker], index: TrackerIndex) -> Option<&Tracker> {
    trackers.get(index.0 as usize)
}

pub(super) fn find_mut(trackers: &mut [Tracker], index: TrackerIndex) -> Option<&mut Tracker> {
    trackers.get_mut(index.0 as usize)
}

pub(super) fn find_group(groups: &mut [Group], index: TrackerIndex) -> Option<&mut Group> {
    groups.iter_mut().find(|group| group.order.contains(&index))
}

/// The tracker to announce to: the first in order that may be asked (BEP 12).
pub(super) fn choose(group: &Group, trackers: &[Tracker], now: Time) -> Option<TrackerIndex> {
    let forced = group.current.filter(|_| group.is_forced);
    forced
        .into_iter()
        .chain(group.order.iter().copied())
        .find(|&index| find(trackers, index).is_some_and(|tracker| tracker.may_be_asked(now)))
}

/// Moves a tracker that works to the front of its tier (BEP 12).
pub(super) fn promote(order: &mut [TrackerIndex], index: TrackerIndex, trackers: &[Tracker]) {
    let tier_of = |index| find(trackers, index).map(|tracker| tracker.tier);
    let first = order.iter().position(|&other| tier_of(other) == tier_of(index));
    let at = order.iter().position(|&other| other == index);
    if let (Some(first), Some(at)) = (first, at) {
        order[first..=at].rotate_right(1);
    }
}
