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
use std::net::{IpAddr, SocketAddr};

/// The answer to one announce, on its way back to the torrent.
#[derive(Debug)]
pub(crate) struct Announced {
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
        Self { lines: lines.collect(), urls, statuses }
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
        self.lines.iter().all(|line| !line.is_running)
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
                    tracker,
                    url: url.clone(),
                    announce,
                    reply: Box::new(move |answer| {
                        reply(Announced { line: at, tracker, number, answer });
                    }),
                });
            }
        }
    }

    /// Our address as the tracker sees it, and the tracker (BEP 24).
    pub(crate) fn external_ip(&self, announced: &Announced) -> Option<(String, IpAddr)> {
        let ours = announced.answer.as_ref().ok()?.external_ip?;
        let tracker = self.statuses.get(announced.tracker.0 as usize)?;
        Some((tracker.host.clone(), ours))
    }

    /// Takes an answer; gives the peers it named.
    pub(crate) fn answered(&mut self, announced: Announced, now: Time) -> Vec<SocketAddr> {
        let Announced { line, tracker, number, answer } = announced;
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
}
