//! `cargo xtask dist`: packages for people, a `.deb` and a `tar.gz`, and the test that installs and removes
//! them.
//!
//! Both hold the same tree below `usr`. `dpkg-deb` and `tar` make them from a folder; which files it has is
//! decided here. It knows the program by its command line alone.

mod units;

use crate::process;
use crate::project::Project;
use crate::web;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const BUILD_LIMIT: Duration = Duration::from_secs(45 * 60);
const PACK_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Files of the repository and where they go.
const FILES: &[(&str, &str)] = &[
    ("packaging/piecework.service", "usr/lib/systemd/system/piecework.service"),
    ("packaging/piecework.socket", "usr/lib/systemd/system/piecework.socket"),
    ("packaging/piecework.user.service", "usr/lib/systemd/user/piecework.service"),
    ("packaging/sysusers.conf", "usr/lib/sysusers.d/piecework.conf"),
    ("README.md", "usr/share/doc/piecework/README.md"),
    ("CHANGELOG.md", "usr/share/doc/piecework/CHANGELOG.md"),
    ("docs/uninstall.md", "usr/share/doc/piecework/uninstall.md"),
    ("docs/settings.md", "usr/share/doc/piecework/settings.md"),
    ("LICENSE-MIT", "usr/share/doc/piecework/LICENSE-MIT"),
    ("LICENSE-APACHE", "usr/share/doc/piecework/LICENSE-APACHE"),
    ("NOTICE", "usr/share/doc/piecework/copyright"),
];

/// Completion scripts: the shell, and where its script goes.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "usr/share/bash-completion/completions/piecework"),
    ("zsh", "usr/share/zsh/vendor-completions/_piecework"),
    ("fish", "usr/share/fish/vendor_completions.d/piecework.fish"),
];

/// What was made.
#[derive(Debug)]
pub(crate) struct Packages {
    deb: PathBuf,
    tar: PathBuf,
}

/// Builds the release binary and packs it into `target/dist`.
///
/// # Errors
/// When the build fails, a file is missing, or `dpkg-deb` or `tar` is.
pub(crate) fn run(project: &Project) -> Result<String, String> {
    // A package without the app is none.
    web::build(project)?;
    let build = ["build", "--locked", "--release", "--package", "piecework"];
    process::run(project.cargo(build), BUILD_LIMIT)?;
    let packages =
        pack(project, &project.binary("release", "piecework"), &project.target.join("dist"))?;
    Ok(format!("{}\n{}", packages.deb.display(), packages.tar.display()))
}

/// Packs the binary of the tests, installs both packages into folders of their own, uses and removes them.
///
/// # Errors
/// When something is not there that should be, or is left behind that should not be.
pub(crate) fn try_out(project: &Project, binary: &Path) -> Result<String, String> {
    let scratch = tempfile::Builder::new().prefix("piecework-dist-").tempdir();
    let scratch = scratch.map_err(|error| format!("temporary folder: {error}"))?;
    let packages = pack(project, binary, scratch.path())?;
    let removed = try_deb(&packages.deb, &scratch.path().join("system"))?;
    let tree = scratch.path().join("tar");
    make_folder(&tree)?;
    let mut tar = Command::new("tar");
    process::run(take(tar.arg("-xzf").arg(&packages.tar).arg("-C").arg(&tree)), PACK_LIMIT)?;
    let unpacked = only_child(&tree)?.join("usr/bin/piecework");
    works(&unpacked)?;
    let units = units::verify(&project.root.join("packaging"), &unpacked, scratch.path())?;
    Ok(format!("{removed} files installed and removed, state kept; {units}"))
}

/// Installs the package in a system of its own, uses it, and removes it; gives the number of its files.
fn try_deb(deb: &Path, system: &Path) -> Result<usize, String> {
    make_folder(&system.join("var/lib/dpkg/updates"))?;
    make_folder(&system.join("var/lib/dpkg/info"))?;
    for file in ["status", "available"] {
        write(&system.join("var/lib/dpkg").join(file), "")?;
    }
    let dpkg = |arguments: &[&str]| {
        let mut command = Command::new("dpkg");
        command.arg(format!("--root={}", system.display()));
        // Dependencies live in the real system; scripts run in it, as this one has no shell.
        command.args(["--force-not-root", "--force-depends", "--force-script-chrootless"]);
        command.args(arguments).env("DPKG_FRONTEND_LOCKED", "");
        process::run(command, PACK_LIMIT)
    };
    dpkg(&["--install", &deb.to_string_lossy()])?;
    let binary = system.join("usr/bin/piecework");
    works(&binary)?;
    let installed = files_below(system)?;
    for (_, path) in FILES.iter().chain(COMPLETIONS) {
        if !system.join(path).is_file() {
            return Err(format!("the package does not install /{path}"));
        }
    }
    let state = system.join("var/lib/piecework/wallet");
    make_folder(&state)?;
    write(&state.join("kept"), "what a person owns")?;
    dpkg(&["--remove", "piecework"])?;
    dpkg(&["--purge", "piecework"])?;
    if binary.exists() || system.join("usr/share/doc/piecework").exists() {
        return Err("the removed package leaves files behind".into());
    }
    if !state.join("kept").exists() {
        return Err("removing the package deleted a wallet".into());
    }
    Ok(installed.iter().filter(|path| path.starts_with(system.join("usr"))).count())
}

/// The program starts and knows its daemon.
fn works(binary: &Path) -> Result<(), String> {
    for arguments in [["--version"].as_slice(), &["up", "--help"]] {
        process::output(Path::new("/"), &binary.to_string_lossy(), arguments)?;
    }
    Ok(())
}

/// Makes both packages of `binary` in `folder`.
fn pack(project: &Project, binary: &Path, folder: &Path) -> Result<Packages, String> {
    let version = env!("CARGO_PKG_VERSION");
    let architecture = process::output(&project.root, "dpkg", &["--print-architecture"])?;
    let name = format!("piecework_{version}_{}", architecture.trim());
    let tree = folder.join(&name);
    remove_folder(&tree)?;
    lay_out(project, binary, &tree)?;
    let tar = folder.join(format!("{name}.tar.gz"));
    let mut command = Command::new("tar");
    command.args(["--owner=0", "--group=0", "--sort=name", "-czf"]).arg(&tar);
    process::run(take(command.arg("-C").arg(folder).arg(&name)), PACK_LIMIT)?;
    let installed_kib = files_below(&tree)?
        .iter()
        .map(|path| fs::metadata(path).map_or(0, |metadata| metadata.len().div_ceil(1024)))
        .sum::<u64>();
    let control = format!(
        "Package: piecework\nVersion: {version}\nArchitecture: {}\nMaintainer: Piecework\n\
         Installed-Size: {installed_kib}\nDepends: libc6\nSuggests: systemd\n\
         Section: net\nPriority: optional\n\
         Description: BitTorrent node that pays, and is paid, by the piece\n \
         A complete BitTorrent client and seeder as one program: a command line, a daemon that\n \
         existing tools can speak to, a wallet and a chain of its own. Nothing is spent unless a\n \
         person asks for it.\n",
        architecture.trim()
    );
    write(&tree.join("DEBIAN/control"), &control)?;
    for script in ["postinst", "prerm", "postrm"] {
        copy(
            &project.root.join("packaging/deb").join(script),
            &tree.join("DEBIAN").join(script),
            0o755,
        )?;
    }
    let deb = folder.join(format!("{name}.deb"));
    let mut command = Command::new("dpkg-deb");
    command.args(["--root-owner-group", "-Zgzip", "--build"]).arg(&tree).arg(&deb);
    process::run(command, PACK_LIMIT)?;
    remove_folder(&tree)?;
    Ok(Packages { deb, tar })
}

/// The tree below `usr`.
fn lay_out(project: &Project, binary: &Path, tree: &Path) -> Result<(), String> {
    let program = tree.join("usr/bin/piecework");
    copy(binary, &program, 0o755)?;
    let mut strip = Command::new("strip");
    process::run(take(strip.arg("--strip-debug").arg(&program)), PACK_LIMIT)?;
    for (from, to) in FILES {
        copy(&project.root.join(from), &tree.join(to), 0o644)?;
    }
    let binary = binary.to_string_lossy();
    for (shell, to) in COMPLETIONS {
        let script = process::output(&project.root, &binary, &["completions", shell])?;
        write(&tree.join(to), &script)?;
    }
    let pages = tree.join("usr/share/man/man1");
    make_folder(&pages)?;
    process::output(&project.root, &binary, &["man", &pages.to_string_lossy()])?;
    for page in files_below(&pages)? {
        let mut gzip = Command::new("gzip");
        process::run(take(gzip.args(["-9", "-n"]).arg(page)), PACK_LIMIT)?;
    }
    Ok(())
}

/// A command that is complete.
fn take(command: &mut Command) -> Command {
    std::mem::replace(command, Command::new("true"))
}

fn copy(from: &Path, to: &Path, mode: u32) -> Result<(), String> {
    make_folder(to.parent().unwrap_or(to))?;
    fs::copy(from, to).map_err(|error| format!("{}: {error}", from.display()))?;
    let permissions = fs::Permissions::from_mode(mode);
    fs::set_permissions(to, permissions).map_err(|error| format!("{}: {error}", to.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    make_folder(path.parent().unwrap_or(path))?;
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn make_folder(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

fn remove_folder(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// All files below a folder.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    Ok(found)
}

fn only_child(folder: &Path) -> Result<PathBuf, String> {
    let mut entries =
        fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    match (entries.next(), entries.next()) {
        (Some(Ok(only)), None) => Ok(only.path()),
        _ => Err(format!("{} holds something else than one folder", folder.display())),
    }
}
