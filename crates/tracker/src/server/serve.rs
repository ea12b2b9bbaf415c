//! The machine: a request in, its answer out.
//!
//! Owns budgets and figures; the peers are the roster's. The words of HTTP are [`super::http`]'s, those of
//! UDP the client's own codec, read from the other side.

use super::config::ServerConfig;
use super::connection::ConnectionIds;
use super::http::{
    HttpAnnounce, HttpQuery, QueryFault, decode_query, encode_list, encode_refusal, encode_scrape,
};
use super::peers::{Peer, Stage, Wish};
use super::roster::{NoRoom, Roster};
use crate::http::encode_announce;
use crate::udp::{UdpRequest, UdpResponse};
use crate::{Announce, AnnounceAnswer, Event, Family, Retry, SCRAPE_MAX, ScrapeCounts};
use piecework_types::{Allowances, InfoHash, PeerId, Rng, Scope, Time};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Longest UDP answer, in bytes: below every usual MTU, so that none is ever torn.
pub const UDP_ANSWER_BYTES_MAX: usize = 1400;

/// The fixed part of a UDP answer to an announce (BEP 15).
const UDP_ANNOUNCE_HEAD_BYTES: usize = 20;

const _: () = assert!(8 + 12 * SCRAPE_MAX <= UDP_ANSWER_BYTES_MAX, "a scrape must fit an answer");

/// Time between two searches for peers that are gone in torrents that nobody asks about.
const SWEEP_AFTER: Duration = Duration::from_secs(60);

const UNLISTED: Refusal =
    Refusal { reason: "this tracker does not serve this torrent", retry: Some(Retry::Never) };
const FULL: Refusal = Refusal {
    reason: "this tracker has no room for more peers",
    retry: Some(Retry::After(Duration::from_secs(30 * 60))),
};
const CROWDED: Refusal = Refusal {
    reason: "too many peers announce from your address",
    retry: Some(Retry::After(Duration::from_secs(30 * 60))),
};
const HURRIED: Refusal = Refusal {
    reason: "too many requests from your address",
    retry: Some(Retry::After(Duration::from_secs(60))),
};
const NO_PORT: Refusal = Refusal { reason: "port 0 cannot be reached", retry: None };
const BAD_CONNECTION: &str = "connect again";

/// Why a request is turned away.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    reason: &'static str,
    retry: Option<Retry>,
}

/// What goes back over HTTP.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpAnswer {
    /// 200 for everything that a tracker says, refusals too: many clients read no other body. 404 for
    /// paths that are none of a tracker's.
    pub status: u16,
    /// Bencoded if the status is 200, else text.
    pub body: Vec<u8>,
}

/// What has happened so far, and what there is now.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// Torrents that have peers.
    pub torrents: usize,
    /// Peers of all torrents.
    pub peers: usize,
    /// Those of them that have everything.
    pub seeds: usize,
    /// Announces over HTTP that were answered.
    pub http_announces: u64,
    /// Announces over UDP that were answered.
    pub udp_announces: u64,
    /// Scrapes that were answered.
    pub scrapes: u64,
    /// Requests that were understood and turned away.
    pub refused: u64,
    /// Requests of senders that had used up their budget.
    pub limited: u64,
    /// Requests that were none, or came without a valid connection id.
    pub bad: u64,
}

/// The tracker.
pub struct TrackerServer {
    config: ServerConfig,
    connections: ConnectionIds,
    rng: Rng,
    roster: Roster,
    queries: Allowances,
    connects: Allowances,
    sweep: Time,
    figures: Figures,
}

impl TrackerServer {
    /// An empty tracker. `secret` comes from the operating system: who can guess it can forge connection
    /// ids. The seed of `rng` decides who meets whom.
    pub fn new(config: ServerConfig, secret: [u8; 32], rng: Rng) -> Self {
        Self {
            connections: ConnectionIds::new(secret),
            rng,
            roster: Roster::new(config.limits),
            queries: Allowances::new(config.limits.query_rate),
            connects: Allowances::new(config.limits.connect_rate),
            sweep: Time::ZERO,
            figures: Figures::default(),
            config,
        }
    }

    /// Answers the GET of `target`, path and query, that came from `from`.
    pub fn answer_http(&mut self, from: SocketAddr, target: &[u8], now: Time) -> HttpAnswer {
        let ip = from.ip().to_canonical();
        let query = match decode_query(target) {
            Err(QueryFault::Path) => {
                self.figures.bad += 1;
                return HttpAnswer { status: 404, body: QueryFault::Path.to_string().into() };
            }
            query => query,
        };
        let body = if !self.queries.take(ip, now) {
            self.figures.limited += 1;
            encode_refusal(HURRIED.reason, HURRIED.retry)
        } else {
            match query {
                Ok(HttpQuery::Announce(announce)) => self.http_announce(ip, &announce, now),
                Ok(HttpQuery::Scrape(info_hashes)) => {
                    encode_scrape(&self.scrape(&info_hashes, now))
                }
                Err(fault) => {
                    self.figures.bad += 1;
                    encode_refusal(&fault.to_string(), None)
                }
            }
        };
        HttpAnswer { status: 200, body }
    }

    /// Answers a packet, if it deserves an answer; at most [`UDP_ANSWER_BYTES_MAX`].
    pub fn answer_udp(&mut self, from: SocketAddr, packet: &[u8], now: Time) -> Option<Vec<u8>> {
        let ip = from.ip().to_canonical();
        let Ok(request) = UdpRequest::decode(packet) else {
            self.figures.bad += 1;
            return None;
        };
        let (transaction, family) = (request.transaction(), Family::of(ip));
        let connection = match &request {
            UdpRequest::Connect { .. } => None,
            UdpRequest::Announce { connection, .. } | UdpRequest::Scrape { connection, .. } => {
                Some(*connection)
            }
        };
        let is_proven = connection.is_some_and(|id| self.connections.accepts(id, ip, now));
        let budget = if is_proven { &mut self.queries } else { &mut self.connects };
        if !budget.take(ip, now) {
            self.figures.limited += 1;
            return None;
        }
        let response = match request {
            UdpRequest::Connect { .. } => {
                UdpResponse::Connect { transaction, connection: self.connections.give(ip, now) }
            }
            _ if !is_proven => {
                self.figures.bad += 1;
                UdpResponse::Error { transaction, reason: BAD_CONNECTION.to_owned() }
            }
            UdpRequest::Announce { announce, .. } => {
                self.udp_announce(ip, transaction, &announce, now)
            }
            UdpRequest::Scrape { info_hashes, .. } => {
                let known = self.scrape(&info_hashes, now);
                let known: BTreeMap<_, _> =
                    known.into_iter().map(|(info_hash, counts, _)| (info_hash, counts)).collect();
                // The answer has no keys, so torrents that are not served count zero.
                let counts = info_hashes.iter();
                let counts = counts.map(|hash| known.get(hash).copied().unwrap_or_default());
                UdpResponse::Scrape { transaction, counts: counts.collect() }
            }
        };
        let answer = response.encode(family);
        let bytes_max = if is_proven { UDP_ANSWER_BYTES_MAX } else { packet.len() };
        (answer.len() <= bytes_max).then_some(answer)
    }

    /// When to call [`Self::handle_timeout`].
    pub const fn poll_timeout(&self) -> Time {
        self.sweep
    }

    /// Forgets the peers that are gone.
    pub fn handle_timeout(&mut self, now: Time) {
        if now < self.sweep {
            return;
        }
        self.sweep = now + SWEEP_AFTER;
        self.roster.sweep(now);
    }

    /// What there is and what has happened.
    pub fn figures(&self) -> Figures {
        let (torrents, peers) = (self.roster.torrents(), self.roster.peers());
        Figures { torrents, peers, seeds: self.roster.seeds(), ..self.figures }
    }

    fn http_announce(&mut self, ip: IpAddr, query: &HttpAnnounce, now: Time) -> Vec<u8> {
        let peers = match self.announce(ip, &query.announce, None, now) {
            Ok(peers) => peers,
            Err(refusal) => return encode_refusal(refusal.reason, refusal.retry),
        };
        self.figures.http_announces += 1;
        let counts = self.roster.counts(&query.announce.info_hash);
        let answer = AnnounceAnswer {
            peers: peers.iter().map(|peer| peer.address).collect(),
            interval: Some(self.config.interval()),
            min_interval: Some(self.config.min_interval()),
            complete: Some(counts.complete),
            incomplete: Some(counts.incomplete),
            downloaded: None,
            warning: None,
            tracker_id: None,
            external_ip: Some(ip),
        };
        if query.is_compact {
            return encode_announce(&answer);
        }
        let ids = peers.iter().filter(|_| query.wants_peer_ids);
        let ids: BTreeMap<SocketAddr, PeerId> =
            ids.map(|peer| (peer.address, peer.peer_id)).collect();
        encode_list(&answer, &ids)
    }

    fn udp_announce(
        &mut self,
        ip: IpAddr,
        transaction: u32,
        announce: &Announce,
        now: Time,
    ) -> UdpResponse {
        match self.announce(ip, announce, Some(Family::of(ip)), now) {
            Ok(peers) => {
                self.figures.udp_announces += 1;
                let counts = self.roster.counts(&announce.info_hash);
                UdpResponse::Announce {
                    transaction,
                    interval: u32::try_from(self.config.interval().as_secs()).unwrap_or(u32::MAX),
                    incomplete: counts.incomplete,
                    complete: counts.complete,
                    peers: peers.iter().map(|peer| peer.address).collect(),
                }
            }
            Err(Refusal { reason, .. }) => {
                UdpResponse::Error { transaction, reason: reason.to_owned() }
            }
        }
    }

    /// Lists the peer, or takes it off the list, and chooses others for it: of `family`, or of both.
    fn announce(
        &mut self,
        ip: IpAddr,
        announce: &Announce,
        family: Option<Family>,
        now: Time,
    ) -> Result<Vec<Peer>, Refusal> {
        let address = SocketAddr::new(reached_at(ip, announce), announce.port);
        let stage = match (announce.left, announce.event) {
            (0, _) => Stage::Seed,
            (_, Event::Paused) => Stage::PartialSeed,
            _ => Stage::Leecher,
        };
        let expires = now + self.config.peer_life();
        let peer = Peer { address, peer_id: announce.peer_id, key: announce.key, stage, expires };
        let listed = self.list(peer, announce, now);
        if let Err(refusal) = listed {
            self.figures.refused += 1;
            return Err(refusal);
        }
        if announce.event == Event::Stopped {
            return Ok(Vec::new());
        }
        let limits = &self.config.limits;
        let most = match family {
            None => usize::MAX,
            Some(Family::V4) => (UDP_ANSWER_BYTES_MAX - UDP_ANNOUNCE_HEAD_BYTES) / 6,
            Some(Family::V6) => (UDP_ANSWER_BYTES_MAX - UDP_ANNOUNCE_HEAD_BYTES) / 18,
        };
        let count = announce.peers_wanted.min(limits.answer_peers_max) as usize;
        let wish = Wish {
            peer_id: peer.peer_id,
            address,
            wants_seeds: stage == Stage::Leecher,
            family,
            count: count.min(most),
        };
        Ok(self.roster.choose(&announce.info_hash, &wish, &mut self.rng))
    }

    fn list(&mut self, peer: Peer, announce: &Announce, now: Time) -> Result<(), Refusal> {
        let info_hash = announce.info_hash;
        if !self.config.admission.admits(&info_hash) {
            return Err(UNLISTED);
        }
        if announce.port == 0 {
            return Err(NO_PORT);
        }
        self.roster.forget(&info_hash, now);
        if announce.event == Event::Stopped {
            self.roster.remove(&info_hash, &peer.address);
            return Ok(());
        }
        let has_completed = announce.event == Event::Completed;
        self.roster.put(info_hash, peer, has_completed).map_err(|reason| match reason {
            NoRoom::Full => FULL,
            NoRoom::Crowded => CROWDED,
        })
    }

    /// The counts of those torrents that are served, and how many of their peers are partial seeds.
    fn scrape(
        &mut self,
        info_hashes: &[InfoHash],
        now: Time,
    ) -> Vec<(InfoHash, ScrapeCounts, u32)> {
        self.figures.scrapes += 1;
        let mut told = Vec::new();
        for info_hash in info_hashes {
            if self.config.admission.admits(info_hash) {
                self.roster.forget(info_hash, now);
                let partial_seeds = self.roster.partial_seeds(info_hash);
                told.push((*info_hash, self.roster.counts(info_hash), partial_seeds));
            }
        }
        told
    }
}

/// Where others reach a peer. What it claims counts only if it writes from a local network, where the
/// address we see leads nobody to it from outside; anybody else could have us send peers to a third party.
fn reached_at(seen: IpAddr, announce: &Announce) -> IpAddr {
    let claim = match seen {
        IpAddr::V4(_) => announce.ipv4.map(IpAddr::V4),
        IpAddr::V6(_) => announce.ipv6.map(IpAddr::V6),
    };
    let is_public = |ip| Scope::of(ip) == Scope::World;
    claim.filter(|&claim| !is_public(seen) && is_public(claim)).unwrap_or(seen)
}

#[cfg(test)]
mod tests;
