//! The torrent file: an info dictionary and what surrounds it.
//!
//! What is outside the info dictionary is advice: a field of the wrong type or an address that
//! nobody could use is left out, never an error. Piece layers are the exception (BEP 52).

use crate::error::{LayerError, MetainfoError};
use crate::info::Info;
use crate::layers::PieceLayers;
use crate::magnet::{HostPort, Magnet};
use crate::url;
use piecework_bencode::{Dict, Mode, Value, decode};
use piecework_types::Sha256Digest;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most trackers, web seeds or nodes that are kept of each.
pub const URLS_MAX: usize = 500;

/// A parsed torrent file.
#[derive(Clone, Debug)]
pub struct Metainfo {
    info: Arc<Info>,
    layers: Option<PieceLayers>,
    trackers: Vec<Vec<String>>,
    web_seeds: Vec<String>,
    http_seeds: Vec<String>,
    nodes: Vec<HostPort>,
    comment: Option<String>,
    created_by: Option<String>,
    creation_date: Option<u64>,
}

impl Metainfo {
    /// Reads a torrent file.
    ///
    /// # Errors
    /// When it is no torrent, its info dictionary is refused, or a piece layer is not what its root
    /// says or is missing.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetainfoError> {
        let document = decode(bytes, Mode::Lenient)?;
        let root = document
            .root()
            .as_dict()
            .ok_or(MetainfoError::Invalid { field: "a torrent", expected: "a dictionary" })?;
        let info = root.get("info").ok_or(MetainfoError::Missing { field: "info" })?;
        let info = Info::parse(info.raw())?;
        let layers = piece_layers(root, &info)?;
        let is_folder = !info.is_single_file();
        Ok(Self {
            info: Arc::new(info),
            layers,
            trackers: trackers(root),
            web_seeds: web_seeds(root.get("url-list"), is_folder),
            http_seeds: web_seeds(root.get("httpseeds"), false),
            nodes: nodes(root),
            comment: text(root, "comment.utf-8", "comment"),
            created_by: text(root, "created by.utf-8", "created by"),
            creation_date: root.get("creation date").and_then(Value::as_u64),
        })
    }

    /// The info dictionary.
    pub const fn info(&self) -> &Arc<Info> {
        &self.info
    }

    /// The piece layers, complete and checked; `None` for v1.
    pub const fn layers(&self) -> Option<&PieceLayers> {
        self.layers.as_ref()
    }

    /// Announce addresses in tiers, best first (BEP 12). Tiers are in the file's order: shuffling
    /// them is the announcer's part.
    pub fn trackers(&self) -> &[Vec<String>] {
        &self.trackers
    }

    /// Web seeds (BEP 19); for a folder each ends with `/`.
    pub fn web_seeds(&self) -> &[String] {
        &self.web_seeds
    }

    /// HTTP seeds of the older kind (BEP 17).
    pub fn http_seeds(&self) -> &[String] {
        &self.http_seeds
    }

    /// DHT nodes that know the torrent (BEP 5).
    pub fn nodes(&self) -> &[HostPort] {
        &self.nodes
    }

    /// What its maker says about it.
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// The program that made it.
    pub fn created_by(&self) -> Option<&str> {
        self.created_by.as_deref()
    }

    /// When it was made, in seconds since 1970.
    pub const fn creation_date(&self) -> Option<u64> {
        self.creation_date
    }

    /// A magnet link for the same torrent. Private torrents (BEP 27) have none that would work.
    pub fn magnet(&self) -> Magnet {
        Magnet {
            name: Some(self.info.name().to_owned()),
            trackers: self.trackers.iter().flatten().cloned().collect(),
            web_seeds: self.web_seeds.clone(),
            ..Magnet::new(self.info.hashes())
        }
    }
}

fn piece_layers(root: Dict<'_>, info: &Info) -> Result<Option<PieceLayers>, MetainfoError> {
    let Some(mut layers) = info.unknown_layers() else { return Ok(None) };
    let field = "piece layers";
    let listed = root.get(field).map(|listed| {
        listed.as_dict().ok_or(MetainfoError::Invalid { field, expected: "a dictionary" })
    });
    for (key, value) in listed.transpose()?.into_iter().flatten() {
        let root = Sha256Digest::from_slice(key)
            .ok_or(MetainfoError::Invalid { field, expected: "roots of 32 bytes as keys" })?;
        let bytes = value
            .as_bytes()
            .ok_or(MetainfoError::Invalid { field, expected: "strings as values" })?;
        let inserted = layers.insert_bytes(&root, bytes);
        inserted.map_err(|fault: LayerError| MetainfoError::PieceLayer { root, fault })?;
    }
    match layers.missing().count() {
        0 => Ok(Some(layers)),
        files => Err(MetainfoError::MissingLayers { files }),
    }
}

fn trackers(root: Dict<'_>) -> Vec<Vec<String>> {
    let mut tiers = Vec::new();
    let mut seen = BTreeSet::new();
    for tier in root.get("announce-list").and_then(Value::as_list).into_iter().flatten() {
        let urls = tier.as_list().into_iter().flatten().filter_map(Value::as_bytes);
        let urls = urls.filter_map(url::tracker);
        let tier: Vec<String> =
            urls.filter(|url| seen.len() < URLS_MAX && seen.insert(url.clone())).collect();
        if !tier.is_empty() {
            tiers.push(tier);
        }
    }
    if tiers.is_empty() {
        // BEP 12: a list replaces the single address.
        let single = root.get("announce").and_then(Value::as_bytes).and_then(url::tracker);
        tiers.extend(single.map(|url| vec![url]));
    }
    tiers
}

/// One address or a list of them, each once. A folder's address ends with a slash, so that paths
/// can be appended.
fn web_seeds(value: Option<Value<'_>>, is_folder: bool) -> Vec<String> {
    let single = value.and_then(Value::as_bytes).into_iter();
    let listed = value.and_then(Value::as_list).into_iter().flatten().filter_map(Value::as_bytes);
    let mut urls: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    for mut url in single.chain(listed).filter_map(url::web_seed) {
        if is_folder && !url.ends_with('/') {
            url.push('/');
        }
        if urls.len() < URLS_MAX && seen.insert(url.clone()) {
            urls.push(url);
        }
    }
    urls
}

fn nodes(root: Dict<'_>) -> Vec<HostPort> {
    let listed = root.get("nodes").and_then(Value::as_list).into_iter().flatten();
    let nodes = listed.filter_map(|node| {
        let mut pair = node.as_list()?;
        let host = pair.next()?.as_str()?;
        let port = u16::try_from(pair.next()?.as_u64()?).ok()?;
        HostPort::new(host, port)
    });
    nodes.take(URLS_MAX).collect()
}

/// A text for people: bad UTF-8 replaced, control characters but line breaks dropped.
fn text(root: Dict<'_>, utf8_key: &str, key: &str) -> Option<String> {
    let bytes = |key: &str| root.get(key).and_then(Value::as_bytes).filter(|text| !text.is_empty());
    let text = String::from_utf8_lossy(bytes(utf8_key).or_else(|| bytes(key))?);
    Some(text.chars().filter(|&it| it == '\n' || it == '\t' || !it.is_control()).collect())
}
