//! The door between the schedules of a node and its sockets: a limited number of announces at a time.
//!
//! Owns the queue of announces that wait. Invariants: at most one entry waits and at most one ticket is
//! out for each pair of torrent and tracker; no torrent is served twice while another waits; stopped
//! events go first, for the program wants to leave. Must not know URLs or time.

use crate::announce::Event;
use crate::schedule::TrackerIndex;
use piecework_types::InfoHash;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Announces in flight at a time for the whole node. A thousand torrents that start together would
/// otherwise open a thousand sockets.
pub const ANNOUNCES_IN_FLIGHT_MAX: usize = 32;

/// Leave to announce. Give it back with [`GateInput::Done`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ticket {
    /// For which torrent.
    pub torrent: InfoHash,
    /// To which of its trackers.
    pub tracker: TrackerIndex,
    /// Why.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GateInput {
    /// A schedule wants to announce. Replaces what waits for the same torrent and tracker.
    Wanted(Ticket),
    /// The announce to this tracker was answered, failed, or was dropped.
    Done {
        /// Of which torrent.
        torrent: InfoHash,
        /// Which of its trackers.
        tracker: TrackerIndex,
    },
    /// The torrent is gone: nothing of it waits any more. Its tickets that are out still come back.
    Forgotten(InfoHash),
}

/// Announces of one torrent that wait, oldest first.
type Queue = VecDeque<(TrackerIndex, Event)>;

/// Lets announces through, a limited number at a time.
#[derive(Clone, Debug)]
pub struct AnnounceGate {
    in_flight_max: usize,
    in_flight: BTreeSet<(InfoHash, TrackerIndex)>,
    stopped: Line,
    others: Line,
}

/// Torrents in line: each is served one announce, then goes to the end.
#[derive(Clone, Debug, Default)]
struct Line {
    queues: BTreeMap<InfoHash, Queue>,
    turns: VecDeque<InfoHash>,
}

impl Default for AnnounceGate {
    fn default() -> Self {
        Self::new(ANNOUNCES_IN_FLIGHT_MAX)
    }
}

impl AnnounceGate {
    /// A gate for `in_flight_max` announces at a time.
    pub const fn new(in_flight_max: usize) -> Self {
        Self {
            in_flight_max,
            in_flight: BTreeSet::new(),
            stopped: Line::new(),
            others: Line::new(),
        }
    }

    /// Takes what happened; then call [`AnnounceGate::poll`].
    pub fn handle(&mut self, input: GateInput) {
        match input {
            GateInput::Wanted(ticket) => {
                self.stopped.remove(ticket.torrent, ticket.tracker);
                self.others.remove(ticket.torrent, ticket.tracker);
                match ticket.event {
                    Event::Stopped => self.stopped.push(ticket),
                    Event::Started | Event::Completed | Event::Paused | Event::Periodic => {
                        self.others.push(ticket);
                    }
                }
            }
            GateInput::Done { torrent, tracker } => {
                self.in_flight.remove(&(torrent, tracker));
            }
            GateInput::Forgotten(torrent) => {
                self.stopped.forget(torrent);
                self.others.forget(torrent);
            }
        }
    }

    /// The next announce to be made, if one waits and there is room.
    ///
    /// A ticket for a torrent and tracker whose earlier one is out supersedes it: drop that announce
    /// and report the pair as done once.
    pub fn poll(&mut self) -> Option<Ticket> {
        if self.in_flight.len() >= self.in_flight_max {
            return None;
        }
        let ticket = self.stopped.pop().or_else(|| self.others.pop())?;
        self.in_flight.insert((ticket.torrent, ticket.tracker));
        Some(ticket)
    }

    /// Announces in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}

impl Line {
    const fn new() -> Self {
        Self { queues: BTreeMap::new(), turns: VecDeque::new() }
    }

    fn push(&mut self, ticket: Ticket) {
        let queue = self.queues.entry(ticket.torrent).or_default();
        if queue.is_empty() {
            self.turns.push_back(ticket.torrent);
        }
        queue.push_back((ticket.tracker, ticket.event));
    }

    fn pop(&mut self) -> Option<Ticket> {
        let torrent = self.turns.pop_front()?;
        let queue = self.queues.get_mut(&torrent)?;
        let (tracker, event) = queue.pop_front()?;
        if queue.is_empty() {
            self.queues.remove(&torrent);
        } else {
            self.turns.push_back(torrent);
        }
        Some(Ticket { torrent, tracker, event })
    }

    fn remove(&mut self, torrent: InfoHash, tracker: TrackerIndex) {
        let Some(queue) = self.queues.get_mut(&torrent) else { return };
        queue.retain(|&(waiting, _)| waiting != tracker);
        if queue.is_empty() {
            self.forget(torrent);
        }
    }

    fn forget(&mut self, torrent: InfoHash) {
        if self.queues.remove(&torrent).is_some() {
            self.turns.retain(|&waiting| waiting != torrent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn ticket(torrent: u8, tracker: u32, event: Event) -> Ticket {
        Ticket { torrent: InfoHash([torrent; 20]), tracker: TrackerIndex(tracker), event }
    }

    fn gate(in_flight_max: usize, wanted: &[Ticket]) -> AnnounceGate {
        let mut gate = AnnounceGate::new(in_flight_max);
        wanted.iter().for_each(|&ticket| gate.handle(GateInput::Wanted(ticket)));
        gate
    }

    fn drain(gate: &mut AnnounceGate) -> Vec<Ticket> {
        std::iter::from_fn(|| gate.poll()).collect()
    }

    #[test]
    fn torrents_take_turns_and_their_announces_stay_in_order() {
        let many = [(1, 0), (1, 1), (1, 2), (2, 0), (3, 0), (2, 1)]
            .map(|(torrent, tracker)| ticket(torrent, tracker, Event::Started));
        let turns: Vec<_> = drain(&mut gate(9, &many))
            .iter()
            .map(|ticket| (ticket.torrent.0[0], ticket.tracker.0))
            .collect();
        assert_eq!(turns, [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2)]);
    }

    #[test]
    fn stopped_events_overtake_and_replace_what_waits() {
        let wanted = [
            ticket(1, 0, Event::Started),
            ticket(2, 0, Event::Periodic),
            ticket(2, 0, Event::Stopped),
        ];
        assert_eq!(drain(&mut gate(9, &wanted)), [wanted[2], wanted[0]]);
    }

    #[test]
    fn the_limit_holds_until_a_ticket_comes_back() {
        let wanted: Vec<_> = (0..40).map(|torrent| ticket(torrent, 0, Event::Started)).collect();
        let mut gate = gate(ANNOUNCES_IN_FLIGHT_MAX, &wanted);
        assert_eq!(drain(&mut gate), wanted[..32]);
        gate.handle(GateInput::Done { torrent: InfoHash([7; 20]), tracker: TrackerIndex(0) });
        gate.handle(GateInput::Done { torrent: InfoHash([7; 20]), tracker: TrackerIndex(0) });
        assert_eq!(drain(&mut gate), wanted[32..33]);
    }

    #[test]
    fn a_forgotten_torrent_leaves_the_line_but_not_its_tickets() {
        let wanted = [ticket(1, 0, Event::Started), ticket(1, 1, Event::Started)];
        let mut gate = gate(1, &wanted);
        assert_eq!(gate.poll(), Some(wanted[0]));
        gate.handle(GateInput::Forgotten(InfoHash([1; 20])));
        assert_eq!(gate.in_flight(), 1);
        gate.handle(GateInput::Done { torrent: wanted[0].torrent, tracker: TrackerIndex(0) });
        assert_eq!((gate.poll(), gate.in_flight()), (None, 0));
    }

    proptest! {
        #[test]
        fn every_wanted_announce_comes_out_once_with_its_last_event(
            wanted in prop::collection::vec((0_u8..6, 0_u32..4, 0_usize..3), 0..60),
        ) {
            let events = [Event::Started, Event::Periodic, Event::Stopped];
            let mut last = BTreeMap::new();
            let mut gate = AnnounceGate::new(3);
            for (torrent, tracker, event) in wanted {
                let ticket = ticket(torrent, tracker, events[event]);
                last.insert((ticket.torrent, ticket.tracker), ticket);
                gate.handle(GateInput::Wanted(ticket));
            }
            let mut got = Vec::new();
            while let Some(ticket) = gate.poll() {
                prop_assert!(gate.in_flight() <= 3);
                got.push(ticket);
                let Ticket { torrent, tracker, .. } = ticket;
                gate.handle(GateInput::Done { torrent, tracker });
            }
            got.sort_unstable();
            let mut expected: Vec<_> = last.into_values().collect();
            expected.sort_unstable();
            prop_assert_eq!(got, expected);
        }
    }
}
