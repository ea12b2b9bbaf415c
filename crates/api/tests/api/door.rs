//! A daemon with its door on loopback, and a client of it.

use piecework_access::{Cost, Limits, Scopes};
use piecework_api::{AccessGate, LogLevel, Manners, Outside, Parts, Trades, router, serve_with};
use piecework_catalog::Stage;
use piecework_daemon::{Daemon, DaemonConfig};
use piecework_ledger::Ledger;
use piecework_node::{EngineConfig, PortChoice};
use piecework_settings::{Settings, Sources};
use piecework_testkit::{Fixture, FixtureBuilder, PATIENCE};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(crate) struct Door {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) gate: Arc<AccessGate>,
    pub(crate) password: String,
    pub(crate) address: SocketAddr,
    key: String,
    http: reqwest::Client,
    daemon: Option<Daemon>,
    _end: oneshot::Sender<()>,
}

impl Door {
    pub(crate) async fn open() -> Self {
        Self::open_with(Manners::default()).await
    }

    pub(crate) async fn open_with(manners: Manners) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("data")).unwrap();
        let mut engine = EngineConfig::new(path("state"));
        (engine.port, engine.shards, engine.workers) = (PortChoice::Any, 1, 1);
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let sources = Sources {
            machine: vec![("torrents.save_path".into(), text(path("data")))],
            ..Sources::default()
        };
        let settings = Settings::read(&sources).unwrap();
        let (data_dir, overlay) = (path("daemon"), path("overlay.toml"));
        let wallet = Some(path("wallet"));
        let daemon =
            Daemon::start(DaemonConfig { engine, data_dir, settings, overlay, wallet }).unwrap();
        let opened =
            AccessGate::open_at_cost(folder.path(), &[], Limits::default(), Cost::LIGHT).unwrap();
        let (gate, first) = (opened.0, opened.1.unwrap());
        let log_level =
            LogLevel { get: Box::new(|| "info".into()), set: Box::new(|_| Err("no".into())) };
        let ledger = path("ledger.db");
        let trades = Arc::new(move || {
            let ledger = Ledger::open_to_read(&ledger).map_err(|error| error.to_string())?;
            Ok(ledger.map(|ledger| Trades { ledger, network: None }))
        });
        let parts = Parts { daemon: daemon.handle(), gate: Arc::clone(&gate), log_level, trades };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let outside = Outside::default();
        let ended = async { drop(ended.await) };
        let (router, listeners) = (router(parts), vec![listener]);
        tokio::spawn(serve_with(manners, listeners, router, Arc::clone(&gate), outside, ended));
        Self {
            gate,
            address,
            password: first.password.reveal().to_owned(),
            key: first.key.reveal().to_owned(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            daemon: Some(daemon),
            _end: end,
            folder,
        }
    }

    /// Where the ledger would be.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// The state folder of the wallet.
    pub(crate) fn wallet(&self) -> PathBuf {
        self.folder.path().join("wallet")
    }

    /// A key of these scopes.
    pub(crate) fn key(&self, name: &str, scopes: Scopes) -> String {
        self.gate.create_key(name, scopes).unwrap().1.reveal().to_owned()
    }

    /// A request without any credential.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    /// A request with the first key.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, &format!("/api/v1{path}")).bearer_auth(&self.key)
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        answer(with_json(self.request(method, path), body)).await
    }

    /// Adds a torrent whose files are there, and waits until it is complete.
    pub(crate) async fn add_whole(&self, fixture: &Fixture) -> String {
        fixture.write_payload(&self.folder.path().join("data")).unwrap();
        let id = self.add(fixture).await;
        self.wait(&id, Stage::Seeding).await;
        id
    }

    pub(crate) async fn add(&self, fixture: &Fixture) -> String {
        let body = form(&[("torrents", Some("a.torrent"), fixture.torrent())]);
        let (status, told) = answer(with_form(self.request(Method::POST, "/torrents"), body)).await;
        assert_eq!(status, 200, "{told}");
        told["results"][0]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn wait(&self, id: &str, stage: Stage) {
        let until = Instant::now() + PATIENCE;
        loop {
            let (_, torrent) = self.get(&format!("/torrents/{id}")).await;
            if torrent["stage"] == stage.word() {
                return;
            }
            assert!(Instant::now() < until, "{torrent}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop(PATIENCE);
        }
    }
}

pub(crate) fn fixture() -> Fixture {
    FixtureBuilder::folder("content").with("film.mp4", 300_000).with("b/read me.txt", 1_000).build()
}

pub(crate) fn with_json(request: RequestBuilder, body: &Value) -> RequestBuilder {
    request.header("content-type", "application/json").body(body.to_string())
}

pub(crate) fn with_form(request: RequestBuilder, body: Vec<u8>) -> RequestBuilder {
    request.header("content-type", "multipart/form-data; boundary=BOUNDARY").body(body)
}

/// Parts of a form: name, file name and content.
pub(crate) fn form(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let head = format!("--BOUNDARY\r\nContent-Disposition: form-data; name=\"{name}\"{file}");
        body.extend([head.as_bytes(), b"\r\n\r\n", content, b"\r\n"].concat());
    }
    body.extend_from_slice(b"--BOUNDARY--\r\n");
    body
}

/// Status and body; nothing is `null`.
pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    read(request.send().await.unwrap()).await
}

pub(crate) async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").map(|it| it.to_str().unwrap().to_owned());
    let text = response.text().await.unwrap();
    if status >= 400 {
        assert_eq!(kind.as_deref(), Some("application/problem+json"), "{status} {text}");
    }
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}
