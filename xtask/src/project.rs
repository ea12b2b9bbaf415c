//! Where things are: the repository, the target folder, the cache; and cargo set up to use them.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Bytes at which the cached target folder is thrown away and built anew.
const TARGET_BYTES_MAX: u64 = 20 * 1024 * 1024 * 1024;

/// The folders that every command uses.
#[derive(Debug)]
pub(crate) struct Project {
    /// The top of the repository.
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
    /// Where tools are kept from one run to the next.
    pub(crate) tools: PathBuf,
}

impl Project {
    /// Finds the folders. Under `CI=true` the target folder lies in the user's cache, so that the
    /// next fresh clone finds its dependencies built.
    ///
    /// # Errors
    /// When the user has no home, or an overgrown target folder cannot be removed.
    pub(crate) fn find() -> Result<Self, String> {
        let manifest =
            env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest).parent().ok_or("xtask stands in no repository")?.to_owned();
        let cache = cache_folder(env::var_os("XDG_CACHE_HOME"), env::var_os("HOME"))?;
        let in_ci = env::var_os("CI").is_some_and(|value| value == "true");
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => root.join(folder),
            None if in_ci => bounded(cache.join("target"))?,
            None => root.join("target"),
        };
        Ok(Self { root, target, tools: cache.join("tools") })
    }

    /// A cargo command in the repository, with our tools within its reach.
    pub(crate) fn cargo<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new("cargo");
        command.args(args).current_dir(&self.root);
        command.env("CARGO_TARGET_DIR", &self.target).env("PATH", self.path());
        command
    }

    /// The binary that `profile` builds for the package `name`.
    pub(crate) fn binary(&self, profile: &str, name: &str) -> PathBuf {
        self.target.join(profile).join(name)
    }

    /// `PATH` with the folder of our tools in front.
    pub(crate) fn path(&self) -> OsString {
        let mut folders = vec![self.tools.join("bin")];
        folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        env::join_paths(folders).unwrap_or_else(|_| env::var_os("PATH").unwrap_or_default())
    }
}

fn cache_folder(xdg: Option<OsString>, home: Option<OsString>) -> Result<PathBuf, String> {
    let xdg = xdg.map(PathBuf::from).filter(|folder| folder.is_absolute());
    let base = xdg.or_else(|| home.map(|home| Path::new(&home).join(".cache")));
    Ok(base.ok_or("neither XDG_CACHE_HOME nor HOME says where to keep a cache")?.join("piecework"))
}

fn bounded(target: PathBuf) -> Result<PathBuf, String> {
    if bytes_below(&target) > TARGET_BYTES_MAX {
        println!("note: the cached target folder has outgrown its limit and is built anew");
        fs::remove_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    }
    Ok(target)
}

/// Bytes that a folder takes on its disk; what cannot be read counts as nothing.
fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.filter_map(|entry| Some((entry.metadata().ok()?, entry.path())));
    bytes.map(|(m, path)| if m.is_dir() { bytes_below(&path) } else { m.blocks() * 512 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_lies_where_the_user_said_or_below_home() {
        let folder = |xdg: Option<&str>, home: Option<&str>| {
            cache_folder(xdg.map(OsString::from), home.map(OsString::from))
        };
        assert_eq!(folder(Some("/c"), Some("/h")), Ok("/c/piecework".into()));
        assert_eq!(folder(Some("relative"), Some("/h")), Ok("/h/.cache/piecework".into()));
        assert!(folder(None, None).is_err());
    }

    #[test]
    fn sizes_of_folders_add_up() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::create_dir(folder.path().join("a")).expect("it is empty");
        fs::write(folder.path().join("a/b"), [1; 10_000]).expect("there is room");
        assert!(bytes_below(folder.path()) >= 10_000);
        assert_eq!(bytes_below(&folder.path().join("gone")), 0);
    }
}
