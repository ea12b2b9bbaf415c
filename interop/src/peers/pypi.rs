//! Programs of other people from PyPI, in a virtual environment in the user's cache folder: two libraries
//! that speak other clients' APIs, and one that tries an API against its description.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::Foreign;
use crate::failure::{Context as _, Failure, Outcome};
use crate::install::{cache, last_line};
use crate::process::{Deadline, Launch};

/// What a virtual environment takes; Debian has it apart from Python.
pub(crate) const PACKAGE: &str = "python3-venv";
/// Debian's own interpreter, to which that package belongs.
const DEBIAN_PYTHON: &str = "/usr/bin/python3";
const VERSION: &str =
    "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))";
const TOOL_PATIENCE: Duration = Duration::from_secs(20);

/// What is installed, if it comes from PyPI.
const fn release(peer: Foreign) -> Option<&'static str> {
    match peer {
        Foreign::QbittorrentApi => Some("qbittorrent-api==2026.10.1"),
        Foreign::TransmissionRpc => Some("transmission-rpc==7.0.12"),
        Foreign::Schemathesis => Some("schemathesis==4.32.5"),
        _ => None,
    }
}

/// The version that is installed.
pub(crate) fn version(peer: Foreign) -> Outcome<String> {
    let home = tempfile::tempdir().context(|| "cannot make a temporary folder")?;
    let launch = python(home.path()).args(["-c", VERSION, peer.name()]);
    Ok(launch.output(Deadline::after(TOOL_PATIENCE))?.trim().to_owned())
}

/// Installs all but those in `without`, unless they are there.
pub(crate) fn install(without: &[Foreign]) -> Outcome<()> {
    let wanted = Foreign::ALL.into_iter().filter(|peer| !without.contains(peer));
    let named = wanted.filter_map(|peer| Some((peer, release(peer)?)));
    for (peer, release) in named.filter(|(peer, _)| version(*peer).is_err()) {
        let failed = |why| {
            Failure::new(format!("cannot install {release}: {why}; --without {peer} leaves it out"))
        };
        if !program("python").exists() {
            run(Command::new(DEBIAN_PYTHON).args(["-m", "venv", "--clear"]).arg(folder()))
                .map_err(failed)?;
        }
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", release];
        run(Command::new(program("python")).args(pip)).map_err(failed)?;
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(last_line(&output.stderr)) }
}

fn folder() -> PathBuf {
    cache().join("venv")
}

fn program(name: &str) -> PathBuf {
    folder().join("bin").join(name)
}

/// The interpreter that has the libraries.
pub(crate) fn python(home: &Path) -> Launch {
    Launch::new(program("python"), home)
}

/// schemathesis.
pub(crate) fn schemathesis(home: &Path) -> Launch {
    Launch::new(program("schemathesis"), home)
}
