//! From a record to a torrent that the engine takes part in.
//!
//! It reads the store, parses, and lets the engine open files: never called on the daemon's thread.

use crate::shared::Shared;
use crate::source::info_hashes;
use crate::store::{Kept, Store};
use piecework_catalog::Record;
use piecework_metainfo::{File, Info, Magnet, Metainfo, PieceLayers};
use piecework_node::{
    AddTorrent, Engine, FilePaths, FilePriorities, Folder, KeptTorrent, NORMAL_PRIORITY, Source,
    TorrentKey, WebSeed, WebSeedKind,
};
use piecework_types::InfoHash;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What is to be loaded.
pub(crate) struct Load {
    pub(crate) id: InfoHash,
    pub(crate) record: Record,
    /// Its torrent file, if that has just come; else the store may have it.
    pub(crate) metainfo: Option<Arc<Metainfo>>,
    /// The folder that it lies in.
    pub(crate) folder: String,
    /// Peers to try.
    pub(crate) peers: Vec<SocketAddr>,
    /// It was complete, and nothing that is missing is to be fetched.
    pub(crate) is_seed_only: bool,
}

/// Hands those of one folder to the engine, until the daemon ends; says what became of each.
pub(crate) fn load_all(
    engine: &Engine,
    shared: &Shared,
    some: Vec<Load>,
) -> Vec<(InfoHash, Result<TorrentKey, String>)> {
    let Some(first) = some.first() else { return Vec::new() };
    // Roots and symlinks may have changed since the records were made.
    let dir = shared.roots().confine(&first.folder).map_err(|refusal| refusal.text);
    let folder = dir.as_ref().ok().and_then(|dir| engine.find_folder(Path::new(dir)));
    let load_one = |one: Load| {
        let id = one.id;
        let place = dir.clone().map(|dir| (PathBuf::from(dir), folder.clone()));
        (id, place.and_then(|place| load(engine, &shared.store, place, one)))
    };
    let is_ending = || shared.jobs.cancel.load(Ordering::Relaxed);
    some.into_iter().take_while(|_| !is_ending()).map(load_one).collect()
}

fn load(
    engine: &Engine,
    store: &Arc<Store>,
    (dir, folder): (PathBuf, Option<Folder>),
    load: Load,
) -> Result<TorrentKey, String> {
    let Load { id, record, metainfo, mut peers, is_seed_only, folder: _ } = load;
    let metainfo = match metainfo {
        Some(metainfo) => Some(metainfo),
        None => stored(store, id)?,
    };
    let mut kept_torrent = None;
    let source = match metainfo {
        Some(metainfo) => {
            if metainfo.layers().is_none_or(PieceLayers::is_complete) {
                kept_torrent = Some(kept_in(store, id));
            }
            Source::Metainfo(metainfo)
        }
        // The engine's own state has the info dictionary.
        None => {
            let magnet = magnet(&record)?;
            let hosts = magnet.peers.iter().map(|at| (at.host.as_str(), at.port).to_socket_addrs());
            peers.extend(hosts.filter_map(Result::ok).flatten());
            Source::Magnet(Box::new(magnet))
        }
    };
    let mut spec = AddTorrent::new(source, dir);
    spec.folder = folder;
    (spec.kept, spec.peers) = (kept_torrent, peers);
    spec.web_seeds =
        record.web_seeds.iter().filter_map(|url| WebSeed::new(url, WebSeedKind::Files)).collect();
    // Without any, a magnet may select files itself (BEP 53).
    spec.priorities = (!record.priorities.is_empty()).then(|| priorities(&record));
    spec.paths = paths(&record);
    spec.is_sequential = record.is_sequential;
    spec.edges_first = record.edges_first;
    spec.is_trusted = record.is_trusted;
    spec.is_seed_only = is_seed_only;
    spec.is_super_seed = record.is_super_seed;
    (spec.up_limit, spec.down_limit) = (record.up_limit, record.down_limit);
    let given = match &spec.source {
        Source::Metainfo(metainfo) => Some(metainfo.trackers().to_vec()),
        Source::Magnet(_) => None,
    };
    let key = engine.add(spec).map_err(|error| error.to_string())?;
    if let (Some(given), Some(trackers)) = (given, record.trackers)
        && given != trackers
    {
        engine.set_trackers(key, trackers);
    }
    Ok(key)
}

/// The torrent file in the store, if there is one.
fn stored(store: &Store, id: InfoHash) -> Result<Option<Arc<Metainfo>>, String> {
    let kept = store.metainfo(id).map_err(|error| error.to_string())?;
    let Some(Kept::Torrent(bytes)) = kept else { return Ok(None) };
    let metainfo = Metainfo::parse(&bytes).map_err(|error| {
        format!("its torrent file in the catalog is damaged: {error}; add it again")
    })?;
    Ok(Some(Arc::new(metainfo)))
}

/// The way back to a torrent file of the store.
fn kept_in(store: &Arc<Store>, id: InfoHash) -> KeptTorrent {
    let store = Arc::clone(store);
    Arc::new(move || match store.metainfo(id) {
        Ok(Some(Kept::Torrent(bytes))) => Some(bytes),
        Ok(Some(Kept::Info(_)) | None) => None,
        Err(error) => {
            tracing::warn!(%error, "a torrent file of the catalog cannot be read");
            None
        }
    })
}

/// A link for a torrent whose metainfo is not here, with the trackers that are wanted.
fn magnet(record: &Record) -> Result<Magnet, String> {
    let info_hashes = info_hashes(record).ok_or("its record has no info-hash; add it again")?;
    let parsed = record.magnet.as_deref().and_then(|link| link.parse::<Magnet>().ok());
    let mut magnet = parsed.unwrap_or_else(|| Magnet::new(info_hashes));
    if let Some(trackers) = &record.trackers {
        magnet.trackers = trackers.iter().flatten().cloned().collect();
    }
    Ok(magnet)
}

/// Where files lie that were renamed; `None` if none was.
fn paths(record: &Record) -> Option<FilePaths> {
    if record.paths.is_empty() {
        return None;
    }
    let renamed = record.paths.clone();
    Some(Arc::new(move |info: &Info| {
        let path = |(number, file): (u32, &File)| {
            renamed.get(&number).cloned().unwrap_or_else(|| file.path().to_owned())
        };
        (0..).zip(info.files()).map(path).collect()
    }))
}

/// Those of the record, for whatever files there turn out to be.
pub(crate) fn priorities(record: &Record) -> FilePriorities {
    let chosen = record.priorities.clone();
    Arc::new(move |info: &Info| {
        let priority = |file| chosen.get(&file).copied().unwrap_or(NORMAL_PRIORITY);
        (0..).zip(info.files()).map(|(file, _)| priority(file)).collect()
    })
}
