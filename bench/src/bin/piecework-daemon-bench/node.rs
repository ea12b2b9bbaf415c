//! The daemons: how each is set up, started, asked, and ended.

use crate::http::{Client, Part};
use crate::torrents::Torrent;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a daemon may take to answer, to take torrents, or to end.
const PATIENCE: Duration = Duration::from_secs(300);

/// Whose daemon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Ours,
    Qbittorrent,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Ours, Self::Qbittorrent];

    /// As the table calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Qbittorrent => "qbittorrent-nox",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "piecework",
            Self::Qbittorrent => "qbittorrent-nox",
        })
    }
}

/// A running daemon with the folder it works in.
pub(crate) struct Node {
    child: Child,
    kind: Kind,
    address: SocketAddr,
    /// From the start of the process until it answered.
    pub(crate) answered_after: Duration,
}

impl Node {
    /// Starts a daemon whose state is in `folder` and whose payload is in `payload`.
    pub(crate) fn start(
        kind: Kind,
        piecework: &Path,
        folder: &Path,
        payload: &Path,
    ) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let address = free_address()?;
        let mut command = match kind {
            Kind::Ours => ours(piecework, folder, payload, address),
            Kind::Qbittorrent => qbittorrent(folder, payload, address)?,
        };
        let log = File::create(folder.join("daemon.log")).map_err(|error| error.to_string())?;
        let start = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let child = child.map_err(|error| format!("cannot start {kind}: {error}"))?;
        let mut node = Self { child, kind, address, answered_after: Duration::ZERO };
        while TcpStream::connect(address).is_err() {
            if let Ok(Some(status)) = node.child.try_wait() {
                let log = fs::read_to_string(folder.join("daemon.log")).unwrap_or_default();
                return Err(format!("{kind} ended with {status}: {log}"));
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{kind} does not answer at {address}"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        node.answered_after = start.elapsed();
        Ok(node)
    }

    /// A connection that may do everything.
    pub(crate) fn client(&self, folder: &Path) -> Result<Client, String> {
        let mut client = Client::connect(self.address)?;
        match self.kind {
            Kind::Ours => {
                client.headers.push(format!("Authorization: Bearer {}", key(folder)?));
                // As the other's login does, so that neither is still starting when a clock begins.
                client.get("/api/v2/app/version")?;
            }
            Kind::Qbittorrent => {
                let form = "username=admin&password=adminadmin";
                let answer = client.post_form("/api/v2/auth/login", form)?;
                let cookie = answer.header("set-cookie").and_then(|it| it.split(';').next());
                let cookie = cookie.ok_or("the login gives no cookie")?;
                client.headers.push(format!("Cookie: {cookie}"));
            }
        }
        Ok(client)
    }

    /// What it holds and has used up to now.
    pub(crate) fn usage(&self) -> Usage {
        let read = |file: &str| {
            fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap_or_default()
        };
        let status = read("status");
        let memory = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim().split(' ').next()?.parse::<u64>().ok()? * 1024)
        };
        let stat = read("stat");
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks = fields.split(' ').skip(12).take(2).filter_map(|it| it.parse::<f64>().ok());
        Usage {
            resident_bytes: memory("VmRSS:").unwrap_or_default(),
            own_bytes: memory("RssAnon:").unwrap_or_default(),
            cpu_seconds: ticks.sum::<f64>() / rustix::param::clock_ticks_per_second() as f64,
        }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it as a person would.
    pub(crate) fn end(mut self) -> Result<(), String> {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM)
            .map_err(|error| format!("cannot end {}: {error}", self.kind))?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if self.child.try_wait().map_err(|error| error.to_string())?.is_some() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(format!("{} does not end", self.kind))
    }
}

/// What a daemon holds and has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// In memory now, pages of programs and libraries included.
    pub(crate) resident_bytes: u64,
    /// Of that, what is no page of a file.
    pub(crate) own_bytes: u64,
    /// CPU time since its start.
    pub(crate) cpu_seconds: f64,
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `piecework up` with nothing that reaches beyond this machine.
fn ours(piecework: &Path, folder: &Path, payload: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(piecework);
    command.args(["up", "--data-dir"]).arg(folder);
    command.env("PIECEWORK_TORRENTS_SAVE_PATH", payload);
    for (key, value) in [
        ("API_LISTEN", address.to_string().as_str()),
        ("NET_PORT", "0"),
        ("NET_LOCAL_DISCOVERY", "false"),
        ("NET_PORT_MAPPING", "false"),
        ("NET_TRUST_PEERS", "true"),
        ("DHT_ON", "false"),
        ("QUEUE_ON", "false"),
        ("LOG_LEVEL", "warn"),
    ] {
        command.env(format!("PIECEWORK_{key}"), value);
    }
    command
}

/// The key that the daemon leaves for programs of the same user.
fn key(folder: &Path) -> Result<String, String> {
    let path = folder.join("api.json");
    let start = Instant::now();
    // It listens before it has made a key.
    while !path.exists() && start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(2));
    }
    let text = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let value: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    value["key"].as_str().map(str::to_owned).ok_or_else(|| format!("no key in {}", path.display()))
}

/// qBittorrent with a profile of its own, and nothing that reaches beyond this machine.
fn qbittorrent(folder: &Path, payload: &Path, address: SocketAddr) -> Result<Command, String> {
    let config = folder.join("qBittorrent/config");
    let told = |error: std::io::Error| format!("{}: {error}", config.display());
    fs::create_dir_all(&config).map_err(told)?;
    let text = format!(
        "[LegalNotice]\nAccepted=true\n[Preferences]\nWebUI\\Address=127.0.0.1\nWebUI\\Port={}\n\
         WebUI\\LocalHostAuth=true\n[BitTorrent]\nSession\\Port=0\nSession\\DHTEnabled=false\n\
         Session\\LSDEnabled=false\nSession\\PeXEnabled=false\nSession\\Interface=lo\n\
         Session\\QueueingSystemEnabled=false\nSession\\DefaultSavePath={}\n",
        address.port(),
        payload.display()
    );
    let path = config.join("qBittorrent.conf");
    if !path.exists() {
        fs::write(path, text).map_err(told)?;
    } else {
        let old = fs::read_to_string(&path).map_err(told)?;
        let with_port = |line: &str| match line.strip_prefix("WebUI\\Port=") {
            Some(_) => format!("WebUI\\Port={}\n", address.port()),
            None => format!("{line}\n"),
        };
        fs::write(path, old.lines().map(with_port).collect::<String>()).map_err(told)?;
    }
    let mut command = Command::new("qbittorrent-nox");
    command.arg(format!("--profile={}", folder.display())).env("HOME", folder);
    Ok(command)
}

/// Torrents in one request that adds them.
const A_REQUEST: usize = 100;

/// Adds torrents whose files are there by the qBittorrent dialect, which both speak; comes back when the
/// list has `total` complete ones.
pub(crate) fn add(
    client: &mut Client,
    torrents: &[Torrent],
    total: usize,
) -> Result<Duration, String> {
    let request = |some: &[Torrent]| {
        let files = some.iter().map(|torrent| Part::File(&torrent.name, &torrent.metainfo));
        let parts: Vec<_> =
            [Part::Field("skip_checking", "true")].into_iter().chain(files).collect();
        client.parts("/api/v2/torrents/add", &parts)
    };
    let requests: Vec<_> = torrents.chunks(A_REQUEST).map(request).collect();
    let start = Instant::now();
    for request in &requests {
        client.send(request)?;
    }
    let Some(last) = torrents.last() else { return Ok(start.elapsed()) };
    // The last one alone at first: lists of all of them, one after the other, would have whoever lists them
    // do little else, and measure the time between two.
    let last = format!("?hashes={}", last.info_hash);
    while complete(client, &last)? < 1 || complete(client, "")? < total {
        if start.elapsed() > PATIENCE {
            return Err(format!("only {} of {total} torrents are complete", complete(client, "")?));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(start.elapsed())
}

/// Adds a torrent that is not to begin; comes back when it is listed.
pub(crate) fn add_stopped(client: &mut Client, torrent: &Torrent) -> Result<(), String> {
    let start = Instant::now();
    // Either word, as versions differ.
    let parts = [
        Part::Field("stopped", "true"),
        Part::Field("paused", "true"),
        Part::File(&torrent.name, &torrent.metainfo),
    ];
    client.post_parts("/api/v2/torrents/add", &parts)?;
    while count(client)? == 0 {
        if start.elapsed() > PATIENCE {
            return Err("a torrent of many files is not listed".into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Of a torrent in a list, all that is looked at: a whole megabyte of values would be half of a figure.
#[derive(Deserialize)]
struct Listed {
    progress: f64,
}

/// How many torrents of a list are complete.
fn complete(client: &mut Client, query: &str) -> Result<usize, String> {
    Ok(list(client, query)?.iter().filter(|torrent| torrent.progress == 1.0).count())
}

/// How many torrents there are.
pub(crate) fn count(client: &mut Client) -> Result<usize, String> {
    Ok(list(client, "")?.len())
}

fn list(client: &mut Client, query: &str) -> Result<Vec<Listed>, String> {
    let answer = client.get(&format!("/api/v2/torrents/info{query}"))?;
    serde_json::from_slice(&answer.body).map_err(|error| format!("torrents/info: {error}"))
}

/// An address of this machine that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr, String> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    listener.local_addr().map_err(|error| error.to_string())
}

/// Where a row keeps the state of a daemon.
pub(crate) fn folder(work: &Path, kind: Kind, row: &str) -> PathBuf {
    work.join(format!("{kind}-{row}"))
}
