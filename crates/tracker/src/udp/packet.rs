//! Packets of BEP 15, decoded and encoded: requests as a client sends them, responses as a tracker
//! does. Both directions are here because whoever tests one side needs the other.
//!
//! Invariant: decoding never trusts a length or a count inside a packet, only the packet's own length.
//! Must not know sockets or retransmission.

use crate::announce::{Announce, Event, PEERS_MAX, SCRAPE_MAX, ScrapeCounts};
use crate::compact::{self, Family};
use crate::fault::{TrackerFault, clean_text};
use piecework_types::{InfoHash, PeerId};
use std::net::{Ipv4Addr, SocketAddr};

/// Opens every connect packet: BEP 15's magic number.
const PROTOCOL_ID: u64 = 0x417_2710_1980;

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// Connection id, action and transaction id, which precede every request.
const REQUEST_HEAD_BYTES: usize = 16;
/// An announce without the options of BEP 41.
const ANNOUNCE_BYTES: usize = 98;

const OPTION_END: u8 = 0;
const OPTION_NOP: u8 = 1;
const OPTION_URL_DATA: u8 = 2;

/// Longest packet made or expected: the fixed part and [`PEERS_MAX`] IPv6 peers. A receive buffer of
/// this size loses nothing that would be used.
pub const PACKET_BYTES_MAX: usize = 20 + 18 * PEERS_MAX;

/// Longest path and query sent along (BEP 41), in bytes: one packet must stay below every usual MTU.
pub const URL_DATA_BYTES_MAX: usize = 1020;

/// What a client sends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UdpRequest {
    /// Asks for a connection id, which proves that we receive at our address.
    Connect {
        /// Repeated in the response.
        transaction: u32,
    },
    /// Announces one torrent.
    Announce {
        /// From the connect response.
        connection: u64,
        /// Repeated in the response.
        transaction: u32,
        /// What to say; `tracker_id` and `ipv6` have no place in a packet.
        announce: Announce,
        /// Path and query of the tracker's address (BEP 41), cut at [`URL_DATA_BYTES_MAX`].
        url_data: Vec<u8>,
    },
    /// Asks for counts.
    Scrape {
        /// From the connect response.
        connection: u64,
        /// Repeated in the response.
        transaction: u32,
        /// At most [`SCRAPE_MAX`] torrents; those beyond are left out.
        info_hashes: Vec<InfoHash>,
    },
}

/// What a tracker sends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UdpResponse {
    /// Allows requests for a minute.
    Connect {
        /// Of the request.
        transaction: u32,
        /// To be used in requests.
        connection: u64,
    },
    /// Answers an announce.
    Announce {
        /// Of the request.
        transaction: u32,
        /// Seconds until the next announce.
        interval: u32,
        /// Peers that do not have the whole torrent.
        incomplete: u32,
        /// Peers that do.
        complete: u32,
        /// At most [`PEERS_MAX`] peers.
        peers: Vec<SocketAddr>,
    },
    /// Answers a scrape, in the order of the request.
    Scrape {
        /// Of the request.
        transaction: u32,
        /// At most [`SCRAPE_MAX`] counts.
        counts: Vec<ScrapeCounts>,
    },
    /// Refuses a request.
    Error {
        /// Of the request.
        transaction: u32,
        /// Why, cleaned.
        reason: String,
    },
}

/// Takes big-endian fields from the front of a packet.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }
}

const fn short(action: u32, least_bytes: usize, packet: &[u8]) -> TrackerFault {
    TrackerFault::Short { action, least_bytes, got_bytes: packet.len() }
}

impl UdpRequest {
    /// The number that ties a response to this request.
    pub const fn transaction(&self) -> u32 {
        match self {
            Self::Connect { transaction }
            | Self::Announce { transaction, .. }
            | Self::Scrape { transaction, .. } => *transaction,
        }
    }

    /// Reads a packet as a tracker does.
    ///
    /// # Errors
    /// When the action is unknown, the packet too short for it, or a connect packet lacks the magic
    /// number.
    pub fn decode(packet: &[u8]) -> Result<Self, TrackerFault> {
        let mut fields = Fields(packet);
        let mut head = || Some((fields.u64()?, fields.u32()?, fields.u32()?));
        let Some((connection, action, transaction)) = head() else {
            return Err(short(CONNECT, REQUEST_HEAD_BYTES, packet));
        };
        match action {
            CONNECT if connection == PROTOCOL_ID => Ok(Self::Connect { transaction }),
            CONNECT => Err(TrackerFault::NotUdpTracker { got: connection }),
            ANNOUNCE => {
                let announce = decode_announce(&mut fields)
                    .ok_or_else(|| short(ANNOUNCE, ANNOUNCE_BYTES, packet))?;
                let url_data = decode_url_data(fields.0);
                Ok(Self::Announce { connection, transaction, announce, url_data })
            }
            SCRAPE => {
                let hashes = fields.0.as_chunks::<20>().0.iter().take(SCRAPE_MAX);
                let info_hashes = hashes.copied().map(InfoHash).collect();
                Ok(Self::Scrape { connection, transaction, info_hashes })
            }
            got => Err(TrackerFault::UnknownAction { got }),
        }
    }

    /// The packet.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ANNOUNCE_BYTES);
        let mut head = |connection: u64, action: u32| {
            out.extend(connection.to_be_bytes());
            out.extend(action.to_be_bytes());
            out.extend(self.transaction().to_be_bytes());
        };
        match self {
            Self::Connect { .. } => head(PROTOCOL_ID, CONNECT),
            Self::Announce { connection, announce, url_data, .. } => {
                head(*connection, ANNOUNCE);
                encode_announce(announce, &mut out);
                encode_url_data(url_data, &mut out);
            }
            Self::Scrape { connection, info_hashes, .. } => {
                head(*connection, SCRAPE);
                out.extend(info_hashes.iter().take(SCRAPE_MAX).flat_map(|info_hash| info_hash.0));
            }
        }
        out
    }
}

fn decode_announce(fields: &mut Fields<'_>) -> Option<Announce> {
    let info_hash = InfoHash(fields.take()?);
    let peer_id = PeerId(fields.take()?);
    let (downloaded, left, uploaded) = (fields.u64()?, fields.u64()?, fields.u64()?);
    let event = match fields.u32()? {
        1 => Event::Completed,
        2 => Event::Started,
        3 => Event::Stopped,
        // 0, and what a tracker had better take for it.
        _ => Event::Periodic,
    };
    let ip = Ipv4Addr::from(fields.u32()?);
    let key = fields.u32()?;
    // -1 means the tracker's own number of peers, for which there is no better word than ours.
    let peers_wanted = fields.u32()?.min(PEERS_MAX as u32);
    Some(Announce {
        info_hash,
        peer_id,
        port: fields.u16()?,
        uploaded,
        downloaded,
        left,
        event,
        peers_wanted,
        key,
        tracker_id: None,
        ipv4: (!ip.is_unspecified()).then_some(ip),
        ipv6: None,
    })
}

fn encode_announce(announce: &Announce, out: &mut Vec<u8>) {
    out.extend(announce.info_hash.0);
    out.extend(announce.peer_id.0);
    for amount in [announce.downloaded, announce.left, announce.uploaded] {
        out.extend(amount.to_be_bytes());
    }
    let event: u32 = match announce.event {
        // BEP 15 has no number for a partial seed.
        Event::Periodic | Event::Paused => 0,
        Event::Completed => 1,
        Event::Started => 2,
        Event::Stopped => 3,
    };
    let ip = announce.ipv4.unwrap_or(Ipv4Addr::UNSPECIFIED);
    for number in [event, ip.into(), announce.key, announce.peers_wanted.min(PEERS_MAX as u32)] {
        out.extend(number.to_be_bytes());
    }
    out.extend(announce.port.to_be_bytes());
}

/// Joins the URL data options (BEP 41); unknown options end the list, for their length is unknown.
fn decode_url_data(mut options: &[u8]) -> Vec<u8> {
    let mut url_data = Vec::new();
    loop {
        match options {
            [OPTION_NOP, rest @ ..] => options = rest,
            [OPTION_URL_DATA, length, rest @ ..] if rest.len() >= usize::from(*length) => {
                let (part, rest) = rest.split_at(usize::from(*length));
                url_data.extend(part);
                options = rest;
            }
            _ => break,
        }
    }
    url_data.truncate(URL_DATA_BYTES_MAX);
    url_data
}

fn encode_url_data(url_data: &[u8], out: &mut Vec<u8>) {
    let url_data = &url_data[..url_data.len().min(URL_DATA_BYTES_MAX)];
    for part in url_data.chunks(255) {
        // A part of at most 255 bytes.
        out.extend([OPTION_URL_DATA, part.len() as u8]);
        out.extend(part);
    }
    if !url_data.is_empty() {
        out.push(OPTION_END);
    }
}

impl UdpResponse {
    /// The number that ties this response to its request.
    pub const fn transaction(&self) -> u32 {
        match self {
            Self::Connect { transaction, .. }
            | Self::Announce { transaction, .. }
            | Self::Scrape { transaction, .. }
            | Self::Error { transaction, .. } => *transaction,
        }
    }

    /// Reads a packet as a client does. Peers have the `family` of the socket.
    ///
    /// # Errors
    /// When the action is unknown or the packet too short for it.
    pub fn decode(packet: &[u8], family: Family) -> Result<Self, TrackerFault> {
        let mut fields = Fields(packet);
        let mut head = || Some((fields.u32()?, fields.u32()?));
        let Some((action, transaction)) = head() else {
            return Err(short(ERROR, 8, packet));
        };
        match action {
            CONNECT => {
                let connection = fields.u64().ok_or_else(|| short(action, 16, packet))?;
                Ok(Self::Connect { transaction, connection })
            }
            ANNOUNCE => {
                let mut numbers = || Some((fields.u32()?, fields.u32()?, fields.u32()?));
                let (interval, incomplete, complete) =
                    numbers().ok_or_else(|| short(action, 20, packet))?;
                let mut peers = Vec::new();
                compact::read(fields.0, family, &mut peers);
                Ok(Self::Announce { transaction, interval, incomplete, complete, peers })
            }
            SCRAPE => {
                let mut counts = Vec::new();
                let mut entry = || Some((fields.u32()?, fields.u32()?, fields.u32()?));
                while let Some((complete, downloaded, incomplete)) = entry()
                    && counts.len() < SCRAPE_MAX
                {
                    counts.push(ScrapeCounts { complete, downloaded, incomplete });
                }
                Ok(Self::Scrape { transaction, counts })
            }
            ERROR => Ok(Self::Error { transaction, reason: clean_text(fields.0) }),
            got => Err(TrackerFault::UnknownAction { got }),
        }
    }

    /// The packet. Peers of the other `family` are left out.
    pub fn encode(&self, family: Family) -> Vec<u8> {
        let mut out = Vec::new();
        let mut head = |action: u32| {
            out.extend(action.to_be_bytes());
            out.extend(self.transaction().to_be_bytes());
        };
        match self {
            Self::Connect { connection, .. } => {
                head(CONNECT);
                out.extend(connection.to_be_bytes());
            }
            Self::Announce { interval, incomplete, complete, peers, .. } => {
                head(ANNOUNCE);
                for number in [interval, incomplete, complete] {
                    out.extend(number.to_be_bytes());
                }
                compact::write(&peers[..peers.len().min(PEERS_MAX)], family, &mut out);
            }
            Self::Scrape { counts, .. } => {
                head(SCRAPE);
                for entry in counts.iter().take(SCRAPE_MAX) {
                    for number in [entry.complete, entry.downloaded, entry.incomplete] {
                        out.extend(number.to_be_bytes());
                    }
                }
            }
            Self::Error { reason, .. } => {
                head(ERROR);
                out.extend(reason.bytes());
            }
        }
        out
    }
}

#[cfg(test)]
mod tests;
