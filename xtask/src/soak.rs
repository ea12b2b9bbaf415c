//! `cargo xtask soak`: the proofs that take hours, and their report in docs/SOAK.md.
//!
//! Each part can be repeated alone; what the report says of the others stays as it is. A part whose program
//! is absent fails, and one that was never run is named as such: a report never leaves out what could not be
//! shown.

mod record;

use crate::fuzz::Demand;
use crate::options::SoakOptions;
use crate::project::Project;
use crate::steps::{self, Outcome, step};
use crate::{fuzz, process, test};
use record::{Record, Shown, report};
use std::fs;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The parts, in the order in which they are run.
pub(crate) const PARTS: [&str; 8] =
    ["build", "fuzz", "simulator", "kill", "money", "chain", "daemon", "churn"];

/// What 10,000 simulated swarms may take on two cores.
const SIM_LIMIT: Duration = Duration::from_secs(10 * 60);
/// The scenario that is played most.
const SWARM: &str = "swarm";
/// Of the seeds of the swarm, the other scenarios play one in so many.
const SIM_OTHERS_SHARE: u64 = 20;
/// Of the seeds of the swarm, networks of DHT nodes play one in so many: each takes seconds.
const SIM_DHT_SHARE: u64 = 200;
/// Two hundred kills, each followed by two processes and a look at every piece.
const KILL_LIMIT: Duration = Duration::from_secs(2 * 60 * 60);
/// Of the kills, those of paid transfers are one in so many: each takes seconds.
const MONEY_SHARE: u64 = 2;
/// What the churn needs beyond its time: making its torrents, ending its peers.
const CHURN_EXTRA: Duration = Duration::from_secs(5 * 60);
/// Connections of the churn at a time.
const CHURN_PEERS: &str = "200";
/// How often a part says that it is still running.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Runs the parts that were asked for and writes the report after each, also after a failure.
///
/// # Errors
/// Names the parts that failed, or says why the report could not be written.
pub(crate) fn run(project: &Project, options: &SoakOptions) -> Result<(), String> {
    let path = project.root.join("docs/SOAK.md");
    let mut outcomes = Vec::new();
    for part in PARTS.into_iter().filter(|part| options.wants(part)) {
        // Of the beginning: by the end, something else may be checked out.
        let commit = record::commit(project)?;
        let (outcome, lines) = carry_out(project, options, part);
        let shortened = options.shortened(part);
        let record = Record::new(project, commit, &outcome, shortened, lines)?;
        let before = fs::read_to_string(&path).unwrap_or_default();
        let parts = PARTS.map(|other| {
            let is_new = other == part;
            (other, if is_new { Some(record.shown()) } else { Shown::read(&before, other) })
        });
        fs::write(&path, report(&parts)).map_err(|error| format!("docs/SOAK.md: {error}"))?;
        outcomes.push(outcome);
    }
    println!("\n{}\nreport: docs/SOAK.md", steps::table(&outcomes));
    steps::verdict(&outcomes)
}

/// Runs one part; what it printed comes with it.
fn carry_out(
    project: &Project,
    options: &SoakOptions,
    part: &'static str,
) -> (Outcome, Vec<String>) {
    let mut lines = Vec::new();
    let kept = &mut lines;
    let work = || match part {
        "build" => build(project, &["ci", "release"]),
        "fuzz" => fuzz::run(project, options.fuzz_seconds, Demand::Coverage, kept),
        "simulator" => simulator(project, options.sim_seeds, kept),
        "kill" => kill(project, options.kill_rounds, kept),
        "money" => money(project, options.kill_rounds, kept),
        "chain" => chain(project, options.kill_rounds, kept),
        "daemon" => daemon(project, options.kill_rounds, kept),
        _ => churn(project, options.churn_minutes, kept),
    };
    (step(part, || telling(part, work)), lines)
}

/// Says once a minute that a part is still running.
fn telling<T>(part: &str, work: impl FnOnce() -> T) -> T {
    let (done, wait) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let start = Instant::now();
            while wait.recv_timeout(TELL_EVERY) == Err(RecvTimeoutError::Timeout) {
                println!("... {part}: {:.0} min", start.elapsed().as_secs_f64() / 60.0);
            }
        });
        let result = work();
        drop(done);
        result
    })
}

fn build(project: &Project, profiles: &[&str]) -> Result<String, String> {
    for profile in profiles {
        test::build(project, profile)?;
    }
    Ok(profiles.join(", "))
}

/// The swarm, which must not take longer than its limit, and then the other scenarios.
fn simulator(project: &Project, seeds: u64, kept: &mut Vec<String>) -> Result<String, String> {
    build(project, &["ci"])?;
    let mut list = test::proof(project, "ci", "piecework-sim")?;
    list.arg("--list");
    let mut scenarios = Vec::new();
    process::run_keeping_lines(list, TELL_EVERY, &mut scenarios)?;
    let start = Instant::now();
    let mut failed: Vec<&str> = Vec::new();
    failed.extend(play(project, SWARM, seeds, kept).is_err().then_some(SWARM));
    let took = start.elapsed();
    let note = format!(
        "{seeds} seeds of the swarm in {:.1} s, {} s are allowed",
        took.as_secs_f64(),
        SIM_LIMIT.as_secs()
    );
    kept.push(note.clone());
    let names = scenarios.iter().filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| *name != SWARM) {
        let share = if name.starts_with("dht") { SIM_DHT_SHARE } else { SIM_OTHERS_SHARE };
        let seeds = seeds.div_ceil(share);
        failed.extend(play(project, name, seeds, kept).is_err().then_some(name));
    }
    if !failed.is_empty() {
        return Err(format!("failed: {}; {note}", failed.join(", ")));
    }
    if took > SIM_LIMIT { Err(note) } else { Ok(note) }
}

/// One scenario, its seeds dealt out to as many processes as there are cores.
fn play(
    project: &Project,
    scenario: &str,
    seeds: u64,
    kept: &mut Vec<String>,
) -> Result<(), String> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let share = |first: u64, seeds: u64| {
        let mut command = test::proof(project, "ci", "piecework-sim")?;
        command.args(["--scenario", scenario, "--seed", &first.to_string()]);
        command.args(["--seeds", &seeds.to_string()]);
        let mut lines = Vec::new();
        // Longer than its limit: how much longer it takes is worth knowing.
        let result = process::run_keeping_lines(command, 4 * SIM_LIMIT, &mut lines);
        Ok::<_, String>((lines, result))
    };
    std::thread::scope(|scope| {
        let run = |(first, seeds)| scope.spawn(move || share(first, seeds));
        let runs: Vec<_> = shares(seeds, cores).into_iter().map(run).collect();
        let mut outcome = Ok(());
        for run in runs {
            let (lines, result) = run.join().map_err(|_| "a simulator's watcher panicked")??;
            kept.extend(lines);
            outcome = outcome.and(result);
        }
        outcome
    })
}

/// First seed and number of seeds of each process: together 1 to `seeds`.
fn shares(seeds: u64, cores: u64) -> Vec<(u64, u64)> {
    let start = |nth: u64| 1 + seeds * nth / cores;
    let all = (0..cores).map(|nth| (start(nth), start(nth + 1) - start(nth)));
    all.filter(|(_, count)| *count > 0).collect()
}

fn kill(project: &Project, rounds: u64, kept: &mut Vec<String>) -> Result<String, String> {
    build(project, &["ci"])?;
    test::install_libtorrent(project)?;
    process::run_keeping_lines(test::kill(project, "download", rounds)?, KILL_LIMIT, kept)?;
    Ok(format!("{rounds} rounds"))
}

/// Who sells and who buys, each killed again and again in the middle of paid transfers.
fn money(project: &Project, rounds: u64, kept: &mut Vec<String>) -> Result<String, String> {
    build(project, &["ci"])?;
    let rounds = rounds.div_ceil(MONEY_SHARE);
    process::run_keeping_lines(test::kill(project, "money", rounds)?, KILL_LIMIT, kept)?;
    Ok(format!("{rounds} rounds"))
}

/// A chain that is killed while it seals, again and again.
fn chain(project: &Project, rounds: u64, kept: &mut Vec<String>) -> Result<String, String> {
    let scope = ["test", "--quiet", "--locked", "--profile", "ci", "-p", "piecework-chain"];
    let mut command = project.cargo(scope);
    command.args(["--test", "kill"]).env("PIECEWORK_KILLS", rounds.to_string());
    process::run_keeping_lines(command, KILL_LIMIT, kept)?;
    Ok(format!("{rounds} kills"))
}

/// A daemon that is killed while torrents are added, again and again.
fn daemon(project: &Project, rounds: u64, kept: &mut Vec<String>) -> Result<String, String> {
    let scope = ["test", "--quiet", "--locked", "--profile", "ci", "-p", "piecework"];
    let mut command = project.cargo(scope);
    command.args(["--test", "daemon", "kill"]).env("PIECEWORK_KILLS", rounds.to_string());
    process::run_keeping_lines(command, KILL_LIMIT, kept)?;
    Ok(format!("{rounds} rounds of two kills"))
}

/// Peers that come and go, and the memory of the build that users get.
fn churn(project: &Project, minutes: u64, kept: &mut Vec<String>) -> Result<String, String> {
    build(project, &["release"])?;
    let mut command = test::proof(project, "release", "piecework-churn")?;
    command.args(["--minutes", &minutes.to_string(), "--peers", CHURN_PEERS]);
    process::run_keeping_lines(command, Duration::from_secs(minutes * 60) + CHURN_EXTRA, kept)?;
    Ok(format!("{minutes} min, {CHURN_PEERS} peers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seed_is_played_by_one_process() {
        assert_eq!(shares(10_000, 2), [(1, 5_000), (5_001, 5_000)]);
        assert_eq!(shares(7, 3), [(1, 2), (3, 2), (5, 3)]);
        assert_eq!(shares(1, 4), [(1, 1)]);
    }

    #[test]
    fn a_part_that_is_done_says_no_more_and_gives_its_result() {
        assert_eq!(telling("part", || 7), 7);
    }
}
