//! HTTP trackers: the URL of an announce or scrape, and what the body of the answer says.
//!
//! Bodies are read leniently, for trackers of twenty years answer in many ways; whatever is missing or
//! has another type counts as not said. Must not know an HTTP client: redirects, TLS and time limits
//! are the driver's.

use crate::announce::{Announce, AnnounceAnswer, Event, Retry, ScrapeCounts};
use crate::compact::{self, Family};
use crate::fault::{TEXT_BYTES_MAX, TrackerFault, clean_text};
use crate::url::TrackerUrl;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use piecework_bencode::{
    DictWriter, Document, Kind, Limits, Mode, Value, decode_prefix, encode_dict,
};
use piecework_types::InfoHash;
use std::fmt::{Display, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Longest body read, in bytes. The driver stops reading there; an honest answer has a few kilobytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Values in a body: ten for each of many more peers than are taken.
const BODY_LIMITS: Limits = Limits { depth: 16, tokens: 1 << 17 };

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A URL to which parameters are added.
struct Query {
    url: String,
}

impl Query {
    fn new(base: &TrackerUrl) -> Self {
        Self { url: base.to_string() }
    }

    fn add(&mut self, key: &str, value: impl Display) {
        let separator = match self.url.find('?') {
            None => "?",
            Some(_) if self.url.ends_with(['?', '&']) => "",
            Some(_) => "&",
        };
        // Writing to a String cannot fail.
        let _ = write!(self.url, "{separator}{key}={value}");
    }

    fn add_bytes(&mut self, key: &str, value: &[u8]) {
        self.add(key, percent_encode(value, RESERVED));
    }
}

/// The URL to get for an announce (BEP 3, 7, 23). A query that `base` has already stays in front.
pub fn announce_url(base: &TrackerUrl, announce: &Announce) -> String {
    let mut query = Query::new(base);
    query.add_bytes("info_hash", &announce.info_hash.0);
    query.add_bytes("peer_id", &announce.peer_id.0);
    query.add("port", announce.port);
    query.add("uploaded", announce.uploaded);
    query.add("downloaded", announce.downloaded);
    query.add("left", announce.left);
    query.add("compact", 1);
    query.add("no_peer_id", 1);
    query.add("numwant", announce.peers_wanted);
    query.add("key", format_args!("{:08x}", announce.key));
    match announce.event {
        Event::Periodic => {}
        Event::Started => query.add("event", "started"),
        Event::Completed => query.add("event", "completed"),
        Event::Paused => query.add("event", "paused"),
        Event::Stopped => query.add("event", "stopped"),
    }
    if let Some(tracker_id) = &announce.tracker_id {
        query.add_bytes("trackerid", tracker_id);
    }
    if let Some(ip) = announce.ipv4 {
        query.add("ipv4", ip);
    }
    if let Some(ip) = announce.ipv6 {
        query.add_bytes("ipv6", ip.to_string().as_bytes());
    }
    query.url
}

/// The URL to get for a scrape of these torrents (BEP 48). `None`: the tracker does not scrape.
pub fn scrape_url(base: &TrackerUrl, info_hashes: &[InfoHash]) -> Option<String> {
    let mut query = Query::new(&base.scrape()?);
    info_hashes.iter().for_each(|info_hash| query.add_bytes("info_hash", &info_hash.0));
    Some(query.url)
}

/// Reads the body of an answer to an announce.
///
/// # Errors
/// When the tracker refuses, or the body is too long or no bencoded dictionary.
pub fn decode_announce(body: &[u8]) -> Result<AnnounceAnswer, TrackerFault> {
    let document = decode_body(body)?;
    let root = document.root();
    let mut answer = AnnounceAnswer {
        peers: Vec::new(),
        interval: seconds(root, "interval"),
        min_interval: seconds(root, "min interval"),
        complete: count(root, "complete"),
        incomplete: count(root, "incomplete"),
        downloaded: count(root, "downloaded"),
        warning: text(root, "warning message"),
        tracker_id: bytes(root, "tracker id")
            .filter(|id| id.len() <= TEXT_BYTES_MAX)
            .map(<[u8]>::to_vec),
        external_ip: bytes(root, "external ip").and_then(packed_ip),
    };
    if let Some(packed) = bytes(root, "peers") {
        compact::read(packed, Family::V4, &mut answer.peers);
    } else if let Some(list) = root.get("peers").and_then(Value::as_list) {
        compact::take(list.filter_map(listed_peer), &mut answer.peers);
    }
    if let Some(packed) = bytes(root, "peers6") {
        compact::read(packed, Family::V6, &mut answer.peers);
    }
    Ok(answer)
}

/// Reads the body of an answer to a scrape: the counts of each torrent of `wanted`, in its order.
/// `None` for those that the tracker does not mention.
///
/// # Errors
/// When the tracker refuses, or the body is too long, no bencoded dictionary, or has no files.
pub fn decode_scrape(
    body: &[u8],
    wanted: &[InfoHash],
) -> Result<Vec<Option<ScrapeCounts>>, TrackerFault> {
    let document = decode_body(body)?;
    let files = document.root().get("files").and_then(Value::as_dict);
    let files = files.ok_or(TrackerFault::Field { key: "files", expected: "a dictionary" })?;
    let counts = |info_hash: &InfoHash| {
        let entry = files.get(info_hash.0)?;
        Some(ScrapeCounts {
            complete: count(entry, "complete").unwrap_or(0),
            downloaded: count(entry, "downloaded").unwrap_or(0),
            incomplete: count(entry, "incomplete").unwrap_or(0),
        })
    };
    Ok(wanted.iter().map(counts).collect())
}

/// The body that a tracker sends for this answer, with compact peers.
pub fn encode_announce(answer: &AnnounceAnswer) -> Vec<u8> {
    encode_dict(|dict| {
        write_words(dict, answer);
        for (key, family) in [("peers", Family::V4), ("peers6", Family::V6)] {
            let mut packed = Vec::new();
            compact::write(&answer.peers, family, &mut packed);
            dict.bytes(key, packed);
        }
    })
}

/// Everything of an answer but its peers.
pub(crate) fn write_words(dict: &mut DictWriter<'_>, answer: &AnnounceAnswer) {
    let numbers = [
        ("interval", answer.interval.map(|interval| interval.as_secs())),
        ("min interval", answer.min_interval.map(|interval| interval.as_secs())),
        ("complete", answer.complete.map(u64::from)),
        ("incomplete", answer.incomplete.map(u64::from)),
        ("downloaded", answer.downloaded.map(u64::from)),
    ];
    for (key, number) in numbers {
        number.into_iter().for_each(|number| dict.int(key, number));
    }
    answer.warning.iter().for_each(|warning| dict.bytes("warning message", warning));
    answer.tracker_id.iter().for_each(|id| dict.bytes("tracker id", id));
    match answer.external_ip {
        Some(IpAddr::V4(ip)) => dict.bytes("external ip", ip.octets()),
        Some(IpAddr::V6(ip)) => dict.bytes("external ip", ip.octets()),
        None => {}
    }
}

/// Checks what every body has to be, and turns a refusal into a fault (BEP 3, BEP 31).
fn decode_body(body: &[u8]) -> Result<Document<'_>, TrackerFault> {
    if body.len() > BODY_BYTES_MAX {
        let (most_bytes, got_bytes) = (BODY_BYTES_MAX, body.len());
        return Err(TrackerFault::TooLong { most_bytes, got_bytes });
    }
    // Line ends behind the dictionary are common and harmless.
    let (document, _) = decode_prefix(body, Mode::Lenient, BODY_LIMITS)?;
    let root = document.root();
    if root.kind() != Kind::Dict {
        return Err(TrackerFault::NotDictionary { got: root.kind() });
    }
    let Some(reason) = text(root, "failure reason") else { return Ok(document) };
    let retry = root.get("retry in").and_then(|retry| {
        if retry.as_bytes() == Some(b"never") {
            return Some(Retry::Never);
        }
        // Some trackers send the minutes as a string.
        let minutes = retry.as_u64().or_else(|| retry.as_str()?.parse().ok())?;
        Some(Retry::After(Duration::from_secs(minutes.saturating_mul(60))))
    });
    Err(TrackerFault::Refused { reason, retry })
}

fn bytes<'d>(dict: Value<'d>, key: &str) -> Option<&'d [u8]> {
    dict.get(key).and_then(Value::as_bytes)
}

fn text(dict: Value<'_>, key: &str) -> Option<String> {
    bytes(dict, key).map(clean_text)
}

/// A number of seconds, cut at 136 years so that adding it to a time is harmless.
fn seconds(dict: Value<'_>, key: &str) -> Option<Duration> {
    count(dict, key).map(|seconds| Duration::from_secs(seconds.into()))
}

fn count(dict: Value<'_>, key: &str) -> Option<u32> {
    let number = dict.get(key).and_then(Value::as_u64)?;
    Some(u32::try_from(number).unwrap_or(u32::MAX))
}

/// An entry of the list form (BEP 3). Host names are left out: looking one up for a stranger would let
/// it choose whom we ask.
fn listed_peer(peer: Value<'_>) -> Option<(IpAddr, u16)> {
    let ip = peer.get("ip").and_then(Value::as_str)?.parse().ok()?;
    let port = peer.get("port").and_then(Value::as_u64)?;
    Some((ip, u16::try_from(port).ok()?))
}

fn packed_ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || Some(IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)));
    let v6 = || Some(IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)));
    v4().or_else(v6)
}

#[cfg(test)]
mod tests;
