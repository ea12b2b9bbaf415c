//! Cells about the faces of our daemon: other people's programs ask it in the dialects that they know,
//! and in our own API as it describes itself. And the recording that our dialect is held against is made
//! anew.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::Cell;
use crate::failure::{Context as _, Failure, Outcome};
use crate::http;
use crate::lab::{Maker, Room, Subject};
use crate::matrix::Measure;
use crate::peers::daemon::Daemon;
use crate::peers::qbittorrent::{PASSWORD, Qbittorrent, USER};
use crate::peers::{Foreign, pypi};
use crate::process::Launch;
use crate::torrent::{Format, Recipe};

const QBITTORRENT_CLIENT: &str = include_str!("../../scripts/qbittorrent_client.py");
const TRANSMISSION_CLIENT: &str = include_str!("../../scripts/transmission_client.py");
const SHAPES: &str = include_str!("../../scripts/qbittorrent_shapes.py");
/// What our dialect is compared with in its own tests: the calls, and a recording of the answers.
const CALLS: &str = include_str!("../../../crates/qbittorrent/tests/golden/calls.json");
const RECORDED: &str =
    include_str!("../../../crates/qbittorrent/tests/golden/qbittorrent-nox-4.5.2.json");
/// Two files of 50,000 bytes together, which the scripts and the calls know by name and info-hash.
const MULTI: &[u8] = include_bytes!("../../../crates/qbittorrent/tests/golden/multi.torrent");
const MULTI_HASH: &str = "5822a0bc5c9df584df4fb7ef57929ba5ee2015d4";
/// What of our description holds for schemathesis, and what does not.
const RULES: &str = include_str!("../../../docs/api/schemathesis.toml");
const PATIENCE_SCHEMATHESIS: Duration = Duration::from_secs(180);
/// Names a file that the summaries of schemathesis are written to.
const REPORT_VARIABLE: &str = "INTEROP_API_REPORT";
const REPORT_HEAD: &str = "\
# The API held against its description

[schemathesis](https://schemathesis.readthedocs.io) reads [openapi.json](openapi.json), makes requests
that fit it and requests that do not, and checks each answer against it, with the rules of
[schemathesis.toml](schemathesis.toml). `cargo xtask test` runs it (interop \"API as described\"); a finding
fails the run. These are the summaries of one run, as they are printed;
`INTEROP_API_REPORT=docs/api/SCHEMATHESIS.md cargo run -p piecework-interop -- run --only 'API as described'`
writes this page anew. `GET /events` is left out: its answer never ends.
";

/// The cells of this kind; a stand-in has no daemon.
pub(super) fn cells(subject: &Subject) -> Vec<Cell> {
    let Subject::Ours(_) = subject else { return Vec::new() };
    let asks = |name: &str, foreign: Foreign, run: fn(&Room<'_>) -> Outcome<Measure>| {
        Cell::new(name, format!("{foreign} -> our daemon"), &[foreign], run)
    };
    vec![
        asks("dialect of qBittorrent", Foreign::QbittorrentApi, qbittorrent_api),
        asks("dialect of Transmission", Foreign::TransmissionRpc, transmission_rpc),
        Cell::new(
            "dialect of Transmission",
            "transmission-remote -> our daemon",
            &[Foreign::Transmission],
            transmission_remote,
        ),
        Cell::new(
            "recorded shapes",
            "qbittorrent -> recording",
            &[Foreign::Qbittorrent],
            recorded_shapes,
        ),
        asks("API as described", Foreign::Schemathesis, schemathesis)
            .patient(PATIENCE_SCHEMATHESIS),
    ]
}

/// A file for a program that the harness starts.
fn file(home: &Path, name: &str, content: &[u8]) -> Outcome<PathBuf> {
    let path = home.join(name);
    fs::write(&path, content).context(|| format!("writing {name}"))?;
    Ok(path)
}

fn daemon<'a>(room: &Room<'a>) -> Outcome<Daemon<'a>> {
    Daemon::start(room.ours()?, &[], &room.home("daemon")?, room.deadline)
}

/// Runs a program that says `ok` in the end, and how long that took.
fn must_be_ok(room: &Room<'_>, launch: &Launch) -> Outcome<Measure> {
    let began = Instant::now();
    let printed = launch.output(room.deadline)?;
    if printed.trim() != "ok" {
        return Err(Failure::new(format!("the script printed {printed:?}")));
    }
    Ok(Measure::new(0, began.elapsed().as_secs_f64()))
}

fn qbittorrent_api(room: &Room<'_>) -> Outcome<Measure> {
    let (mut daemon, home) = (daemon(room)?, room.home("client")?);
    let script = pypi::python(&home)
        .args(["-c", QBITTORRENT_CLIENT])
        .arg(format!("http://{}", daemon.address))
        .args([&daemon.secrets.user, &daemon.secrets.password])
        .arg(&daemon.save_path)
        .arg(file(&home, "multi.torrent", MULTI)?);
    let measure = must_be_ok(room, &script)?;
    daemon.stop()?;
    Ok(measure)
}

fn transmission_rpc(room: &Room<'_>) -> Outcome<Measure> {
    let (mut daemon, home) = (daemon(room)?, room.home("client")?);
    let script = pypi::python(&home)
        .args(["-c", TRANSMISSION_CLIENT])
        .arg(daemon.address.port().to_string())
        .args([&daemon.secrets.user, &daemon.secrets.password])
        .arg(&daemon.save_path)
        .arg(file(&home, "multi.torrent", MULTI)?);
    let measure = must_be_ok(room, &script)?;
    daemon.stop()?;
    Ok(measure)
}

/// Transmission's own command line adds a torrent, stops it, lists it, shows it and takes it out.
fn transmission_remote(room: &Room<'_>) -> Outcome<Measure> {
    let (mut daemon, home) = (daemon(room)?, room.home("client")?);
    let torrent = file(&home, "multi.torrent", MULTI)?;
    let torrent = torrent.to_string_lossy();
    let login = format!("{}:{}", daemon.secrets.user, daemon.secrets.password);
    let began = Instant::now();
    // Commands are answered before they are carried out.
    let remote = |arguments: &[&str], wanted: &[&str]| {
        room.deadline.poll(&format!("{arguments:?} prints {wanted:?}"), || {
            let launch = Launch::new("transmission-remote", &home)
                .args([&daemon.address.to_string(), "-n", &login])
                .args(arguments);
            let printed = launch.output(room.deadline)?;
            Ok(wanted.iter().all(|wanted| printed.contains(wanted)).then_some(()))
        })
    };
    remote(&["-a", &torrent], &["success"])?;
    remote(&["-t", "1", "-S"], &["success"])?;
    remote(&["-l"], &["Stopped", "multi"])?;
    remote(&["-t", "1", "-i"], &["Name: multi", MULTI_HASH, "State: Stopped", "50.00 kB"])?;
    remote(&["-t", "1", "-f"], &["multi (2 files)", "multi/a.txt", "multi/sub/deep.bin"])?;
    remote(&["-t", MULTI_HASH, "--remove-and-delete"], &["success"])?;
    let measure = Measure::new(0, began.elapsed().as_secs_f64());
    room.deadline
        .poll("the torrent is gone", || Ok(daemon.list(room.deadline)?.is_empty().then_some(())))?;
    daemon.stop()?;
    Ok(measure)
}

/// The program that our dialect was compared with answers today as it did when that was recorded.
fn recorded_shapes(room: &Room<'_>) -> Outcome<Measure> {
    let (profile, home) = (room.home("qbittorrent")?, room.home("script")?);
    let mut server = Qbittorrent::start(&profile, room.deadline)?;
    file(&home, "multi.torrent", MULTI)?;
    let began = Instant::now();
    let printed = Launch::new("python3", &home)
        .args(["-c", SHAPES])
        .arg(file(&home, "calls.json", CALLS.as_bytes())?)
        .arg(format!("http://{}", server.web))
        .args([USER, PASSWORD])
        .arg(room.dir("saved")?)
        .output(room.deadline)?;
    let seconds = began.elapsed().as_secs_f64();
    server.stop()?;
    let shapes = |text: &str| {
        serde_json::from_str::<Map<String, Value>>(text).context(|| "shapes of answers")
    };
    match difference(&shapes(RECORDED)?, &shapes(&printed)?) {
        None => Ok(Measure::new(0, seconds)),
        Some(difference) => Err(Failure::new(difference)),
    }
}

/// The first call whose answer has another shape.
fn difference(recorded: &Map<String, Value>, now: &Map<String, Value>) -> Option<String> {
    let missing = recorded.keys().find(|name| !now.contains_key(*name));
    let changed = now.iter().find(|(name, shape)| recorded.get(*name) != Some(*shape));
    match (missing, changed) {
        (Some(name), _) => Some(format!("{name} was recorded and is not asked")),
        (None, Some((name, shape))) => {
            Some(format!("{name}: recorded was {:?}, now it is {shape}", recorded.get(name)))
        }
        (None, None) => None,
    }
}

/// One of schemathesis' runs: what it is about, what it is pointed at, who asks.
struct Round {
    about: &'static str,
    selection: &'static [&'static str],
    credential: String,
}

/// What ends a key, or a login, is tried by somebody who came in the other way: a run does not shut itself
/// out. Events are left out, as they never end.
fn rounds(daemon: &Daemon<'_>) -> Outcome<[Round; 3]> {
    let key = format!("Authorization: Bearer {}", daemon.secrets.key);
    let login = json!({ "user": daemon.secrets.user, "password": daemon.secrets.password });
    let kind = "Content-Type: application/json\r\n";
    let answer = http::post(daemon.address, "/api/v1/session", kind, &login.to_string())?;
    let cookie = answer.header("Set-Cookie").and_then(|cookie| cookie.split(';').next());
    let cookie = cookie.ok_or_else(|| Failure::new(format!("no cookie: {}", answer.status)))?;
    Ok([
        Round {
            about: "everything but events, `/keys/{id}` and `/session`, with a key",
            selection: &[
                "--exclude-path=/events",
                "--exclude-path=/keys/{id}",
                "--exclude-path=/session",
            ],
            credential: key.clone(),
        },
        Round {
            about: "`/session`, with a key",
            selection: &["--include-path=/session"],
            credential: key,
        },
        Round {
            about: "`/keys/{id}`, with a login",
            selection: &["--include-path=/keys/{id}"],
            credential: format!("Cookie: {cookie}"),
        },
    ])
}

/// schemathesis finds nothing that the description of our API does not say.
fn schemathesis(room: &Room<'_>) -> Outcome<Measure> {
    let (mut daemon, home) = (daemon(room)?, room.home("schemathesis")?);
    for payload in [room.lab.single()?, room.lab.halves()?] {
        let torrent = room.torrent(&Recipe::new(payload, Format::V1), Maker::Subject)?;
        let add = daemon.client("add").arg(&torrent.path).arg("--stopped");
        add.output(room.deadline)?;
    }
    let began = Instant::now();
    let mut report = REPORT_HEAD.to_owned();
    for round in rounds(&daemon)? {
        let launch = pypi::schemathesis(&home)
            .arg("--config-file")
            .arg(file(&home, "rules.toml", RULES.as_bytes())?)
            .arg("run")
            .arg(format!("http://{}/api/v1/openapi.json", daemon.address))
            .args(round.selection)
            .args(["-H", &round.credential, "--no-color"])
            .args(["--max-examples", "10", "--seed", "11", "--request-timeout", "20"]);
        let printed = launch.output(room.deadline)?;
        let summary = printed.lines().skip_while(|line| !line.contains(" SUMMARY "));
        // The last line has the time it took.
        let summary: Vec<&str> = summary.skip(1).filter(|line| !line.starts_with("===")).collect();
        let summary = summary.join("\n");
        report.push_str(&format!("\n## {}\n\n```text\n{}\n```\n", round.about, summary.trim()));
    }
    let measure = Measure::new(0, began.elapsed().as_secs_f64());
    daemon.stop()?;
    if let Some(path) = env::var_os(REPORT_VARIABLE) {
        fs::write(&path, report).context(|| "writing the report of schemathesis")?;
    }
    Ok(measure)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn shapes_differ_by_a_call_that_is_missing_new_or_other() {
        let shapes = |value: Value| value.as_object().unwrap().clone();
        let recorded = shapes(json!({ "a": { "status": 200 }, "b": { "status": 404 } }));
        assert_eq!(difference(&recorded, &recorded), None);
        for other in [
            json!({ "a": { "status": 200 } }),
            json!({ "a": { "status": 200 }, "b": { "status": 403 } }),
            json!({ "a": { "status": 200 }, "b": { "status": 404 }, "c": {} }),
        ] {
            assert!(difference(&recorded, &shapes(other)).is_some());
        }
    }
}
