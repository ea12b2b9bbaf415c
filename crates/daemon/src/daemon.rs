//! Starting and ending a daemon.

use crate::drive::Driver;
use crate::feeds;
use crate::handle::Handle;
use crate::market::MarketRoom;
use crate::places::Roots;
use crate::request::{Request, inbox};
use crate::shared::{Parts, Shared};
use crate::store::{Saved, Store, StoreError};
use piecework_catalog::{Catalog, Refusal};
use piecework_node::{Engine, EngineConfig};
use piecework_settings::{Folder, Settings};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Revisions of a run come after those of earlier runs, as no run makes a million a second.
const REVISIONS_A_SECOND: u64 = 1 << 20;

/// Part of the patience that an end may take before the engine is told.
const JOBS_SHARE: u32 = 4;

/// What a daemon is made of.
#[derive(Clone, Debug)]
pub struct DaemonConfig {
    /// The engine. Its limits of speed come from the settings.
    pub engine: EngineConfig,
    /// The folder of the catalog file; made if need be.
    pub data_dir: PathBuf,
    /// The settings in force.
    pub settings: Settings,
    /// Where settings that were changed at run time are written down.
    pub overlay: PathBuf,
    /// The folder of the wallet and of the network that it pays in. `None`: the node does not trade.
    pub wallet: Option<PathBuf>,
}

/// Why a daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The catalog file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] piecework_node::StartError),
    /// A setting or record makes no sense here.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The system.
    #[error("{path}: {error}; is the folder ours, and is its drive there?")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// A running daemon.
pub struct Daemon {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Asks servers of feeds.
    reader: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts the engine, takes over what an earlier run left, and begins. Torrents are loaded while it
    /// runs.
    ///
    /// # Errors
    /// When the catalog file or the engine cannot be used, or a folder of the settings makes no sense.
    pub fn start(config: DaemonConfig) -> Result<Self, StartError> {
        let DaemonConfig { engine, data_dir, settings, overlay, wallet } = config;
        let io = |error| StartError::Io { path: data_dir.clone(), error };
        fs::create_dir_all(&data_dir).map_err(io)?;
        let store = Store::open(&data_dir.join("catalog.redb"))?;
        let Saved { records, gone, lists, bytes: earlier } = store.load()?;
        let roots = roots(&settings)?;
        let start = crate::clock::unix_seconds().saturating_mul(REVISIONS_A_SECOND);
        let mut catalog = Catalog::new(settings.rules(), start);
        let (categories, tags) = (lists.categories.clone(), lists.tags.clone());
        catalog.restore(records, categories, tags, lists.is_alternative)?;
        let (binding, state_dir) = (engine.binding.clone(), engine.state_dir.clone());
        let engine = Engine::start(&engine)?;
        let (inbox, requests) = inbox(engine.waker());
        let parts = Parts {
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
        };
        let shared = Arc::new(Shared::new(parts));
        // Before the first torrent is loaded.
        shared.bans.load(&shared)?;
        let engine = shared.engine().ok_or_else(|| io(io::ErrorKind::NotFound.into()))?;
        MarketRoom::open(&shared, &engine);
        let mut driver = Driver::new(Arc::clone(&shared), engine, requests, lists);
        driver.resume_forgetting(gone);
        let thread = thread::Builder::new().name("daemon".to_owned()).spawn(move || driver.run());
        let mut daemon = Self { shared, thread: Some(thread.map_err(io)?), reader: None };
        daemon.shared.feeds.load(&daemon.shared)?;
        daemon.reader = Some(feeds::start(Arc::clone(&daemon.shared)).map_err(io)?);
        Ok(daemon)
    }

    /// What faces hold of it.
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.shared))
    }

    /// Ends it politely: what is known is written down, jobs that can wait are left for the next start,
    /// torrents end as [`Engine::shutdown`] says. Returns when that is done or `patience` has passed.
    pub fn stop(mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        self.end(Instant::now() + patience / JOBS_SHARE);
        if let Some(engine) = self.shared.take_engine() {
            let left = || deadline.saturating_duration_since(Instant::now());
            // Faces borrow it for moments.
            let mut engine = Arc::try_unwrap(engine);
            while let Err(shared) = engine {
                if left().is_zero() {
                    return;
                }
                thread::sleep(Duration::from_millis(1));
                engine = Arc::try_unwrap(shared);
            }
            if let Ok(engine) = engine {
                engine.shutdown(left());
            }
        }
    }

    fn end(&mut self, jobs_until: Instant) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.feeds.end();
        drop(self.shared.send(Request::Stop));
        // What it met has been said by its panic.
        drop(thread.join());
        self.shared.jobs.stop(jobs_until);
        // One that asks a server is left behind: what it has not taken is offered again.
        drop(self.reader.take_if(|reader| reader.is_finished()).map(JoinHandle::join));
        self.shared.store.close();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end(Instant::now());
        drop(self.shared.take_engine());
    }
}

/// The folders that payload may be saved in.
pub(crate) fn roots(settings: &Settings) -> Result<Roots, Refusal> {
    let torrents = settings.torrents();
    let folders =
        torrents.roots.iter().chain([&torrents.save_path]).chain(&torrents.incomplete_path);
    let folders: Vec<_> = folders.map(|Folder(path)| PathBuf::from(path)).collect();
    Roots::new(&folders)
}
