//! Drives of a test's own: mount namespaces, in which a tmpfs can be as small as a test wants it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// That this machine lets a test have a mount namespace, and how.
#[derive(Clone, Debug)]
pub struct Mounts {
    /// Arguments that make `unshare` give one.
    unshare: Vec<&'static str>,
}

impl Mounts {
    /// Finds out. Where they are not allowed, stderr says which test is not run.
    ///
    /// # Panics
    /// When stderr cannot be written.
    pub fn allowed() -> Option<Self> {
        for unshare in [vec!["--mount"], vec!["--mount", "--user", "--map-root-user"]] {
            let mut command = Command::new("unshare");
            command.args(&unshare).args(["mount", "-t", "tmpfs", "none", "/mnt"]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            if command.status().is_ok_and(|status| status.success()) {
                return Some(Self { unshare });
            }
        }
        // Written past the test's capture: who reads the log has to see it.
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let reason = format!("{test}: not run, for unshare --mount is not allowed here\n");
        std::io::stderr().write_all(reason.as_bytes()).expect("stderr can be written");
        None
    }

    /// The command behind a shell script, both in a mount namespace of their own.
    pub fn within(&self, script: &str, command: &Command) -> Command {
        let mut wrapped = Command::new("unshare");
        wrapped.args(&self.unshare);
        wrapped.args(["sh", "-c", &format!("{script} && exec \"$@\""), "sh"]);
        wrap(wrapped, command)
    }

    /// The command in the namespace of a process.
    pub fn beside(&self, process: u32, command: &Command) -> Command {
        let mut wrapped = Command::new("nsenter");
        wrapped.args(["--mount", "--target", &process.to_string()]);
        if self.unshare.contains(&"--user") {
            wrapped.args(["--user", "--preserve-credentials"]);
        }
        wrap(wrapped, command)
    }

    /// A path as a process sees it.
    ///
    /// # Panics
    /// When it is not absolute.
    pub fn seen_by(process: u32, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{process}/root"));
        root.join(path.strip_prefix("/").expect("an absolute path"))
    }
}

/// A command as the last arguments of another.
fn wrap(mut wrapped: Command, command: &Command) -> Command {
    wrapped.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(key, value),
            None => wrapped.env_remove(key),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        wrapped.current_dir(folder);
    }
    wrapped
}
