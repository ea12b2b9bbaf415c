//! The trackers of one torrent: its announce schedules joined to the client that carries them.
//!
//! A hybrid torrent is announced under both of its names, each with a schedule of its own. Owns no
//! socket; when to announce is the schedule's decision.

use crate::event::{SecretUrl, TrackerState, TrackerStatus};
use piecework_net::{AnnounceError, AnnounceJob, TrackerClient};
use piecework_tracker::{
    Announce, AnnounceAnswer, Input, Output, Schedule, SchedulePolicy, TRACKERS_MAX, TrackerFault,
    TrackerIndex, TrackerUrl,
};
use piecework_types::{InfoHash, InfoHashes, PeerId, Rng, Time};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

/// Lists of trackers that were replaced and whose last announces are under way; an older one is forgotten.
const LEAVING_MAX: usize = 4;

/// The answer to one announce, on its way back to the torrent.
#[derive(Debug)]
pub(crate) struct Announced {
    generation: u32,
    line: usize,
    tracker: TrackerIndex,
    number: u32,
    answer: Result<AnnounceAnswer, AnnounceError>,
}

/// What an announce says about us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) peer_id: PeerId,
    pub(crate) port: u16,
    pub(crate) key: u32,
    pub(crate) uploaded: u64,
    pub(crate) downloaded: u64,
    pub(crate) left: u64,
    /// All that is wanted is there, but not all (BEP 21).
    pub(crate) is_partial_seed: bool,
}

struct Line {
    info_hash: InfoHash,
    schedule: Schedule,
    asked: Vec<Asked>,
    is_running: bool,
}

/// What one tracker was asked and said.
#[derive(Clone, Default)]
struct Asked {
    tracker_id: Option<Vec<u8>>,
    /// Announces made so far. An answer that was already on its way back when the next announce superseded
    /// its own is known by its number: taken for the answer to `stopped`, it would end the program before
    /// that was sent.
    number: u32,
}

pub(crate) struct Announcer {
    urls: Vec<TrackerUrl>,
    lines: Vec<Line>,
    statuses: Vec<TrackerStatus>,
    /// How often the trackers were replaced.
    generation: u32,
    /// Those who were replaced and hear of the end.
    leaving: VecDeque<Self>,
}

impl Announcer {
    /// Schedules for these tiers. Addresses we cannot use are left out, with the reason as a status.
    pub(crate) fn new(info_hashes: &InfoHashes, tiers: &[Vec<String>], rng: &mut Rng) -> Self {
        let (mut urls, mut statuses, mut unusable) = (Vec::new(), Vec::new(), Vec::new());
        let mut sizes = Vec::new();
        for (at, tier) in (0..).zip(tiers) {
            let before = urls.len();
            for text in tier {
                match text.parse::<TrackerUrl>() {
                    Ok(url) if urls.len() < TRACKERS_MAX && !urls.contains(&url) => {
                        statuses.push(TrackerStatus {
                            host: url.host().to_string(),
                            url: SecretUrl::new(text),
                            tier: at,
                            ..TrackerStatus::default()
                        });
                        urls.push(url);
                    }
                    Ok(_) => {}
                    Err(fault) => unusable.push(TrackerStatus {
                        host: "unusable address".into(),
                        url: SecretUrl::new(text),
                        tier: at,
                        message: fault.to_string(),
                        is_working: Some(false),
                        state: TrackerState::Failing,
                        ..TrackerStatus::default()
                    }),
                }
            }
            sizes.push(urls.len() - before);
        }
        statuses.extend(unusable);
        // There may be very many torrents, most of them idle.
        urls.shrink_to_fit();
        statuses.shrink_to_fit();
        let lines = info_hashes.iter().map(|info_hash| Line {
            info_hash,
            schedule: Schedule::new(
                sizes.iter().copied(),
                SchedulePolicy::default(),
                Rng::new(rng.next_u64()),
            ),
            asked: vec![Asked::default(); urls.len()],
            is_running: false,
        });
        let (lines, leaving) = (lines.collect(), VecDeque::new());
        Self { lines, urls, statuses, generation: 0, leaving }
    }

    /// Other trackers from now on. Those that stay hear nothing of it, the others that the torrent stops.
    pub(crate) fn replace(
        &mut self,
        info_hashes: &InfoHashes,
        tiers: &[Vec<String>],
        rng: &mut Rng,
        now: Time,
    ) {
        let mut next = Self::new(info_hashes, tiers, rng);
        next.generation = self.generation.wrapping_add(1);
        let index_of = |url: &TrackerUrl| self.urls.iter().position(|old| old == url);
        let kept: Vec<Option<usize>> = next.urls.iter().map(index_of).collect();
        let places: Vec<_> = kept.iter().map(|old| old.map(|at| TrackerIndex(at as u32))).collect();
        // Of the tiers only the sizes count: those of what can be used of each.
        let usable = &next.statuses[..next.urls.len()];
        let sizes: Vec<usize> = usable.chunk_by(|a, b| a.tier == b.tier).map(<[_]>::len).collect();
        for (old, new) in self.lines.iter_mut().zip(&mut next.lines) {
            new.schedule = old.schedule.succeed(sizes.iter().copied(), &places, now);
            new.is_running = old.is_running;
            for (asked, old_at) in new.asked.iter_mut().zip(&kept) {
                asked.tracker_id = old_at.and_then(|at| old.asked[at].tracker_id.clone());
            }
        }
        for (status, old_at) in next.statuses.iter_mut().zip(&kept) {
            let Some(old) = old_at.map(|at| &self.statuses[at]) else { continue };
            let (url, tier) = (status.url.clone(), status.tier);
            *status = TrackerStatus { url, tier, ..old.clone() };
        }
        let mut old = std::mem::replace(self, next);
        self.leaving = std::mem::take(&mut old.leaving);
        if old.lines.iter().any(|line| line.is_running) {
            self.leaving.push_back(old);
        }
        if self.leaving.len() > LEAVING_MAX {
            self.leaving.pop_front();
        }
        self.tell(Input::Timeout, now);
    }

    /// What is known of the trackers now.
    pub(crate) fn statuses(&self, now: Time) -> Vec<TrackerStatus> {
        let mut statuses = self.statuses.clone();
        for (tracker, at) in self.lines.iter().flat_map(|line| line.schedule.next_announces()) {
            let Some(status) = statuses.get_mut(tracker.0 as usize) else { continue };
            let next_in = at.since(now);
            status.next_in = Some(status.next_in.map_or(next_in, |other| other.min(next_in)));
        }
        statuses
    }

    pub(crate) fn start(&mut self, facts: &Facts, now: Time) {
        self.tell(Input::PartialSeed(facts.is_partial_seed), now);
        self.tell(Input::Started { complete: facts.left == 0 }, now);
        self.lines.iter_mut().for_each(|line| line.is_running = true);
    }

    pub(crate) fn stop(&mut self, now: Time) {
        self.tell(Input::StopRequested, now);
    }

    pub(crate) fn tell(&mut self, input: Input, now: Time) {
        for line in &mut self.lines {
            line.schedule.handle(input, now);
        }
    }

    /// Whether nothing has to be told to anybody any more.
    pub(crate) fn is_finished(&self) -> bool {
        self.leaving.is_empty() && self.lines.iter().all(|line| !line.is_running)
    }

    pub(crate) fn poll_timeout(&self) -> Time {
        let times = self.lines.iter().filter_map(|line| line.schedule.poll_timeout());
        times.map(|(at, _)| at).min().unwrap_or(Time::NEVER)
    }

    /// Hands the announces that are due to the client; `reply` brings the answers back.
    pub(crate) fn poll(
        &mut self,
        client: &TrackerClient,
        facts: &Facts,
        reply: impl Fn(Announced) + Clone + Send + 'static,
    ) {
        self.leaving.iter_mut().for_each(|old| old.announce(client, facts, reply.clone()));
        self.leaving.retain(|old| !old.is_finished());
        self.announce(client, facts, reply);
    }

    fn announce(
        &mut self,
        client: &TrackerClient,
        facts: &Facts,
        reply: impl Fn(Announced) + Clone + Send + 'static,
    ) {
        let generation = self.generation;
        for (at, line) in self.lines.iter_mut().enumerate() {
            while let Some(output) = line.schedule.poll() {
                let Output::Announce { tracker, event, peers_wanted } = output else {
                    line.is_running = false;
                    continue;
                };
                let Some(url) = self.urls.get(tracker.0 as usize) else { continue };
                let Some(asked) = line.asked.get_mut(tracker.0 as usize) else { continue };
                self.statuses[tracker.0 as usize].state = TrackerState::Updating;
                asked.number = asked.number.wrapping_add(1);
                let number = asked.number;
                let announce = Announce {
                    info_hash: line.info_hash,
                    peer_id: facts.peer_id,
                    port: facts.port,
                    uploaded: facts.uploaded,
                    downloaded: facts.downloaded,
                    left: facts.left,
                    event,
                    peers_wanted,
                    key: facts.key,
                    tracker_id: asked.tracker_id.clone(),
                    ipv4: None,
                    ipv6: None,
                };
                let reply = reply.clone();
                client.announce(AnnounceJob {
                    torrent: line.info_hash,
                    // An announce supersedes another of the same number.
                    tracker: TrackerIndex(generation.wrapping_mul(TRACKERS_MAX as u32) + tracker.0),
                    url: url.clone(),
                    announce,
                    reply: Box::new(move |answer| {
                        reply(Announced { generation, line: at, tracker, number, answer });
                    }),
                });
            }
        }
    }

    /// Our address as the tracker sees it, and the tracker (BEP 24).
    pub(crate) fn external_ip(&self, announced: &Announced) -> Option<(String, IpAddr)> {
        if announced.generation != self.generation {
            return None;
        }
        let ours = announced.answer.as_ref().ok()?.external_ip?;
        let tracker = self.statuses.get(announced.tracker.0 as usize)?;
        Some((tracker.host.clone(), ours))
    }

    /// Takes an answer; gives the peers it named.
    pub(crate) fn answered(&mut self, announced: Announced, now: Time) -> Vec<SocketAddr> {
        let Announced { generation, line, tracker, number, answer } = announced;
        if generation != self.generation {
            let old = self.leaving.iter_mut().find(|old| old.generation == generation);
            let announced = Announced { generation, line, tracker, number, answer };
            return old.map_or_else(Vec::new, |old| old.answered(announced, now));
        }
        let Some(line) = self.lines.get_mut(line) else { return Vec::new() };
        let asked = &mut line.asked[tracker.0 as usize];
        if asked.number != number {
            return Vec::new();
        }
        let status = &mut self.statuses[tracker.0 as usize];
        status.is_working = Some(answer.is_ok());
        status.state = match answer {
            Ok(_) => TrackerState::Working,
            Err(_) => TrackerState::Failing,
        };
        match answer {
            Ok(answer) => {
                status.message = answer.warning.unwrap_or_else(|| match answer.peers.len() {
                    1 => "1 peer".to_owned(),
                    count => format!("{count} peers"),
                });
                status.seeds = answer.complete.or(status.seeds);
                status.leechers = answer.incomplete.or(status.leechers);
                status.downloaded = answer.downloaded.or(status.downloaded);
                if answer.tracker_id.is_some() {
                    asked.tracker_id = answer.tracker_id;
                }
                let (interval, min_interval) = (answer.interval, answer.min_interval);
                line.schedule.handle(Input::Answered { tracker, interval, min_interval }, now);
                answer.peers
            }
            Err(error) => {
                status.message = error.to_string();
                let retry = match error {
                    AnnounceError::Tracker(TrackerFault::Refused { retry, .. }) => retry,
                    AnnounceError::Tracker(_) | AnnounceError::Transport(_) => None,
                };
                line.schedule.handle(Input::Failed { tracker, retry }, now);
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use piecework_net::{Binding, TrackerDns};
    use piecework_testkit::{FakeTracker, PATIENCE, TrackerAnswer};
    use piecework_tracker::Event;
    use piecework_types::Sha1Digest;
    use std::sync::mpsc;

    const FACTS: Facts = Facts {
        peer_id: PeerId(*b"-PW0100-abcdefghijkl"),
        port: 1,
        key: 0,
        uploaded: 0,
        downloaded: 0,
        left: 1,
        is_partial_seed: false,
    };

    #[test]
    fn an_answer_that_comes_after_the_stop_does_not_pass_for_the_answer_to_the_last_announce() {
        let tracker = FakeTracker::http(TrackerAnswer::Peers(Vec::new(), 1800));
        let client =
            TrackerClient::start(1, Binding::default(), TrackerDns::Off).expect("a thread");
        let hashes = InfoHashes { v1: Some(Sha1Digest([7; 20])), v2: None };
        let tiers = [vec![tracker.url().to_owned()]];
        let mut announcer = Announcer::new(&hashes, &tiers, &mut Rng::new(1));
        let (sender, answers) = mpsc::channel();
        let poll = |announcer: &mut Announcer| {
            let sender = sender.clone();
            announcer.poll(&client, &FACTS, move |answer| drop(sender.send(answer)));
        };
        announcer.start(&FACTS, Time::ZERO);
        poll(&mut announcer);
        let late = answers.recv_timeout(PATIENCE).expect("an answer");
        announcer.stop(Time::ZERO);
        poll(&mut announcer);
        announcer.answered(late, Time::ZERO);
        poll(&mut announcer);
        assert!(!announcer.is_finished(), "the last announce is not answered");
        let last = answers.recv_timeout(PATIENCE).expect("an answer");
        announcer.answered(last, Time::ZERO);
        poll(&mut announcer);
        assert!(announcer.is_finished());
        assert_eq!(tracker.announces().len(), 2);
    }
    #[test]
    fn trackers_that_are_replaced_hear_of_the_end_and_new_ones_of_the_start() {
        let trackers: Vec<FakeTracker> =
            (0..3).map(|_| FakeTracker::http(TrackerAnswer::Peers(Vec::new(), 1800))).collect();
        let [gone, kept, new] = &trackers[..] else { panic!("three trackers") };
        let client =
            TrackerClient::start(1, Binding::default(), TrackerDns::Off).expect("a thread");
        let hashes = InfoHashes { v1: Some(Sha1Digest([7; 20])), v2: None };
        let urls = |trackers: &[&FakeTracker]| -> Vec<Vec<String>> {
            trackers.iter().map(|tracker| vec![tracker.url().to_owned()]).collect()
        };
        let mut announcer = Announcer::new(&hashes, &urls(&[gone, kept]), &mut Rng::new(1));
        let (sender, answers) = mpsc::channel();
        let poll = |announcer: &mut Announcer| {
            let sender = sender.clone();
            announcer.poll(&client, &FACTS, move |answer| drop(sender.send(answer)));
        };
        let answer = || answers.recv_timeout(PATIENCE).expect("an answer");
        announcer.start(&FACTS, Time::ZERO);
        poll(&mut announcer);
        let mut first = answer();
        first.answer =
            Err(AnnounceError::Tracker(TrackerFault::TooLong { most_bytes: 1, got_bytes: 2 }));
        // The first tier fails, so the second is told of the start as well.
        announcer.answered(first, Time::ZERO);
        poll(&mut announcer);
        announcer.answered(answer(), Time::ZERO);
        announcer.replace(&hashes, &urls(&[new, kept]), &mut Rng::new(2), Time::ZERO);
        let states = |announcer: &Announcer| -> Vec<(String, TrackerState)> {
            let statuses = announcer.statuses(Time::ZERO);
            statuses.iter().map(|status| (status.url.to_string(), status.state)).collect()
        };
        let shown = |tracker: &FakeTracker, state| (tracker.url().to_owned(), state);
        let fresh = shown(new, TrackerState::NotContacted);
        assert_eq!(states(&announcer), [fresh, shown(kept, TrackerState::Working)]);
        let events = |tracker: &FakeTracker| -> Vec<Event> {
            tracker.announces().iter().map(|announce| announce.event).collect()
        };
        assert_eq!(events(kept), [Event::Started], "it hears nothing of the change");
        announcer.replace(&hashes, &urls(&[new]), &mut Rng::new(3), Time::ZERO);
        poll(&mut announcer);
        announcer.answered(answer(), Time::ZERO);
        announcer.answered(answer(), Time::ZERO);
        assert_eq!(events(kept), [Event::Started, Event::Stopped]);
        assert_eq!(events(new), [Event::Started]);
        assert_eq!(states(&announcer), [shown(new, TrackerState::Working)]);
        announcer.stop(Time::ZERO);
        poll(&mut announcer);
        announcer.answered(answer(), Time::ZERO);
        poll(&mut announcer);
        assert!(announcer.is_finished());
    }
}
