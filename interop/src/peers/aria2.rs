//! aria2 1.36, one process a job. It cannot be told of a peer; it is dialled or uses a tracker.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Client, Encryption, Job, Peer};
use crate::failure::{Context as _, Failure, Outcome};
use crate::http;
use crate::netns::{Host, free_port};
use crate::process::{Deadline, Launch, Process};

const PROGRAM: &str = "aria2c";
const STOP_GRACE: Duration = Duration::from_secs(10);

/// The version of the program.
pub(crate) fn version() -> Outcome<String> {
    let home = tempfile::tempdir().context(|| "cannot make a temporary folder")?;
    let launch = Launch::new(PROGRAM, home.path()).arg("--version");
    let printed = launch.output(Deadline::after(STOP_GRACE))?;
    Ok(printed.split_whitespace().nth(2).unwrap_or("unknown").to_owned())
}

/// The client.
#[derive(Debug)]
pub(crate) struct Aria2;

impl Aria2 {
    fn start(&self, job: &Job<'_>, options: &[String]) -> Outcome<Aria2Peer> {
        let ip = job.family.address(Host::ARIA2);
        let address = SocketAddr::new(ip, free_port(ip)?);
        let launch = Launch::new(PROGRAM, job.home)
            .args(["--no-conf=true", "--enable-dht6=false", "--disable-ipv6=true"])
            // UDP trackers hang on the DHT socket; with no node to start from, it stays alone.
            .arg("--enable-dht=true")
            .arg(format!("--dht-listen-port={}", free_port(ip)?))
            .arg(format!("--dht-file-path={}", job.home.join("dht.dat").display()))
            .arg(format!("--bt-enable-lpd={}", job.local_discovery))
            .arg(format!("--bt-lpd-interface={ip}"))
            .args(["--file-allocation=none", "--follow-torrent=mem"])
            .args(["--summary-interval=0", "--show-console-readout=false"])
            .args(["--console-log-level=notice", "--allow-overwrite=true"])
            .arg(format!("--interface={ip}"))
            .arg(format!("--listen-port={}", address.port()))
            .arg(format!("--dir={}", job.dir.display()))
            .args(options);
        let launch = match job.dht_router {
            Some(router) => launch.arg(format!("--dht-entry-point={router}")),
            None => launch,
        };
        let launch = match job.encryption {
            Encryption::Default | Encryption::Prefer | Encryption::Off => launch,
            Encryption::Handshake => {
                launch.args(["--bt-require-crypto=true", "--bt-min-crypto-level=plain"])
            }
            Encryption::Rc4 => launch.arg("--bt-force-encryption=true"),
        };
        let launch = match &job.magnet {
            Some(magnet) => launch.arg(magnet),
            None => launch.arg(format!("--torrent-file={}", job.torrent.path.display())),
        };
        Ok(Aria2Peer { process: launch.start()?, address })
    }
}

impl Client for Aria2 {
    fn name(&self) -> &'static str {
        "aria2"
    }

    fn dials(&self) -> bool {
        false
    }

    fn seed(&self, job: &Job<'_>, deadline: Deadline) -> Outcome<Box<dyn Peer>> {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let rpc = SocketAddr::new(loopback, free_port(loopback)?);
        let options = [
            "--seed-ratio=0.0".to_owned(),
            "--check-integrity=true".to_owned(),
            "--enable-rpc=true".to_owned(),
            format!("--rpc-listen-port={}", rpc.port()),
        ];
        let mut peer = self.start(job, &options)?;
        deadline.poll("aria2 seeds", || {
            peer.process.must_live("it seeds")?;
            Ok(seeds(rpc).ok().filter(|seeds| *seeds).map(|_| ()))
        })?;
        Ok(Box::new(peer))
    }

    fn leech(&self, job: &Job<'_>, deadline: Deadline) -> Outcome<Box<dyn Peer>> {
        let mut peer = self.start(job, &["--seed-time=0".to_owned()])?;
        let address = peer.address;
        deadline.poll("aria2 listens", || {
            peer.process.must_live("it listens")?;
            Ok(TcpStream::connect(address).ok().map(drop))
        })?;
        Ok(Box::new(peer))
    }
}

fn seeds(rpc: SocketAddr) -> Outcome<bool> {
    let keys = ["seeder", "completedLength", "totalLength"];
    let call =
        json!({ "jsonrpc": "2.0", "id": "1", "method": "aria2.tellActive", "params": [keys] });
    let answer = http::post(rpc, "/jsonrpc", "", &call.to_string())?;
    let reply: Value =
        serde_json::from_slice(&answer.body).context(|| "aria2 answers with no JSON")?;
    Ok(reply["result"][0]["seeder"] == "true")
}

struct Aria2Peer {
    process: Process,
    address: SocketAddr,
}

impl Peer for Aria2Peer {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn wait_done(&mut self, deadline: Deadline) -> Outcome<()> {
        // Told not to seed, it ends when it has written and checked everything.
        let status = self.process.wait_exit(deadline)?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("aria2 ended with {status}")))
    }

    fn stop(&mut self) -> Outcome<()> {
        // Its status tells of unfinished downloads, and a seeder counts as one.
        self.process.terminate(STOP_GRACE).map(|_| ())
    }
}
