//! One question to a UDP tracker, from connect to answer, with the retransmissions of BEP 15.
//!
//! Invariant: at most one packet is unanswered, and only a packet with its transaction id and the
//! expected action moves the exchange; everything else is noise or forgery and is ignored. Must not
//! know sockets: the driver sends what [`UdpExchange::poll_transmit`] gives to the tracker's address
//! and hands in what comes back from that address.

use super::packet::{UdpRequest, UdpResponse};
use crate::announce::{Announce, AnnounceAnswer, ScrapeCounts};
use crate::compact::Family;
use crate::fault::TrackerFault;
use piecework_types::{InfoHash, Rng, Time};
use std::time::Duration;

/// How long a client may use a connection id (BEP 15).
pub const CONNECTION_LIFETIME: Duration = Duration::from_secs(60);

/// BEP 15 waits `15 * 2^n` seconds with n up to 8; beyond that doubling would only overflow.
const DOUBLINGS_MAX: u32 = 8;

/// How patient an exchange is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UdpPolicy {
    /// Wait for the first packet's answer; doubles with each retransmission.
    pub first_timeout: Duration,
    /// Packets that may stay unanswered before the tracker counts as silent. BEP 15 would go on for
    /// more than two hours, while other trackers of the torrent wait for their turn.
    pub timeouts_max: u32,
}

impl Default for UdpPolicy {
    /// One lost packet is forgiven; a dead tracker costs 45 seconds.
    fn default() -> Self {
        Self { first_timeout: Duration::from_secs(15), timeouts_max: 2 }
    }
}

/// What to ask.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UdpQuery {
    /// Announce one torrent.
    Announce {
        /// What to say.
        announce: Announce,
        /// Path and query of the tracker's address (BEP 41).
        url_data: Vec<u8>,
    },
    /// Ask for the counts of some torrents.
    Scrape(Vec<InfoHash>),
}

/// What the tracker said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UdpAnswer {
    /// To an announce.
    Announce(AnnounceAnswer),
    /// To a scrape, in the order of the question; may be shorter.
    Scrape(Vec<ScrapeCounts>),
}

/// A connection id, to be kept for the next exchange with the same tracker from the same socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UdpConnection {
    id: u64,
    received: Time,
}

impl UdpConnection {
    fn is_usable(self, now: Time) -> bool {
        now.since(self.received) < CONNECTION_LIFETIME
    }
}

/// The packet whose answer is awaited.
#[derive(Clone, Debug)]
struct Sent {
    packet: UdpRequest,
    deadline: Time,
}

/// One exchange. Ends with [`UdpExchange::take_outcome`].
#[derive(Clone, Debug)]
pub struct UdpExchange {
    query: UdpQuery,
    family: Family,
    policy: UdpPolicy,
    rng: Rng,
    connection: Option<UdpConnection>,
    /// The connection id is from an earlier exchange, so the tracker may have forgotten it.
    is_reused: bool,
    sent: Option<Sent>,
    packets: u32,
    timeouts: u32,
    /// Timeouts since the last answer.
    doublings: u32,
    outcome: Option<Result<UdpAnswer, TrackerFault>>,
    is_over: bool,
}

impl UdpExchange {
    /// An exchange over a socket of `family`.
    ///
    /// Transaction ids are drawn from `rng`. They are what keeps strangers from forging answers, so
    /// seed it from the operating system.
    pub const fn new(
        query: UdpQuery,
        family: Family,
        policy: UdpPolicy,
        connection: Option<UdpConnection>,
        rng: Rng,
    ) -> Self {
        Self {
            query,
            family,
            policy,
            rng,
            connection,
            is_reused: connection.is_some(),
            sent: None,
            packets: 0,
            timeouts: 0,
            doublings: 0,
            outcome: None,
            is_over: false,
        }
    }

    /// Takes a packet that came from the tracker's address.
    pub fn handle(&mut self, packet: &[u8], now: Time) {
        let Ok(response) = UdpResponse::decode(packet, self.family) else { return };
        let Some(sent) = &self.sent else { return };
        if response.transaction() != sent.packet.transaction() {
            return;
        }
        match (&sent.packet, response) {
            (UdpRequest::Connect { .. }, UdpResponse::Connect { connection: id, .. }) => {
                self.connection = Some(UdpConnection { id, received: now });
                self.sent = None;
                self.doublings = 0;
            }
            (
                UdpRequest::Announce { .. },
                UdpResponse::Announce { interval, incomplete, complete, peers, .. },
            ) => self.finish(Ok(UdpAnswer::Announce(AnnounceAnswer {
                peers,
                interval: Some(Duration::from_secs(interval.into())),
                complete: Some(complete),
                incomplete: Some(incomplete),
                ..AnnounceAnswer::default()
            }))),
            (UdpRequest::Scrape { .. }, UdpResponse::Scrape { counts, .. }) => {
                self.finish(Ok(UdpAnswer::Scrape(counts)));
            }
            (_, UdpResponse::Error { .. }) if self.is_reused => {
                // A tracker that was restarted knows no connection id from before.
                self.forget_connection();
                self.sent = None;
            }
            (_, UdpResponse::Error { reason, .. }) => {
                self.finish(Err(TrackerFault::Refused { reason, retry: None }));
            }
            // The right number with the wrong action answers nothing that was asked.
            (
                UdpRequest::Connect { .. }
                | UdpRequest::Announce { .. }
                | UdpRequest::Scrape { .. },
                UdpResponse::Connect { .. }
                | UdpResponse::Announce { .. }
                | UdpResponse::Scrape { .. },
            ) => {}
        }
    }

    /// The packet to send now, if one is due. Call until `None` after the exchange is made, after
    /// every packet handed in and at [`UdpExchange::poll_timeout`].
    pub fn poll_transmit(&mut self, now: Time) -> Option<Vec<u8>> {
        if self.is_over || self.sent.as_ref().is_some_and(|sent| now < sent.deadline) {
            return None;
        }
        if self.sent.is_some() {
            self.timeouts += 1;
            if self.timeouts >= self.policy.timeouts_max {
                self.finish(Err(TrackerFault::Silent { packets: self.packets }));
                return None;
            }
            self.doublings = (self.doublings + 1).min(DOUBLINGS_MAX);
            if self.is_reused {
                // Many trackers do not answer a connection id that they have forgotten.
                self.forget_connection();
            }
        }
        let packet = self.next_packet(now);
        let bytes = packet.encode();
        let wait = self.policy.first_timeout.saturating_mul(1 << self.doublings);
        self.sent = Some(Sent { packet, deadline: now + wait });
        self.packets += 1;
        Some(bytes)
    }

    /// When to call [`UdpExchange::poll_transmit`] again, unless a packet comes first.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.sent.as_ref().map(|sent| sent.deadline)
    }

    /// How it ended, once. `None` while it goes on.
    pub const fn take_outcome(&mut self) -> Option<Result<UdpAnswer, TrackerFault>> {
        self.outcome.take()
    }

    /// The connection id for the next exchange with this tracker.
    pub const fn connection(&self) -> Option<UdpConnection> {
        self.connection
    }

    /// The packet that the connection id allows: the query if it is usable, else a connect. A
    /// retransmission keeps its transaction id, so that a late answer to an earlier copy counts.
    fn next_packet(&mut self, now: Time) -> UdpRequest {
        let transaction = self.rng.next_u64() as u32;
        let Some(UdpConnection { id: connection, .. }) =
            self.connection.filter(|connection| connection.is_usable(now))
        else {
            self.forget_connection();
            return match self.sent.take() {
                Some(Sent { packet: again @ UdpRequest::Connect { .. }, .. }) => again,
                _ => UdpRequest::Connect { transaction },
            };
        };
        match (self.sent.take(), &self.query) {
            (Some(sent), _) => sent.packet,
            (None, UdpQuery::Announce { announce, url_data }) => UdpRequest::Announce {
                connection,
                transaction,
                announce: announce.clone(),
                url_data: url_data.clone(),
            },
            (None, UdpQuery::Scrape(info_hashes)) => {
                UdpRequest::Scrape { connection, transaction, info_hashes: info_hashes.clone() }
            }
        }
    }

    const fn forget_connection(&mut self) {
        self.connection = None;
        self.is_reused = false;
    }

    fn finish(&mut self, outcome: Result<UdpAnswer, TrackerFault>) {
        self.outcome = Some(outcome);
        self.is_over = true;
        self.sent = None;
    }
}

#[cfg(test)]
mod tests;
