//! Cargo's own extensions that the tests use, installed into the cache when they are missing.

use crate::process;
use crate::project::Project;
use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Building a tool from source on a small machine.
const INSTALL_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Installing a Debian package with all it needs.
const APT_LIMIT: Duration = Duration::from_secs(10 * 60);

/// A cargo extension and the version that the project was tried with.
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
}

/// Licences, bans and sources of dependencies.
pub(crate) const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
/// Runs the targets in `fuzz/`.
pub(crate) const FUZZ: Tool = Tool { name: "cargo-fuzz", version: "0.13.2" };
/// Runs tests side by side; used when it is there, never installed.
pub(crate) const NEXTEST: Tool = Tool { name: "cargo-nextest", version: "" };

impl Tool {
    /// Where the tool is, if anywhere that [`Project::cargo`] looks.
    pub(crate) fn find(&self, project: &Project) -> Option<PathBuf> {
        let folders: Vec<PathBuf> = env::split_paths(&project.path()).collect();
        folders.into_iter().map(|folder| folder.join(self.name)).find(|path| path.is_file())
    }

    /// Installs the tool unless it is there.
    ///
    /// # Errors
    /// When it can neither be found nor built.
    pub(crate) fn ensure(&self, project: &Project) -> Result<(), String> {
        if self.find(project).is_some() {
            return Ok(());
        }
        println!("{} is missing and is built once", self.name);
        let package = format!("{}@{}", self.name, self.version);
        let mut install = Command::new("cargo");
        install.args(["install", "--locked", &package, "--root"]).arg(&project.tools);
        install.env("CARGO_TARGET_DIR", project.target.join("tools"));
        process::run(install, INSTALL_LIMIT).map_err(|error| format!("{}: {error}", self.name))
    }
}

/// Installs a Debian package unless what it brings is there.
///
/// # Errors
/// When it is still not there afterwards; says what accepts that.
pub(crate) fn ensure_debian(package: &str, is_there: &dyn Fn() -> bool) -> Result<(), String> {
    install_debian(package, is_there)
        .map_err(|error| format!("{error}; --without {package} accepts that"))
}

/// The same for what may be absent.
///
/// # Errors
/// When it is still not there afterwards.
pub(crate) fn install_debian(package: &str, is_there: &dyn Fn() -> bool) -> Result<(), String> {
    if is_there() {
        return Ok(());
    }
    println!("{package} is missing and is installed as a Debian package");
    let apt = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
        process::run(command, APT_LIMIT)
    };
    // The lists may be too old, or absent; the install says so if it matters.
    drop(apt(&["update", "-qq"]));
    apt(&["install", "-y", "-qq", "--no-install-recommends", package])
        .and_then(|()| if is_there() { Ok(()) } else { Err("it still does not run".into()) })
        .map_err(|error| format!("no {package} ({error})"))
}

/// Whether rustup has a nightly toolchain that runs.
pub(crate) fn has_nightly() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["+nightly", "--version"]);
    rustc.output().is_ok_and(|output| output.status.success())
}
