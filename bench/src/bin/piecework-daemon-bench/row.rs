//! What is measured: each row one figure of both daemons, and what ours must reach.

use crate::http::Client;
use crate::node::{self, Kind, Node};
use crate::torrents::{self, Torrent};
use serde_json::Value;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Requests of which the median counts.
const REQUESTS: usize = 15;

/// Daemons of each kind that a thousand torrents are added to, in turns, of which the median counts.
pub(crate) const ADDINGS: usize = 9;

/// Files of the torrent that has many.
const FILES: usize = 30_000;

/// Torrents that change between two deltas.
const CHANGED: usize = 100;

/// What ours must reach.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gate {
    /// Ours over theirs is at most this.
    RatioAtMost(f64),
    /// Ours is at most this.
    AtMost(f64),
}

impl Gate {
    pub(crate) fn is_met(self, ours: f64, theirs: Option<f64>) -> bool {
        match self {
            Self::RatioAtMost(most) => theirs.is_some_and(|theirs| ours <= theirs * most),
            Self::AtMost(most) => ours <= most,
        }
    }

    pub(crate) fn words(self, unit: &str) -> String {
        match self {
            Self::RatioAtMost(most) => format!("ratio at most {most:.2}"),
            Self::AtMost(most) => format!("at most {most} {unit}"),
        }
    }
}

/// A figure of both daemons.
pub(crate) struct Figure {
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) gate: Gate,
    pub(crate) values: Vec<(&'static str, Result<f64, String>)>,
}

impl Figure {
    pub(crate) const fn new(title: &'static str, unit: &'static str, gate: Gate) -> Self {
        Self { title, unit, gate, values: Vec::new() }
    }
}

/// What is needed to measure.
pub(crate) struct Bench<'a> {
    pub(crate) piecework: &'a Path,
    pub(crate) work: &'a Path,
    pub(crate) payload: &'a Path,
    pub(crate) torrents: &'a [Torrent],
}

impl Bench<'_> {
    fn start(&self, kind: Kind, row: &str) -> Result<(Node, Client), String> {
        let folder = node::folder(self.work, kind, row);
        let node = Node::start(kind, self.piecework, &folder, self.payload)?;
        let client = node.client(&folder)?;
        Ok((node, client))
    }

    /// Seconds until a thousand are listed as complete, which are added a hundred a request to a daemon of
    /// its own for each `round`.
    pub(crate) fn adding(&self, kind: Kind, round: usize) -> Result<f64, String> {
        let (node, mut client) = self.start(kind, &format!("adding-{round}"))?;
        let took = self.add_thousand(&mut client)?;
        node.end()?;
        Ok(took)
    }

    fn add_thousand(&self, client: &mut Client) -> Result<f64, String> {
        let some = &self.torrents[..self.torrents.len().min(1000)];
        Ok(node::add(client, some, some.len())?.as_secs_f64())
    }

    /// A thousand at rest: MiB of memory, those without pages of files, and percent of a core over half a
    /// minute.
    pub(crate) fn rest(&self, kind: Kind) -> Result<[f64; 3], String> {
        const WATCHED: Duration = Duration::from_secs(30);
        const MIB: f64 = (1 << 20) as f64;
        let (node, mut client) = self.start(kind, "rest")?;
        self.add_thousand(&mut client)?;
        drop(client);
        thread::sleep(Duration::from_secs(20));
        let before = node.usage();
        thread::sleep(WATCHED);
        let after = node.usage();
        node.end()?;
        let percent = 100.0 * (after.cpu_seconds - before.cpu_seconds) / WATCHED.as_secs_f64();
        let [resident, own] = [after.resident_bytes, after.own_bytes].map(|it| it as f64 / MIB);
        Ok([resident, own, percent])
    }

    /// A stopped torrent of many files is added: milliseconds until the list of its files is here.
    pub(crate) fn files(&self, kind: Kind) -> Result<f64, String> {
        let (node, mut client) = self.start(kind, "files")?;
        let torrent = torrents::of_files(FILES);
        node::add_stopped(&mut client, &torrent)?;
        let path = match kind {
            Kind::Ours => format!("/api/v1/torrents/{}/files", torrent.info_hash),
            Kind::Qbittorrent => format!("/api/v2/torrents/files?hash={}", torrent.info_hash),
        };
        let mut took = Vec::new();
        for _ in 0..REQUESTS {
            let answer = client.get(&path)?;
            took.push(answer.took.as_secs_f64() * 1e3);
            let list: Vec<Value> =
                serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
            if list.len() != FILES {
                return Err(format!("{} files are listed where there are {FILES}", list.len()));
            }
        }
        node.end()?;
        Ok(median(took))
    }

    /// All torrents are added; then lists and deltas: milliseconds and bytes of a list, milliseconds of a
    /// delta.
    pub(crate) fn lists(&self, kind: Kind) -> Result<[f64; 3], String> {
        let (node, mut client) = self.start(kind, "many")?;
        node::add(&mut client, self.torrents, self.torrents.len())?;
        thread::sleep(Duration::from_secs(5));
        let path = match kind {
            Kind::Ours => "/api/v1/torrents",
            Kind::Qbittorrent => "/api/v2/torrents/info",
        };
        let (mut took, mut bytes) = (Vec::new(), 0.0);
        for _ in 0..REQUESTS {
            let answer = client.get(path)?;
            took.push(answer.took.as_secs_f64() * 1e3);
            bytes = answer.body.len() as f64;
        }
        let delta = self.deltas(&mut client)?;
        node.end()?;
        Ok([median(took), bytes, delta])
    }

    /// Milliseconds of `sync/maindata` after a hundred torrents have changed.
    fn deltas(&self, client: &mut Client) -> Result<f64, String> {
        let rid = |body: &[u8]| {
            let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
            value["rid"]
                .as_u64()
                .ok_or_else(|| "maindata has no rid".to_owned())
                .map(|rid| (rid, value))
        };
        let (mut last, _) = rid(&client.get("/api/v2/sync/maindata?rid=0")?.body)?;
        let hashes: Vec<&str> =
            self.torrents.iter().take(CHANGED).map(|torrent| torrent.info_hash.as_str()).collect();
        let hashes = hashes.join("|");
        let mut took = Vec::new();
        for round in 0..REQUESTS {
            client
                .post_form("/api/v2/torrents/addTags", &format!("hashes={hashes}&tags=t{round}"))?;
            // So that neither daemon is still busy with the change itself.
            thread::sleep(Duration::from_millis(300));
            let answer = client.get(&format!("/api/v2/sync/maindata?rid={last}"))?;
            took.push(answer.took.as_secs_f64() * 1e3);
            let (next, value) = rid(&answer.body)?;
            let told = value["torrents"].as_object().map_or(0, serde_json::Map::len);
            if told < CHANGED.min(self.torrents.len()) {
                return Err(format!("the delta names {told} torrents where {CHANGED} changed"));
            }
            last = next;
        }
        Ok(median(took))
    }

    /// From the start of the process until the list has all torrents again: seconds.
    pub(crate) fn restart(&self, kind: Kind) -> Result<f64, String> {
        let start = std::time::Instant::now();
        let (node, mut client) = self.start(kind, "many")?;
        while node::count(&mut client)? < self.torrents.len() {
            thread::sleep(Duration::from_millis(10));
        }
        let took = start.elapsed();
        node.end()?;
        Ok(took.as_secs_f64())
    }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
