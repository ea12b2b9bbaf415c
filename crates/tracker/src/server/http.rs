//! A tracker's side of HTTP: what the target of a GET asks for, and the bodies of answers.
//!
//! Reads leniently what says nothing of importance, and refuses what would make a wrong entry. Must not
//! know an HTTP server: methods, headers and connections are the driver's.

use crate::announce::{Announce, AnnounceAnswer, Event, Retry, SCRAPE_MAX, ScrapeCounts};
use crate::http::write_words;
use percent_encoding::percent_decode;
use piecework_bencode::encode_dict;
use piecework_types::{InfoHash, PeerId};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use thiserror::Error;

/// Longest target read, in bytes: a scrape of [`SCRAPE_MAX`] torrents fits well.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;

/// Parameters read of one query, those of a scrape among them.
const PARAMETERS_MAX: usize = 32 + SCRAPE_MAX;

/// What a client asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HttpQuery {
    /// To be listed, and for peers.
    Announce(HttpAnnounce),
    /// For the counts of these torrents: at least one, at most [`SCRAPE_MAX`] (BEP 48).
    Scrape(Vec<InfoHash>),
}

/// An announce and the form in which it wants its peers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpAnnounce {
    /// What it says. `peers_wanted` is [`crate::PEERS_WANTED`] where the client names no number.
    pub announce: Announce,
    /// Peers as bytes (BEP 23), which is what a client gets that does not say otherwise.
    pub is_compact: bool,
    /// Peer ids, where peers come as dictionaries.
    pub wants_peer_ids: bool,
}

/// Why a target asks for nothing. Every value is the client's fault.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum QueryFault {
    /// Another path than those of a tracker.
    #[error("this is a tracker: it has /announce and /scrape")]
    Path,
    /// Longer than [`TARGET_BYTES_MAX`], or with more parameters than any client has.
    #[error("the query is too long")]
    TooLong,
    /// A parameter that has to be there is absent or of another form.
    #[error("the query needs {key} as {expected}")]
    Parameter {
        /// Its name.
        key: &'static str,
        /// What should stand there.
        expected: &'static str,
    },
}

const fn lacks(key: &'static str, expected: &'static str) -> QueryFault {
    QueryFault::Parameter { key, expected }
}

/// The parameters of a query, decoded, in their order. Of those with one name the first counts.
struct Parameters<'q>(Vec<Parameter<'q>>);

/// A name and its value.
type Parameter<'q> = (Cow<'q, [u8]>, Cow<'q, [u8]>);

impl<'q> Parameters<'q> {
    fn read(query: &'q [u8]) -> Result<Self, QueryFault> {
        let mut parameters = Vec::new();
        for part in query.split(|&byte| byte == b'&').filter(|part| !part.is_empty()) {
            if parameters.len() >= PARAMETERS_MAX {
                return Err(QueryFault::TooLong);
            }
            let split = part.iter().position(|&byte| byte == b'=').unwrap_or(part.len());
            let value = part.get(split + 1..).unwrap_or_default();
            parameters.push((percent_decode(&part[..split]).into(), percent_decode(value).into()));
        }
        Ok(Self(parameters))
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &[u8]> {
        let found = self.0.iter().filter(move |(name, _)| name.as_ref() == key.as_bytes());
        found.map(|(_, value)| value.as_ref())
    }

    fn text(&self, key: &str) -> Option<&str> {
        str::from_utf8(self.all(key).next()?).ok()
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }

    fn is_one(&self, key: &str) -> bool {
        self.text(key) == Some("1")
    }

    fn twenty(&self, key: &'static str) -> Result<[u8; 20], QueryFault> {
        let value = self.all(key).next().and_then(|value| value.try_into().ok());
        value.ok_or_else(|| lacks(key, "20 bytes"))
    }

    /// An address, with a port that says nothing new (BEP 7).
    fn ip(&self, key: &str) -> Option<IpAddr> {
        let text = self.text(key)?;
        let endpoint = || text.parse().ok().map(|endpoint: SocketAddr| endpoint.ip());
        text.parse().ok().or_else(endpoint)
    }
}

/// Reads path and query of a GET.
///
/// # Errors
/// When it is none for a tracker, too long, or lacks what an announce or a scrape needs.
pub fn decode_query(target: &[u8]) -> Result<HttpQuery, QueryFault> {
    if target.len() > TARGET_BYTES_MAX {
        return Err(QueryFault::TooLong);
    }
    let split = target.iter().position(|&byte| byte == b'?').unwrap_or(target.len());
    let query = target.get(split + 1..).unwrap_or_default();
    match &target[..split] {
        b"/announce" => Ok(HttpQuery::Announce(announce(&Parameters::read(query)?)?)),
        b"/scrape" => Ok(HttpQuery::Scrape(scrape(&Parameters::read(query)?)?)),
        _ => Err(QueryFault::Path),
    }
}

fn announce(query: &Parameters<'_>) -> Result<HttpAnnounce, QueryFault> {
    let info_hash = InfoHash(query.twenty("info_hash")?);
    let peer_id = PeerId(query.twenty("peer_id")?);
    let port = query.number("port").filter(|&port: &u16| port != 0);
    let claims = ["ipv4", "ipv6", "ip"].map(|key| query.ip(key));
    let claims = || claims.into_iter().flatten();
    let event = match query.text("event") {
        Some("started") => Event::Started,
        Some("completed") => Event::Completed,
        Some("stopped") => Event::Stopped,
        Some("paused") => Event::Paused,
        // None, an empty one, and what a tracker had better take for it.
        _ => Event::Periodic,
    };
    let announce = Announce {
        info_hash,
        peer_id,
        port: port.ok_or_else(|| lacks("port", "a number from 1 to 65535"))?,
        uploaded: query.number("uploaded").unwrap_or(0),
        downloaded: query.number("downloaded").unwrap_or(0),
        left: query.number("left").ok_or_else(|| lacks("left", "a number"))?,
        event,
        // A negative number means as many as the tracker likes.
        peers_wanted: query.number("numwant").unwrap_or(crate::PEERS_WANTED),
        key: query.all("key").next().map_or(0, key_number),
        tracker_id: None,
        ipv4: claims().find_map(|ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None }),
        ipv6: claims().find_map(|ip| if let IpAddr::V6(ip) = ip { Some(ip) } else { None }),
    };
    Ok(HttpAnnounce {
        announce,
        is_compact: query.text("compact") != Some("0"),
        wants_peer_ids: !query.is_one("no_peer_id"),
    })
}

fn scrape(query: &Parameters<'_>) -> Result<Vec<InfoHash>, QueryFault> {
    let hashes = query.all("info_hash").take(SCRAPE_MAX);
    let hashes: Option<Vec<_>> = hashes.map(|hash| hash.try_into().ok().map(InfoHash)).collect();
    // Without one it would ask for every torrent there is.
    let hashes = hashes.filter(|hashes| !hashes.is_empty());
    hashes.ok_or_else(|| lacks("info_hash", "20 bytes"))
}

/// Most clients send eight hex digits, as UDP has them; of others only that they are equal matters
/// (FNV-1a).
fn key_number(key: &[u8]) -> u32 {
    let hex = str::from_utf8(key).ok().and_then(|text| u32::from_str_radix(text, 16).ok());
    let fold = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    hex.unwrap_or_else(|| key.iter().fold(0x811c_9dc5, fold))
}

/// The body of an answer whose peers are dictionaries (BEP 3), with the ids of those who have one here.
pub(super) fn encode_list(
    answer: &AnnounceAnswer,
    peer_ids: &BTreeMap<SocketAddr, PeerId>,
) -> Vec<u8> {
    encode_dict(|dict| {
        write_words(dict, answer);
        dict.list("peers", |list| {
            for peer in &answer.peers {
                list.dict(|entry| {
                    entry.bytes("ip", peer.ip().to_string());
                    peer_ids.get(peer).iter().for_each(|id| entry.bytes("peer id", id.0));
                    entry.int("port", peer.port());
                });
            }
        });
    })
}

/// The body of an answer to a scrape, with how many of the incomplete download nothing more (BEP 21, 48).
pub(super) fn encode_scrape(counts: &[(InfoHash, ScrapeCounts, u32)]) -> Vec<u8> {
    encode_dict(|dict| {
        dict.dict("files", |files| {
            for (info_hash, counts, partial_seeds) in counts {
                files.dict(info_hash.0, |entry| {
                    entry.int("complete", counts.complete);
                    entry.int("downloaded", counts.downloaded);
                    entry.int("downloaders", counts.incomplete.saturating_sub(*partial_seeds));
                    entry.int("incomplete", counts.incomplete);
                });
            }
        });
    })
}

/// The body of a refusal, and when to come back (BEP 3, BEP 31).
pub(super) fn encode_refusal(reason: &str, retry: Option<Retry>) -> Vec<u8> {
    encode_dict(|dict| {
        dict.bytes("failure reason", reason);
        match retry {
            Some(Retry::After(wait)) => dict.int("retry in", wait.as_secs().div_ceil(60)),
            Some(Retry::Never) => dict.bytes("retry in", "never"),
            None => {}
        }
    })
}

#[cfg(test)]
mod tests;
