//! Installs the Debian packages of the foreign programs, and nothing that is there already.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Context as _, Failure, Outcome};
use crate::peers::{Foreign, bittorrent_dht, pypi};

/// Debian's switch that keeps packages from starting their services.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// What installs packages of Node.js; with it comes `node`.
const NPM: &str = "npm";
const POLICY_NEVER: &str = "#!/bin/sh\nexit 101\n";

impl Foreign {
    /// Debian's package, if it takes one.
    const fn package(self) -> Option<&'static str> {
        match self {
            Self::Libtorrent => Some("python3-libtorrent"),
            Self::Transmission => Some("transmission-daemon"),
            Self::Aria2 => Some("aria2"),
            Self::Opentracker => Some("opentracker"),
            Self::Miniupnpd => Some("miniupnpd"),
            Self::Nginx => Some(crate::peers::nginx::PACKAGE),
            Self::Mainline => None,
            Self::BittorrentDht => Some(NPM),
            Self::Qbittorrent => Some("qbittorrent-nox"),
            Self::QbittorrentApi | Self::TransmissionRpc | Self::Schemathesis => {
                Some(pypi::PACKAGE)
            }
        }
    }
}

/// What the harness itself needs; the second parts as well of what Debian has in two.
const HELPERS: [(&str, &str); 5] = [
    ("the private network", "iproute2"),
    ("routers", "nftables"),
    ("captures", "tcpdump"),
    ("miniupnpd", "miniupnpd-nftables"),
    ("transmission-remote", "transmission-cli"),
];

/// Installs what is missing of every program but those in `without`, and `ip` for the namespace.
pub(crate) fn install(without: &[Foreign]) -> Outcome<()> {
    install_packages(without)?;
    if !without.contains(&Foreign::BittorrentDht) {
        bittorrent_dht::install()?;
    }
    pypi::install(without)
}

/// `$XDG_CACHE_HOME/piecework/interop`, for what is no Debian package.
pub(crate) fn cache() -> PathBuf {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let xdg = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    xdg.or_else(home).unwrap_or_else(env::temp_dir).join("piecework/interop")
}

/// What a program that failed said last.
pub(crate) fn last_line(errors: &[u8]) -> String {
    let errors = String::from_utf8_lossy(errors);
    let last = errors.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or("it gave no reason").trim().to_owned()
}

fn install_packages(without: &[Foreign]) -> Outcome<()> {
    let wanted = Foreign::ALL.into_iter().filter(|peer| !without.contains(peer));
    let named = wanted.filter_map(|peer| Some((peer.name(), peer.package()?)));
    let named = named.chain(HELPERS);
    let missing: Vec<(&str, &str)> = named.filter(|(_, package)| !is_installed(package)).collect();
    if missing.is_empty() {
        println!("every peer is installed");
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
        let packages = packages.join(" ");
        return Err(Failure::new(format!(
            "installing needs root; run 'apt-get install {packages}' or leave them out with --without"
        )));
    }
    let _guard = ServiceGuard::raise()?;
    apt(&["update"]).context(|| "cannot fetch Debian's package lists")?;
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    if apt_install(&packages).is_err() {
        // One after the other, to say which it is.
        for (name, package) in &missing {
            apt_install(&[package]).context(|| {
                format!("cannot install {name} (Debian package {package}); --without leaves it out")
            })?;
        }
    }
    println!("installed {}", packages.join(" "));
    Ok(())
}

fn is_installed(package: &str) -> bool {
    // Node.js comes from elsewhere as often as not.
    if package == NPM && Command::new(NPM).arg("--version").output().is_ok() {
        return true;
    }
    let query = Command::new("dpkg-query").args(["-W", "-f=${Status}", package]).output();
    query.is_ok_and(|output| output.stdout == b"install ok installed")
}

fn apt_install(packages: &[&str]) -> Outcome<()> {
    apt(&[&["install", "-y", "--no-install-recommends"], packages].concat())
}

fn apt(arguments: &[&str]) -> Outcome<()> {
    let output = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .context(|| "cannot run apt-get")?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(last_line(&output.stderr)))
}

/// Keeps services from starting while packages are installed. An administrator's own policy stays.
struct ServiceGuard {
    ours: bool,
}

impl ServiceGuard {
    fn raise() -> Outcome<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        let told = || format!("cannot write {POLICY}");
        fs::write(POLICY, POLICY_NEVER).context(told)?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)).context(told)?;
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
