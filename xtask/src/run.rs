//! `cargo xtask run --demo`: the product's main job, once, on loopback, with figures.
//!
//! Two processes of the release binary, one seeds and one downloads; no tracker, nothing outside this
//! machine. Everything it makes lies in a temporary folder that goes with it.

use crate::process::{self, Ended, Running};
use crate::project::Project;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const PAYLOAD_BYTES: u64 = 64 * 1024 * 1024;
pub(crate) const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);
const CREATE_LIMIT: Duration = Duration::from_secs(60);
const READY_LIMIT: Duration = Duration::from_secs(30);
const GET_LIMIT: Duration = Duration::from_secs(120);

/// Builds the binary, sends a payload through it, compares, prints the figures.
///
/// # Errors
/// When any part fails, takes too long, or the copy differs from the original.
pub(crate) fn run(project: &Project) -> Result<(), String> {
    let build = ["build", "--locked", "--release", "--package", "piecework"];
    process::run(project.cargo(build), BUILD_LIMIT)?;
    let folder = tempfile::Builder::new().prefix("piecework-run-").tempdir();
    let folder = folder.map_err(|error| format!("temporary folder: {error}"))?;
    let binary = project.binary("release", "piecework");
    let figures = transfer(&|| client(&binary), folder.path(), PAYLOAD_BYTES)?;
    print!("{figures}");
    folder.close().map_err(|error| format!("temporary folder: {error}"))
}

/// One payload from a seed to a download; `client` begins a command line of either.
fn transfer(
    client: &dyn Fn() -> Command,
    folder: &Path,
    payload_bytes: u64,
) -> Result<String, String> {
    let (here, there) = (folder.join("seed"), folder.join("get"));
    let torrent = folder.join("payload.torrent");
    fs::create_dir(&here).map_err(|error| format!("{}: {error}", here.display()))?;
    make_payload(&here.join("payload"), payload_bytes)?;

    let mut create = client();
    create.arg("create").arg(here.join("payload")).arg("-o").arg(&torrent);
    process::run(create, CREATE_LIMIT)?;

    let mut seed = client();
    seed.arg("seed").arg(&torrent).arg("--dir").arg(&here);
    seed.args(["--no-local-discovery", "--port", "0", "--state"]).arg(folder.join("seed-state"));
    let mut seed = Running::start_listening(seed)?;
    let port = ready_port(&mut seed)?;

    let mut get = client();
    get.arg("get").arg(&torrent).arg("--dir").arg(&there);
    get.args([
        "--no-local-discovery",
        "--port",
        "0",
        "--peer",
        &format!("127.0.0.1:{port}"),
        "--state",
    ]);
    get.arg(folder.join("get-state"));
    let start = Instant::now();
    let got = Running::start(get)?.wait(GET_LIMIT)?;
    let took = start.elapsed();
    let seeded = seed.stop()?;

    ended_well("get", &got)?;
    ended_well("seed", &seeded)?;
    same_bytes(&here.join("payload"), &there.join("payload"))?;
    Ok(figures(payload_bytes, took, &got, &seeded))
}

/// The client, which here talks to nobody outside this machine.
fn client(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    command.env("PIECEWORK_NO_PORT_MAPPING", "true").env("PIECEWORK_NO_DHT", "true");
    command
}

fn make_payload(path: &Path, bytes: u64) -> Result<(), String> {
    let copy = || {
        let mut random = File::open("/dev/urandom")?.take(bytes);
        io::copy(&mut random, &mut File::create(path)?)
    };
    copy().map(drop).map_err(|error| format!("{}: {error}", path.display()))
}

/// The port in `READY <info-hash> <port>`.
fn ready_port(seed: &mut Running) -> Result<u16, String> {
    while let Some(line) = seed.line(READY_LIMIT)? {
        println!("seed: {line}");
        if let Some(port) = parse_ready(&line) {
            return Ok(port);
        }
    }
    Err("seed ended before it said READY".into())
}

fn parse_ready(line: &str) -> Option<u16> {
    let mut words = line.split_whitespace();
    (words.next() == Some("READY")).then(|| words.nth(1)?.parse().ok())?
}

fn ended_well(name: &str, ended: &Ended) -> Result<(), String> {
    let status = ended.status;
    if status.success() { Ok(()) } else { Err(format!("piecework {name}: {status}")) }
}

fn same_bytes(original: &Path, copy: &Path) -> Result<(), String> {
    let open = |path: &Path| {
        File::open(path).map(BufReader::new).map_err(|error| format!("{}: {error}", path.display()))
    };
    let (mut left, mut right) = (open(original)?, open(copy)?);
    let (mut left_bytes, mut right_bytes) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let read = fill(&mut left, &mut left_bytes)?;
        if read != fill(&mut right, &mut right_bytes)? || left_bytes[..read] != right_bytes[..read]
        {
            return Err("the downloaded file differs from the original".into());
        }
        if read == 0 {
            return Ok(());
        }
    }
}

fn fill(from: &mut impl Read, bytes: &mut [u8]) -> Result<usize, String> {
    let mut filled = 0;
    while filled < bytes.len() {
        match from.read(&mut bytes[filled..]).map_err(|error| format!("comparing: {error}"))? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

fn figures(payload_bytes: u64, took: Duration, got: &Ended, seeded: &Ended) -> String {
    let mib = payload_bytes as f64 / f64::from(1 << 20);
    let gib = mib / 1024.0;
    let seconds = took.as_secs_f64();
    let cpu = |ended: &Ended| {
        format!("{:6.2} s   ({:.2} s/GiB)", ended.cpu_seconds, ended.cpu_seconds / gib)
    };
    format!(
        "payload     {mib:6.0} MiB, identical\n\
         get         {seconds:6.2} s   start to exit\n\
         rate        {:6.0} MiB/s\n\
         CPU of get  {}\n\
         CPU of seed {}\n",
        mib / seconds,
        cpu(got),
        cpu(seeded)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a transfer with a client that copies files; `get` and `seed` are shell commands.
    fn transfer_with(get: &str, seed: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let client = folder.path().join("client.sh");
        let script = format!(
            "#!/bin/sh\nS=${{0%/*}}/seed/payload; G=${{0%/*}}/get/payload\n\
             case $1 in create) ;; get) mkdir -p \"${{G%/*}}\"; {get} ;; seed) {seed} ;; esac\n"
        );
        fs::write(&client, script).expect("there is room");
        let command = || {
            let mut shell = Command::new("sh");
            shell.arg(&client);
            shell
        };
        transfer(&command, folder.path(), 100_000)
    }

    const COPY: &str = "cp $S $G";
    const SEED: &str = "trap 'exit 0' TERM; echo READY hash 7; while :; do sleep 0.01; done";

    #[test]
    fn a_client_that_does_its_work_gives_figures() {
        assert!(transfer_with(COPY, SEED).is_ok_and(|figures| figures.contains("identical")));
    }

    #[test]
    fn a_client_that_does_not_is_told_so() {
        let early = "exit 0";
        let rude = "trap 'exit 3' TERM; echo READY hash 7; while :; do sleep 0.01; done";
        for (get, seed, why) in [
            ("tail -c +2 $S > $G", SEED, "differs"),
            ("exit 4", SEED, "piecework get"),
            ("exit 0", SEED, "No such file"),
            (COPY, early, "before it said READY"),
            (COPY, rude, "piecework seed"),
        ] {
            let error = transfer_with(get, seed).expect_err(get);
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn the_port_is_read_from_ready_only() {
        assert_eq!(parse_ready("READY c12fe1c06bba254a9dc9f519b335aa7c1367a88a 6881"), Some(6881));
        for other in ["DONE c12f 6881", "READY c12f", "READY c12f 70000", ""] {
            assert_eq!(parse_ready(other), None, "{other}");
        }
    }

    #[test]
    fn a_copy_that_differs_or_ends_early_is_found() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).expect("there is room");
            path
        };
        let original = file("original", &[7; 3 << 20]);
        let mut changed = vec![7; 3 << 20];
        changed[2 << 20] = 8;
        assert_eq!(same_bytes(&original, &file("same", &[7; 3 << 20])), Ok(()));
        assert!(same_bytes(&original, &file("short", &[7; 2 << 20])).is_err());
        assert!(same_bytes(&original, &file("changed", &changed)).is_err());
        assert!(same_bytes(&original, &folder.path().join("gone")).is_err());
    }
}
