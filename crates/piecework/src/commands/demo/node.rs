//! One node of a demo, asked through its API.

use super::process::Process;
use crate::args::client::ClientArgs;
use crate::args::daemon::PlaceArg;
use crate::client::Client;
use crate::failure::Failure;
use piecework_pay::Address;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The torrent file, in the folder of the demo.
pub(super) const TORRENT: &str = "demo.torrent";

/// What a node is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    Sells,
    Buys(&'static str),
}

/// A daemon.
pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) role: Role,
    pub(super) account: Option<Address>,
    pub(super) is_dead: bool,
    process: Process,
    client: Client,
}

/// Where a node lies and what it may send.
pub(super) struct Place<'a> {
    pub(super) folder: &'a Path,
    pub(super) up_limit: u64,
}

impl Node {
    /// Starts a daemon of its own.
    pub(super) fn start(
        (name, role): (&'static str, Role),
        place: &Place<'_>,
        account: Option<Address>,
    ) -> Result<Self, Failure> {
        let data = place.folder.join(name);
        let settings = [
            "net.port=0".to_owned(),
            "net.port_mapping=false".to_owned(),
            "net.local_discovery=false".to_owned(),
            "net.trust_peers=true".to_owned(),
            "dht.on=false".to_owned(),
            "queue.on=false".to_owned(),
        ];
        let text = |path: &Path| path.display().to_string();
        let mut arguments: Vec<String> = vec![
            "--state".into(),
            text(&state_of(place.folder, name)),
            "up".into(),
            "--data-dir".into(),
            text(&data),
            "--listen".into(),
            "127.0.0.1:0".into(),
        ];
        for setting in settings {
            arguments.extend(["--set".into(), setting]);
        }
        let mut process = Process::start(name, place.folder, &arguments)?;
        process.wait_for("ready")?;
        let args = ClientArgs {
            place: PlaceArg { data_dir: Some(data), config: None },
            url: None,
            key: None,
        };
        let client = Client::new_spending(&args)?;
        let limit = json!({ "up_limit": place.up_limit });
        client.ask(Method::PATCH, "/speed", Some(&limit))?;
        Ok(Self { name, role, account, is_dead: false, process, client })
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.client.get(path)
    }

    pub(super) fn change(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.client.ask(Method::PATCH, path, Some(body))
    }

    /// Gives it the torrent file.
    pub(super) fn add(&self, folder: &Path, more: &[&str]) -> Result<(), Failure> {
        let data = folder.join(self.name).display().to_string();
        let mut arguments: Vec<String> =
            ["add", TORRENT, "--data-dir", &data].iter().map(|it| (*it).to_owned()).collect();
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        Process::run(&format!("add-{}", self.name), folder, &arguments)
    }

    /// Its one torrent.
    pub(super) fn torrent(&self) -> Result<Value, Failure> {
        let list = self.get("/torrents?fields=id,down_bytes,down_rate,up_rate,left_bytes,stage")?;
        let first = list.get("torrents").and_then(|all| all.get(0)).cloned();
        Ok(first.unwrap_or(Value::Null))
    }

    /// Ends it as a crash would.
    pub(super) fn kill(&mut self) {
        self.is_dead = true;
        self.process.kill();
    }

    pub(super) fn ask_to_end(&self) {
        self.process.ask_to_end();
    }

    pub(super) fn end(&mut self) {
        self.process.end();
    }
}

/// The folder of a node's wallet.
pub(super) fn state_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}-wallet"))
}
