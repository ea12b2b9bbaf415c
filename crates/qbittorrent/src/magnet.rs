//! A torrent as a magnet link.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use piecework_catalog::Torrent;
use std::borrow::Cow;

/// The link that it came from, or one that is made from its names and trackers (BEP 9, 53).
pub(crate) fn of(torrent: &Torrent) -> Cow<'_, str> {
    let record = torrent.record();
    if let Some(magnet) = record.magnet.as_deref().filter(|link| link.starts_with("magnet:")) {
        return Cow::Borrowed(magnet);
    }
    let v1 = record.v1.iter().map(|hash| format!("xt=urn:btih:{hash}"));
    // 0x12 and 0x20 say: a SHA-256, 32 bytes (the multihash format).
    let v2 = record.v2.iter().map(|hash| format!("xt=urn:btmh:1220{hash}"));
    let name = (!record.name.is_empty()).then(|| format!("dn={}", escaped(&record.name)));
    let trackers = torrent.trackers().map(|url| format!("tr={}", escaped(url)));
    let parts: Vec<String> = v1.chain(v2).chain(name).chain(trackers).collect();
    Cow::Owned(format!("magnet:?{}", parts.join("&")))
}

fn escaped(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}
