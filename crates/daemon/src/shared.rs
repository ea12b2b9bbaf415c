//! What the daemon's thread and all handles share.

use crate::bans::BanRoom;
use crate::clock;
use crate::feeds::FeedRoom;
use crate::jobs::Jobs;
use crate::market::MarketRoom;
use crate::news::Ring;
use crate::payload;
use crate::places::Roots;
use crate::request::{Inbox, Request};
use crate::store::Store;
use crate::stream::Positions;
use crate::wallet::WalletRoom;
use crate::watch::Watched;
use piecework_catalog::{Catalog, Refusal, RefusalKind, Revision};
use piecework_node::{Binding, Engine, TorrentKey};
use piecework_settings::Settings;
use piecework_types::InfoHash;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::{oneshot, watch};

pub(crate) struct Shared {
    catalog: RwLock<Catalog>,
    /// `None` once the daemon has ended.
    engine: RwLock<Option<Arc<Engine>>>,
    /// Of loaded torrents; written by the daemon's thread.
    keys: RwLock<BTreeMap<InfoHash, TorrentKey>>,
    inbox: Inbox,
    pub(crate) revisions: watch::Sender<Revision>,
    pub(crate) news: Ring,
    pub(crate) positions: Positions,
    pub(crate) watched: Watched,
    pub(crate) store: Arc<Store>,
    pub(crate) jobs: Jobs,
    pub(crate) feeds: FeedRoom,
    pub(crate) bans: BanRoom,
    pub(crate) market: MarketRoom,
    pub(crate) wallet: WalletRoom,
    roots: RwLock<Arc<Roots>>,
    pub(crate) settings: watch::Sender<Arc<Settings>>,
    /// Where changed settings are written down.
    pub(crate) overlay: PathBuf,
    /// Of the engine: resume data and parts files.
    pub(crate) state_dir: PathBuf,
    pub(crate) binding: Binding,
    /// Seconds since 1970.
    pub(crate) started_at: u64,
    /// Payload of all earlier runs, bytes: received and sent.
    pub(crate) earlier: (u64, u64),
    /// Free bytes where new torrents are saved, as of the last look: a drive may hang.
    pub(crate) free_space: AtomicU64,
    /// When somebody last read the catalog, seconds since 1970.
    looked_at: AtomicU64,
}

/// What is made before the daemon's thread is.
pub(crate) struct Parts {
    pub(crate) catalog: Catalog,
    pub(crate) engine: Engine,
    pub(crate) inbox: Inbox,
    pub(crate) store: Store,
    pub(crate) roots: Roots,
    pub(crate) state_dir: PathBuf,
    pub(crate) binding: Binding,
    pub(crate) settings: Settings,
    pub(crate) overlay: PathBuf,
    pub(crate) earlier: (u64, u64),
    pub(crate) wallet: Option<PathBuf>,
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            catalog,
            engine,
            inbox,
            store,
            roots,
            state_dir,
            binding,
            settings,
            overlay,
            earlier,
            wallet,
        } = parts;
        let save_path = Path::new(&catalog.rules().save_path);
        let free_space = payload::free_space(save_path).unwrap_or(0);
        Self {
            revisions: watch::Sender::new(catalog.revision()),
            catalog: RwLock::new(catalog),
            engine: RwLock::new(Some(Arc::new(engine))),
            keys: RwLock::default(),
            inbox,
            news: Ring::default(),
            positions: Positions::default(),
            watched: Watched::default(),
            store: Arc::new(store),
            jobs: Jobs::new(),
            feeds: FeedRoom::default(),
            bans: BanRoom::default(),
            market: MarketRoom::default(),
            wallet: WalletRoom::new(wallet),
            roots: RwLock::new(Arc::new(roots)),
            settings: watch::Sender::new(Arc::new(settings)),
            overlay,
            earlier,
            state_dir,
            binding,
            started_at: clock::unix_seconds(),
            free_space: AtomicU64::new(free_space),
            looked_at: AtomicU64::new(0),
        }
    }

    /// The catalog, for somebody who looks.
    pub(crate) fn look(&self) -> RwLockReadGuard<'_, Catalog> {
        let now = clock::unix_seconds();
        if self.looked_at.swap(now, Ordering::Relaxed) != now {
            self.inbox.wake();
        }
        self.read()
    }

    /// When somebody last looked, seconds since 1970.
    pub(crate) fn looked_at(&self) -> u64 {
        self.looked_at.load(Ordering::Relaxed)
    }

    /// The catalog, for ourselves.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the daemon's thread alone.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Catalog> {
        self.catalog.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn roots(&self) -> Arc<Roots> {
        Arc::clone(&self.roots.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// For the daemon's thread alone.
    pub(crate) fn set_roots(&self, roots: Roots) {
        *self.roots.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(roots);
    }

    /// Payload of all runs, bytes: received and sent.
    pub(crate) fn all_bytes(&self, totals: piecework_node::Totals) -> (u64, u64) {
        let (down, up) = self.earlier;
        (down.saturating_add(totals.down_bytes), up.saturating_add(totals.up_bytes))
    }

    pub(crate) fn engine(&self) -> Option<Arc<Engine>> {
        self.engine.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last use of the engine.
    pub(crate) fn take_engine(&self) -> Option<Arc<Engine>> {
        self.engine.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The engine and what it calls a torrent, if that is loaded.
    pub(crate) fn loaded(&self, id: InfoHash) -> Option<(Arc<Engine>, TorrentKey)> {
        let key = *self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&id)?;
        Some((self.engine()?, key))
    }

    /// Loaded torrents by what the engine calls them.
    pub(crate) fn ids(&self) -> BTreeMap<TorrentKey, InfoHash> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().map(|(id, key)| (*key, *id)).collect()
    }

    /// For the daemon's thread alone.
    pub(crate) fn set_key(&self, id: InfoHash, key: Option<TorrentKey>) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        match key {
            Some(key) => keys.insert(id, key),
            None => keys.remove(&id),
        };
    }

    /// Has the daemon's thread look around.
    pub(crate) fn wake(&self) {
        self.inbox.wake();
    }

    /// Hands a request to the daemon's thread.
    pub(crate) fn send(&self, request: Request) -> Result<(), Refusal> {
        self.inbox.send(request)
    }

    /// Hands over a request and waits for its answer.
    pub(crate) async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Request,
    ) -> Result<T, Refusal> {
        let answer = self.hand_over(request)?;
        answer.await.unwrap_or_else(|_| Err(ending()))
    }

    /// Hands over a request; its answer comes later.
    pub(crate) fn hand_over<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Request,
    ) -> Result<oneshot::Receiver<Result<T, Refusal>>, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.send(request(reply))?;
        Ok(answer)
    }

    /// Does something that may block, away from everybody.
    pub(crate) async fn aside<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        self.jobs.asked.ask(job).await.map_err(|_| ending())
    }
}

/// The daemon is about to end, or has.
pub(crate) fn ending() -> Refusal {
    Refusal::new(RefusalKind::Failed, "the daemon is ending; try again once it has been started")
}
