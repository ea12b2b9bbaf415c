//! transmission-daemon 3.00, told what to do over its JSON-RPC port on loopback.
//!
//! It talks to no peer in 127/8 and to none at its own address, and it cannot be told of a peer.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Client, Encryption, Job, Peer};
use crate::failure::{Context as _, Failure, Outcome};
use crate::http;
use crate::netns::{Host, free_port};
use crate::process::{Deadline, Launch, Process};

const PROGRAM: &str = "transmission-daemon";
const SESSION_HEADER: &str = "X-Transmission-Session-Id";
const STOP_GRACE: Duration = Duration::from_secs(10);

/// `tr_torrent_activity` 6: everything is there and is offered.
const SEEDING: u64 = 6;

/// The version of the daemon.
pub(crate) fn version() -> Outcome<String> {
    let home = tempfile::tempdir().context(|| "cannot make a temporary folder")?;
    let launch = Launch::new("sh", home.path()).args(["-c", "transmission-daemon --version 2>&1"]);
    let printed = launch.output(Deadline::after(STOP_GRACE))?;
    Ok(printed.split_whitespace().nth(1).unwrap_or("unknown").to_owned())
}

/// The client.
#[derive(Debug)]
pub(crate) struct Transmission;

impl Transmission {
    fn start(&self, job: &Job<'_>, deadline: Deadline) -> Outcome<TransmissionPeer> {
        let mut peer = self.start_empty(job, deadline)?;
        let source = match &job.magnet {
            Some(magnet) => magnet.clone(),
            None => job.torrent.path.display().to_string(),
        };
        peer.call("torrent-add", &json!({ "filename": source, "download-dir": job.dir }))?;
        Ok(peer)
    }

    /// Starts it with the settings of `job` and without its torrent.
    pub(crate) fn start_empty(
        &self,
        job: &Job<'_>,
        deadline: Deadline,
    ) -> Outcome<TransmissionPeer> {
        let address = job.family.address(Host::TRANSMISSION);
        let rpc = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let rpc = SocketAddr::new(rpc.ip(), free_port(rpc.ip())?);
        let address = SocketAddr::new(address, free_port(address)?);
        write_settings(job, address, rpc)?;
        let process = Launch::new(PROGRAM, job.home).args(["-f", "-g"]).arg(job.home).start()?;
        let mut peer = TransmissionPeer { process, address, rpc, session: String::new() };
        deadline.poll("transmission answers", || {
            peer.process.must_live("its RPC port answers")?;
            Ok(peer.call("session-get", &json!({})).ok())
        })?;
        Ok(peer)
    }
}

fn write_settings(job: &Job<'_>, address: SocketAddr, rpc: SocketAddr) -> Outcome<()> {
    // Tolerated, preferred (its default), required; the last two with RC4 payload.
    let encryption = match job.encryption {
        Encryption::Default | Encryption::Prefer | Encryption::Off => 1,
        Encryption::Handshake => return Err(Failure::new("transmission cannot be held to that")),
        Encryption::Rc4 => 2,
    };
    let settings = json!({
        "bind-address-ipv4": address.ip().to_string(),
        "peer-port": address.port(),
        "download-dir": job.dir,
        "dht-enabled": job.dht_router.is_some(),
        "lpd-enabled": job.local_discovery,
        "utp-enabled": false,
        "encryption": encryption,
        "port-forwarding-enabled": false,
        "rpc-bind-address": rpc.ip().to_string(),
        "rpc-port": rpc.port(),
        "rpc-whitelist-enabled": false,
        "rpc-authentication-required": false,
    });
    let told = || "writing transmission's settings";
    fs::create_dir_all(job.home).context(told)?;
    if let Some(router) = job.dht_router {
        let line = format!("{} {}\n", router.ip(), router.port());
        fs::write(job.home.join("dht.bootstrap"), line).context(told)?;
    }
    let file: &Path = &job.home.join("settings.json");
    fs::write(file, settings.to_string()).context(told)
}

impl Client for Transmission {
    fn name(&self) -> &'static str {
        "transmission"
    }

    fn dials(&self) -> bool {
        false
    }

    fn seed(&self, job: &Job<'_>, deadline: Deadline) -> Outcome<Box<dyn Peer>> {
        let mut peer = self.start(job, deadline)?;
        deadline.poll("transmission has checked its data", || {
            peer.process.must_live("it seeds")?;
            let torrent = peer.torrent()?;
            Ok((torrent["status"] == SEEDING).then_some(()))
        })?;
        Ok(Box::new(peer))
    }

    fn leech(&self, job: &Job<'_>, deadline: Deadline) -> Outcome<Box<dyn Peer>> {
        Ok(Box::new(self.start(job, deadline)?))
    }
}

/// A running transmission-daemon.
pub(crate) struct TransmissionPeer {
    process: Process,
    address: SocketAddr,
    rpc: SocketAddr,
    session: String,
}

impl TransmissionPeer {
    /// What it answers to a method of its RPC.
    pub(crate) fn call(&mut self, method: &str, arguments: &Value) -> Outcome<Value> {
        let body = json!({ "method": method, "arguments": arguments }).to_string();
        let mut answer = self.post(&body)?;
        // 409 hands out the session id that every later call has to carry.
        if answer.status == 409 {
            self.session = answer.header(SESSION_HEADER).unwrap_or_default().to_owned();
            answer = self.post(&body)?;
        }
        let reply: Value = serde_json::from_slice(&answer.body)
            .context(|| format!("transmission answers {method} with no JSON"))?;
        if reply["result"] == "success" {
            return Ok(reply["arguments"].clone());
        }
        Err(Failure::new(format!("transmission refuses {method}: {}", reply["result"])))
    }

    fn post(&self, body: &str) -> Outcome<http::Answer> {
        let header = format!("{SESSION_HEADER}: {}\r\n", self.session);
        http::post(self.rpc, "/transmission/rpc", &header, body)
    }

    fn torrent(&mut self) -> Outcome<Value> {
        let fields = ["status", "leftUntilDone", "sizeWhenDone", "errorString"];
        let reply = self.call("torrent-get", &json!({ "fields": fields }))?;
        let torrent = reply["torrents"][0].clone();
        match torrent["errorString"].as_str() {
            None | Some("") => Ok(torrent),
            Some(error) => Err(Failure::new(format!("transmission says: {error}"))),
        }
    }
}

impl Peer for TransmissionPeer {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn wait_done(&mut self, deadline: Deadline) -> Outcome<()> {
        deadline.poll("transmission is done", || {
            self.process.must_live("it is done")?;
            let torrent = self.torrent()?;
            let known = torrent["sizeWhenDone"].as_u64().is_some_and(|size| size > 0);
            Ok((known && torrent["leftUntilDone"] == 0).then_some(()))
        })
    }

    fn stop(&mut self) -> Outcome<()> {
        // It writes its cache on the way out.
        let status = self.process.terminate(STOP_GRACE)?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("transmission ended with {status}")))
    }
}
