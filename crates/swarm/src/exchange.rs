//! Peer exchange with one peer (BEP 11): what it was told of the others, and how often it tells us.
//!
//! Invariants: a peer is told only of addresses that somebody is connected to and that mean the same to
//! it as to us, never of its own; at most [`PEX_PEERS_MAX`] in a message and [`TOLD_MAX`] at a time; one
//! message a minute. It must not know whether the torrent allows it, nor who dials what is heard.

use crate::dialer::address::is_shared_with;
use piecework_types::{Rng, Time};
use piecework_wire::extension::{PEX_PEERS_MAX, Pex, PexFlags, PexPeer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// Between two messages to one peer (BEP 11).
const TELL_INTERVAL: Duration = Duration::from_secs(60);

/// Before it is looked again whether there is anything to tell: each look costs a walk over all peers.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Messages that come sooner after the last one are not heard: BEP 11 allows one a minute, but clients
/// count it by timers of their own, and some send a second one soon after the first.
const HEAR_INTERVAL: Duration = Duration::from_secs(20);

/// Addresses that one peer is told of at a time. It meets more through them.
const TOLD_MAX: usize = 100;

/// Messages in a row that come too soon until a peer counts as flooding us.
const IGNORED_MAX: u32 = 8;

/// Who is connected, by where they listen.
pub(crate) type Members = BTreeMap<SocketAddr, PexFlags>;

/// What to do with a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Heard {
    /// It is on time.
    Fresh,
    /// It came too soon: ignore it.
    TooSoon,
    /// The peer does nothing else.
    Flood,
}

/// The state of the exchange with one peer.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// What it believes we are connected to.
    told: BTreeSet<SocketAddr>,
    /// When it may be told more.
    tell_at: Time,
    heard_at: Option<Time>,
    /// Messages since the last one that was on time.
    ignored: u32,
}

impl Exchange {
    /// Whether its turn has come, if there is anything to tell.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        self.tell_at <= now
    }

    /// What has changed for a peer that listens, or at least is, at `to`. `None`: nothing.
    pub(crate) fn message(
        &mut self,
        to: SocketAddr,
        members: &Members,
        rng: &mut Rng,
        now: Time,
    ) -> Option<Pex> {
        let gone = self.told.iter().filter(|told| !members.contains_key(told));
        let dropped: Vec<SocketAddr> = gone.copied().take(PEX_PEERS_MAX).collect();
        for address in &dropped {
            self.told.remove(address);
        }
        let news = members.iter().filter(|(address, _)| {
            **address != to
                && is_shared_with(address.ip(), to.ip())
                && !self.told.contains(*address)
        });
        let mut added: Vec<PexPeer> =
            news.map(|(&address, &flags)| PexPeer { address, flags }).collect();
        // Not everybody should hear of the same ones.
        rng.shuffle(&mut added);
        added.truncate(PEX_PEERS_MAX.min(TOLD_MAX.saturating_sub(self.told.len())));
        self.told.extend(added.iter().map(|peer| peer.address));
        if added.is_empty() && dropped.is_empty() {
            self.tell_at = now + LOOK_INTERVAL;
            return None;
        }
        self.tell_at = now + TELL_INTERVAL;
        Some(Pex { added, dropped })
    }

    /// Takes notice of a message.
    pub(crate) fn hear(&mut self, now: Time) -> Heard {
        if self.heard_at.is_some_and(|at| now.since(at) < HEAR_INTERVAL) {
            self.ignored += 1;
            return if self.ignored > IGNORED_MAX { Heard::Flood } else { Heard::TooSoon };
        }
        self.heard_at = Some(now);
        self.ignored = 0;
        Heard::Fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        ([80, 0, 0, last], 6881).into()
    }

    fn members(range: std::ops::Range<u8>) -> Members {
        range.map(|last| (address(last), PexFlags::REACHABLE)).collect()
    }

    fn told(exchange: &mut Exchange, to: u8, members: &Members, now: Time) -> (usize, usize) {
        let message = exchange.message(address(to), members, &mut Rng::new(1), now);
        message.map_or((0, 0), |pex| (pex.added.len(), pex.dropped.len()))
    }

    #[test]
    fn a_peer_hears_what_changed_and_never_of_itself() {
        let mut exchange = Exchange::default();
        let now = Time::ZERO;
        assert_eq!(told(&mut exchange, 1, &members(0..5), now), (4, 0));
        assert!(!exchange.is_due(now));
        let later = now + TELL_INTERVAL;
        assert!(exchange.is_due(later));
        assert_eq!(told(&mut exchange, 1, &members(0..5), later), (0, 0));
        assert!(!exchange.is_due(later));
        let soon = later + LOOK_INTERVAL;
        assert!(exchange.is_due(soon), "silence uses up no turn");
        assert_eq!(told(&mut exchange, 1, &members(1..7), soon), (2, 1));
    }

    #[test]
    fn messages_and_what_a_peer_is_told_of_stay_within_their_limits() {
        let mut exchange = Exchange::default();
        let now = Time::ZERO;
        assert_eq!(told(&mut exchange, 255, &members(0..200), now), (PEX_PEERS_MAX, 0));
        assert_eq!(told(&mut exchange, 255, &members(0..200), now), (PEX_PEERS_MAX, 0));
        assert_eq!(told(&mut exchange, 255, &members(0..200), now), (0, 0));
        assert_eq!(told(&mut exchange, 255, &Members::new(), now), (0, PEX_PEERS_MAX));
        assert_eq!(told(&mut exchange, 255, &members(200..250), now), (50, PEX_PEERS_MAX));
    }

    #[test]
    fn a_stranger_hears_nothing_of_our_own_network() {
        let local = SocketAddr::from(([192, 168, 0, 7], 6881));
        let mut members = members(0..1);
        members.insert(local, PexFlags::default());
        let tell = |to: [u8; 4]| {
            let message = Exchange::default().message(
                (to, 6881).into(),
                &members,
                &mut Rng::new(1),
                Time::ZERO,
            );
            message.is_some_and(|pex| pex.added.iter().any(|peer| peer.address == local))
        };
        assert!(!tell([80, 9, 9, 9]));
        assert!(tell([192, 168, 0, 8]));
    }

    #[test]
    fn one_message_in_a_while_is_heard_and_a_flood_is_told_from_haste() {
        let mut exchange = Exchange::default();
        let mut now = Time::ZERO;
        for _ in 0..20 {
            assert_eq!(exchange.hear(now), Heard::Fresh);
            assert_eq!(exchange.hear(now), Heard::TooSoon);
            now += HEAR_INTERVAL;
        }
        assert_eq!(exchange.hear(now), Heard::Fresh);
        for _ in 0..IGNORED_MAX {
            assert_eq!(exchange.hear(now), Heard::TooSoon);
        }
        assert_eq!(exchange.hear(now), Heard::Flood);
    }
}
