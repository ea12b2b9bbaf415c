//! `piecework tracker`: introduce the peers of a private swarm to each other.

use super::seed::torrent_files;
use crate::args::TrackerArgs;
use crate::failure::{Context, Failure};
use crate::out::{Out, note};
use crate::signals::Signals;
use crate::source;
use piecework_net::{TrackerPlace, TrackerService};
use piecework_tracker::server::{Admission, Figures, LISTED_MAX, ServerConfig};
use piecework_types::{InfoHash, InfoHashes, Sha1Digest, Sha256Digest};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// Time between two lines of figures.
const LINE_AFTER: Duration = Duration::from_secs(10);

/// Time between two objects under `--json`.
const OBJECT_AFTER: Duration = Duration::from_secs(1);

/// Longest list read, bytes: as many info-hashes as count, with room for words.
const LIST_BYTES_MAX: u64 = 128 * LISTED_MAX as u64;

/// Runs the command.
pub(crate) fn run(args: &TrackerArgs, out: Out) -> Result<(), Failure> {
    let signals = Signals::install()?;
    let main = std::thread::current();
    signals.wake(move || main.unpark())?;
    let interval = Duration::from_secs(args.interval);
    let config = ServerConfig { interval, ..ServerConfig::new(admission(args, out)?) };
    let place = TrackerPlace { ip: args.bind, port: args.port };
    let service = TrackerService::start(config, place, secret()?).map_err(Failure::new)?;
    let port = service.port();
    out.say(&format!("READY tracker {port}"), &json!({ "event": "ready", "port": port }));
    let after = if out.is_json() { OBJECT_AFTER } else { LINE_AFTER };
    let mut shown = Instant::now();
    while signals.status().is_none() {
        if !service.is_alive() {
            return Err(Failure::new(
                "the tracker's thread has stopped, which is a fault of this program; start it again",
            ));
        }
        if shown.elapsed() >= after {
            shown = Instant::now();
            show(&service.figures(), out);
        }
        std::thread::park_timeout(after.saturating_sub(shown.elapsed()));
    }
    show(&service.figures(), out);
    Ok(())
}

fn show(figures: &Figures, out: Out) {
    let Figures { torrents, peers, seeds, http_announces, udp_announces, scrapes, .. } = figures;
    let Figures { refused, limited, bad, .. } = figures;
    if out.is_json() {
        out.event(&json!({
            "event": "progress", "torrents": torrents, "peers": peers, "seeds": seeds,
            "http_announces": http_announces, "udp_announces": udp_announces, "scrapes": scrapes,
            "refused": refused, "limited": limited, "bad": bad,
        }));
    } else {
        note(&format!(
            "tracker: {torrents} torrents, {peers} peers ({seeds} seeds); announces {http_announces} over \
             HTTP, {udp_announces} over UDP; {scrapes} scrapes; {refused} refused, {limited} too fast, \
             {bad} bad"
        ));
    }
}

fn admission(args: &TrackerArgs, out: Out) -> Result<Admission, Failure> {
    if args.open {
        return Ok(Admission::Open);
    }
    let mut listed = BTreeSet::new();
    if let Some(file) = &args.allow {
        listed.extend(read_list(file)?);
    }
    if let Some(folder) = &args.torrents_dir {
        for path in torrent_files(folder)? {
            match source::load_torrent(&path) {
                Ok(metainfo) => listed.extend(metainfo.info().hashes().iter()),
                Err(failure) => out.problem(&failure.text),
            }
        }
    }
    if listed.is_empty() {
        return Err(Failure::new(
            "there is no torrent to serve: name some, or serve any with --open",
        ));
    }
    if listed.len() > LISTED_MAX {
        return Err(Failure::new(format!("at most {LISTED_MAX} torrents can be listed")));
    }
    Ok(Admission::Listed(listed))
}

/// The info-hashes of a list: v1 or v2, one a line; a line may be empty or begin with `#`.
fn read_list(path: &Path) -> Result<Vec<InfoHash>, Failure> {
    let doing = format!("cannot read the list {}", path.display());
    let mut text = String::new();
    let file = File::open(path).context(&doing)?;
    file.take(LIST_BYTES_MAX).read_to_string(&mut text).context(&doing)?;
    let mut hashes = Vec::new();
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if !line.is_empty() && !line.starts_with('#') {
            let hash = info_hash(line).ok_or_else(|| {
                let expected = "an info-hash of 40 or 64 hex digits";
                Failure::new(format!("{doing}: line {number} has to be {expected}"))
            })?;
            hashes.push(hash);
        }
    }
    Ok(hashes)
}

fn info_hash(text: &str) -> Option<InfoHash> {
    let v1 = text.parse::<Sha1Digest>().ok();
    let v2 = text.parse::<Sha256Digest>().ok();
    InfoHashes { v1, v2 }.iter().next()
}

/// What strangers must not guess.
fn secret() -> Result<[u8; 32], Failure> {
    let mut secret = [0; 32];
    for part in secret.chunks_exact_mut(8) {
        let random = piecework_node::system_random().context("cannot draw a random number")?;
        part.copy_from_slice(&random.to_le_bytes());
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_list_has_hashes_of_both_versions_and_names_the_line_that_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        let list = format!("# ours\n\n {} \n{}\r\n", "aB".repeat(20), "cd".repeat(32));
        std::fs::write(&path, list).unwrap();
        assert_eq!(read_list(&path).unwrap(), [InfoHash([0xab; 20]), InfoHash([0xcd; 20])]);
        std::fs::write(&path, format!("{}\nxyz\n", "ab".repeat(20))).unwrap();
        let failure = read_list(&path).unwrap_err();
        assert!(failure.text.contains("line 2 has to be an info-hash"), "{}", failure.text);
    }
}
