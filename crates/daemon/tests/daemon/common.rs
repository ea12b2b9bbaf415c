//! What the tests of a daemon share: one in a folder of its own, and waiting for what it says.

use piecework_catalog::{Command, Record, Stage, Torrent};
use piecework_daemon::{Daemon, DaemonConfig, Handle, New, NewSource};
use piecework_node::{EngineConfig, PortChoice};
use piecework_settings::{Settings, Sources};
use piecework_testkit::{Fixture, PATIENCE};
use piecework_types::InfoHash;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A daemon with a folder of its own, which outlives it.
pub(crate) struct Node {
    pub(crate) folder: tempfile::TempDir,
    daemon: Option<Daemon>,
}

impl Node {
    pub(crate) fn start() -> Self {
        let mut node = Self { folder: tempfile::tempdir().unwrap(), daemon: None };
        node.go_on();
        node
    }

    /// Starts it once more.
    pub(crate) fn go_on(&mut self) {
        let path = |name: &str| self.folder.path().join(name);
        let mut engine = EngineConfig::new(path("state"));
        (engine.port, engine.shards, engine.workers) = (PortChoice::Any, 1, 1);
        engine.gossip.allows_local = true;
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let sources = Sources {
            machine: vec![
                ("torrents.save_path".into(), text(path("data"))),
                ("torrents.roots".into(), text(path("roots"))),
            ],
            ..Sources::default()
        };
        let settings = Settings::read(&sources).unwrap();
        let (data_dir, overlay) = (path("daemon"), path("overlay.toml"));
        let config = DaemonConfig { engine, data_dir, settings, overlay, wallet: None };
        self.daemon = Some(Daemon::start(config).unwrap());
    }

    /// Ends it politely.
    pub(crate) fn stop(&mut self) {
        self.daemon.take().unwrap().stop(PATIENCE);
    }

    pub(crate) fn handle(&self) -> Handle {
        self.daemon.as_ref().unwrap().handle()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Another folder that payload may lie in.
    pub(crate) fn roots(&self) -> PathBuf {
        self.folder.path().join("roots")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.handle().node().port).into()
    }

    /// Adds a torrent file.
    pub(crate) fn add(&self, fixture: &Fixture, peers: &[SocketAddr]) -> InfoHash {
        let added = wait(self.handle().add(new(fixture, peers))).unwrap();
        assert_eq!(added.id, fixture.info_hash());
        added.id
    }

    pub(crate) fn command(&self, command: Command) {
        wait(self.handle().command(command)).unwrap();
    }

    pub(crate) fn record(&self, id: InfoHash) -> Record {
        self.handle().catalog().get(id).unwrap().record().clone()
    }

    /// Waits until the torrent is as it should be.
    pub(crate) fn wait(&self, id: InfoHash, what: &str, is_so: impl Fn(&Torrent) -> bool) {
        let describe = |torrent: Option<&Torrent>| format!("{what}: {torrent:?}");
        let until = Instant::now() + PATIENCE;
        loop {
            let handle = self.handle();
            let catalog = handle.catalog();
            if catalog.get(id).is_some_and(&is_so) {
                return;
            }
            assert!(Instant::now() < until, "{}", describe(catalog.get(id)));
            drop(catalog);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn wait_stage(&self, id: InfoHash, stage: Stage) {
        self.wait(id, stage.word(), |torrent| torrent.stage() == stage);
    }

    /// Waits for news.
    pub(crate) fn wait_news(&self, code: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let news = self.handle().news(0);
            if let Some(found) = news.iter().find(|news| news.code == code) {
                return found.text.clone();
            }
            assert!(Instant::now() < until, "no {code} in {news:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A torrent file to add.
pub(crate) fn new(fixture: &Fixture, peers: &[SocketAddr]) -> New {
    New {
        source: NewSource::Metainfo(fixture.torrent().to_vec()),
        record: Record::default(),
        at_top: false,
        peers: peers.to_vec(),
    }
}

/// The end of a future.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await });
    ended.expect("it never ends")
}

/// A node that has all of a torrent and serves it.
pub(crate) fn seed(fixture: &Fixture) -> Node {
    let node = Node::start();
    fixture.write_payload(&node.data()).unwrap();
    let id = node.add(fixture, &[]);
    node.wait_stage(id, Stage::Seeding);
    node
}

/// Whether a folder has no entry.
pub(crate) fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}
