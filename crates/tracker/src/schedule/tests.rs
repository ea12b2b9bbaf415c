//! Schedules under virtual time: tiers, lying trackers, events, back-off, jumps of the clock.

use super::*;
use crate::announce::Event::{Completed, Paused, Periodic, Started, Stopped};
use piecework_types::Rng;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const MINUTE: u64 = 60;

fn at(secs: u64) -> Time {
    Time::ZERO + Duration::from_secs(secs)
}

fn schedule(tier_sizes: &[usize], policy: SchedulePolicy) -> Schedule {
    Schedule::new(tier_sizes.iter().copied(), policy, Rng::new(3))
}

fn started(tier_sizes: &[usize], policy: SchedulePolicy) -> Schedule {
    let mut schedule = schedule(tier_sizes, policy);
    schedule.handle(Input::Started { complete: false }, at(0));
    schedule
}

/// The announces that wait to be sent.
fn announces(schedule: &mut Schedule) -> Vec<(u32, Event)> {
    std::iter::from_fn(|| schedule.poll())
        .map(|output| match output {
            Output::Announce { tracker, event, peers_wanted } => {
                assert_eq!(peers_wanted == 0, event == Stopped);
                (tracker.0, event)
            }
            Output::Finished => panic!("finished too early"),
        })
        .collect()
}

fn answer(schedule: &mut Schedule, tracker: u32, interval: Option<u64>, now: Time) {
    answer_both(schedule, tracker, (interval, None), now);
}

fn answer_both(
    schedule: &mut Schedule,
    tracker: u32,
    (interval, min_interval): (Option<u64>, Option<u64>),
    now: Time,
) {
    let input = Input::Answered {
        tracker: TrackerIndex(tracker),
        interval: interval.map(Duration::from_secs),
        min_interval: min_interval.map(Duration::from_secs),
    };
    schedule.handle(input, now);
}

fn fail(schedule: &mut Schedule, tracker: u32, now: Time) {
    schedule.handle(Input::Failed { tracker: TrackerIndex(tracker), retry: None }, now);
}

fn wake(schedule: &Schedule) -> Option<(u64, Reason)> {
    let (time, reason) = schedule.poll_timeout()?;
    Some((time.since(Time::ZERO).as_secs(), reason))
}

#[test]
fn announces_started_then_periodically_at_the_interval_of_the_tracker() {
    let mut schedule = started(&[1], SchedulePolicy::default());
    schedule.handle(Input::WantPeers(false), at(0));
    assert_eq!(announces(&mut schedule), [(0, Started)]);
    assert_eq!(wake(&schedule), None, "nothing to wait for but the answer");
    answer(&mut schedule, 0, Some(30 * MINUTE), at(1));
    assert_eq!(wake(&schedule), Some((1 + 30 * MINUTE, Reason::Interval)));
    schedule.handle(Input::Timeout, at(30 * MINUTE));
    assert_eq!(announces(&mut schedule), []);
    schedule.handle(Input::Timeout, at(1 + 30 * MINUTE));
    assert_eq!(announces(&mut schedule), [(0, Periodic)]);
}

#[test]
fn a_tier_is_tried_in_order_and_the_tracker_that_works_moves_to_its_front() {
    let mut schedule = started(&[3, 2], SchedulePolicy::default());
    let order: Vec<u32> = schedule.order().map(|index| index.0).collect();
    let mut tiers = order.clone();
    tiers[..3].sort_unstable();
    tiers[3..].sort_unstable();
    assert_eq!(tiers, [0, 1, 2, 3, 4], "shuffled inside the tiers only");

    assert_eq!(announces(&mut schedule), [(order[0], Started)]);
    fail(&mut schedule, order[0], at(1));
    assert_eq!(announces(&mut schedule), [(order[1], Started)]);
    answer(&mut schedule, order[1], None, at(2));
    let now: Vec<u32> = schedule.order().map(|index| index.0).collect();
    assert_eq!(now, [order[1], order[0], order[2], order[3], order[4]]);
}

#[test]
fn a_tier_is_shuffled_so_that_its_trackers_share_the_load() {
    let first = |seed| {
        let schedule = Schedule::new([4], SchedulePolicy::default(), Rng::new(seed));
        schedule.order().next()
    };
    assert_eq!((0..50).map(first).collect::<BTreeSet<_>>().len(), 4);
}

#[test]
fn the_next_tier_serves_while_the_first_is_down_and_no_longer() {
    let mut schedule = started(&[1, 1], SchedulePolicy::default());
    schedule.handle(Input::WantPeers(false), at(0));
    assert_eq!(announces(&mut schedule), [(0, Started)]);
    fail(&mut schedule, 0, at(1));
    assert_eq!(announces(&mut schedule), [(1, Started)]);
    answer(&mut schedule, 1, Some(1800), at(2));
    schedule.handle(Input::Timeout, at(1802));
    assert_eq!(announces(&mut schedule), [(0, Started)]);
    answer(&mut schedule, 0, Some(1800), at(1803));
    schedule.handle(Input::Timeout, at(3603));
    assert_eq!(announces(&mut schedule), [(0, Periodic)]);
}

#[test]
fn all_tiers_at_once_is_a_setting() {
    let policy = SchedulePolicy { all_tiers: true, ..SchedulePolicy::default() };
    let mut schedule = started(&[1, 1, 1], policy);
    assert_eq!(announces(&mut schedule), [(0, Started), (1, Started), (2, Started)]);
    fail(&mut schedule, 1, at(1));
    assert_eq!(announces(&mut schedule), [], "no other tier stands in");
}

#[test]
fn when_all_trackers_fail_each_is_tried_again_after_a_growing_pause() {
    let mut schedule = started(&[1], SchedulePolicy::default());
    let mut now = at(0);
    let mut pauses = Vec::new();
    for _ in 0..40 {
        assert_eq!(announces(&mut schedule), [(0, Started)]);
        fail(&mut schedule, 0, now);
        let (next, reason) = schedule.poll_timeout().expect("it will be tried again");
        assert_eq!(reason, Reason::Backoff);
        pauses.push(next.since(now).as_secs());
        now = next;
        schedule.handle(Input::Timeout, now);
    }
    assert!((3..=6).contains(&pauses[0]), "{pauses:?}");
    assert!((7..=12).contains(&pauses[1]), "{pauses:?}");
    assert!(pauses[10..].iter().all(|pause| (1350..=2250).contains(pause)), "{pauses:?}");
    assert!(pauses[10..].windows(2).any(|pair| pair[0] != pair[1]), "no jitter: {pauses:?}");
}

#[test]
fn an_answer_makes_the_next_back_off_short_again() {
    let mut schedule = started(&[1], SchedulePolicy::default());
    for secs in [0, 100, 200, 300] {
        schedule.handle(Input::Timeout, at(secs));
        fail(&mut schedule, 0, at(secs));
    }
    schedule.handle(Input::Timeout, at(400));
    answer(&mut schedule, 0, Some(1800), at(400));
    schedule.handle(Input::Timeout, at(2200));
    fail(&mut schedule, 0, at(2200));
    let (next, _) = wake(&schedule).expect("it will be tried again");
    assert!((2203..=2206).contains(&next), "{next}");
}

#[test]
fn a_minimum_interval_above_the_interval_counts() {
    let mut schedule = started(&[1], SchedulePolicy::default());
    schedule.handle(Input::WantPeers(false), at(0));
    answer_both(&mut schedule, 0, (Some(600), Some(900)), at(0));
    assert_eq!(wake(&schedule), Some((900, Reason::Interval)));
}

#[test]
fn lying_intervals_are_clamped() {
    for (interval, expected) in [(0, 60), (1_000_000_000, 7200), (900, 900)] {
        let mut schedule = started(&[1], SchedulePolicy::default());
        schedule.handle(Input::WantPeers(false), at(0));
        answer(&mut schedule, 0, Some(interval), at(0));
        assert_eq!(wake(&schedule), Some((expected, Reason::Interval)));
    }
    for (min_interval, expected) in [(0, 60), (1_000_000_000, 7200), (900, 900)] {
        let mut schedule = started(&[1], SchedulePolicy::default());
        answer_both(&mut schedule, 0, (Some(7200), Some(min_interval)), at(0));
        assert_eq!(wake(&schedule).map(|(time, _)| time), Some(expected));
    }
}

#[test]
fn too_few_peers_bring_the_next_announce_forward_but_never_under_the_minimum_interval() {
    let mut schedule = started(&[1], SchedulePolicy::default());
    schedule.handle(Input::WantPeers(false), at(0));
    announces(&mut schedule);
    answer_both(&mut schedule, 0, (Some(1800), Some(600)), at(0));
    schedule.handle(Input::WantPeers(true), at(10));
    assert_eq!(announces(&mut schedule), []);
    assert_eq!(wake(&schedule), Some((600, Reason::WantPeers)));
    schedule.handle(Input::Timeout, at(599));
    assert_eq!(announces(&mut schedule), []);
    schedule.handle(Input::Timeout, at(600));
    assert_eq!(announces(&mut schedule), [(0, Periodic)]);

    answer(&mut schedule, 0, Some(1800), at(600));
    assert_eq!(wake(&schedule), Some((900, Reason::WantPeers)), "five minutes if none is named");
}

#[test]
fn completed_goes_out_at_once_and_only_once() {
    let mut schedule = started(&[1], SchedulePolicy::default());
    announces(&mut schedule);
    answer_both(&mut schedule, 0, (Some(1800), Some(1800)), at(0));
    schedule.handle(Input::Completed, at(5));
    assert_eq!(announces(&mut schedule), [(0, Completed)]);
    schedule.handle(Input::Completed, at(6));
    answer(&mut schedule, 0, Some(1800), at(7));
    schedule.handle(Input::Timeout, at(1807));
    assert_eq!(announces(&mut schedule), [(0, Periodic)]);
}

#[test]
fn completed_waits_for_the_announce_in_flight_and_survives_a_failure() {
    let mut schedule = started(&[1], SchedulePolicy::default());
    announces(&mut schedule);
    schedule.handle(Input::Completed, at(1));
    assert_eq!(announces(&mut schedule), [], "one announce at a time");
    answer(&mut schedule, 0, Some(1800), at(2));
    assert_eq!(announces(&mut schedule), [(0, Completed)]);
    fail(&mut schedule, 0, at(3));
    schedule.handle(Input::Timeout, at(60));
    assert_eq!(announces(&mut schedule), [(0, Completed)]);
}

#[test]
fn completed_goes_to_the_tracker_that_knows_of_the_download_not_to_a_better_one() {
    let mut schedule = started(&[1, 1], SchedulePolicy::default());
    announces(&mut schedule);
    fail(&mut schedule, 0, at(0));
    announces(&mut schedule);
    answer(&mut schedule, 1, Some(1800), at(1));
    schedule.handle(Input::Completed, at(60));
    assert_eq!(announces(&mut schedule), [(1, Completed)]);
    answer(&mut schedule, 1, Some(1800), at(61));
    schedule.handle(Input::Timeout, at(1861));
    assert_eq!(announces(&mut schedule), [(0, Started)], "in order again");
}

#[test]
fn completed_does_not_break_into_a_back_off() {
    let mut schedule = started(&[1], SchedulePolicy::default());
    announces(&mut schedule);
    answer(&mut schedule, 0, Some(60), at(0));
    schedule.handle(Input::Timeout, at(60));
    announces(&mut schedule);
    let retry = Some(Retry::After(Duration::from_secs(600)));
    schedule.handle(Input::Failed { tracker: TrackerIndex(0), retry }, at(60));
    schedule.handle(Input::Completed, at(61));
    assert_eq!(announces(&mut schedule), []);
    assert_eq!(wake(&schedule), Some((660, Reason::Backoff)));
    schedule.handle(Input::Timeout, at(660));
    assert_eq!(announces(&mut schedule), [(0, Completed)]);
}

#[test]
fn a_torrent_that_starts_complete_never_says_completed() {
    let mut schedule = schedule(&[1], SchedulePolicy::default());
    schedule.handle(Input::Started { complete: true }, at(0));
    answer(&mut schedule, 0, None, at(1));
    schedule.handle(Input::Completed, at(2));
    assert_eq!(announces(&mut schedule), [(0, Started)]);
}

#[test]
fn a_tracker_that_never_heard_of_the_download_hears_of_a_seed() {
    let mut schedule = started(&[1], SchedulePolicy::default());
    announces(&mut schedule);
    schedule.handle(Input::Completed, at(1));
    fail(&mut schedule, 0, at(2));
    schedule.handle(Input::Timeout, at(60));
    assert_eq!(announces(&mut schedule), [(0, Started)]);
    answer(&mut schedule, 0, None, at(61));
    assert_eq!(announces(&mut schedule), []);
}

#[test]
fn a_tracker_that_says_when_is_asked_then_and_one_that_says_never_is_not() {
    let mut schedule = started(&[1, 1], SchedulePolicy::default());
    announces(&mut schedule);
    let retry = Some(Retry::After(Duration::from_secs(600)));
    schedule.handle(Input::Failed { tracker: TrackerIndex(0), retry }, at(0));
    assert_eq!(announces(&mut schedule), [(1, Started)]);
    let retry = Some(Retry::Never);
    schedule.handle(Input::Failed { tracker: TrackerIndex(1), retry }, at(0));
    assert_eq!(announces(&mut schedule), []);
    assert_eq!(wake(&schedule), Some((600, Reason::Backoff)));
    schedule.handle(Input::Timeout, at(600));
    assert_eq!(announces(&mut schedule), [(0, Started)]);
    let retry = Some(Retry::Never);
    schedule.handle(Input::Failed { tracker: TrackerIndex(0), retry }, at(601));
    assert_eq!((wake(&schedule), announces(&mut schedule)), (None, vec![]));
}

#[test]
fn stopping_tells_everybody_who_may_know_us_once_and_then_ends() {
    let policy = SchedulePolicy { all_tiers: true, ..SchedulePolicy::default() };
    let mut schedule = started(&[1, 1, 1], policy);
    announces(&mut schedule);
    answer(&mut schedule, 0, None, at(1));
    fail(&mut schedule, 1, at(1));
    // Tracker 2 has not answered: its started event may still arrive.
    schedule.handle(Input::StopRequested, at(2));
    schedule.handle(Input::StopRequested, at(2));
    assert_eq!(announces(&mut schedule), [(0, Stopped), (2, Stopped)]);
    fail(&mut schedule, 0, at(3));
    assert_eq!(schedule.poll(), None, "a failed goodbye is not repeated");
    answer(&mut schedule, 2, None, at(4));
    assert_eq!(schedule.poll(), Some(Output::Finished));
    assert_eq!((schedule.poll(), schedule.poll_timeout()), (None, None));
}

#[test]
fn stopping_takes_back_what_was_not_sent_yet() {
    let mut schedule = started(&[1], SchedulePolicy::default());
    schedule.handle(Input::StopRequested, at(0));
    assert_eq!(schedule.poll(), Some(Output::Finished));
    assert_eq!(schedule.poll(), None);
}

#[test]
fn a_torrent_starts_again_after_a_stop() {
    let mut schedule = started(&[1], SchedulePolicy::default());
    announces(&mut schedule);
    answer(&mut schedule, 0, None, at(1));
    schedule.handle(Input::StopRequested, at(2));
    assert_eq!(announces(&mut schedule), [(0, Stopped)]);
    schedule.handle(Input::Started { complete: false }, at(3));
    assert_eq!(announces(&mut schedule), [(0, Started)]);
}

#[test]
fn a_clock_that_jumps_far_ahead_causes_one_announce() {
    let mut schedule = started(&[2, 2], SchedulePolicy::default());
    let first = announces(&mut schedule)[0].0;
    answer(&mut schedule, first, Some(1800), at(0));
    let later = at(10 * 365 * 24 * 3600);
    for _ in 0..3 {
        schedule.handle(Input::Timeout, later);
    }
    assert_eq!(announces(&mut schedule), [(first, Periodic)]);
    answer(&mut schedule, first, Some(1800), later);
    schedule.handle(Input::Timeout, later);
    assert_eq!(announces(&mut schedule), []);
}

#[test]
fn a_partial_seed_says_so_in_every_announce_but_the_last() {
    let mut schedule = schedule(&[1], SchedulePolicy::default());
    schedule.handle(Input::PartialSeed(true), at(0));
    schedule.handle(Input::WantPeers(false), at(0));
    schedule.handle(Input::Started { complete: false }, at(0));
    assert_eq!(announces(&mut schedule), [(0, Paused)], "the first one too");
    answer(&mut schedule, 0, Some(1800), at(1));
    schedule.handle(Input::Timeout, at(1801));
    assert_eq!(announces(&mut schedule), [(0, Paused)]);
    answer(&mut schedule, 0, Some(1800), at(1801));
    schedule.handle(Input::StopRequested, at(1802));
    assert_eq!(announces(&mut schedule), [(0, Stopped)]);
}

#[test]
fn a_selection_that_becomes_complete_is_told_at_the_interval_and_never_as_completed() {
    let mut schedule = started(&[1], SchedulePolicy::default());
    schedule.handle(Input::WantPeers(false), at(0));
    announces(&mut schedule);
    answer(&mut schedule, 0, Some(1800), at(0));
    schedule.handle(Input::PartialSeed(true), at(1));
    assert_eq!(
        (announces(&mut schedule), wake(&schedule)),
        (vec![], Some((1800, Reason::Interval)))
    );
    schedule.handle(Input::Timeout, at(1800));
    assert_eq!(announces(&mut schedule), [(0, Paused)]);
}

#[test]
fn a_partial_seed_that_wants_the_rest_is_a_downloader_again_and_then_complete() {
    let mut schedule = schedule(&[1], SchedulePolicy::default());
    schedule.handle(Input::PartialSeed(true), at(0));
    schedule.handle(Input::Started { complete: false }, at(0));
    assert_eq!(announces(&mut schedule), [(0, Paused)]);
    answer_both(&mut schedule, 0, (Some(1800), Some(60)), at(0));
    schedule.handle(Input::PartialSeed(false), at(60));
    assert_eq!(announces(&mut schedule), [(0, Periodic)], "the tracker knows it already");
    answer(&mut schedule, 0, Some(1800), at(61));
    schedule.handle(Input::Completed, at(62));
    assert_eq!(announces(&mut schedule), [(0, Completed)]);
}

#[test]
fn reports_about_trackers_that_were_not_asked_are_ignored() {
    let mut schedule = started(&[1, 1], SchedulePolicy::default());
    announces(&mut schedule);
    answer(&mut schedule, 1, None, at(1));
    fail(&mut schedule, 1, at(1));
    answer(&mut schedule, 99, None, at(1));
    fail(&mut schedule, u32::MAX, at(1));
    assert_eq!((announces(&mut schedule), wake(&schedule)), (vec![], None));
}

#[test]
fn a_torrent_without_trackers_just_runs_and_stops() {
    for sizes in [[].as_slice(), &[0, 0]] {
        let mut schedule = started(sizes, SchedulePolicy::default());
        assert_eq!((schedule.poll(), schedule.poll_timeout()), (None, None));
        schedule.handle(Input::StopRequested, at(1));
        assert_eq!(schedule.poll(), Some(Output::Finished));
    }
}

#[test]
fn trackers_beyond_the_limit_are_ignored() {
    let schedule = schedule(&[200, 200], SchedulePolicy::default());
    assert_eq!(schedule.order().count(), TRACKERS_MAX);
}

proptest! {
    /// Whatever trackers answer and whenever peers are wanted: no tracker is asked twice at a time or
    /// within its own minimum interval, and the stop reaches each that answered, once.
    #[test]
    fn no_tracker_is_ever_pestered(
        seed: u64,
        all_tiers: bool,
        steps in prop::collection::vec((0_u8..6, 0_u64..4000, 0_u64..100_000), 1..120),
    ) {
        let policy = SchedulePolicy { all_tiers, ..SchedulePolicy::default() };
        let mut schedule = Schedule::new([2, 1, 2], policy, Rng::new(seed));
        let mut now = at(0);
        let mut in_flight: BTreeMap<TrackerIndex, Event> = BTreeMap::new();
        let mut not_before: BTreeMap<TrackerIndex, Time> = BTreeMap::new();
        let mut knows = BTreeSet::new();
        schedule.handle(Input::Started { complete: false }, now);
        for (step, wait, interval) in steps {
            while let Some(output) = schedule.poll() {
                let Output::Announce { tracker, event, .. } = output else {
                    return Err(TestCaseError::fail("finished without a stop"));
                };
                prop_assert!(in_flight.insert(tracker, event).is_none(), "two at a time");
                let early = not_before.get(&tracker).is_some_and(|&time| now < time);
                prop_assert!(!early || event == Completed, "{tracker:?} too early: {event:?}");
                prop_assert_eq!(event == Started, !knows.contains(&tracker));
            }
            now += Duration::from_secs(wait);
            let asked = in_flight.keys().next().copied();
            match (step, asked) {
                (0 | 1, Some(tracker)) => {
                    in_flight.remove(&tracker);
                    knows.insert(tracker);
                    let min = Duration::from_secs(interval);
                    let believed = min.clamp(policy.interval_min, policy.interval_max);
                    not_before.insert(tracker, now + believed);
                    let (interval, min_interval) = (Some(min), Some(min));
                    schedule.handle(Input::Answered { tracker, interval, min_interval }, now);
                }
                (2, Some(tracker)) => {
                    in_flight.remove(&tracker);
                    not_before.insert(tracker, now + policy.backoff_min * 3 / 4);
                    schedule.handle(Input::Failed { tracker, retry: None }, now);
                }
                (3, _) => schedule.handle(Input::WantPeers(interval % 2 == 0), now),
                (4, _) => schedule.handle(Input::Completed, now),
                _ => schedule.handle(Input::Timeout, now),
            }
        }
        while schedule.poll().is_some_and(|output| {
            let Output::Announce { tracker, event, .. } = output else { return false };
            in_flight.insert(tracker, event);
            true
        }) {}
        schedule.handle(Input::StopRequested, now);
        let mut told = BTreeSet::new();
        while let Some(Output::Announce { tracker, event, .. }) = schedule.poll() {
            prop_assert_eq!(event, Stopped);
            prop_assert!(told.insert(tracker));
        }
        knows.extend(in_flight.keys().copied());
        prop_assert_eq!(told, knows);
    }
}
