//! `cargo xtask run`: the product as a person has it, on loopback, until Ctrl-C.
//!
//! The release binary as a daemon in a temporary folder that goes with it. It asks nobody outside of this
//! machine to let peers in and enters no DHT; torrents that are added are downloaded from wherever they are.

use crate::process::{self, Running, interrupted};
use crate::project::Project;
use crate::run::BUILD_LIMIT;
use crate::web;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Builds the binary and runs `piecework up` until somebody interrupts.
///
/// # Errors
/// When the build fails, or the daemon ends by itself or not well.
pub(crate) fn run(project: &Project) -> Result<(), String> {
    web::build_if_possible(project);
    let build = ["build", "--locked", "--release", "--package", "piecework"];
    process::run(project.cargo(build), BUILD_LIMIT)?;
    let folder = tempfile::Builder::new().prefix("piecework-up-").tempdir();
    let folder = folder.map_err(|error| format!("temporary folder: {error}"))?;
    let binary = project.binary("release", "piecework");
    let (shown, data) = (binary.display(), folder.path().display());
    println!(
        "a daemon in {data}, which goes with it; Ctrl-C ends it. Open the address behind READY in a"
    );
    println!(
        "browser; the password is shown below or in {data}/first-login.txt. Or, in another terminal:"
    );
    println!("  export PIECEWORK_DATA_DIR={data}");
    println!("  {shown} add SOME.torrent; {shown} list --watch");
    until_interrupted(command(&binary, folder.path()), &interrupted)?;
    folder.close().map_err(|error| format!("temporary folder: {error}"))
}

fn command(binary: &Path, data: &Path) -> Command {
    let mut command = Command::new(binary);
    command.arg("up").arg("--data-dir").arg(data).args(["--port", "0"]);
    // Any port: a daemon of the user's own may run beside it.
    command.args(["--listen", "127.0.0.1:0", "--set", "net.local_discovery=false"]);
    command.env("PIECEWORK_NO_PORT_MAPPING", "true").env("PIECEWORK_NO_DHT", "true");
    command
}

fn until_interrupted(command: Command, is_interrupted: &dyn Fn() -> bool) -> Result<(), String> {
    let mut daemon = Running::start(command)?;
    while !is_interrupted() {
        if let Some(ended) = daemon.ended()? {
            return Err(format!("the daemon ended by itself: {}", ended.status));
        }
        thread::sleep(LOOK_EVERY);
    }
    let ended = daemon.stop()?;
    if ended.status.success() { Ok(()) } else { Err(format!("the daemon: {}", ended.status)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A command of the shell that is interrupted once it has heard how to end.
    fn interrupted_after(script: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mark = folder.path().join("mark");
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).arg(&mark);
        until_interrupted(shell, &|| mark.exists())
    }

    #[test]
    fn it_ends_well_when_interrupted_and_not_by_itself() {
        let wait = ": > $0; while :; do sleep 0.01; done";
        assert_eq!(interrupted_after(&format!("trap 'exit 0' TERM; {wait}")), Ok(()));
        assert!(interrupted_after(&format!("trap 'exit 3' TERM; {wait}")).is_err());
        let early = interrupted_after("exit 0");
        assert!(early.is_err_and(|error| error.contains("by itself")));
    }
}
