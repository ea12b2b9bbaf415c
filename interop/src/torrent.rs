//! Torrent files of a run: what is asked of a maker, and what the harness remembers of the result.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::{Failure, Outcome};
use crate::payload::Payload;

/// Which info-hashes a torrent has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    /// SHA-1 pieces (BEP 3).
    V1,
    /// SHA-256 trees (BEP 52).
    V2,
    /// Both.
    Hybrid,
}

impl Format {
    /// Every format.
    pub(crate) const ALL: [Self; 3] = [Self::V1, Self::V2, Self::Hybrid];

    /// The word for it on command lines.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Hybrid => "hybrid",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a maker is asked for.
#[derive(Debug)]
pub(crate) struct Recipe<'a> {
    /// The file or folder.
    pub(crate) payload: &'a Payload,
    /// Which info-hashes.
    pub(crate) format: Format,
    /// Bytes a piece; `None` leaves it to the maker.
    pub(crate) piece_length: Option<u64>,
    /// The announce URL.
    pub(crate) tracker: Option<&'a str>,
    /// The address of a web seed (BEP 19).
    pub(crate) web_seed: Option<&'a str>,
    /// Peers from the tracker alone (BEP 27).
    pub(crate) private: bool,
    /// The payload is mostly a hole, which libtorrent's driver hashes without reading.
    pub(crate) sparse: bool,
    /// Files in the order of this torrent, for libtorrent: a v1 info-hash depends on it.
    pub(crate) like: Option<&'a Path>,
}

impl<'a> Recipe<'a> {
    /// A public torrent without tracker.
    pub(crate) const fn new(payload: &'a Payload, format: Format) -> Self {
        Self {
            payload,
            format,
            piece_length: None,
            tracker: None,
            web_seed: None,
            private: false,
            sparse: false,
            like: None,
        }
    }
}

/// A torrent file, as libtorrent or our own `show` describes it.
#[derive(Clone, Debug)]
pub(crate) struct Torrent {
    /// The file.
    pub(crate) path: PathBuf,
    /// 40 hex digits.
    pub(crate) v1: Option<String>,
    /// 64 hex digits.
    pub(crate) v2: Option<String>,
}

impl Torrent {
    /// Reads the `v1` and `v2` hashes out of a description.
    pub(crate) fn described(path: PathBuf, description: &Value) -> Outcome<Self> {
        let hash = |key: &str| description[key].as_str().map(str::to_owned);
        let torrent = Self { path, v1: hash("v1"), v2: hash("v2") };
        if torrent.v1.is_none() && torrent.v2.is_none() {
            return Err(Failure::new(format!("no info-hash in {description}")));
        }
        Ok(torrent)
    }

    /// The hash our client prints: v1 where there is one, else the whole v2 hash.
    pub(crate) fn printed_hash(&self) -> &str {
        self.v1.as_deref().or(self.v2.as_deref()).unwrap_or_default()
    }

    /// The 40 hex digits that trackers know the torrent by (BEP 52 truncates v2 hashes).
    pub(crate) fn tracker_hashes(&self) -> Vec<&str> {
        let truncated = self.v2.as_deref().and_then(|hash| hash.get(..40));
        self.v1.as_deref().into_iter().chain(truncated).collect()
    }

    /// A magnet link (BEP 9), with `more` parameters such as `tr=` or `x.pe=` at its end.
    pub(crate) fn magnet(&self, more: &[String]) -> String {
        let v1 = self.v1.iter().map(|hash| format!("xt=urn:btih:{hash}"));
        // 0x12 0x20: the multihash prefix of a 32-byte SHA-256.
        let v2 = self.v2.iter().map(|hash| format!("xt=urn:btmh:1220{hash}"));
        let parameters: Vec<String> = v1.chain(v2).chain(more.iter().cloned()).collect();
        format!("magnet:?{}", parameters.join("&"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_hybrid_magnet_names_both_hashes() {
        let (v1, v2) = ("a".repeat(40), "b".repeat(64));
        let described = serde_json::json!({ "v1": v1, "v2": v2 });
        let torrent = Torrent::described("t".into(), &described).unwrap();
        let magnet = torrent.magnet(&["x.pe=10.77.0.2:1".to_owned()]);
        let expected = format!("magnet:?xt=urn:btih:{v1}&xt=urn:btmh:1220{v2}&x.pe=10.77.0.2:1");
        assert_eq!(magnet, expected);
        assert_eq!(torrent.printed_hash(), v1);
        assert_eq!(torrent.tracker_hashes(), [&v1[..], &v2[..40]]);
    }

    #[test]
    fn a_description_without_hash_is_refused() {
        let described = serde_json::json!({ "v1": null });
        assert!(Torrent::described("t".into(), &described).is_err());
    }
}
