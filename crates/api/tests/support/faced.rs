//! What the tests of dialects share: a daemon in a folder of its own, the gate of its faces, and requests as
//! they come to a router.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use piecework_access::Cost;
use piecework_api::{AccessGate, Caller};
use piecework_daemon::{Daemon, DaemonConfig};
use piecework_node::{EngineConfig, PortChoice};
use piecework_settings::{Settings, Sources};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tower_service::Service as _;

/// How long anything may take; nothing is measured by it.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Faced {
    pub folder: tempfile::TempDir,
    pub gate: Arc<AccessGate>,
    pub daemon: Daemon,
    /// Who may ask.
    pub user: String,
    pub password: String,
    pub key: String,
    runtime: tokio::runtime::Runtime,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Faced {
    /// With other settings.
    pub fn with(flags: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut engine = EngineConfig::new(path("state"));
        (engine.port, engine.shards, engine.workers) = (PortChoice::Any, 1, 1);
        let flag = |(key, value): &(&str, &str)| (String::new(), (*key).into(), (*value).into());
        let sources = Sources {
            machine: vec![("torrents.save_path".into(), text(&path("data")))],
            flags: flags.iter().map(flag).collect(),
            ..Sources::default()
        };
        let settings = Settings::read(&sources).unwrap();
        let overlay = path("overlay.toml");
        let config =
            DaemonConfig { engine, data_dir: path("daemon"), settings, overlay, wallet: None };
        let daemon = Daemon::start(config).unwrap();
        let limits = Default::default();
        let (gate, first) =
            AccessGate::open_at_cost(folder.path(), &[], limits, Cost::LIGHT).unwrap();
        let first = first.unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let [password, key] = [&first.password, &first.key].map(|it| it.reveal().to_owned());
        Self { folder, gate, daemon, user: first.user, password, key, runtime }
    }

    /// Where payload is saved.
    pub fn save_path(&self) -> String {
        text(&self.folder.path().join("data"))
    }

    /// A request from this machine.
    pub fn send(&self, router: &Router, mut request: Request<Body>) -> Reply {
        let (ip, host) = (Ipv4Addr::LOCALHOST.into(), Some("127.0.0.1:7411".to_owned()));
        let caller = Caller { ip, host, is_https: false, prefix: String::new() };
        request.extensions_mut().insert(caller);
        let mut router = router.clone();
        self.runtime.block_on(async move {
            let response = router.call(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, 64 << 20).await.unwrap().to_vec();
            Reply { status: parts.status.as_u16(), headers: parts.headers, body }
        })
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
