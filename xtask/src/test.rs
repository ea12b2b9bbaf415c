//! `cargo xtask test`: every proof that fits into an hour on two cores, the fast ones first.

use crate::budget::Mode;
use crate::fuzz::Demand;
use crate::options::{PEERS, TestOptions};
use crate::project::Project;
use crate::steps::{self, step};
use crate::{budget, buyer, contracts, dist, fuzz, process, tidy, tools, web};
use std::process::Command;
use std::time::Duration;

/// Longest that one step may run; what hangs must not eat the whole budget.
const STEP_LIMIT: Duration = Duration::from_secs(30 * 60);
/// Fetching the advisory database, before it counts as out of reach.
const ADVISORIES_LIMIT: Duration = Duration::from_secs(60);
/// Fuzzing of one target.
const FUZZ_SECONDS: u64 = 10;
/// Simulated swarms.
const SIM_SEEDS: &str = "200";
/// Tests against chains of other people.
const CHAINS: &str = "piecework-settle/chains";
/// The benches of the chain and of paid lanes, which no other build waits for.
const BENCHES: &str = "piecework-bench/chain,piecework-bench/lanes";
/// Kills of a process that downloads; the long form is a part of `soak`, and so are kills of who trades: a
/// channel that nobody closes is cashed after ten minutes only.
const KILL_ROUNDS: u64 = 50;

/// Runs the steps and prints their table.
///
/// # Errors
/// Names the steps that failed.
pub(crate) fn run(project: &Project, options: &TestOptions) -> Result<(), String> {
    let mut outcomes = vec![
        step("fmt", || format(project)),
        step("tidy", || tidy::check(&project.root)),
        // Before the builds: they put the app into the program.
        step("web", || with_npm(options, || web::test(project))),
        step("clippy", || clippy(project)),
        step("tests", || tests(project)),
        step("doc tests", || doc_tests(project)),
    ];
    if options.quick {
        // The whole run builds them for fuzzing, which a change of a type should not have to wait for.
        outcomes.push(step("fuzz targets", || fuzz::check(project)));
        outcomes.push(step("contracts", || with_npm(options, || contracts::run(project, true))));
    } else {
        outcomes.extend([
            step("build", || build(project, "ci")),
            step("rustdoc", || rustdoc(project)),
            step("simulator", || simulator(project)),
            step("fuzz", || {
                let mut table = Vec::new();
                fuzz::run(project, FUZZ_SECONDS, Demand::NoFindings, &mut table)
            }),
            step("deny", || deny(project)),
            step("interop", || interop(project, options)),
            // After the installation of npm.
            step("contracts", || with_npm(options, || contracts::run(project, false))),
            step("rpc clients", || with_npm(options, || rpc_clients(project))),
            step("buyer", || buyer::run(project)),
            step("browser", || with_npm(options, || browser(project, options))),
            step("wallets", || with_npm(options, || wallets(project))),
            step("chains", || with_npm(options, || chains(project))),
            step("kill", || kill(project, "download", KILL_ROUNDS).and_then(last_line_of)),
            step("packages", || dist::try_out(project, &project.binary("ci", "piecework"))),
            step("bench", || bench(project)),
            step("budget", || match options.without_valgrind {
                true => Ok("not run: without valgrind".into()),
                false => budget::run(project, Mode::Compare),
            }),
        ]);
    }
    println!("\n{}", steps::table(&outcomes));
    steps::verdict(&outcomes)
}

fn format(project: &Project) -> Result<String, String> {
    process::run(project.cargo(["fmt", "--all", "--check"]), STEP_LIMIT)?;
    let fuzz = "fuzz/Cargo.toml";
    if project.root.join(fuzz).exists() {
        process::run(project.cargo(["fmt", "--manifest-path", fuzz, "--check"]), STEP_LIMIT)?;
    }
    Ok(String::new())
}

fn clippy(project: &Project) -> Result<String, String> {
    // The profile of the tests: so build scripts, C code included, run once for both.
    let scope = ["clippy", "--locked", "--workspace", "--all-targets", "--profile", "ci"];
    let mut command = project.cargo(scope);
    command.args(["--features", CHAINS, "--features", BENCHES, "--", "-D", "warnings"]);
    process::run(command, STEP_LIMIT).map(|()| String::new())
}

fn tests(project: &Project) -> Result<String, String> {
    let nextest = tools::NEXTEST.find(project).is_some();
    let command = if nextest {
        let scope = ["nextest", "run", "--locked", "--workspace", "--cargo-profile", "ci"];
        let mut command = project.cargo(scope);
        command.args(["--no-fail-fast", "--status-level", "slow", "--final-status-level", "flaky"]);
        command
    } else {
        let scope = ["test", "--locked", "--workspace", "--tests", "--profile", "ci"];
        let mut command = project.cargo(scope);
        command.arg("--no-fail-fast");
        command
    };
    let runner = if nextest { "nextest" } else { "cargo test" };
    process::run(command, STEP_LIMIT).map(|()| runner.into())
}

fn doc_tests(project: &Project) -> Result<String, String> {
    let scope = ["test", "--locked", "--workspace", "--doc", "--profile", "ci"];
    process::run(project.cargo(scope), STEP_LIMIT).map(|()| String::new())
}

fn rustdoc(project: &Project) -> Result<String, String> {
    let scope = ["doc", "--locked", "--workspace", "--no-deps", "--document-private-items"];
    let mut command = project.cargo(scope);
    command.args(["--profile", "ci"]).env("RUSTDOCFLAGS", "-D warnings");
    process::run(command, STEP_LIMIT).map(|()| String::new())
}

fn deny(project: &Project) -> Result<String, String> {
    tools::DENY.ensure(project)?;
    let check = ["deny", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    process::run(project.cargo(check), STEP_LIMIT)?;
    advisories(project)
}

/// Known vulnerabilities count only where their database can be had; elsewhere that is said.
fn advisories(project: &Project) -> Result<String, String> {
    let mut fetch = project.cargo(["deny", "fetch", "db"]);
    fetch.env("GIT_TERMINAL_PROMPT", "0");
    if process::run(fetch, ADVISORIES_LIMIT).is_err() {
        return Ok("advisories: database not reachable, not checked".into());
    }
    let check = ["deny", "check", "--disable-fetch", "advisories"];
    process::run(project.cargo(check), STEP_LIMIT).map(|()| "advisories checked".into())
}

fn interop(project: &Project, options: &TestOptions) -> Result<String, String> {
    let command = |verb: &str| {
        let mut command = proof(project, "ci", "piecework-interop")?;
        command.arg(verb);
        for peer in &options.without {
            command.args(["--without", peer]);
        }
        Ok::<_, String>(command)
    };
    process::run(command("install")?, STEP_LIMIT)?;
    // Most of a cell is waiting for a program to look at something again.
    let notes = steps::halves(|half| {
        let mut run = command("run")?;
        run.args(["--part", &format!("{}/2", half + 1)]);
        let mut table = Vec::new();
        let result = process::run_keeping_lines(run, STEP_LIMIT, &mut table);
        // A long run is read from its end, so the step itself names the cells.
        let is_bad = |line: &&String| line.contains("| FAILED") || line.contains("| not run");
        let bad: Vec<_> = table.iter().filter(is_bad).map(|line| cell_of(line)).collect();
        result.map_err(|why| if bad.is_empty() { why } else { bad.join("; ") })?;
        Ok(table.pop().unwrap_or_default())
    })?;
    Ok(notes.join("; "))
}

/// The name and the direction of a cell, and what became of it, of a line of the matrix.
fn cell_of(line: &str) -> String {
    let columns: Vec<_> = line.split('|').map(str::trim).collect();
    match columns[..] {
        [_, cell, direction, _, _, _, result, ..] => format!("{cell}: {direction}: {result}"),
        _ => line.to_owned(),
    }
}

/// Does `work`, which npm and Node.js are needed for, unless they may be absent.
fn with_npm(
    options: &TestOptions,
    work: impl FnOnce() -> Result<String, String>,
) -> Result<String, String> {
    if options.without_npm { Ok("not run: without npm".into()) } else { work() }
}

/// Ethereum libraries and tools of other people against a chain of ours; npm installs them.
fn rpc_clients(project: &Project) -> Result<String, String> {
    let mut clients = Command::new("node");
    clients.arg("contracts/rpc/run.mjs").arg(project.binary("ci", "piecework"));
    clients.current_dir(&project.root);
    last_line_of(clients)
}

/// The web app in a browser.
fn browser(project: &Project, options: &TestOptions) -> Result<String, String> {
    if options.without_chromium {
        return Ok("not run: without chromium".into());
    }
    web::browse(project, &project.binary("ci", "piecework"))
}

/// Wallets of other people's programs against ours; npm installs them.
fn wallets(project: &Project) -> Result<String, String> {
    let mut command = Command::new("node");
    command.arg("contracts/wallets.mjs").arg("--against").arg(project.binary("ci", "piecework"));
    command.current_dir(&project.root);
    last_line_of(command)
}

/// The client side of money against whole chains; npm brings them.
fn chains(project: &Project) -> Result<String, String> {
    let mut install = Command::new("node");
    install.arg("contracts/packages.mjs").current_dir(&project.root);
    process::run(install, STEP_LIMIT)?;
    let scope =
        ["test", "--locked", "-p", "piecework-settle", "--test", "settle", "--features", CHAINS];
    let mut command = project.cargo(scope);
    command.args(["--profile", "ci"]);
    process::run(command, STEP_LIMIT).map(|()| "anvil".into())
}

fn simulator(project: &Project) -> Result<String, String> {
    let mut command = proof(project, "ci", "piecework-sim")?;
    command.args(["--seeds", SIM_SEEDS]);
    last_line_of(command)
}

/// Installs the one peer that the kills need.
///
/// # Errors
/// When it cannot be installed.
pub(crate) fn install_libtorrent(project: &Project) -> Result<(), String> {
    let mut command = proof(project, "ci", "piecework-interop")?;
    command.arg("install");
    for peer in PEERS.into_iter().filter(|peer| *peer != "libtorrent") {
        command.args(["--without", peer]);
    }
    process::run(command, STEP_LIMIT)
}

/// Kills and restarts at seeded moments in the middle of this kind of thing, as a command that is to be run.
///
/// # Errors
/// When it was not built.
pub(crate) fn kill(project: &Project, kind: &str, rounds: u64) -> Result<Command, String> {
    let mut command = proof(project, "ci", "piecework-interop")?;
    command.args(["kill", "--kind", kind, "--rounds", &rounds.to_string()]);
    Ok(command)
}

/// That the bench works, side by side with other people's clients, with the build of the tests. Being
/// slow is for the reader of its full form to judge.
fn bench(project: &Project) -> Result<String, String> {
    let mut command = proof(project, "ci", "piecework-bench")?;
    command.arg("--smoke");
    last_line_of(command)
}

/// Builds the client, and the programs that prove something about it, in one go.
///
/// # Errors
/// When one of them does not build.
pub(crate) fn build(project: &Project, profile: &str) -> Result<String, String> {
    let build = ["build", "--locked", "--workspace", "--bins", "--profile", profile];
    let mut build = project.cargo(build);
    if profile == "ci" {
        // With the features that the tests were built with, or half of everything would be built once more.
        build.arg("--tests");
    }
    process::run(build, STEP_LIMIT).map(|()| String::new())
}

/// A program of the proof layer as [`build`] left it, with the client beside it.
///
/// # Errors
/// When it is not there.
pub(crate) fn proof(project: &Project, profile: &str, name: &str) -> Result<Command, String> {
    let binary = project.binary(profile, name);
    if !binary.is_file() {
        return Err(format!("there is no program {name}"));
    }
    let mut command = Command::new(binary);
    command.current_dir(&project.root);
    Ok(command)
}

fn last_line_of(command: Command) -> Result<String, String> {
    let mut lines = Vec::new();
    process::run_keeping_lines(command, 4 * STEP_LIMIT, &mut lines)?;
    Ok(lines.into_iter().rev().find(|line| !line.trim().is_empty()).unwrap_or_default())
}
