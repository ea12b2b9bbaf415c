//! npm's bittorrent-dht under Node.js: a publisher of items that point to torrents (BEP 46).

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::{Context as _, Failure, Outcome};
use crate::install::{cache, last_line};
use crate::netns::Host;
use crate::process::{Deadline, Launch};

const PROGRAM: &str = "node";
const SCRIPT: &str = include_str!("../../scripts/bittorrent_dht.mjs");
const PACKAGE: &str = "bittorrent-dht";
/// What is installed.
const RELEASE: &str = "bittorrent-dht@11.0.12";

/// The version that is installed.
pub(crate) fn version() -> Outcome<String> {
    let file = modules().join(PACKAGE).join("package.json");
    let text = fs::read(&file).context(|| format!("no {}", file.display()))?;
    let package: Value = serde_json::from_slice(&text).context(|| "its package.json")?;
    Ok(package["version"].as_str().unwrap_or("unknown").to_owned())
}

/// Installs it into the user's cache folder, unless it is there. Needs `npm`.
pub(crate) fn install() -> Outcome<()> {
    if version().is_ok() {
        return Ok(());
    }
    fs::create_dir_all(cache()).context(|| format!("cannot make {}", cache().display()))?;
    let output = Command::new("npm")
        .args(["install", "--save-exact", "--no-audit", "--no-fund", "--ignore-scripts", RELEASE])
        .current_dir(cache())
        .stdin(Stdio::null())
        .output()
        .context(|| "cannot run npm")?;
    if output.status.success() {
        return Ok(());
    }
    let last = last_line(&output.stderr);
    Err(Failure::new(format!(
        "cannot install {RELEASE}: {last}; --without {PACKAGE} leaves it out"
    )))
}

fn modules() -> PathBuf {
    cache().join("node_modules")
}

/// What was published.
#[derive(Debug)]
pub(crate) struct Published {
    /// Who publishes, as 64 hex digits.
    pub(crate) key: String,
    /// Nodes that have the item.
    pub(crate) stored: u64,
}

/// Makes the item of the publisher point to the torrent with this v1 info-hash, as version `sequence`.
pub(crate) fn publish(
    router: SocketAddr,
    info_hash: &str,
    sequence: i64,
    home: &Path,
    deadline: Deadline,
) -> Outcome<Published> {
    let launch = Launch::new(PROGRAM, home)
        .args(["--input-type=module", "-e", SCRIPT, "--"])
        .arg(modules().join(PACKAGE).join("index.js"))
        .args([Host::BITTORRENT_DHT.v4().to_string(), router.to_string()])
        .args([sequence.to_string(), info_hash.to_owned()]);
    let printed = launch.output(deadline)?;
    let answer: Value =
        serde_json::from_str(&printed).context(|| format!("{PACKAGE} printed {printed:?}"))?;
    let key = answer["key"].as_str().unwrap_or_default().to_owned();
    Ok(Published { key, stored: answer["stored"].as_u64().unwrap_or_default() })
}
