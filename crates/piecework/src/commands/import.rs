//! `piecework import`: a daemon takes over the torrents of another client.

use crate::args::safe::{ImportArgs, OtherClient};
use crate::client::{Client, printable};
use crate::failure::{Context, Failure};
use crate::folders::base;
use crate::out::Out;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Time for a whole import: a hundred thousand torrents on a slow drive.
const IMPORT_MAX: Duration = Duration::from_secs(3600);

/// Runs the command; exit status 1 if a torrent was refused.
pub(crate) fn run(args: &ImportArgs, out: Out) -> Result<(), Failure> {
    let path = match &args.profile {
        Some(path) => path.clone(),
        None => usual(args.from)?,
    };
    let path = std::path::absolute(path).context("no folder of the profile")?;
    let path = path.to_str().ok_or_else(|| Failure::new("the profile's path is no UTF-8"))?;
    let from = match args.from {
        OtherClient::Qbittorrent => "qbittorrent",
        OtherClient::Transmission => "transmission",
    };
    let client = Client::new(&args.client)?;
    let body = json!({ "from": from, "path": path, "is_dry": args.dry_run });
    let request = client.request(Method::POST, "/import", Some(&body)).timeout(IMPORT_MAX);
    tell(&client.send(request)?, args.dry_run, out)
}

/// Where the client keeps its profile unless it is told otherwise.
fn usual(from: OtherClient) -> Result<PathBuf, Failure> {
    match from {
        OtherClient::Qbittorrent => Ok(base("XDG_DATA_HOME", ".local/share")?.join("qBittorrent")),
        OtherClient::Transmission => {
            let config = base("XDG_CONFIG_HOME", ".config")?;
            let names = ["transmission-daemon", "transmission"];
            let found = names.iter().map(|name| config.join(name)).find(|path| path.is_dir());
            Ok(found.unwrap_or_else(|| config.join(names[0])))
        }
    }
}

fn tell(report: &Value, is_dry: bool, out: Out) -> Result<(), Failure> {
    let list = |key: &str| report.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let (mut added, mut present, mut refused) = (0, 0, 0);
    for torrent in list("torrents") {
        let text = |key: &str| torrent.get(key).and_then(Value::as_str).unwrap_or_default();
        let (name, detail) = (printable(text("name")), printable(text("detail")));
        match text("end") {
            "added" => added += 1,
            "present" => present += 1,
            _ => {
                refused += 1;
                if !out.is_json() {
                    out.problem(&format!("{name}: {detail}"));
                }
            }
        }
        let (id, end) = (torrent.get("id"), text("end"));
        out.event(&json!({
            "event": "torrent", "name": name, "id": id, "end": end, "detail": torrent.get("detail"),
        }));
    }
    for note in list("notes").iter().filter_map(Value::as_str) {
        out.problem(&printable(note));
    }
    let would = if is_dry { "would be " } else { "" };
    out.say(
        &format!("{added} {would}taken over, {present} were there already, {refused} refused"),
        &json!({
            "event": "imported", "added": added, "present": present, "refused": refused, "is_dry": is_dry,
        }),
    );
    if refused == 0 { Ok(()) } else { Err(Failure::silent(1)) }
}
