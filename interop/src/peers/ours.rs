//! Our own client, by its command line alone: what it prints and how it ends is its contract.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::{Client, Encryption, Job, Peer};
use crate::failure::{Context as _, Failure, Outcome};
use crate::island::Island;
use crate::netns::{Host, free_port};
use crate::process::{Deadline, Launch, Process};
use crate::torrent::{Recipe, Torrent};

/// After the first signal it writes what it holds, says goodbye to trackers and is gone.
const STOP_GRACE: Duration = Duration::from_secs(3);
/// From `DONE` to the end of the process.
const EXIT_GRACE: Duration = Duration::from_secs(5);
const TOOL_PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test.
#[derive(Clone, Debug)]
pub(crate) struct Ours {
    binary: PathBuf,
}

impl Ours {
    /// The client at `binary`.
    pub(crate) const fn new(binary: PathBuf) -> Self {
        Self { binary }
    }

    /// The program itself, for a shell that looks for it.
    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// What `--version` prints.
    pub(crate) fn version(&self) -> Outcome<String> {
        let home = tempfile::tempdir().context(|| "cannot make a temporary folder")?;
        let launch = Launch::new(&self.binary, home.path()).arg("--version");
        Ok(launch.output(Deadline::after(STOP_GRACE))?.lines().next().unwrap_or("").to_owned())
    }

    /// Makes a torrent at `out`; hands back what was printed.
    pub(crate) fn create(&self, recipe: &Recipe<'_>, out: &Path, home: &Path) -> Outcome<String> {
        let mut launch = Launch::new(&self.binary, home).arg("create").arg(recipe.payload.path());
        launch = launch.arg("-o").arg(out).args(["--format", recipe.format.name()]);
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
        launch.output(Deadline::after(TOOL_PATIENCE))
    }

    /// What `show --json` says of a torrent.
    pub(crate) fn show(&self, torrent: &Path, home: &Path) -> Outcome<Value> {
        self.describe(Launch::new(&self.binary, home).args(["show", "--json"]), torrent)
    }

    fn describe(&self, show: Launch, torrent: &Path) -> Outcome<Value> {
        let printed = show.arg(torrent).output(Deadline::after(TOOL_PATIENCE))?;
        serde_json::from_str(&printed).context(|| format!("show --json printed {printed:?}"))
    }

    /// What `show --scrape --json` says of a torrent.
    pub(crate) fn scrape(&self, torrent: &Path, home: &Path) -> Outcome<Value> {
        self.describe(Launch::new(&self.binary, home).args(["show", "--scrape", "--json"]), torrent)
    }

    /// Whether `check` finds everything; fails when it ends with anything but 0 and 1.
    pub(crate) fn check(&self, torrent: &Path, dir: &Path, home: &Path) -> Outcome<bool> {
        let launch =
            Launch::new(&self.binary, home).arg("check").arg(torrent).arg("--dir").arg(dir);
        let (status, _) = launch.output_any(Deadline::after(TOOL_PATIENCE))?;
        match status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(Failure::new(format!("check ended with {status}"))),
        }
    }

    /// A transfer, for cells that look closer.
    pub(crate) fn launch(&self, verb: &str, torrent: &Path, dir: &Path, home: &Path) -> Launch {
        let launch = Launch::new(&self.binary, home).arg(verb).arg(torrent).arg("--dir").arg(dir);
        launch.arg("--state").arg(home.join("state"))
    }

    /// What `net --json` says on a host.
    pub(crate) fn net(&self, host: &Island, home: &Path) -> Outcome<Value> {
        let launch = Launch::new(&self.binary, home).args(["net", "--json"]).inside(host.id());
        let printed = launch.output(Deadline::after(TOOL_PATIENCE))?;
        serde_json::from_str(&printed).context(|| format!("net --json printed {printed:?}"))
    }

    /// A daemon, or one of its clients, with everything that it keeps in `home`.
    pub(crate) fn client(&self, verb: &str, home: &Path) -> Launch {
        let data = home.join("data");
        Launch::new(&self.binary, home).args([verb, "--json", "--data-dir"]).arg(data)
    }

    /// Any command, with everything that it keeps in `home`.
    pub(crate) fn plain(&self, words: &[&str], home: &Path) -> Launch {
        Launch::new(&self.binary, home).args(words).arg("--json")
    }

    /// A tracker at `place` for the info-hashes of `list`.
    pub(crate) fn tracker(&self, place: SocketAddr, list: &Path, home: &Path) -> Launch {
        let (ip, port) = (place.ip().to_string(), place.port().to_string());
        Launch::new(&self.binary, home)
            .args(["tracker", "--bind", &ip, "--port", &port, "--allow"])
            .arg(list)
    }

    /// Starts `get`.
    pub(crate) fn get(&self, job: &Job<'_>, more: &[&str]) -> Outcome<OursPeer> {
        self.start_get(job, more, |launch| launch)
    }

    /// Starts `get` with its whole log among the lines.
    pub(crate) fn get_logged(&self, job: &Job<'_>, more: &[&str]) -> Outcome<OursPeer> {
        self.start_get(job, more, |launch| launch.arg("-vv").hearing_errors())
    }

    /// Starts `follow` with the publisher of this key.
    pub(crate) fn follow(&self, job: &Job<'_>, key: &str, more: &[&str]) -> Outcome<OursFollow> {
        let port = free_port(job.family.address(Host::SUBJECT))?;
        let launch = self.command_of("follow", key.into(), job, port).args(more);
        Ok(OursFollow { process: launch.start()? })
    }

    fn start_get(
        &self,
        job: &Job<'_>,
        more: &[&str],
        change: impl Fn(Launch) -> Launch,
    ) -> Outcome<OursPeer> {
        let address = job.family.address(Host::SUBJECT);
        let port = free_port(address)?;
        let mut launch = self.command("get", job, port).args(more);
        if let Some(pattern) = job.select {
            launch = launch.args(["--select", pattern]);
        }
        if job.limit_down > 0 {
            launch = launch.args(["--limit-down", &job.limit_down.to_string()]);
        }
        if job.limit_up > 0 {
            launch = launch.args(["--limit-up", &job.limit_up.to_string()]);
        }
        if job.stay {
            launch = launch.arg("--stay");
        }
        Ok(OursPeer {
            process: change(launch).start()?,
            address: SocketAddr::new(address, port),
            hash: job.torrent.printed_hash().to_owned(),
            phase: Phase::Leeching { stay: job.stay },
        })
    }

    fn command(&self, verb: &str, job: &Job<'_>, port: u16) -> Launch {
        let source: OsString = match &job.magnet {
            Some(magnet) => magnet.into(),
            None => job.torrent.path.clone().into(),
        };
        self.command_of(verb, source, job, port)
    }

    fn command_of(&self, verb: &str, source: OsString, job: &Job<'_>, port: u16) -> Launch {
        let mut launch = Launch::new(&self.binary, job.home)
            .arg(verb)
            .arg(source)
            .arg("--dir")
            .arg(job.dir)
            .arg("--state")
            .arg(job.home.join("state"))
            .args(["--port", &port.to_string()]);
        if !job.local_discovery {
            launch = launch.arg("--no-local-discovery");
        }
        for target in &job.dial {
            launch = launch.args(["--peer", &target.to_string()]);
        }
        let launch = enter_dht(launch, job.dht_router);
        match job.encryption {
            Encryption::Default | Encryption::Handshake => launch,
            Encryption::Off => launch.args(["--encryption", "off"]),
            Encryption::Prefer => launch.args(["--encryption", "prefer"]),
            Encryption::Rc4 => launch.args(["--encryption", "require"]),
        }
    }
}

/// The DHT whose node that is, or none: no cell may look for the public one.
fn enter_dht(launch: Launch, router: Option<SocketAddr>) -> Launch {
    match router {
        Some(router) => launch.args(["--dht-router", &router.to_string()]),
        None => launch.arg("--no-dht"),
    }
}

impl Client for Ours {
    fn name(&self) -> &'static str {
        "ours"
    }

    fn dials(&self) -> bool {
        true
    }

    fn seed(&self, job: &Job<'_>, deadline: Deadline) -> Outcome<Box<dyn Peer>> {
        let mut launch = self.command("seed", job, 0);
        if job.trust {
            launch = launch.arg("--trust");
        }
        if job.limit_up > 0 {
            launch = launch.args(["--limit-up", &job.limit_up.to_string()]);
        }
        let mut process = launch.start()?;
        let hash = job.torrent.printed_hash().to_owned();
        let port =
            process.wait_line("our READY", deadline, |line| ready_port(&line.text, &hash))?;
        let address = SocketAddr::new(job.family.address(Host::SUBJECT), port);
        Ok(Box::new(OursPeer { process, address, hash, phase: Phase::Seeding }))
    }

    fn leech(&self, job: &Job<'_>, _: Deadline) -> Outcome<Box<dyn Peer>> {
        Ok(Box::new(self.get(job, &[])?))
    }
}

/// The port of `READY <info-hash> <port>`.
fn ready_port(line: &str, hash: &str) -> Outcome<Option<u16>> {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["READY", said, port] if said == hash => {
            port.parse().map(Some).context(|| format!("a port in {line:?}"))
        }
        ["DONE", _] => Ok(None),
        _ => Err(Failure::new(format!("expected READY {hash} PORT, got {line:?}"))),
    }
}

/// Where a process of ours stands, which decides how it has to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Seeding,
    Leeching { stay: bool },
    Ended,
}

/// A running client of ours.
#[derive(Debug)]
pub(crate) struct OursPeer {
    /// The process, for the cells that look closer.
    pub(crate) process: Process,
    address: SocketAddr,
    hash: String,
    phase: Phase,
}

impl OursPeer {
    /// Waits until it has met a peer at this address; it has to run with its log among the lines.
    pub(crate) fn wait_met(&mut self, ip: IpAddr, deadline: Deadline) -> Outcome<()> {
        let peer = format!("peer={ip}:");
        self.process.wait_line(&format!("we have met {ip}"), deadline, |line| {
            let is_it = line.text.contains("met a peer") && line.text.contains(&peer);
            Ok(is_it.then_some(()))
        })
    }

    fn stop_with(&mut self, expected: i32) -> Outcome<()> {
        let status = self.process.terminate(STOP_GRACE)?;
        if status.code() == Some(expected) {
            return Ok(());
        }
        let wanted = format!("exit status {expected} after SIGTERM");
        Err(Failure::new(format!("expected {wanted}, got {status}")))
    }
}

impl Peer for OursPeer {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn wait_done(&mut self, deadline: Deadline) -> Outcome<()> {
        let done = format!("DONE {}", self.hash);
        let hash = self.hash.clone();
        self.process.wait_line("our DONE", deadline, |line| {
            if line.text == done {
                return Ok(Some(()));
            }
            ready_port(&line.text, &hash).map(|_| None)
        })?;
        if self.phase == (Phase::Leeching { stay: false }) {
            let status = self.process.wait_exit(deadline.within(EXIT_GRACE))?;
            if !status.success() {
                return Err(Failure::new(format!("get ended with {status} after DONE")));
            }
            self.phase = Phase::Ended;
        } else {
            self.phase = Phase::Seeding;
        }
        Ok(())
    }

    fn stop(&mut self) -> Outcome<()> {
        match self.phase {
            Phase::Seeding => self.stop_with(0),
            Phase::Leeching { .. } => self.stop_with(128 + Signal::TERM.as_raw()),
            Phase::Ended => Ok(()),
        }
    }
}

/// A running `follow`.
#[derive(Debug)]
pub(crate) struct OursFollow {
    process: Process,
}

impl OursFollow {
    /// Waits until `torrent`, as version `sequence`, is complete.
    pub(crate) fn wait_version(
        &mut self,
        sequence: i64,
        torrent: &Torrent,
        deadline: Deadline,
    ) -> Outcome<()> {
        let hash = torrent.printed_hash();
        for wanted in [format!("VERSION {sequence} {hash}"), format!("DONE {hash}")] {
            self.process
                .wait_line(&wanted, deadline, |line| Ok((line.text == wanted).then_some(())))?;
        }
        Ok(())
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait_end(&mut self, deadline: Deadline) -> Outcome<()> {
        let status = self.process.wait_exit(deadline)?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("follow --once ended with {status}")))
    }

    /// Ends it.
    pub(crate) fn stop(&mut self) -> Outcome<()> {
        let status = self.process.terminate(STOP_GRACE)?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("follow ended with {status} after SIGTERM")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ready_line_has_the_right_hash_and_a_port() {
        assert_eq!(ready_port("READY ab 6881", "ab"), Ok(Some(6881)));
        assert!(ready_port("READY cd 6881", "ab").is_err());
        assert!(ready_port("READY ab 99999", "ab").is_err());
        assert!(ready_port("checking 3 %", "ab").is_err());
    }
}
