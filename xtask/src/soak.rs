//! `cargo xtask soak`: the proofs that take hours, and their report in docs/SOAK.md.
//!
//! A part whose program is absent fails: a report never leaves out what could not be shown.

use crate::project::Project;
use crate::steps::{self, Outcome, step};
use crate::test::{self, Bench};
use crate::{fuzz, process};
use std::fs;

/// Fuzzing of one target.
const FUZZ_SECONDS: u64 = 60;
/// Simulated swarms.
const SIM_SEEDS: &str = "10000";
/// Kills of a process that downloads or checks.
const KILL_ROUNDS: &str = "200";
/// Lines of a program's output that the report quotes.
const QUOTED_LINES_MAX: usize = 60;

/// Runs every part and writes the report, also after a failure.
///
/// # Errors
/// Names the parts that failed, or says why the report could not be written.
pub(crate) fn run(project: &Project) -> Result<(), String> {
    let mut report = Report::default();
    report.part("build", || {
        test::build(project, "ci")?;
        test::build(project, "release").map(|_| Vec::new())
    });
    report.part("fuzz", || fuzz::run(project, FUZZ_SECONDS).map(|note| vec![note]));
    report.part("simulator", || test::simulator(project, SIM_SEEDS));
    report.part("kill", || test::kill(project, KILL_ROUNDS));
    report.part("bench", || test::bench(project, Bench::Full));
    let text = report.write(&machine(project)?);
    let path = project.root.join("docs/SOAK.md");
    fs::write(&path, text).map_err(|error| format!("docs/SOAK.md: {error}"))?;
    println!("\n{}\nreport: docs/SOAK.md", steps::table(&report.outcomes));
    steps::verdict(&report.outcomes)
}

#[derive(Default)]
struct Report {
    outcomes: Vec<Outcome>,
    quotes: Vec<(&'static str, Vec<String>)>,
}

impl Report {
    fn part(&mut self, name: &'static str, work: impl FnOnce() -> Result<Vec<String>, String>) {
        let mut lines = Vec::new();
        self.outcomes.push(step(name, || {
            lines = work()?;
            Ok(String::new())
        }));
        self.quotes.push((name, lines));
    }

    fn write(&self, machine: &str) -> String {
        let table = steps::table(&self.outcomes);
        let mut text =
            format!("# Soak report\n\nWritten by `cargo xtask soak`.\n\n{machine}\n\n{table}");
        for (name, lines) in self.quotes.iter().filter(|(_, lines)| !lines.is_empty()) {
            let quoted = &lines[lines.len().saturating_sub(QUOTED_LINES_MAX)..];
            let quoted: Vec<_> = quoted.iter().map(|line| line.trim_end()).collect();
            text += &format!("\n## {name}\n\n```text\n{}\n```\n", quoted.join("\n"));
        }
        text
    }
}

/// What the figures were taken on: commit, kernel, processor.
fn machine(project: &Project) -> Result<String, String> {
    let commit = process::output(&project.root, "git", &["describe", "--always", "--dirty"])?;
    let kernel = process::output(&project.root, "uname", &["-srm"])?;
    let rustc = process::output(&project.root, "rustc", &["--version"])?;
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models =
        || cpuinfo.lines().filter_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = models().next().map_or("unknown processor", |(_, model)| model);
    let cores = models().count();
    Ok(format!(
        "Commit {}, {}, {}, {cores} cores of {model}.",
        commit.trim(),
        kernel.trim(),
        rustc.trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_shows_failures_and_the_last_lines_of_the_rest() {
        let mut report = Report::default();
        report.part("kill", || Err("no such program".into()));
        report.part("bench", || Ok((0..100).map(|line| format!("line {line} ")).collect()));
        let text = report.write("A machine.");
        assert!(text.contains("| kill  | FAILED |") && text.contains("no such program"));
        assert!(text.contains("line 99\n") && !text.contains("line 39\n"));
        assert!(!text.lines().any(|line| line.ends_with(' ')));
    }
}
