//! A client tied to one of two interfaces: what leaves by the other is seen by a capture.
//!
//! The host has two cables to the same stranger, who is reached by either: the plain one is the better
//! route. Everything that can leave is there to leave: a peer, trackers over HTTP and UDP, the DHT, local
//! discovery, and a gateway to ask.

use std::time::{Duration, Instant};

use super::reach::wait_event;
use crate::failure::{Failure, Outcome};
use crate::island::Island;
use crate::lab::{Maker, Room};
use crate::matrix::Measure;
use crate::process::{Deadline, Launch, Process};
use crate::torrent::{Format, Recipe};

/// The name of the cell.
pub(super) const NAME: &str = "tied to an interface";

/// The stranger's address, which both cables lead to.
const STRANGER: &str = "198.51.100.1";

/// Bytes a second: slow enough that the outages fall into the download.
const SLOW: &str = "2M";

/// For which nothing may be seen while the interface is gone.
const QUIET: Duration = Duration::from_secs(2);

pub(super) fn run(room: &Room<'_>) -> Outcome<Measure> {
    let (host, stranger) = (
        Island::new(&room.home("host")?, room.deadline)?,
        Island::new(&room.home("stranger")?, room.deadline)?,
    );
    stranger.ip(&format!("addr add {STRANGER}/32 dev lo"))?;
    host.cable(&stranger, ["plain", "p0"], ["10.4.0.2/24", "10.4.0.1/24"])?;
    // What the kernel says by itself over IPv6 would be taken for ours.
    host.set("ipv6/conf/plain/disable_ipv6", 1)?;
    stranger.set("ipv6/conf/p0/disable_ipv6", 1)?;
    host.ip("route add default via 10.4.0.1 metric 10")?;
    tunnel(&host, &stranger)?;
    let payload = room.lab.single()?;
    let tracker = format!("http://{STRANGER}:6969/announce");
    let recipe = Recipe { tracker: Some(&tracker), ..Recipe::new(payload, Format::V1) };
    let torrent = room.torrent(&recipe, Maker::Subject)?;
    let alone = ["--no-dht", "--no-local-discovery", "--no-port-mapping", "--port", "6881"];
    let mut seed = room
        .ours()?
        .launch("seed", &torrent.path, payload.parent(), &room.home("seed")?)
        .args(["--trust", "--json", "--limit-up", SLOW])
        .args(alone)
        .inside(stranger.id())
        .start()?;
    wait_event(&mut seed, room.deadline, |event| event["event"] == "ready")?;
    let dir = room.dir("get")?;
    let get = |home: &str| -> Outcome<Launch> {
        let launch = room.ours()?.launch("get", &torrent.path, &dir, &room.home(home)?);
        let peer = format!("{STRANGER}:6881");
        let router = format!("{STRANGER}:6990");
        let launch = launch.args(["--json", "--port", "0", "--peer", &peer]);
        Ok(launch.args(["--dht-router", &router]).inside(host.id()))
    };
    // A capture that sees nothing proves nothing: without the option it must see. Without multicast, which
    // the kernel goes on about after the program has ended.
    let mut plain = Watched::start(&host, "plain", room)?;
    let mut free = get("free")?.arg("--no-local-discovery").start()?;
    plain.must_see(room.deadline)?;
    free.terminate(Duration::from_secs(3))?;
    drop(plain);

    let mut plain = Watched::start(&host, "plain", room)?;
    let mut tied = Watched::start(&host, "tunnel", room)?;
    let began = Instant::now();
    let mut bound = get("bound")?.args(["--interface", "tunnel"]).start()?;
    tied.must_see(room.deadline)?;
    progress(&mut bound, room.deadline)?;
    host.ip("addr flush dev tunnel")?;
    outage(&mut bound, &mut plain, room.deadline)?;
    host.ip("addr add 10.3.0.2/24 dev tunnel")?;
    host.ip("route add default via 10.3.0.1 metric 20")?;
    recovery(&mut bound, room.deadline)?;
    host.ip("link del tunnel")?;
    outage(&mut bound, &mut plain, room.deadline)?;
    tunnel(&host, &stranger)?;
    recovery(&mut bound, room.deadline)?;
    wait_event(&mut bound, room.deadline, |event| event["event"] == "done")?;
    let seconds = began.elapsed().as_secs_f64();
    bound.wait_exit(room.deadline)?;
    plain.must_be_silent(Deadline::after(Duration::from_millis(500)))?;
    room.verify(payload, &torrent, &dir, false)?;
    Ok(Measure::new(payload.bytes(), seconds))
}

fn tunnel(host: &Island, stranger: &Island) -> Outcome<()> {
    host.cable(stranger, ["tunnel", "t0"], ["10.3.0.2/24", "10.3.0.1/24"])?;
    host.ip("route add default via 10.3.0.1 metric 20")
}

/// Until payload moves.
fn progress(get: &mut Process, deadline: Deadline) -> Outcome<()> {
    let moves = |event: &serde_json::Value| {
        event["event"] == "progress" && event["down_rate"].as_u64().is_some_and(|rate| rate > 0)
    };
    wait_event(get, deadline, moves).map(drop)
}

/// The loss is said, and nothing is seen on the other interface.
fn outage(get: &mut Process, plain: &mut Watched, deadline: Deadline) -> Outcome<()> {
    wait_event(get, deadline, |event| {
        event["event"] == "problem"
            && event["text"].as_str().is_some_and(|text| text.contains("tunnel"))
    })?;
    plain.must_be_silent(Deadline::after(QUIET))
}

/// The return is said, and payload moves again.
fn recovery(get: &mut Process, deadline: Deadline) -> Outcome<()> {
    wait_event(get, deadline, |event| event["event"] == "recovered")?;
    progress(get, deadline)
}

/// One interface of a host, watched by tcpdump packet by packet.
struct Watched {
    process: Process,
}

impl Watched {
    fn start(host: &Island, interface: &str, room: &Room<'_>) -> Outcome<Self> {
        let mut process = Launch::new("tcpdump", &room.home(interface)?)
            .args(["-i", interface, "-n", "-l", "--immediate-mode", "-Z", "root"])
            // A packet for a connection that is gone is refused by the kernel, for nobody in particular
            // and by the best route: that is no traffic of a client.
            .arg("(ip or ip6) and not (tcp[tcpflags] & tcp-rst != 0)")
            .inside(host.id())
            .hearing_errors()
            .start()?;
        process.wait_line("tcpdump listens", room.deadline, |line| {
            Ok(line.text.contains("listening on").then_some(()))
        })?;
        Ok(Self { process })
    }

    fn must_see(&mut self, deadline: Deadline) -> Outcome<()> {
        self.process.wait_line("a packet", deadline, |line| Ok(is_packet(&line.text).then_some(())))
    }

    fn must_be_silent(&mut self, until: Deadline) -> Outcome<()> {
        let seen = self.process.collect(until);
        match seen.iter().find(|line| is_packet(&line.text)) {
            None => Ok(()),
            Some(line) => Err(Failure::new(format!("left by the other interface: {}", line.text))),
        }
    }
}

fn is_packet(line: &str) -> bool {
    line.contains(" IP ") || line.contains(" IP6 ")
}
