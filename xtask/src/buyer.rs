//! The tests of the buyer in Python that was written from the pages of the protocol alone: those of its own,
//! those in which it, buyers that cheat and sellers that cheat meet real nodes, those of real nodes among
//! themselves whose chain goes away or whose clocks are wrong, and one whose chain takes a deposit back.
//!
//! Its packages are PyPI's, at the versions of `interop/buyer/requirements.txt`, in a virtual environment
//! in the user's cache folder. What puts off the clocks of nodes is Debian's, and the chain that takes blocks
//! back is npm's, among the packages of the contracts; without them that is not tried, which the tests say.

use crate::process;
use crate::project::Project;
use crate::tools;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Debian's own interpreter, to which its package `python3-venv` belongs.
const PYTHON: &str = "/usr/bin/python3";
/// Making the environment; on a slow network it fetches 10 MB.
const INSTALL_LIMIT: Duration = Duration::from_secs(10 * 60);
const TESTS_LIMIT: Duration = Duration::from_secs(5 * 60);
/// For one file. Mostly waits of the protocol itself; the rest is for a machine that is busy.
const REAL_LIMIT: Duration = Duration::from_secs(10 * 60);
/// What Debian's package `faketime` brings, below `/usr/lib` and the machine's triplet.
const FAKETIME: &str = "faketime/libfaketimeMT.so.1";
/// Names the program under test.
const PROGRAM: &str = "PIECEWORK";
/// What is installed, beside the environment's own files: written last.
const INSTALLED: &str = "requirements.txt";

/// Runs the tests, after it has installed what they need.
///
/// # Errors
/// When the environment cannot be made, or a test fails.
pub(crate) fn run(project: &Project) -> Result<String, String> {
    let folder = project.root.join("interop/buyer");
    let environment = project.tools.join("buyer");
    install(&folder, &environment)?;
    let discover = |tests: &str| {
        let mut command = Command::new(environment.join("bin/python"));
        command.args(["-B", "-m", "unittest", "discover", "--start-directory", tests]);
        command.current_dir(&folder);
        command
    };
    let clocks = tools::install_debian("faketime", &has_faketime);
    let mut told = "unittest, real nodes".to_owned();
    told += &at_most_twice("tests", || process::run(discover("tests"), TESTS_LIMIT))?;
    for file in real_tests(&folder)? {
        told += &at_most_twice(&file, || {
            let mut command = discover("real");
            command.args(["--pattern", &file]).env(PROGRAM, project.binary("ci", "piecework"));
            process::run(command, REAL_LIMIT)
        })?;
    }
    if let Err(why) = clocks {
        told += &format!("; no clock was put off: {why}");
    }
    Ok(told)
}

/// As any other test over real sockets: one that fails is run once more, and both results are told.
fn at_most_twice(name: &str, run: impl Fn() -> Result<(), String>) -> Result<String, String> {
    let Err(why) = run() else { return Ok(String::new()) };
    eprintln!("{name} failed, and is tried once more: {why}");
    run()?;
    Ok(format!("; {name} at the second try"))
}

/// Those with real nodes, a file each.
fn real_tests(folder: &Path) -> Result<Vec<String>, String> {
    let place = folder.join("real");
    let told = |error| format!("{}: {error}", place.display());
    let names = fs::read_dir(&place).map_err(told)?.flatten().map(|it| it.file_name());
    let names = names.filter_map(|name| name.into_string().ok());
    let mut tests: Vec<_> =
        names.filter(|name| name.starts_with("test_") && name.ends_with(".py")).collect();
    tests.sort();
    Ok(tests)
}

/// Whether clocks can be put off, where the tests look for what does it.
fn has_faketime() -> bool {
    let mut triplets = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    triplets.any(|it| it.path().join(FAKETIME).is_file())
}

/// Makes the environment anew unless it has just these versions.
fn install(folder: &Path, environment: &Path) -> Result<(), String> {
    let wanted = folder.join(INSTALLED);
    let text =
        |path: &Path| fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()));
    let named = text(&wanted)?;
    let installed = environment.join(INSTALLED);
    if text(&installed).is_ok_and(|it| it == named) {
        return Ok(());
    }
    let mut make = Command::new(PYTHON);
    make.args(["-m", "venv", "--clear"]).arg(environment);
    process::run(make, INSTALL_LIMIT).map_err(|why| format!("{why}; it takes python3-venv"))?;
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    pip.arg(&wanted);
    process::run(pip, INSTALL_LIMIT)?;
    fs::write(&installed, named).map_err(|e| format!("{}: {e}", installed.display()))
}
