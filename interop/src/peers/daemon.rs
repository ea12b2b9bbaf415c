//! Our daemon, `piecework up`, and the commands that are its clients.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::ours::Ours;
use crate::failure::{Context as _, Failure, Outcome};
use crate::process::{Deadline, Launch, Process};

/// A polite end: the API's connections, the trackers, the drives.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// Settings of a daemon that nobody but this machine hears of.
pub(crate) const ALONE: [&str; 4] = [
    "net.local_discovery=false",
    "net.port_mapping=false",
    "dht.on=false",
    "disk.free_space_min=0",
];

/// What a daemon made at its first start.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// Who may log in.
    pub(crate) user: String,
    /// With which password.
    pub(crate) password: String,
    /// What programs show instead.
    pub(crate) key: String,
}

impl Secrets {
    /// Lines of a name and a value.
    fn read(text: &str) -> Option<Self> {
        let value = |name: &str| {
            text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
        };
        Some(Self { user: value("user ")?, password: value("password ")?, key: value("API key ")? })
    }
}

/// A running daemon.
#[derive(Debug)]
pub(crate) struct Daemon<'a> {
    ours: &'a Ours,
    process: Process,
    home: PathBuf,
    /// Where its faces are.
    pub(crate) address: SocketAddr,
    /// Where peers find it.
    pub(crate) peer_port: u16,
    /// Where it puts torrents that say nothing else.
    pub(crate) save_path: PathBuf,
    /// Who may ask it.
    pub(crate) secrets: Secrets,
}

impl<'a> Daemon<'a> {
    /// Starts one that has never run, whose payload may lie in `roots` too; comes back when it answers.
    pub(crate) fn start(
        ours: &'a Ours,
        roots: &[&Path],
        home: &Path,
        deadline: Deadline,
    ) -> Outcome<Self> {
        let roots: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
        let mut launch = ours.client("up", home).args(["--listen", "127.0.0.1:0", "--port", "0"]);
        launch = launch.args(["--set", &format!("torrents.roots={}", roots.join(","))]);
        for setting in ALONE {
            launch = launch.args(["--set", setting]);
        }
        let mut process = launch.start()?;
        let mut secrets = None;
        let ready = process.wait_line("our daemon is ready", deadline, |line| {
            let event: Value =
                serde_json::from_str(&line.text).context(|| format!("up printed {}", line.text))?;
            if let Some(file) = event["file"].as_str().filter(|_| event["event"] == "first_start") {
                secrets = Secrets::read(&fs::read_to_string(file).context(|| "its first login")?);
            }
            Ok((event["event"] == "ready").then_some(event))
        })?;
        let secrets = secrets.ok_or_else(|| Failure::new("a first start tells no login"))?;
        let url = ready["url"].as_str().unwrap_or_default();
        let address = url.trim_start_matches("http://").parse();
        let address = address.context(|| format!("the address {url}"))?;
        let peer_port = ready["peer_port"].as_u64().and_then(|port| u16::try_from(port).ok());
        let peer_port = peer_port.ok_or_else(|| Failure::new("our daemon names no peer port"))?;
        let save_path = ready["save_path"].as_str().unwrap_or_default().into();
        let home = home.to_owned();
        Ok(Self { ours, process, home, address, peer_port, save_path, secrets })
    }

    /// One of its clients.
    pub(crate) fn client(&self, verb: &str) -> Launch {
        self.ours.client(verb, &self.home)
    }

    /// The object that `info` tells of one torrent.
    pub(crate) fn info(&self, id: &str, deadline: Deadline) -> Outcome<Value> {
        let printed = self.client("info").arg(id).output(deadline)?;
        serde_json::from_str(&printed).context(|| format!("info --json printed {printed:?}"))
    }

    /// The objects that `list` tells, one a torrent.
    pub(crate) fn list(&self, deadline: Deadline) -> Outcome<Vec<Value>> {
        objects(&self.client("list").output(deadline)?)
    }

    /// The objects that `files` tells of one torrent, one a file.
    pub(crate) fn files(&self, id: &str, deadline: Deadline) -> Outcome<Vec<Value>> {
        objects(&self.client("files").arg(id).output(deadline)?)
    }

    /// Ends it.
    pub(crate) fn stop(&mut self) -> Outcome<()> {
        let status = self.process.terminate(STOP_GRACE)?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("our daemon ended with {status} after SIGTERM")))
    }
}

/// One object a line.
pub(crate) fn objects(printed: &str) -> Outcome<Vec<Value>> {
    let object = |line: &str| serde_json::from_str(line).context(|| format!("we print {line:?}"));
    printed.lines().map(object).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_first_login_is_read_by_its_names() {
        let text = "user      admin\npassword  a b\nAPI key   pw_x\n";
        let secrets = Secrets::read(text).unwrap();
        let told = [secrets.user, secrets.password, secrets.key];
        assert_eq!(told, ["admin", "a b", "pw_x"]);
        assert!(Secrets::read("user      admin\n").is_none());
    }
}
