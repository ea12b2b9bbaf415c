//! Which torrents are announced to the local network when, and what is believed of others.
//!
//! Invariants: no torrent is announced twice within [`ANNOUNCE_INTERVAL`], though it leaves and comes
//! back; no two messages leave within [`MESSAGE_INTERVAL`]; at most [`HEARD_MAX`] messages a second are
//! read; at most [`TORRENTS_MAX`] torrents are known.

use super::{LocalMessage, NAMES_MAX};
use piecework_types::{InfoHash, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Between two announces of one torrent (BEP 14).
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(300);

/// Between two messages: twelve a minute, of twenty torrents each.
const MESSAGE_INTERVAL: Duration = Duration::from_secs(5);

/// Before the first announce, so that torrents which are added together go out together.
const GATHER: Duration = Duration::from_millis(200);

/// Messages of others that are read in a second.
const HEARD_MAX: u32 = 20;

/// Torrents that are announced; others are found by nobody here.
pub const TORRENTS_MAX: usize = 16 * 1024;

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LocalInput {
    /// This torrent takes part. Never for a private one.
    Joined(InfoHash),
    /// It does no longer.
    Left(InfoHash),
}

/// What to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LocalOutput {
    /// Send this to every group.
    Announce(LocalMessage),
}

/// The announces of a node. See the module documentation.
#[derive(Debug)]
pub struct LocalAnnouncer {
    port: u16,
    cookie: String,
    /// Whether each takes part. One that left is remembered until it might be announced again.
    torrents: BTreeMap<InfoHash, bool>,
    due: BTreeSet<(Time, InfoHash)>,
    /// When the next message may leave.
    send_at: Time,
    /// The second in which messages were read, and how many.
    heard: (u64, u32),
}

impl LocalAnnouncer {
    /// For a node that listens on `port`. `random` tells its messages from those of others.
    pub fn new(port: u16, random: u64) -> Self {
        Self {
            port,
            cookie: format!("{random:016x}"),
            torrents: BTreeMap::new(),
            due: BTreeSet::new(),
            send_at: Time::ZERO,
            heard: (0, 0),
        }
    }

    /// Takes notice.
    pub fn handle(&mut self, input: LocalInput, now: Time) {
        match input {
            LocalInput::Joined(info_hash) => {
                if let Some(is_joined) = self.torrents.get_mut(&info_hash) {
                    *is_joined = true;
                } else if self.torrents.len() < TORRENTS_MAX {
                    self.place(info_hash, now + GATHER);
                }
            }
            LocalInput::Left(info_hash) => {
                if let Some(is_joined) = self.torrents.get_mut(&info_hash) {
                    *is_joined = false;
                }
            }
        }
    }

    /// The next message to send, if one is due.
    pub fn poll(&mut self, now: Time) -> Option<LocalOutput> {
        if now < self.send_at {
            return None;
        }
        let mut info_hashes = Vec::new();
        while let Some(&(at, info_hash)) = self.due.first()
            && at <= now
            && info_hashes.len() < NAMES_MAX
        {
            self.due.pop_first();
            if self.torrents.remove(&info_hash) == Some(true) {
                self.place(info_hash, now + ANNOUNCE_INTERVAL);
                info_hashes.push(info_hash);
            }
        }
        if info_hashes.is_empty() {
            return None;
        }
        self.send_at = now + MESSAGE_INTERVAL;
        let cookie = Some(self.cookie.clone());
        Some(LocalOutput::Announce(LocalMessage { port: self.port, info_hashes, cookie }))
    }

    /// When to poll again without any input. `None`: there is nothing to announce.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| (*at).max(self.send_at))
    }

    /// The peers that a datagram names for torrents of ours; none if it is our own, comes in a flood, or
    /// says nothing.
    pub fn hear(
        &mut self,
        datagram: &[u8],
        from: IpAddr,
        now: Time,
    ) -> Vec<(InfoHash, SocketAddr)> {
        let second = now.as_micros() / 1_000_000;
        if self.heard.0 != second {
            self.heard = (second, 0);
        }
        self.heard.1 += 1;
        if self.heard.1 > HEARD_MAX {
            return Vec::new();
        }
        let Ok(message) = LocalMessage::decode(datagram) else { return Vec::new() };
        if message.cookie.as_ref() == Some(&self.cookie) {
            return Vec::new();
        }
        let address = SocketAddr::new(from.to_canonical(), message.port);
        let is_ours = |info_hash: &InfoHash| self.torrents.get(info_hash) == Some(&true);
        let ours = message.info_hashes.into_iter().filter(is_ours);
        ours.map(|info_hash| (info_hash, address)).collect()
    }

    fn place(&mut self, info_hash: InfoHash, due: Time) {
        self.torrents.insert(info_hash, true);
        self.due.insert((due, info_hash));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::GROUPS;
    use super::*;

    const A: InfoHash = InfoHash([1; 20]);
    const B: InfoHash = InfoHash([2; 20]);
    const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn announcer() -> LocalAnnouncer {
        LocalAnnouncer::new(6881, 7)
    }

    /// Lets time pass until `end`; the names in each message, and when it left.
    fn pass(announcer: &mut LocalAnnouncer, end: Time) -> Vec<(Time, Vec<InfoHash>)> {
        let mut sent = Vec::new();
        while let Some(at) = announcer.poll_timeout().filter(|at| *at <= end) {
            if let Some(LocalOutput::Announce(message)) = announcer.poll(at) {
                sent.push((at, message.info_hashes));
            }
        }
        sent
    }

    fn seconds(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn torrents_that_come_together_are_announced_together_and_again_after_five_minutes() {
        let mut announcer = announcer();
        announcer.handle(LocalInput::Joined(A), Time::ZERO);
        announcer.handle(LocalInput::Joined(B), Time::ZERO);
        let sent = pass(&mut announcer, seconds(299));
        assert_eq!(sent, [(Time::ZERO + GATHER, vec![A, B])]);
        let sent = pass(&mut announcer, seconds(302));
        assert_eq!(sent, [(Time::ZERO + GATHER + ANNOUNCE_INTERVAL, vec![A, B])]);
    }

    #[test]
    fn leaving_and_coming_back_does_not_announce_sooner() {
        let mut announcer = announcer();
        announcer.handle(LocalInput::Joined(A), Time::ZERO);
        assert_eq!(pass(&mut announcer, seconds(1)).len(), 1);
        for _ in 0..10 {
            announcer.handle(LocalInput::Left(A), seconds(2));
            announcer.handle(LocalInput::Joined(A), seconds(2));
        }
        assert_eq!(pass(&mut announcer, seconds(299)), []);
        announcer.handle(LocalInput::Left(A), seconds(300));
        assert_eq!(pass(&mut announcer, seconds(1000)), []);
        assert_eq!(announcer.poll_timeout(), None, "nothing is remembered for ever");
        assert!(announcer.torrents.is_empty());
    }

    #[test]
    fn a_thousand_torrents_leave_in_turns_of_twenty_five_seconds_apart() {
        let mut announcer = announcer();
        for number in 0..1000_u16 {
            let mut name = [0; 20];
            name[..2].copy_from_slice(&number.to_be_bytes());
            announcer.handle(LocalInput::Joined(InfoHash(name)), Time::ZERO);
        }
        let sent = pass(&mut announcer, seconds(280));
        assert_eq!(sent.iter().map(|(_, names)| names.len()).sum::<usize>(), 1000);
        assert!(sent.iter().all(|(_, names)| names.len() <= NAMES_MAX));
        let gaps = sent.windows(2).map(|pair| pair[1].0.since(pair[0].0));
        assert!(gaps.min() >= Some(MESSAGE_INTERVAL));
    }

    #[test]
    fn what_others_say_of_our_torrents_is_heard_and_our_own_words_are_not() {
        let mut announcer = announcer();
        announcer.handle(LocalInput::Joined(A), Time::ZERO);
        let theirs = LocalMessage { port: 51413, info_hashes: vec![A, B], cookie: None };
        let theirs = theirs.encode(GROUPS[0]);
        assert_eq!(announcer.hear(&theirs, FROM, Time::ZERO), [(A, (FROM, 51413).into())]);
        let Some(LocalOutput::Announce(ours)) = announcer.poll(seconds(1)) else { panic!("due") };
        assert_eq!(announcer.hear(&ours.encode(GROUPS[0]), FROM, seconds(1)), []);
        assert_eq!(announcer.hear(b"M-SEARCH * HTTP/1.1\r\n", FROM, seconds(1)), []);
        announcer.handle(LocalInput::Left(A), seconds(1));
        assert_eq!(announcer.hear(&theirs, FROM, seconds(1)), []);
    }

    #[test]
    fn a_flood_is_not_read() {
        let mut announcer = announcer();
        announcer.handle(LocalInput::Joined(A), Time::ZERO);
        let theirs = LocalMessage { port: 51413, info_hashes: vec![A], cookie: None };
        let theirs = theirs.encode(GROUPS[0]);
        for now in [seconds(1), seconds(2)] {
            let heard = (0..100).filter(|_| !announcer.hear(&theirs, FROM, now).is_empty());
            assert_eq!(heard.count(), HEARD_MAX as usize);
        }
    }

    #[test]
    fn the_number_of_torrents_is_bounded() {
        let mut announcer = announcer();
        for number in 0..=TORRENTS_MAX as u32 {
            let mut name = [0; 20];
            name[..4].copy_from_slice(&number.to_be_bytes());
            announcer.handle(LocalInput::Joined(InfoHash(name)), Time::ZERO);
        }
        assert_eq!(announcer.torrents.len(), TORRENTS_MAX);
    }
}
