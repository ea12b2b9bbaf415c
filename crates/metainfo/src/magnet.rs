//! Magnet links (BEP 9, 53): a torrent's names and where to ask for the rest.
//!
//! Parsing takes any bytes; printing gives a link that parses to the same.

use crate::url;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use piecework_types::{DigestParseError, InfoHashes, Sha1Digest, Sha256Digest};
use std::fmt;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Bytes of the longest link that is read.
pub const MAGNET_BYTES_MAX: usize = 64 * 1024;
/// Most addresses of a kind, and most ranges of files.
const ITEMS_MAX: usize = 500;
/// Bytes of the longest host name (RFC 1035).
const HOST_BYTES_MAX: usize = 253;
/// Multihash prefix of SHA-256: code 0x12, 0x20 bytes.
const MULTIHASH_SHA256: &str = "1220";
/// What is escaped in a value: all but the unreserved characters of RFC 3986, so that names stay readable.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A link that is refused. Whoever wrote it has to change it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MagnetError {
    /// Something else.
    #[error("expected a link that starts with magnet:?")]
    Scheme,
    /// Longer than any real one.
    #[error("a magnet link has at most {MAGNET_BYTES_MAX} bytes, got {got_bytes}")]
    TooLong {
        /// Its length.
        got_bytes: usize,
    },
    /// No `xt` with an info-hash.
    #[error("expected xt=urn:btih:... or xt=urn:btmh:..., found neither")]
    NoHash,
    /// An info-hash that is none.
    #[error("btih: expected 40 hex or 32 base32 digits, got {got_chars} characters or others")]
    Btih {
        /// Characters of it.
        got_chars: usize,
    },
    /// A multihash that is not SHA-256.
    #[error("btmh: expected 1220 and 64 hex digits, got {got_chars} characters or others")]
    Btmh {
        /// Characters of it.
        got_chars: usize,
    },
    /// Two different hashes of one kind.
    #[error("two different info-hashes of one kind")]
    TwoHashes,
    /// A file selection that is none.
    #[error("so: expected numbers and ranges like 0,2,4-6, got {got}")]
    Selection {
        /// What came, cut.
        got: String,
    },
}

/// A host that is still to be resolved, and a port.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HostPort {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// Port, not 0.
    pub port: u16,
}

impl HostPort {
    /// `None` when no such host or port can exist.
    pub fn new(host: &str, port: u16) -> Option<Self> {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let is_name = (1..=HOST_BYTES_MAX).contains(&host.len()) && host.bytes().all(valid);
        let is_host = is_name || host.parse::<Ipv6Addr>().is_ok();
        (is_host && port != 0).then(|| Self { host: host.to_owned(), port })
    }

    /// Reads `host:port` or `[ipv6]:port`.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = match host.strip_prefix('[') {
            Some(bracketed) => bracketed.strip_suffix(']')?,
            None if host.contains(':') => return None,
            None => host,
        };
        Self::new(host, port.parse().ok()?)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// A magnet link.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Magnet {
    /// `xt`: at least one.
    pub info_hashes: InfoHashes,
    /// `dn`: what to show until the metadata is there.
    pub name: Option<String>,
    /// `tr`.
    pub trackers: Vec<String>,
    /// `ws` (BEP 19).
    pub web_seeds: Vec<String>,
    /// `x.pe`: peers to ask first.
    pub peers: Vec<HostPort>,
    /// `so`: the files to get, by number (BEP 53); `None` for all.
    pub select: Option<Vec<RangeInclusive<u32>>>,
}

impl Magnet {
    /// A link with nothing but the hashes.
    pub const fn new(info_hashes: InfoHashes) -> Self {
        Self {
            info_hashes,
            name: None,
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            peers: Vec::new(),
            select: None,
        }
    }

    /// Whether `so` asks for this file.
    pub fn selects(&self, file: u32) -> bool {
        self.select.as_ref().is_none_or(|ranges| ranges.iter().any(|range| range.contains(&file)))
    }

    fn read(&mut self, key: &str, value: &str) -> Result<(), MagnetError> {
        // Several values of one key may be numbered: xt.1, xt.2.
        let key = key.split_once('.').map_or(key, |(kind, number)| {
            let is_number = !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit());
            if is_number { kind } else { key }
        });
        let decoded: Vec<u8> = percent_decode_str(value).collect();
        match key {
            "xt" => self.read_topic(&String::from_utf8_lossy(&decoded))?,
            "dn" if self.name.is_none() => {
                // Browsers write a space as plus, as forms do.
                let name = value.replace('+', " ");
                let name: Vec<u8> = percent_decode_str(&name).collect();
                self.name = Some(String::from_utf8_lossy(&name).into_owned());
            }
            "tr" => push_new(&mut self.trackers, url::tracker(&decoded)),
            "ws" => push_new(&mut self.web_seeds, url::web_seed(&decoded)),
            "x.pe" => {
                let peer = std::str::from_utf8(&decoded).ok().and_then(HostPort::parse);
                push_new(&mut self.peers, peer);
            }
            "so" => self.select = Some(selection(&String::from_utf8_lossy(&decoded))?),
            _ => {}
        }
        Ok(())
    }

    fn read_topic(&mut self, topic: &str) -> Result<(), MagnetError> {
        let urn = |prefix: &str| {
            let (start, hash) = topic.split_at_checked(prefix.len())?;
            start.eq_ignore_ascii_case(prefix).then_some(hash)
        };
        if let Some(hash) = urn("urn:btih:") {
            let digest = btih(hash).ok_or(MagnetError::Btih { got_chars: hash.len() })?;
            set(&mut self.info_hashes.v1, digest)
        } else if let Some(hash) = urn("urn:btmh:") {
            let digest = btmh(hash).ok_or(MagnetError::Btmh { got_chars: hash.len() })?;
            set(&mut self.info_hashes.v2, digest)
        } else {
            // Other networks' hashes may stand beside ours.
            Ok(())
        }
    }
}

impl FromStr for Magnet {
    type Err = MagnetError;

    fn from_str(link: &str) -> Result<Self, MagnetError> {
        let link = link.trim();
        if link.len() > MAGNET_BYTES_MAX {
            return Err(MagnetError::TooLong { got_bytes: link.len() });
        }
        let query = match link.split_at_checked("magnet:?".len()) {
            Some((scheme, query)) if scheme.eq_ignore_ascii_case("magnet:?") => query,
            Some(_) | None => return Err(MagnetError::Scheme),
        };
        let mut magnet = Self::new(InfoHashes { v1: None, v2: None });
        for pair in query.split('&') {
            if let Some((key, value)) = pair.split_once('=') {
                magnet.read(key, value)?;
            }
        }
        let hashes = magnet.info_hashes;
        if hashes.v1.is_none() && hashes.v2.is_none() {
            return Err(MagnetError::NoHash);
        }
        Ok(magnet)
    }
}

impl fmt::Display for Magnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
        f.write_str("magnet:?")?;
        let v1 = self.info_hashes.v1.map(|digest| format!("xt=urn:btih:{digest}"));
        let v2 =
            self.info_hashes.v2.map(|digest| format!("xt=urn:btmh:{MULTIHASH_SHA256}{digest}"));
        let topics: Vec<_> = v1.into_iter().chain(v2).collect();
        f.write_str(&topics.join("&"))?;
        if let Some(name) = &self.name {
            write!(f, "&dn={}", escaped(name))?;
        }
        self.trackers.iter().try_for_each(|url| write!(f, "&tr={}", escaped(url)))?;
        self.web_seeds.iter().try_for_each(|url| write!(f, "&ws={}", escaped(url)))?;
        self.peers.iter().try_for_each(|peer| write!(f, "&x.pe={peer}"))?;
        if let Some(ranges) = &self.select {
            let ranges: Vec<_> = ranges.iter().map(range_text).collect();
            write!(f, "&so={}", ranges.join(","))?;
        }
        Ok(())
    }
}

fn push_new<T: PartialEq>(items: &mut Vec<T>, item: Option<T>) {
    if let Some(item) = item.filter(|item| items.len() < ITEMS_MAX && !items.contains(item)) {
        items.push(item);
    }
}

fn set<T: PartialEq>(slot: &mut Option<T>, value: T) -> Result<(), MagnetError> {
    if slot.as_ref().is_some_and(|known| *known != value) {
        return Err(MagnetError::TwoHashes);
    }
    *slot = Some(value);
    Ok(())
}

fn btih(text: &str) -> Option<Sha1Digest> {
    if text.len() == 2 * Sha1Digest::BYTES { text.parse().ok() } else { base32(text) }
}

/// The older form of BEP 9: RFC 4648 base32, 5 bits a letter.
fn base32(text: &str) -> Option<Sha1Digest> {
    if text.len() != Sha1Digest::BYTES * 8 / 5 {
        return None;
    }
    let mut digest = [0; Sha1Digest::BYTES];
    for (letters, bytes) in text.as_bytes().chunks_exact(8).zip(digest.chunks_exact_mut(5)) {
        let mut bits = 0_u64;
        for letter in letters {
            let value = match letter.to_ascii_uppercase() {
                letter @ b'A'..=b'Z' => letter - b'A',
                digit @ b'2'..=b'7' => digit - b'2' + 26,
                _ => return None,
            };
            bits = bits << 5 | u64::from(value);
        }
        bytes.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    Some(Sha1Digest(digest))
}

fn btmh(text: &str) -> Option<Sha256Digest> {
    let parsed: Result<_, DigestParseError> = text.strip_prefix(MULTIHASH_SHA256)?.parse();
    parsed.ok()
}

fn selection(text: &str) -> Result<Vec<RangeInclusive<u32>>, MagnetError> {
    let refused = || MagnetError::Selection { got: text.chars().take(64).collect() };
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last).then_some(first..=last)
    };
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    let ranges: Option<Vec<_>> = parts.map(range).collect();
    ranges.filter(|ranges| !ranges.is_empty() && ranges.len() <= ITEMS_MAX).ok_or_else(refused)
}

fn range_text(range: &RangeInclusive<u32>) -> String {
    let (first, last) = (range.start(), range.end());
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

#[cfg(test)]
mod tests;
