//! When to announce one torrent, to which of its trackers, and with which event.
//!
//! Owns the order of the trackers inside their tiers (BEP 12), what each tracker has been told, and the
//! waiting times. Invariants: at most one announce is in flight to a tracker; a tracker is never
//! announced to before its minimum interval or its back-off has passed, except for the events
//! completed and stopped, and when the user asks for it, once a minute at most; every tracker that may
//! know us gets stopped once. Must not know URLs, sockets or peers.

mod control;
mod group;

use crate::announce::{Event, PEERS_WANTED, Retry};
use group::{Group, Tracker, choose, find, find_group, find_mut, promote};
use piecework_types::{Rng, Time};
use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

/// Trackers of one torrent that are used; the rest of a longer list is ignored.
pub const TRACKERS_MAX: usize = 256;

/// Longest wait that a refusing tracker can ask for (BEP 31), so that a mistake heals.
const RETRY_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The position of a tracker in the torrent's list, counted through all tiers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TrackerIndex(pub u32);

/// Waiting times and bounds. The defaults are what trackers expect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SchedulePolicy {
    /// Announce to one tracker of every tier. BEP 12 wants the first tier that works.
    pub all_tiers: bool,
    /// Shortest interval and minimum interval believed.
    pub interval_min: Duration,
    /// Longest interval and minimum interval believed.
    pub interval_max: Duration,
    /// Interval of a tracker that names none.
    pub interval_default: Duration,
    /// Minimum interval of a tracker that names none.
    pub early_default: Duration,
    /// Wait after the first failure; doubles with every further one.
    pub backoff_min: Duration,
    /// Longest wait after failures, before jitter.
    pub backoff_max: Duration,
    /// Peers to ask for in every announce but the last one.
    pub peers_wanted: u32,
}

impl Default for SchedulePolicy {
    fn default() -> Self {
        Self {
            all_tiers: false,
            interval_min: Duration::from_secs(60),
            interval_max: Duration::from_secs(2 * 60 * 60),
            interval_default: Duration::from_secs(30 * 60),
            early_default: Duration::from_secs(5 * 60),
            backoff_min: Duration::from_secs(5),
            backoff_max: Duration::from_secs(30 * 60),
            peers_wanted: PEERS_WANTED,
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Input {
    /// The torrent starts, or starts again after [`Output::Finished`].
    Started {
        /// It has every piece, so no completed event will follow.
        complete: bool,
    },
    /// The last missing piece has arrived.
    Completed,
    /// Whether the torrent has all it wants, but not every piece: then each announce says so (BEP 21).
    /// False at first; to be told before [`Input::Started`] if it is so from the start.
    PartialSeed(bool),
    /// A tracker answered the announce in flight.
    Answered {
        /// Which.
        tracker: TrackerIndex,
        /// As it said.
        interval: Option<Duration>,
        /// As it said.
        min_interval: Option<Duration>,
    },
    /// The announce in flight to a tracker failed.
    Failed {
        /// Which.
        tracker: TrackerIndex,
        /// As it said.
        retry: Option<Retry>,
    },
    /// Whether the torrent has too few peers, true at first. While it has, it announces as often as its
    /// tracker allows; else at the regular interval.
    WantPeers(bool),
    /// The user wants an announce now: due as soon as the last one is a minute old, minimum interval or
    /// not. What a tracker asked for when it refused (BEP 31) still counts.
    Requested,
    /// The torrent stops: say so to everybody who may know it.
    StopRequested,
    /// The time of [`Schedule::poll_timeout`] has come.
    Timeout,
}

/// What to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Output {
    /// Announce, then report [`Input::Answered`] or [`Input::Failed`] for this tracker, once. It
    /// supersedes an announce to the same tracker: drop that one and report nothing for it.
    Announce {
        /// To whom.
        tracker: TrackerIndex,
        /// Why.
        event: Event,
        /// Peers to ask for.
        peers_wanted: u32,
    },
    /// Everybody who had to be told about the stop has answered or failed.
    Finished,
}

/// Why the schedule wants to wake up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// A regular announce.
    Interval,
    /// More peers are wanted and the tracker allows to ask.
    WantPeers,
    /// A tracker that failed may be tried again.
    Backoff,
    /// The user asked for it, and the last one is not a minute old.
    Requested,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Idle,
    Running { complete: bool },
    Stopping,
}

/// The announce schedule of one torrent.
#[derive(Clone, Debug)]
pub struct Schedule {
    policy: SchedulePolicy,
    rng: Rng,
    phase: Phase,
    wants_peers: bool,
    is_partial_seed: bool,
    trackers: Vec<Tracker>,
    groups: Vec<Group>,
    /// At most one announce for each tracker and one `Finished`.
    outputs: VecDeque<Output>,
}

impl Schedule {
    /// A schedule for tiers of these sizes, idle until [`Input::Started`]. Shuffles each tier.
    pub fn new(
        tier_sizes: impl IntoIterator<Item = usize>,
        policy: SchedulePolicy,
        mut rng: Rng,
    ) -> Self {
        let tier_sizes = tier_sizes.into_iter().filter(|&size| size > 0);
        let tiers = tier_sizes.zip(0..).flat_map(|(size, tier)| (0..size).map(move |_| tier));
        let mut trackers: Vec<_> = tiers.take(TRACKERS_MAX).map(Tracker::new).collect();
        let mut groups: Vec<Group> = Vec::new();
        let mut start = 0;
        for tier in trackers.chunk_by(|a, b| a.tier == b.tier) {
            let mut order: Vec<_> =
                (start..).take(tier.len()).map(|index| TrackerIndex(index as u32)).collect();
            rng.shuffle(&mut order);
            start += tier.len();
            match groups.first_mut() {
                Some(group) if !policy.all_tiers => group.order.extend(order),
                _ => groups.push(Group::new(order)),
            }
        }
        // There may be very many schedules, most of them idle.
        trackers.shrink_to_fit();
        groups.shrink_to_fit();
        Self {
            policy,
            rng,
            phase: Phase::Idle,
            wants_peers: true,
            is_partial_seed: false,
            trackers,
            groups,
            outputs: VecDeque::new(),
        }
    }

    /// Takes what happened; then call [`Schedule::poll`].
    pub fn handle(&mut self, input: Input, now: Time) {
        match input {
            Input::Started { complete } => self.start(complete, now),
            Input::Completed => self.complete(now),
            Input::PartialSeed(is_partial_seed) => self.is_partial_seed = is_partial_seed,
            Input::Answered { tracker, interval, min_interval } => {
                self.answered(tracker, interval, min_interval, now);
            }
            Input::Failed { tracker, retry } => self.failed(tracker, retry, now),
            Input::WantPeers(wants_peers) => self.wants_peers = wants_peers,
            Input::Requested => self.request(now),
            Input::StopRequested => self.stop(),
            Input::Timeout => {}
        }
        if matches!(self.phase, Phase::Running { .. }) {
            self.announce_due(now);
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Timeout`], and what for.
    pub fn poll_timeout(&self) -> Option<(Time, Reason)> {
        if !matches!(self.phase, Phase::Running { .. }) {
            return None;
        }
        let waiting = self.groups.iter().filter(|group| group.in_flight.is_none());
        let wakes = waiting.map(|group| {
            if self.wants_peers && group.early < group.due {
                (group.early, Reason::WantPeers)
            } else {
                (group.due, group.reason)
            }
        });
        wakes.min_by_key(|&(time, _)| time).filter(|&(time, _)| time != Time::NEVER)
    }

    /// The trackers in the order of trying, for resume data and display.
    pub fn order(&self) -> impl Iterator<Item = TrackerIndex> + '_ {
        self.groups.iter().flat_map(|group| group.order.iter().copied())
    }

    fn start(&mut self, complete: bool, now: Time) {
        if matches!(self.phase, Phase::Running { .. }) {
            return;
        }
        self.phase = Phase::Running { complete };
        self.outputs.clear();
        for tracker in &mut self.trackers {
            *tracker = Tracker::new(tracker.tier);
        }
        for group in &mut self.groups {
            *group = Group::new(mem::take(&mut group.order));
            group.due_at(now, Reason::Interval);
        }
    }

    fn complete(&mut self, now: Time) {
        let Phase::Running { complete: complete @ false } = &mut self.phase else { return };
        *complete = true;
        self.is_partial_seed = false;
        for tracker in &mut self.trackers {
            tracker.completed_due = tracker.is_started || tracker.in_flight.is_some();
        }
        for group in &mut self.groups {
            if group.in_flight.is_none() && group.current.is_some() {
                group.force(now);
            }
        }
    }

    fn answered(
        &mut self,
        index: TrackerIndex,
        interval: Option<Duration>,
        min_interval: Option<Duration>,
        now: Time,
    ) {
        let Some(event) = self.take_in_flight(index) else { return };
        let Some(tracker) = find_mut(&mut self.trackers, index) else { return };
        if event == Event::Stopped {
            tracker.is_started = false;
            return self.finish_if_all_are_told();
        }
        let SchedulePolicy { interval_min, interval_max, .. } = self.policy;
        let interval = interval.unwrap_or(self.policy.interval_default);
        let interval = interval.max(interval_min).min(interval_max);
        let early = min_interval.unwrap_or_else(|| self.policy.early_default.min(interval));
        let early = early.max(interval_min).min(interval_max);
        tracker.is_started = true;
        tracker.completed_due &= event != Event::Completed;
        tracker.failures = 0;
        tracker.retry_at = now;
        let is_forced = tracker.completed_due;
        let Some(group) = find_group(&mut self.groups, index) else { return };
        group.in_flight = None;
        group.current = Some(index);
        group.due_at(now + interval.max(early), Reason::Interval);
        group.early = now + early;
        promote(&mut group.order, index, &self.trackers);
        if is_forced {
            group.force(now);
        }
    }

    fn failed(&mut self, index: TrackerIndex, retry: Option<Retry>, now: Time) {
        let Some(event) = self.take_in_flight(index) else { return };
        let Some(tracker) = find_mut(&mut self.trackers, index) else { return };
        if event == Event::Stopped {
            tracker.is_started = false;
            return self.finish_if_all_are_told();
        }
        tracker.failures = tracker.failures.saturating_add(1);
        tracker.is_told_when = retry.is_some();
        let wait = match retry {
            Some(Retry::After(wait)) => wait.max(self.policy.backoff_min).min(RETRY_MAX),
            Some(Retry::Never) => {
                tracker.is_gone = true;
                Duration::ZERO
            }
            None => backoff(&self.policy, tracker.failures, &mut self.rng),
        };
        tracker.retry_at = now + wait;
        let Some(group) = find_group(&mut self.groups, index) else { return };
        group.in_flight = None;
        group.due_at(now, Reason::Backoff);
    }

    fn stop(&mut self) {
        if !matches!(self.phase, Phase::Running { .. }) {
            return;
        }
        self.phase = Phase::Stopping;
        // What was not yet polled was never sent, so nobody has to be told that it is over.
        for output in self.outputs.drain(..) {
            let Output::Announce { tracker, .. } = output else { continue };
            if let Some(tracker) = find_mut(&mut self.trackers, tracker) {
                tracker.in_flight = None;
            }
        }
        for group in &mut self.groups {
            group.in_flight = None;
        }
        for (tracker, index) in self.trackers.iter_mut().zip(0..) {
            // An announce in flight may arrive although its answer never will.
            if tracker.is_started || tracker.in_flight.is_some() {
                tracker.in_flight = Some(Event::Stopped);
                self.outputs.push_back(Output::Announce {
                    tracker: TrackerIndex(index),
                    event: Event::Stopped,
                    peers_wanted: 0,
                });
            }
        }
        self.finish_if_all_are_told();
    }

    fn finish_if_all_are_told(&mut self) {
        if self.trackers.iter().all(|tracker| tracker.in_flight.is_none()) {
            self.phase = Phase::Idle;
            self.outputs.push_back(Output::Finished);
        }
    }

    fn take_in_flight(&mut self, index: TrackerIndex) -> Option<Event> {
        find_mut(&mut self.trackers, index)?.in_flight.take()
    }

    /// Announces once for each group whose time has come, however long ago that was.
    fn announce_due(&mut self, now: Time) {
        for group in &mut self.groups {
            let wake = if self.wants_peers { group.early } else { group.due };
            if group.in_flight.is_some() || now < wake {
                continue;
            }
            let Some(index) = choose(group, &self.trackers, now) else {
                let rest = group.order.iter().filter_map(|&index| find(&self.trackers, index));
                let rest = rest.filter(|tracker| !tracker.is_gone);
                let retry = rest.map(|tracker| tracker.retry_at).min();
                group.due_at(retry.unwrap_or(Time::NEVER), Reason::Backoff);
                continue;
            };
            let Some(tracker) = find_mut(&mut self.trackers, index) else { continue };
            let (event, peers_wanted) =
                (tracker.begin(self.is_partial_seed), self.policy.peers_wanted);
            group.in_flight = Some(index);
            group.asked_at = Some(now);
            group.is_forced = false;
            self.outputs.push_back(Output::Announce { tracker: index, event, peers_wanted });
        }
    }
}

/// The wait after `failures` in a row: doubling, bounded, up to a quarter more or less so that the
/// torrents of a node do not come back all at once.
fn backoff(policy: &SchedulePolicy, failures: u32, rng: &mut Rng) -> Duration {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let wait = policy.backoff_min.saturating_mul(factor).min(policy.backoff_max);
    let half = u64::try_from(wait.as_micros() / 2).unwrap_or(u64::MAX);
    wait - wait / 4 + Duration::from_micros(rng.below(half))
}

#[cfg(test)]
mod tests;
