//! libtorrent 2.0: a peer, the maker of most torrents, and the judge of finished files.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::{Client, Encryption, Job, Peer};
use crate::failure::{Context as _, Failure, Outcome};
use crate::netns::Host;
use crate::process::{Deadline, Launch, Line, Process};
use crate::torrent::{Recipe, Torrent};

/// The only interpreter that has Debian's module.
const PYTHON: &str = "/usr/bin/python3";
const DRIVER: &str = include_str!("../../scripts/libtorrent_peer.py");
/// Making or checking a torrent of this harness takes a few seconds at most.
const TOOL_PATIENCE: Duration = Duration::from_secs(60);
const STOP_GRACE: Duration = Duration::from_secs(10);

pub(super) fn driver(home: &Path) -> Launch {
    Launch::new(PYTHON, home).args(["-c", DRIVER])
}

fn tool(launch: &Launch) -> Outcome<Value> {
    let printed = launch.output(Deadline::after(TOOL_PATIENCE))?;
    serde_json::from_str(&printed).context(|| format!("libtorrent's driver printed {printed:?}"))
}

/// The version of the module.
pub(crate) fn version() -> Outcome<String> {
    let home = tempfile::tempdir().context(|| "cannot make a temporary folder")?;
    let answer = tool(&driver(home.path()).arg("version"))?;
    Ok(answer["version"].as_str().unwrap_or("unknown").to_owned())
}

/// Makes a torrent at `out`, which also has to be in `home`'s reach.
pub(crate) fn make(recipe: &Recipe<'_>, out: PathBuf, home: &Path) -> Outcome<Torrent> {
    let mut launch = driver(home).arg("make").arg(recipe.payload.path()).arg(&out);
    launch = launch.args(["--format", recipe.format.name()]);
    if let Some(bytes) = recipe.piece_length {
        launch = launch.args(["--piece-length", &bytes.to_string()]);
    }
    if let Some(url) = recipe.tracker {
        launch = launch.args(["--tracker", url]);
    }
    if let Some(url) = recipe.web_seed {
        launch = launch.args(["--web-seed", url]);
    }
    if recipe.private {
        launch = launch.arg("--private");
    }
    if recipe.sparse {
        launch = launch.arg("--sparse");
    }
    if let Some(torrent) = recipe.like {
        launch = launch.arg("--like").arg(torrent);
    }
    let description = tool(&launch)?;
    Torrent::described(out, &description)
}

/// What libtorrent reads in a torrent file.
pub(crate) fn describe(torrent: &Path, home: &Path) -> Outcome<Value> {
    tool(&driver(home).arg("describe").arg(torrent))
}

/// Fails unless libtorrent's own recheck finds every piece of `torrent` under `dir`.
pub(crate) fn recheck(torrent: &Torrent, dir: &Path, home: &Path) -> Outcome<()> {
    let answer = tool(&driver(home).arg("check").arg(&torrent.path).arg(dir))?;
    if answer["complete"] == true {
        return Ok(());
    }
    let (have, pieces) = (&answer["have"], &answer["pieces"]);
    Err(Failure::new(format!("libtorrent's recheck finds {have} of {pieces} pieces")))
}

/// Which v1 pieces under `dir` pass their hash; reads alone, and touches nothing.
pub(crate) fn good_pieces(torrent: &Torrent, dir: &Path, home: &Path) -> Outcome<Vec<u64>> {
    let answer = tool(&driver(home).arg("pieces").arg(&torrent.path).arg(dir))?;
    let listed = answer["good"].as_array().into_iter().flatten();
    Ok(listed.filter_map(Value::as_u64).collect())
}

/// The peers that a DHT knows of each of `hashes`, as libtorrent finds them: it looks until each has the
/// peer `wanted`, and without one for all of `patience`.
pub(crate) fn find_peers(
    router: SocketAddr,
    hashes: &[&str],
    wanted: Option<SocketAddr>,
    patience: Duration,
    home: &Path,
) -> Outcome<Value> {
    let mut launch = find(router, hashes, patience, home);
    if let Some(wanted) = wanted {
        launch = launch.args(["--wanted", &wanted.to_string()]);
    }
    let mut answer = tool(&launch)?;
    Ok(answer["peers"].take())
}

/// Waits until libtorrent knows `count` nodes of a DHT, by asking for some torrent.
pub(crate) fn find_nodes(
    router: SocketAddr,
    hash: &str,
    count: u64,
    patience: Duration,
    home: &Path,
) -> Outcome<()> {
    let launch = find(router, &[hash], patience, home).args(["--nodes", &count.to_string()]);
    let answer = tool(&launch)?;
    if answer["nodes"].as_u64().is_some_and(|nodes| nodes >= count) {
        return Ok(());
    }
    Err(Failure::new(format!("libtorrent finds {} nodes of {count}", answer["nodes"])))
}

fn find(router: SocketAddr, hashes: &[&str], patience: Duration, home: &Path) -> Launch {
    let asker = if router.is_ipv6() { Host::ASKER.v6() } else { Host::ASKER.v4() };
    driver(home)
        .arg("find")
        .args(hashes)
        .args(["--address", &asker.to_string()])
        .args(["--dht-router", &router.to_string()])
        .args(["--seconds", &patience.as_secs_f64().to_string()])
}

/// libtorrent as a client.
#[derive(Debug)]
pub(crate) struct Libtorrent {
    name: &'static str,
    host: Host,
}

impl Libtorrent {
    /// The peer that our client meets.
    pub(crate) const PEER: Self = Self { name: "libtorrent", host: Host::LIBTORRENT };
    /// In the place of our client, to test the harness itself.
    pub(crate) const STAND_IN: Self = Self { name: "stand-in", host: Host::SUBJECT };

    /// Starts a seeder or leecher whose counters the caller wants to see.
    pub(crate) fn start(
        &self,
        role: &str,
        job: &Job<'_>,
        deadline: Deadline,
    ) -> Outcome<LibtorrentPeer> {
        let address = job.family.address(self.host);
        let mut launch = driver(job.home).args(["peer", role]).arg("--dir").arg(job.dir);
        launch = launch.args(["--address", &address.to_string()]);
        launch = match &job.magnet {
            Some(magnet) => launch.args(["--magnet", magnet]),
            None => launch.arg("--torrent").arg(&job.torrent.path),
        };
        for target in &job.dial {
            launch = launch.args(["--dial", &target.to_string()]);
        }
        if let Some(pattern) = job.select {
            // Its driver matches whole paths; ours matches names in every folder.
            launch = launch.args(["--select", &format!("*/{pattern}")]);
        }
        launch = launch.args(["--limit-up", &job.limit_up.to_string()]);
        launch = launch.args(["--limit-down", &job.limit_down.to_string()]);
        if job.trust {
            launch = launch.arg("--trust");
        }
        if job.local_discovery {
            launch = launch.arg("--local-discovery");
        }
        launch = match job.encryption {
            Encryption::Default | Encryption::Prefer | Encryption::Off => launch,
            Encryption::Handshake => launch.args(["--encryption", "plaintext"]),
            Encryption::Rc4 => launch.args(["--encryption", "rc4"]),
        };
        if job.log {
            launch = launch.arg("--log");
        }
        if let Some(router) = job.dht_router {
            launch = launch.args(["--dht-router", &router.to_string()]);
        }
        let mut process = launch.start()?;
        let port = process.wait_line("libtorrent is ready", deadline, |line| {
            let event = event(line)?;
            Ok(event.filter(|event| event["event"] == "ready").and_then(|e| e["port"].as_u64()))
        })?;
        let port = u16::try_from(port).context(|| "libtorrent's port")?;
        Ok(LibtorrentPeer { process, address: SocketAddr::new(address, port), uploaded: 0 })
    }
}

pub(super) fn event(line: &Line) -> Outcome<Option<Value>> {
    if !line.text.starts_with('{') {
        return Ok(None);
    }
    serde_json::from_str(&line.text).map(Some).context(|| "a line of libtorrent's driver")
}

impl Client for Libtorrent {
    fn name(&self) -> &'static str {
        self.name
    }

    fn dials(&self) -> bool {
        true
    }

    fn seed(&self, job: &Job<'_>, deadline: Deadline) -> Outcome<Box<dyn Peer>> {
        Ok(Box::new(self.start("seed", job, deadline)?))
    }

    fn leech(&self, job: &Job<'_>, deadline: Deadline) -> Outcome<Box<dyn Peer>> {
        Ok(Box::new(self.start("leech", job, deadline)?))
    }
}

/// A running libtorrent.
#[derive(Debug)]
pub(crate) struct LibtorrentPeer {
    process: Process,
    address: SocketAddr,
    uploaded: u64,
}

impl LibtorrentPeer {
    /// Waits until it has sent `bytes` of payload.
    pub(crate) fn wait_uploaded(&mut self, bytes: u64, deadline: Deadline) -> Outcome<()> {
        let Self { process, uploaded, .. } = self;
        if *uploaded >= bytes {
            return Ok(());
        }
        process.wait_line("enough is uploaded", deadline, |line| {
            let Some(event) = event(line)? else { return Ok(None) };
            *uploaded = event["uploaded"].as_u64().unwrap_or(*uploaded);
            Ok((*uploaded >= bytes).then_some(()))
        })
    }

    /// Waits until it is connected to a peer at this address, whoever called whom.
    pub(crate) fn wait_met(&mut self, ip: IpAddr, deadline: Deadline) -> Outcome<()> {
        let ip = ip.to_string();
        self.process.wait_line(&format!("libtorrent has met {ip}"), deadline, |line| {
            let Some(event) = event(line)? else { return Ok(None) };
            let mut peers = event["peers"].as_array().into_iter().flatten();
            Ok(peers.any(|peer| *peer == ip.as_str()).then_some(()))
        })
    }

    /// Payload bytes sent since the start; final after [`Peer::stop`].
    pub(crate) const fn uploaded(&self) -> u64 {
        self.uploaded
    }
}

impl Peer for LibtorrentPeer {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn wait_done(&mut self, deadline: Deadline) -> Outcome<()> {
        self.process.wait_line("libtorrent is done", deadline, |line| {
            Ok(event(line)?.filter(|event| event["event"] == "done").map(|_| ()))
        })
    }

    fn stop(&mut self) -> Outcome<()> {
        let status = self.process.terminate(STOP_GRACE)?;
        let drained = Deadline::after(STOP_GRACE);
        while let Some(line) = self.process.next_line(drained)? {
            let Some(event) = event(&line)? else { continue };
            self.uploaded = event["uploaded"].as_u64().unwrap_or(self.uploaded);
        }
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("libtorrent's driver ended with {status}")))
    }
}
