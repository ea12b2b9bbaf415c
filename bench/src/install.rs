//! Puts the rivals on this machine, and says which are there in which version.
//!
//! A rival that cannot be installed is no error: its rows say so. libtorrent 2.1.1 and rqbit live in
//! the user's cache folder, the others are Debian packages.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::kind::Kind;

const LIBTORRENT: &str = "libtorrent==2.1.1";
const RQBIT: &str = "9.1.0";
/// Debian's own interpreter: the only one that has Debian's libtorrent.
const DEBIAN_PYTHON: &str = "/usr/bin/python3";
const PRINT_VERSION: &str = "import libtorrent; print(libtorrent.__version__)";

/// Debian's switch that keeps packages from starting their services.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const POLICY_NEVER: &str = "#!/bin/sh\nexit 101\n";

/// Which rivals are there: the version, or why there is none.
#[derive(Debug)]
pub(crate) struct Rivals {
    cache: PathBuf,
    versions: BTreeMap<Kind, Result<String, String>>,
}

impl Rivals {
    /// Looks for `kinds` and installs nothing.
    pub(crate) fn look(kinds: &[Kind]) -> Self {
        let mut rivals = Self { cache: cache(), versions: BTreeMap::new() };
        for &kind in Kind::RIVALS.iter().filter(|kind| kinds.contains(kind)) {
            let version = rivals.version(kind).ok_or_else(|| "not installed".to_owned());
            rivals.versions.insert(kind, version);
        }
        rivals
    }

    /// Installs what is missing of `kinds`; rqbit, which takes minutes to build,
    /// not `without_rqbit`.
    ///
    /// # Errors
    /// When not even the cache folder can be made.
    pub(crate) fn install(kinds: &[Kind], without_rqbit: bool) -> Result<Self, String> {
        let mut rivals = Self::look(kinds);
        fs::create_dir_all(&rivals.cache)
            .map_err(|error| format!("cannot make {}: {error}", rivals.cache.display()))?;
        let is_missing = |kind: &Kind| rivals.versions.get(kind).is_some_and(Result::is_err);
        for kind in Kind::RIVALS.into_iter().filter(is_missing).collect::<Vec<_>>() {
            let installed = match kind {
                Kind::Ours => Ok(()),
                Kind::Lt21 => rivals.install_libtorrent(),
                Kind::Lt20 => install_packages(&["python3-libtorrent"]),
                Kind::Aria2 => install_packages(&["aria2"]),
                Kind::Transmission => install_packages(&["transmission-daemon"]),
                Kind::Rqbit if without_rqbit => Err("not built, as --without-rqbit says".into()),
                Kind::Rqbit => rivals.install_rqbit(),
            };
            let looked = || rivals.version(kind).ok_or_else(|| "does not start".to_owned());
            let version = installed.and_then(|()| looked());
            rivals.versions.insert(kind, version);
        }
        Ok(rivals)
    }

    /// Why `kind` cannot take part, if it cannot.
    pub(crate) fn absence(&self, kind: Kind) -> Option<&str> {
        self.versions.get(&kind)?.as_ref().err().map(String::as_str)
    }

    /// All rivals that were looked for.
    pub(crate) fn versions(&self) -> impl Iterator<Item = (Kind, &Result<String, String>)> {
        self.versions.iter().map(|(kind, version)| (*kind, version))
    }

    /// An interpreter with libtorrent 2.1.1.
    pub(crate) fn lt21_python(&self) -> PathBuf {
        self.cache.join("venv/bin/python")
    }

    /// An interpreter with libtorrent 2.0.
    pub(crate) fn lt20_python(&self) -> PathBuf {
        DEBIAN_PYTHON.into()
    }

    /// rqbit's binary.
    pub(crate) fn rqbit(&self) -> PathBuf {
        self.cache.join("rqbit/bin/rqbit")
    }

    fn version(&self, kind: Kind) -> Option<String> {
        let (program, arguments) = match kind {
            Kind::Ours => return None,
            Kind::Lt21 => (self.lt21_python(), ["-c", PRINT_VERSION].as_slice()),
            Kind::Lt20 => (self.lt20_python(), ["-c", PRINT_VERSION].as_slice()),
            Kind::Rqbit => (self.rqbit(), ["--version"].as_slice()),
            Kind::Aria2 => ("aria2c".into(), ["--version"].as_slice()),
            Kind::Transmission => ("transmission-daemon".into(), ["--version"].as_slice()),
        };
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let is_number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
        output.status.success().then(|| text.split_whitespace().find(is_number))?.map(str::to_owned)
    }

    fn install_libtorrent(&self) -> Result<(), String> {
        let folder = self.cache.join("venv");
        let venv =
            |python: &str| run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder));
        if venv("python3").is_err() {
            install_packages(&["python3", "python3-venv"])?;
            venv(DEBIAN_PYTHON)?;
        }
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", LIBTORRENT];
        run(Command::new(self.lt21_python()).args(pip))
    }

    fn install_rqbit(&self) -> Result<(), String> {
        eprintln!("building rqbit {RQBIT}");
        let mut command = Command::new("cargo");
        command.args(["install", "rqbit", "--version", RQBIT, "--locked", "--no-default-features"]);
        command.args(["--features", "rust-tls", "--root"]).arg(self.cache.join("rqbit"));
        run(&mut command)
    }
}

/// `$XDG_CACHE_HOME/piecework/bench`
fn cache() -> PathBuf {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let xdg = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    xdg.or_else(home).unwrap_or_else(env::temp_dir).join("piecework/bench")
}

fn install_packages(packages: &[&str]) -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err(format!("not installed; 'apt-get install {}' needs root", packages.join(" ")));
    }
    let _guard = ServiceGuard::raise()?;
    let install = || apt(&[&["install", "-y", "--no-install-recommends"], packages].concat());
    // Package lists may be old, or missing in a container; fetching them takes a while.
    install().or_else(|_| apt(&["update"]).and_then(|()| install()))
}

fn apt(arguments: &[&str]) -> Result<(), String> {
    run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Runs to the end; the error is the last line the command had to say.
fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot run {name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors.lines().rev().find(|line| !line.trim().is_empty());
    Err(format!("{name}: {}", last.unwrap_or("no reason given").trim()))
}

/// Keeps services from starting while packages are installed. An administrator's own policy stays.
struct ServiceGuard {
    ours: bool,
}

impl ServiceGuard {
    fn raise() -> Result<Self, String> {
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        let told = |error| format!("cannot write {POLICY}: {error}");
        fs::write(POLICY, POLICY_NEVER).map_err(told)?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)).map_err(told)?;
        Ok(Self { ours: true })
    }
}

impl Drop for ServiceGuard {
    fn drop(&mut self) {
        if self.ours && fs::remove_file(POLICY).is_err() {
            eprintln!("{POLICY} is left behind; remove it so that services start again");
        }
    }
}
