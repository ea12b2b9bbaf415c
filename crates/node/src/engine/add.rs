//! How torrents come into an engine: their names are claimed, their files looked at, then their shard takes
//! over.

use super::{Engine, Loaded, Route, Shared};
use crate::config::{AddTorrent, Source};
use crate::event::TorrentKey;
use crate::figures::{Board, StatusCell};
use crate::setup::{self, SetupError};
use crate::shard::{Command, ShardHandle};
use crate::torrent::NewTorrent;
use crate::web_seeds::WebSeeds;
use piecework_disk::Folder;
use piecework_metainfo::Magnet;
use piecework_types::InfoHashes;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Threads that look at the files of many torrents: more would only wait for the same drive.
const THREADS_MAX: usize = 4;

/// Torrents that are worth another thread.
const PER_THREAD_MIN: usize = 16;

/// Why a torrent cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// It is there already.
    #[error("torrent {0} is already loaded")]
    Duplicate(InfoHashes),
    /// Its data or state cannot be used.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// What adding a torrent needs of an engine, on any thread.
struct Adder<'a> {
    shared: &'a Arc<Shared>,
    shards: Vec<&'a ShardHandle>,
    next_key: &'a AtomicU64,
    board: &'a Arc<Board>,
    torrents: &'a Mutex<BTreeMap<TorrentKey, Loaded>>,
}

impl Engine {
    /// Starts taking part in a torrent. Its files are opened here; everything else follows as events.
    ///
    /// # Errors
    /// When it is loaded already, or its files or state cannot be used.
    pub fn add(&self, spec: AddTorrent) -> Result<TorrentKey, AddError> {
        self.adder().add(spec)
    }

    /// The same for many, whose files several threads look at; gives the outcome of each, in their order.
    /// For torrents that were there before, as after a restart.
    pub fn add_many(&self, specs: Vec<AddTorrent>) -> Vec<Result<TorrentKey, AddError>> {
        let adder = self.adder();
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = (specs.len() / PER_THREAD_MIN).clamp(1, cores.min(THREADS_MAX));
        let count = specs.len();
        let mut parts: Vec<Vec<AddTorrent>> = Vec::with_capacity(threads);
        let mut specs = specs.into_iter();
        parts.extend((0..threads).map(|_| specs.by_ref().take(count.div_ceil(threads)).collect()));
        let add_all = |part: Vec<AddTorrent>| -> Vec<_> {
            part.into_iter().map(|spec| adder.add(spec)).collect()
        };
        thread::scope(|scope| {
            let add_all = &add_all;
            let running: Vec<_> =
                parts.into_iter().map(|part| scope.spawn(move || add_all(part))).collect();
            running
                .into_iter()
                .flat_map(|thread| {
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        })
    }

    /// Looks at a folder that many torrents are to be added in; `None` if that fails, which adding tells.
    pub fn find_folder(&self, dir: &Path) -> Option<Folder> {
        Folder::find(&self.shared.disk, dir).ok()
    }

    fn adder(&self) -> Adder<'_> {
        Adder {
            shared: &self.shared,
            shards: self.shards.iter().map(|(shard, _)| shard).collect(),
            next_key: &self.next_key,
            board: &self.board,
            torrents: &self.torrents,
        }
    }
}

impl Adder<'_> {
    fn add(&self, mut spec: AddTorrent) -> Result<TorrentKey, AddError> {
        let (info_hashes, tiers) = match &spec.source {
            Source::Metainfo(metainfo) => (metainfo.info().hashes(), metainfo.trackers().to_vec()),
            Source::Magnet(magnet) => {
                let tiers = magnet.trackers.iter().map(|tracker| vec![tracker.clone()]);
                (magnet.info_hashes, tiers.collect())
            }
        };
        // It is true for now, and not whenever the torrent is woken.
        let folder = spec.folder.take();
        self.tell_dht_nodes(&spec.source);
        let web_seeds = WebSeeds::of(&spec);
        let key = TorrentKey(self.next_key.fetch_add(1, Ordering::Relaxed));
        let shard = self.claim(key, info_hashes)?;
        let (mut metadata, mut resting) = (None, None);
        let mut content = match &spec.source {
            Source::Metainfo(metainfo) => {
                let info = Arc::clone(metainfo.info());
                let layers = metainfo.layers().cloned();
                match setup::prepare(self.shared, &spec, folder, info, layers, None) {
                    Ok(content) => Some(content),
                    Err(error) => {
                        self.shared.forget(key, info_hashes);
                        return Err(error.into());
                    }
                }
            }
            Source::Magnet(_) => {
                metadata = self.shared.resume.load_info(&info_hashes);
                None
            }
        };
        if let Some(prepared) = &content {
            resting = prepared.rest(self.shared, &spec);
        }
        if resting.is_some() {
            // Here and not on the shard: of many torrents only one at a time is in memory then.
            content = None;
            spec.source = Source::Magnet(Box::new(Magnet::new(info_hashes)));
        }
        let status = StatusCell::new(key, Arc::clone(self.board));
        let loaded = Loaded { status: status.clone(), info_hashes, shard };
        self.torrents.lock().unwrap_or_else(PoisonError::into_inner).insert(key, loaded);
        let new = NewTorrent {
            key,
            info_hashes,
            tiers,
            web_seeds,
            spec,
            content,
            resting,
            metadata,
            status,
        };
        self.shards[shard].send(Command::Add(Box::new(new)));
        Ok(key)
    }

    /// Reserves the torrent's names; gives its shard.
    fn claim(&self, key: TorrentKey, info_hashes: InfoHashes) -> Result<usize, AddError> {
        let shard = usize::from(info_hashes.primary().0[0]) % self.shards.len();
        let mut routes = self.shared.routes.write().unwrap_or_else(PoisonError::into_inner);
        if info_hashes.iter().any(|info_hash| routes.contains_key(&info_hash)) {
            return Err(AddError::Duplicate(info_hashes));
        }
        let mut torrents = self.shared.torrents.write().unwrap_or_else(PoisonError::into_inner);
        if !info_hashes.iter().all(|info_hash| torrents.insert(info_hash)) {
            tracing::warn!(%info_hashes, "too many torrents: encrypted peers cannot call for this one");
        }
        routes.extend(info_hashes.iter().map(|info_hash| (info_hash, Route { key, shard })));
        Ok(shard)
    }

    /// Where to begin if nothing else helps: what a torrent file names, unless it is private.
    fn tell_dht_nodes(&self, source: &Source) {
        let (Some(dht), Source::Metainfo(metainfo)) = (self.shared.dht(), source) else { return };
        if !metainfo.info().is_private() {
            let names = metainfo.nodes().iter().map(ToString::to_string);
            dht.routers(names.collect());
        }
    }
}
