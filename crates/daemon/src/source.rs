//! What somebody wants to add, read: torrent files, magnets, bare info-hashes, addresses of torrent files.
//!
//! It blocks on web servers and parses what may be large: never called on the daemon's thread.

use crate::handle::NewSource;
use piecework_catalog::{LastFigures, Outcome, Record, Refusal, RefusalKind};
use piecework_metainfo::{Info, Magnet, Metainfo};
use piecework_net::Binding;
use piecework_types::InfoHashes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest torrent file that is fetched or taken, bytes.
const TORRENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A torrent that was read.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) info_hashes: InfoHashes,
    /// Its trackers by tier.
    pub(crate) trackers: Vec<Vec<String>>,
    pub(crate) web_seeds: Vec<String>,
    /// What its torrent file says of it.
    pub(crate) comment: Option<String>,
    pub(crate) contents: Contents,
}

/// How much of it is here.
#[derive(Debug)]
pub(crate) enum Contents {
    /// The bytes of a torrent file, and what they mean.
    Metainfo(Vec<u8>, Arc<Metainfo>),
    /// A link.
    Magnet(Box<Magnet>),
}

/// Reads a source.
///
/// # Errors
/// What was wrong with it, and what to do.
pub(crate) fn find(source: NewSource, binding: &Binding) -> Result<Found, Refusal> {
    let invalid = |text: String| Refusal::new(RefusalKind::Invalid, text);
    let (link, cookie) = match source {
        NewSource::Metainfo(bytes) => return metainfo(bytes, None),
        NewSource::Parsed(bytes, parsed) => return metainfo(bytes, Some(parsed)),
        NewSource::Link(link) => (link, None),
        NewSource::LinkWithCookie(link, cookie) => (link, Some(cookie)),
    };
    let link = link.trim();
    if is_web(link) {
        let fetched = piecework_net::fetch_as(link, TORRENT_BYTES_MAX, binding, cookie.as_ref());
        // The address may hold a passkey.
        let fetched = fetched.map_err(|error| {
            let text = format!("cannot fetch the torrent file: {error}; is the address right?");
            Refusal::new(RefusalKind::Failed, text)
        })?;
        return metainfo(fetched, None);
    }
    let spelled = if has_scheme(link, "magnet:") {
        link.to_owned()
    } else if link.len() == 64 && link.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        // SHA2-256 as a multihash (BEP 52).
        format!("magnet:?xt=urn:btmh:1220{link}")
    } else if matches!(link.len(), 32 | 40) && link.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        format!("magnet:?xt=urn:btih:{link}")
    } else {
        return Err(invalid(
            "this is no magnet link, info-hash, or http(s) address of a torrent file".to_owned(),
        ));
    };
    let magnet: Magnet =
        spelled.parse().map_err(|error| invalid(format!("cannot read the link: {error}")))?;
    Ok(Found {
        info_hashes: magnet.info_hashes,
        trackers: magnet.trackers.iter().map(|tracker| vec![tracker.clone()]).collect(),
        web_seeds: magnet.web_seeds.clone(),
        comment: None,
        contents: Contents::Magnet(Box::new(magnet)),
    })
}

/// Whether a web server is asked for it.
pub(crate) fn is_fetched(source: &NewSource) -> bool {
    match source {
        NewSource::Link(link) | NewSource::LinkWithCookie(link, _) => is_web(link.trim()),
        NewSource::Metainfo(_) | NewSource::Parsed(..) => false,
    }
}

fn is_web(link: &str) -> bool {
    has_scheme(link, "http:") || has_scheme(link, "https:")
}

fn has_scheme(link: &str, scheme: &str) -> bool {
    link.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

fn metainfo(bytes: Vec<u8>, parsed: Option<Arc<Metainfo>>) -> Result<Found, Refusal> {
    let invalid = |text: String| Refusal::new(RefusalKind::Invalid, text);
    if bytes.len() as u64 > TORRENT_BYTES_MAX {
        return Err(invalid(format!("the torrent file has more than {TORRENT_BYTES_MAX} bytes")));
    }
    let metainfo = match parsed {
        Some(parsed) => parsed,
        None => Arc::new(
            Metainfo::parse(&bytes)
                .map_err(|error| invalid(format!("the torrent file is refused: {error}")))?,
        ),
    };
    Ok(Found {
        info_hashes: metainfo.info().hashes(),
        trackers: metainfo.trackers().to_vec(),
        web_seeds: metainfo.web_seeds().to_vec(),
        comment: metainfo.comment().map(str::to_owned),
        contents: Contents::Metainfo(bytes, metainfo),
    })
}

impl Found {
    /// Fills in what the source knows.
    pub(crate) fn describe(&self, record: &mut Record) {
        record.v1 = self.info_hashes.v1.map(|digest| digest.to_string());
        record.v2 = self.info_hashes.v2.map(|digest| digest.to_string());
        if record.trackers.is_none() {
            record.trackers = Some(self.trackers.clone());
        }
        let name = match &self.contents {
            Contents::Metainfo(_, metainfo) => {
                let info = metainfo.info();
                record.size_bytes = info.content_bytes();
                record.is_private = info.is_private();
                record.root = Some(info.name().to_owned());
                (record.file_count, record.pad_count) = counts(info);
                record.is_folder = !info.is_single_file();
                record.comment.clone_from(&self.comment);
                record.has_metainfo = true;
                let is_new = record.completed_at.is_none() && !record.is_complete;
                if is_new && record.last == LastFigures::default() {
                    // Until somebody has looked nothing is there: a stopped torrent must not seem done.
                    let wanted_bytes = wanted_bytes(info, &record.priorities);
                    record.last = LastFigures { wanted_bytes, left_bytes: wanted_bytes };
                }
                Some(info.name())
            }
            Contents::Magnet(magnet) => {
                record.magnet = Some(magnet.to_string());
                magnet.name.as_deref()
            }
        };
        record.is_renamed = !record.name.is_empty();
        if !record.is_renamed {
            record.name = name.map_or_else(|| self.info_hashes.to_string(), str::to_owned);
        }
    }
}

/// What the catalog wants to know of an info dictionary that came, with what a torrent file says besides.
pub(crate) fn arrival(info: &Info, comment: Option<String>) -> Outcome {
    let (file_count, pad_count) = counts(info);
    Outcome::Metainfo {
        names: info.hashes(),
        name: info.name().to_owned(),
        size_bytes: info.content_bytes(),
        is_private: info.is_private(),
        root: info.name().to_owned(),
        file_count,
        pad_count,
        is_folder: !info.is_single_file(),
        comment,
    }
}

/// Files, and how many of them are padding.
fn counts(info: &Info) -> (u32, u32) {
    // At most `FILES_MAX`.
    let count = |files: usize| u32::try_from(files).unwrap_or(u32::MAX);
    let pads = info.files().iter().filter(|file| file.is_pad()).count();
    (count(info.files().len()), count(pads))
}

/// Bytes of the files that are not skipped.
fn wanted_bytes(info: &Info, priorities: &BTreeMap<u32, u8>) -> u64 {
    let files = (0..)
        .zip(info.files())
        .filter(|(number, file)| !file.is_pad() && priorities.get(number) != Some(&0));
    files.map(|(_, file)| file.length()).sum()
}

/// The names of a record's torrent; `None` if they cannot be read.
pub(crate) fn info_hashes(record: &Record) -> Option<InfoHashes> {
    let v1 = record.v1.as_deref().map(str::parse).transpose().ok()?;
    let v2 = record.v2.as_deref().map(str::parse).transpose().ok()?;
    (v1.is_some() || v2.is_some()).then_some(InfoHashes { v1, v2 })
}
