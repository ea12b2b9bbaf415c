//! The web app: built from `web/` into what the program has in it, and tried in a real browser.
//!
//! npm fetches what `web/package-lock.json` names and nothing else. A build that is newer than everything
//! it is made from is left as it is, so that cargo has nothing to do either.

use crate::process;
use crate::project::Project;
use crate::tools;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};
use std::{fs, io};

/// Longest that one of npm's commands may run; the first one fetches 60 MB.
const NPM_LIMIT: Duration = Duration::from_secs(15 * 60);
/// Longest that all tests in the browser may run.
const BROWSER_LIMIT: Duration = Duration::from_secs(40 * 60);
/// What the app is made from, beside its folder.
const DESCRIPTION: &str = "docs/api/openapi.json";
/// What says that a build ended well.
const PAGE: &str = "crates/web/dist/index.html";
/// In `web/`, but no source of it.
const NO_SOURCES: [&str; 3] = ["bench", "node_modules", "tests"];
/// Where Debian and others put the browser.
const BROWSERS: [&str; 2] = ["/usr/bin/chromium", "/usr/bin/chromium-browser"];

/// Builds the app unless it is built.
///
/// # Errors
/// When there is no Node.js, a package cannot be had, or the app does not build or is too heavy.
pub(crate) fn build(project: &Project) -> Result<String, String> {
    let built = modified(&project.root.join(PAGE));
    let newest = newest(&project.root.join("web"), &NO_SOURCES)
        .and_then(
            |newest| Ok(newest.max(fs::metadata(project.root.join(DESCRIPTION))?.modified()?)),
        )
        .map_err(|error| format!("web: {error}"))?;
    if built.is_some_and(|built| built > newest) {
        return Ok("built already".into());
    }
    install(project)?;
    last_line(npm(project, &["run", "build"]))
}

/// Builds the app if that can be done here; says why not otherwise, as the program works without it.
pub(crate) fn build_if_possible(project: &Project) {
    match build(project) {
        Ok(_) => {}
        Err(why) => println!("without the web app, which is built by Node.js: {why}"),
    }
}

/// Types, texts and what has no browser in it; then the app itself.
///
/// # Errors
/// As [`build`], and when a test fails.
pub(crate) fn test(project: &Project) -> Result<String, String> {
    install(project)?;
    process::run(npm(project, &["run", "check"]), NPM_LIMIT)?;
    process::run(npm(project, &["run", "test"]), NPM_LIMIT)?;
    build(project)
}

/// The app in a browser, against daemons of this binary; the browser is installed if it is not there.
///
/// # Errors
/// When there is no browser, or a test fails.
pub(crate) fn browse(project: &Project, binary: &Path) -> Result<String, String> {
    let has_browser = || BROWSERS.iter().any(|path| Path::new(path).is_file());
    tools::ensure_debian("chromium", &has_browser)?;
    install(project)?;
    let mut command = Command::new("node");
    command.arg("web/tests/browser/run.mjs").arg(binary).current_dir(&project.root);
    let mut lines = Vec::new();
    let result = process::run_keeping_lines(command, BROWSER_LIMIT, &mut lines);
    let failed: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("FAILED")).collect();
    result.map_err(|why| if failed.is_empty() { why } else { failed.join(";") })?;
    Ok(lines.pop().unwrap_or_default())
}

/// Installs what the lockfile names, unless that is there.
fn install(project: &Project) -> Result<(), String> {
    if ["node", "npm"].iter().any(|name| Command::new(name).arg("--version").output().is_err()) {
        return Err("node and npm are needed; install them or say --without npm".into());
    }
    let web = project.root.join("web");
    let (lock, stamp) = (web.join("package-lock.json"), web.join("node_modules/.installed"));
    let wanted = fs::read(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    process::run(npm(project, &["ci"]), NPM_LIMIT)?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))
}

fn npm(project: &Project, words: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(words).current_dir(project.root.join("web"));
    command
}

fn last_line(command: Command) -> Result<String, String> {
    let mut lines = Vec::new();
    process::run_keeping_lines(command, NPM_LIMIT, &mut lines)?;
    Ok(lines.into_iter().rev().find(|line| !line.trim().is_empty()).unwrap_or_default())
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// When something in a folder, or the folder itself, changed last.
fn newest(folder: &Path, without: &[&str]) -> io::Result<SystemTime> {
    let (mut newest, mut folders) = (SystemTime::UNIX_EPOCH, vec![PathBuf::from(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if without.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            let about = entry.metadata()?;
            newest = newest.max(about.modified()?);
            if about.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_source_makes_nothing_old() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let at = |path: &str| folder.path().join(path);
        let put = |path: &str, seconds: u64| {
            let file = fs::File::create(at(path)).expect("there is room");
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            file.set_modified(time).expect("it is ours");
        };
        fs::create_dir_all(at("src/deep")).expect("it is empty");
        fs::create_dir_all(at("node_modules")).expect("it is empty");
        let now = newest(folder.path(), &NO_SOURCES).expect("it can be read");
        let later = now.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs() + 100;
        put("node_modules/a.js", later + 100);
        assert!(
            newest(folder.path(), &NO_SOURCES).expect("it can be read")
                < SystemTime::UNIX_EPOCH + Duration::from_secs(later)
        );
        put("src/deep/a.ts", later);
        let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(later);
        assert_eq!(newest(folder.path(), &NO_SOURCES).expect("it can be read"), expected);
    }
}
