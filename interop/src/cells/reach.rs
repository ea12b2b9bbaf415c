//! Cells about the way in and out: mappings at a gateway with the three methods, each alone; a gateway
//! without any; and a client that is tied to an interface.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use super::Cell;
use super::bound;
use crate::failure::{Context as _, Failure, Outcome};
use crate::island::HomeNetwork;
use crate::lab::{Maker, Room, Subject};
use crate::matrix::Measure;
use crate::peers::Foreign;
use crate::peers::miniupnpd::{self, Only, TOLD_OUTSIDE};
use crate::process::{Deadline, Process};
use crate::torrent::{Format, Recipe};

/// The cells of this kind; the stand-in maps nothing.
pub(super) fn cells(subject: &Subject) -> Vec<Cell> {
    let Subject::Ours(_) = subject else { return Vec::new() };
    let needs = [Foreign::Miniupnpd];
    let mut cells = Vec::new();
    for only in Only::ALL {
        let name = format!("home router, {} alone", only.name());
        let run = move |room: &Room<'_>| through(room, only);
        cells.push(Cell::new(name, "ours -> ours outside", &needs, run));
        let name = format!("report, {} alone", only.name());
        let run = move |room: &Room<'_>| report(room, Some(only));
        cells.push(Cell::new(name, "ours asks the router", &needs, run));
    }
    let run = |room: &Room<'_>| report(room, None);
    cells.push(Cell::new("report, no method", "ours asks the router", &needs, run));
    // No foreign program takes part but the capture.
    cells.push(Cell::new(bound::NAME, "ours -> ours", &[], bound::run));
    cells
}

fn network(room: &Room<'_>) -> Outcome<HomeNetwork> {
    let homes = [room.home("host")?, room.home("router")?, room.home("stranger")?];
    HomeNetwork::new(homes, room.deadline)
}

/// A seed in the home is found from outside at the port that the router has given it, and at none once
/// it has ended.
fn through(room: &Room<'_>, only: Only) -> Outcome<Measure> {
    let (network, payload) = (network(room)?, room.lab.single()?);
    let _gateway = miniupnpd::start(&network, only, &room.home("miniupnpd")?, room.deadline)?;
    let torrent = room.torrent(&Recipe::new(payload, Format::V1), Maker::Subject)?;
    network.must_be_closed()?;
    let home = room.home("seed")?;
    let seed = ["--trust", "--json", "--no-dht", "--no-local-discovery", "--port", "6881"];
    let mut seed = room
        .ours()?
        .launch("seed", &torrent.path, payload.parent(), &home)
        .args(seed)
        .inside(network.host.id())
        .start()?;
    let mapping = wait_event(&mut seed, room.deadline, |event| {
        event["event"] == "mapping" && (event["status"] == "mapped" || event["status"] == "failed")
    })?;
    expect(&mapping["method"], only.name())?;
    expect(&mapping["external_address"], TOLD_OUTSIDE)?;
    let port = mapping["tcp_port"].as_u64().unwrap_or_default();
    let dir = room.dir("get")?;
    let began = Instant::now();
    get_outside(room, &network, &torrent.path, &dir, &format!("{}:{port}", HomeNetwork::OUTSIDE))?;
    let seconds = began.elapsed().as_secs_f64();
    room.verify(payload, &torrent, &dir, false)?;
    let status = seed.terminate(STOP_GRACE)?;
    if !status.success() {
        return Err(Failure::new(format!("the seed ended with {status}")));
    }
    network.must_be_closed()?;
    Ok(Measure::new(payload.bytes(), seconds))
}

/// To its end after a signal; what it mapped is removed within.
const STOP_GRACE: std::time::Duration = std::time::Duration::from_secs(3);

fn get_outside(
    room: &Room<'_>,
    network: &HomeNetwork,
    torrent: &Path,
    dir: &Path,
    peer: &str,
) -> Outcome<()> {
    let address: SocketAddr = peer.parse().context(|| format!("no usable port: {peer}"))?;
    let home = room.home("get")?;
    let alone = ["--no-dht", "--no-local-discovery", "--no-port-mapping", "--port", "0"];
    let get = room
        .ours()?
        .launch("get", torrent, dir, &home)
        .args(alone)
        .args(["--peer", &address.to_string(), "--give-up", "20"])
        .inside(network.stranger.id());
    get.output(room.deadline).map(drop)
}

/// `piecework net` says of a router what is true of it.
fn report(room: &Room<'_>, only: Option<Only>) -> Outcome<Measure> {
    let network = network(room)?;
    let _gateway = match only {
        Some(only) => {
            Some(miniupnpd::start(&network, only, &room.home("miniupnpd")?, room.deadline)?)
        }
        None => None,
    };
    let began = Instant::now();
    let report = room.ours()?.net(&network.host, &room.home("net")?)?;
    let seconds = began.elapsed().as_secs_f64();
    expect(&report["gateway"], HomeNetwork::GATEWAY)?;
    expect(&report["our_address"], "10.1.0.2")?;
    for method in report["methods"].as_array().into_iter().flatten() {
        let is_on = only.is_some_and(|only| method["method"] == only.name());
        if method["works"] != is_on {
            return Err(Failure::new(format!("wrong about a method: {method}")));
        }
    }
    let remedies = report["remedies"].to_string();
    if only.is_some() {
        expect(&report["verdict"], "mapped")?;
        expect(&report["external_address"], TOLD_OUTSIDE)?;
        expect(&report["external_reach"], "public")?;
    } else {
        expect(&report["verdict"], "closed")?;
        if !remedies.contains(HomeNetwork::GATEWAY) {
            return Err(Failure::new(format!("the router is not among the remedies {remedies}")));
        }
    }
    network.must_be_closed()?;
    Ok(Measure::new(0, seconds))
}

pub(super) fn expect(got: &Value, wanted: &str) -> Outcome<()> {
    if got == wanted {
        return Ok(());
    }
    Err(Failure::new(format!("expected {wanted:?}, got {got}")))
}

/// The next object of `--json` that is it.
pub(super) fn wait_event(
    process: &mut Process,
    deadline: Deadline,
    is_it: impl Fn(&Value) -> bool,
) -> Outcome<Value> {
    process.wait_line("an event", deadline, |line| {
        let event: Value = serde_json::from_str(&line.text).unwrap_or_default();
        Ok(is_it(&event).then_some(event))
    })
}
