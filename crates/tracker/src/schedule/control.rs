//! What a user changes while the schedule runs: an announce now, other trackers; and what is shown of it.

use super::group::{Group, choose, find, find_group, find_mut};
use super::{Phase, Reason, Schedule, TrackerIndex};
use piecework_types::{Rng, Time};
use std::time::Duration;

/// Shortest time between an announce and one that the user asks for.
const REQUESTED_AFTER: Duration = Duration::from_secs(60);

impl Schedule {
    /// The next announce that waits for its time, one for each tracker that is in use: to whom and when.
    /// It is a forecast; a failure before then may make it another one.
    pub fn next_announces(&self) -> impl Iterator<Item = (TrackerIndex, Time)> + '_ {
        let is_running = matches!(self.phase, Phase::Running { .. });
        let waiting =
            self.groups.iter().filter(move |group| is_running && group.in_flight.is_none());
        waiting.filter_map(|group| {
            let at = if self.wants_peers { group.early } else { group.due };
            let tracker = choose(group, &self.trackers, at).filter(|_| at != Time::NEVER)?;
            Some((tracker, at))
        })
    }

    pub(super) fn request(&mut self, now: Time) {
        for group in &mut self.groups {
            if group.in_flight.is_some() {
                continue;
            }
            let at = group.asked_at.map_or(now, |asked_at| (asked_at + REQUESTED_AFTER).max(now));
            for &index in &group.order {
                if let Some(tracker) = find_mut(&mut self.trackers, index)
                    && !tracker.is_told_when
                {
                    tracker.retry_at = tracker.retry_at.min(at);
                }
            }
            group.due_at(group.early.min(at), Reason::Requested);
        }
    }

    /// The schedule for other trackers, in tiers of these sizes, that goes on where this one stands.
    /// `kept` tells of each new tracker which one of this schedule it is. This schedule stops; it tells
    /// those that were not kept.
    #[must_use]
    pub fn succeed(
        &mut self,
        tier_sizes: impl IntoIterator<Item = usize>,
        kept: &[Option<TrackerIndex>],
        now: Time,
    ) -> Self {
        let rng = Rng::new(self.rng.next_u64());
        let mut next = Self::new(tier_sizes, self.policy, rng);
        (next.phase, next.wants_peers) = (self.phase, self.wants_peers);
        next.is_partial_seed = self.is_partial_seed;
        for group in &mut next.groups {
            group.due_at(now, Reason::Interval);
        }
        for (new, old) in (0..).map(TrackerIndex).zip(kept) {
            let Some(old) = *old else { continue };
            self.hand_over(old, new, &mut next);
        }
        self.stop();
        next
    }

    /// Moves what is known of one tracker, so that it is not told of an end and a start.
    fn hand_over(&mut self, old: TrackerIndex, new: TrackerIndex, next: &mut Self) {
        let (Some(before), Some(after)) =
            (find(&self.trackers, old), find_mut(&mut next.trackers, new))
        else {
            return;
        };
        let tier = after.tier;
        *after = before.clone();
        (after.tier, after.in_flight) = (tier, None);
        // It may have been told although its answer will find nobody.
        after.is_started |= before.in_flight.is_some();
        if let Some(before) = find_mut(&mut self.trackers, old) {
            (before.is_started, before.in_flight) = (false, None);
        }
        let (Some(from), Some(to)) =
            (find_group(&mut self.groups, old), find_group(&mut next.groups, new))
        else {
            return;
        };
        take_over(from, to, (old, new));
    }
}

/// A group whose current tracker is still there keeps its times.
fn take_over(from: &Group, to: &mut Group, (old, new): (TrackerIndex, TrackerIndex)) {
    to.asked_at = to.asked_at.max(from.asked_at);
    if from.current == Some(old) && from.in_flight.is_none() {
        to.current = Some(new);
        (to.due, to.early, to.reason) = (from.due, from.early, from.reason);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Input, Output, SchedulePolicy};
    use super::*;
    use crate::announce::Event::{self, Periodic, Started, Stopped};
    use crate::announce::Retry;

    fn at(secs: u64) -> Time {
        Time::ZERO + Duration::from_secs(secs)
    }

    /// A schedule whose trackers, one in each tier, were told of a start at 0.
    fn started(trackers: usize) -> Schedule {
        let sizes = vec![1; trackers];
        let mut schedule = Schedule::new(sizes, SchedulePolicy::default(), Rng::new(3));
        schedule.handle(Input::WantPeers(false), at(0));
        schedule.handle(Input::Started { complete: false }, at(0));
        schedule
    }

    fn told(schedule: &mut Schedule) -> Vec<(u32, Event)> {
        let announce = |output| match output {
            Output::Announce { tracker, event, .. } => Some((tracker.0, event)),
            Output::Finished => None,
        };
        std::iter::from_fn(|| schedule.poll()).filter_map(announce).collect()
    }

    fn answer(schedule: &mut Schedule, tracker: u32, now: Time) {
        let interval = Some(Duration::from_secs(1800));
        let tracker = TrackerIndex(tracker);
        schedule.handle(Input::Answered { tracker, interval, min_interval: interval }, now);
    }

    fn fail(schedule: &mut Schedule, tracker: u32, retry: Option<Retry>, now: Time) {
        schedule.handle(Input::Failed { tracker: TrackerIndex(tracker), retry }, now);
    }

    #[test]
    fn an_announce_that_is_asked_for_comes_as_soon_as_the_last_is_a_minute_old() {
        let mut schedule = started(1);
        assert_eq!(told(&mut schedule), [(0, Started)]);
        schedule.handle(Input::Requested, at(1));
        answer(&mut schedule, 0, at(2));
        assert_eq!(told(&mut schedule), []);
        for second in [10, 20] {
            schedule.handle(Input::Requested, at(second));
            assert_eq!(told(&mut schedule), []);
            assert_eq!(schedule.poll_timeout(), Some((at(60), Reason::Requested)));
        }
        schedule.handle(Input::Timeout, at(60));
        assert_eq!(told(&mut schedule), [(0, Periodic)]);
        answer(&mut schedule, 0, at(61));
        assert_eq!(schedule.poll_timeout(), Some((at(1861), Reason::Interval)));
        schedule.handle(Input::Requested, at(200));
        assert_eq!(told(&mut schedule), [(0, Periodic)]);
    }

    #[test]
    fn an_announce_that_is_asked_for_ends_our_back_off_and_not_what_the_tracker_asked_for() {
        let mut schedule = started(1);
        fail(&mut schedule, 0, None, at(0));
        told(&mut schedule);
        for _ in 0..9 {
            let (next, _) = schedule.poll_timeout().expect("it tries again");
            schedule.handle(Input::Timeout, next);
            told(&mut schedule);
            fail(&mut schedule, 0, None, next);
        }
        let (next, _) = schedule.poll_timeout().expect("it tries again");
        let now = at(next.since(at(100)).as_secs());
        schedule.handle(Input::Requested, now);
        assert_eq!(told(&mut schedule), [(0, Started)]);
        let mut schedule = started(1);
        fail(&mut schedule, 0, Some(Retry::After(Duration::from_secs(900))), at(0));
        told(&mut schedule);
        schedule.handle(Input::Requested, at(100));
        assert_eq!(told(&mut schedule), []);
        assert_eq!(schedule.poll_timeout().map(|(at, _)| at), Some(at(900)));
    }

    #[test]
    fn the_next_announce_is_foreseen_to_the_tracker_that_will_get_it() {
        let mut schedule = started(2);
        let foreseen = |schedule: &Schedule| schedule.next_announces().collect::<Vec<_>>();
        assert_eq!(foreseen(&schedule), []);
        fail(&mut schedule, 0, None, at(0));
        answer(&mut schedule, 1, at(1));
        assert_eq!(foreseen(&schedule), [(TrackerIndex(0), at(1801))], "the first tier is back");
        schedule.handle(Input::StopRequested, at(2));
        assert_eq!(foreseen(&schedule), []);
    }

    #[test]
    fn trackers_that_stay_hear_nothing_of_a_change_and_the_others_of_an_end_or_a_start() {
        let mut schedule = started(2);
        told(&mut schedule);
        answer(&mut schedule, 0, at(1));
        let kept = [None, Some(TrackerIndex(0))];
        let mut next = schedule.succeed([2], &kept, at(10));
        assert_eq!(told(&mut schedule), [], "nobody was left that knows us");
        next.handle(Input::Timeout, at(10));
        assert_eq!(told(&mut next), [], "its tracker was asked already");
        next.handle(Input::Timeout, at(1801));
        let again = told(&mut next);
        assert!(again == [(1, Periodic)] || again == [(0, Started)], "{again:?}");

        let mut third = next.succeed([1], &[None], at(2000));
        third.handle(Input::Timeout, at(2000));
        assert_eq!(told(&mut third), [(0, Started)]);
        assert!(told(&mut next).contains(&(1, Stopped)));
    }
}
