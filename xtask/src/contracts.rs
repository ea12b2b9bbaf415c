//! The proof of the contracts: that the checked-in code and vectors are what compiler and libraries
//! give, that forge's tests pass, and that they find the faults they were written against.
//!
//! The programs are npm's, at the versions of `contracts/package-lock.json`, in the user's cache folder.

use crate::process;
use crate::project::Project;
use std::process::Command;
use std::time::Duration;

/// Longest that one script may run; on a slow network the first one fetches 150 MB.
const SCRIPT_LIMIT: Duration = Duration::from_secs(15 * 60);
/// What every run has, with the arguments; the first installs what the others need.
const SCRIPTS: [&[&str]; 6] = [
    &["packages.mjs"],
    &["build.mjs", "--check"],
    &["vectors.mjs", "--check"],
    &["pay.mjs", "--check"],
    &["wallets.mjs", "--check"],
    &["forge.mjs", "test"],
];
/// Shows that the tests can fail; takes two minutes.
const FAULTS: &[&str] = &["faults.mjs", "--check"];
/// What runs the scripts.
const NODE: &str = "node";

/// Runs the scripts, the faults too unless it is to be `quick`.
///
/// # Errors
/// Says which script failed, or that there is no Node.js.
pub(crate) fn run(project: &Project, quick: bool) -> Result<String, String> {
    if [NODE, "npm"].iter().any(|program| Command::new(program).arg("--version").output().is_err())
    {
        return Err("node and npm are needed; install them or say --without npm".into());
    }
    let scripts = SCRIPTS.into_iter().chain((!quick).then_some(FAULTS));
    let mut last = String::new();
    for script in scripts {
        let mut command = Command::new(NODE);
        command.args(script).current_dir(project.root.join("contracts"));
        let mut lines = Vec::new();
        process::run_keeping_lines(command, SCRIPT_LIMIT, &mut lines)
            .map_err(|error| format!("contracts/{}: {error}", script[0]))?;
        last = lines.into_iter().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    }
    Ok(last)
}
