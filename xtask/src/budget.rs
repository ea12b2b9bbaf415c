//! Instructions of the hot paths, counted by callgrind and compared with `bench/BUDGET.json`.
//!
//! A count does not depend on how busy the machine is, so a few per cent mean something. It does depend
//! on the compiler: the budget names the one that it was made with, and under another one the counts are
//! printed and not compared. The build is the one that users get.

use crate::process;
use crate::project::Project;
use crate::tools;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The build that users get.
const PROFILE: &str = "release";
/// Building it from nothing on a small machine.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
/// Counting one path takes a second.
const COUNT_LIMIT: Duration = Duration::from_secs(5 * 60);
/// How far a count may lie above or below its budget: below, the budget is to be made anew, so that the
/// gain is kept.
const DRIFT_PERCENT_MAX: f64 = 3.0;
/// Only what runs inside this function is counted.
const COUNTED: &str = "--toggle-collect=*::counted*";
/// The C library and aws-lc choose their copies and hashes by the CPU; so they choose the plainest ones
/// on every CPU. (glibc manual, "Tunables"; aws-lc, crypto/fipsmodule/cpucap)
const PLAIN_CPU: [(&str, &str); 2] = [
    (
        "GLIBC_TUNABLES",
        "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-AVX512F,-AVX512VL,-ERMS,-FSRM",
    ),
    ("OPENSSL_ia32cap", "~0x1000000000000000:~0x20"),
];

/// What to do with the counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// Compare them with the budget.
    Compare,
    /// Make them the budget.
    Write,
}

/// Counts, prints the table, and compares or writes.
///
/// # Errors
/// When valgrind is not there and cannot be installed, something does not run, or a count has drifted.
pub(crate) fn run(project: &Project, mode: Mode) -> Result<String, String> {
    tools::ensure_debian("valgrind", &has_valgrind)?;
    let scope = ["build", "--locked", "--package", "piecework-bench", "--bin", "piecework-budget"];
    let mut build = project.cargo(scope);
    build.args(["--profile", PROFILE]);
    process::run(build, BUILD_LIMIT)?;
    let binary = project.binary(PROFILE, "piecework-budget");
    let compiler = compiler(project)?;
    let list = process::output(&project.root, &binary.to_string_lossy(), &["--list"])?;
    let paths: Vec<HotPath> = list.lines().filter_map(HotPath::parse).collect();
    let counts = paths.iter().map(|path| count(&binary, &path.name));
    let counts = counts.collect::<Result<Vec<u64>, String>>()?;
    let file = project.root.join("bench/BUDGET.json");
    if mode == Mode::Write {
        let budget = Budget::new(compiler, &paths, &counts);
        fs::write(&file, budget.text()).map_err(|error| format!("bench/BUDGET.json: {error}"))?;
        println!("{}", table(&paths, &counts, &budget));
        return Ok(format!("{} paths written to bench/BUDGET.json", paths.len()));
    }
    let text = fs::read_to_string(&file).map_err(|error| format!("bench/BUDGET.json: {error}"))?;
    let budget = Budget::parse(&text)?;
    println!("{}", table(&paths, &counts, &budget));
    if budget.compiler != compiler {
        return Ok(format!(
            "not compared: the budget is for {}, this is {compiler}",
            budget.compiler
        ));
    }
    let drifted = drifted(&paths, &counts, &budget);
    if !drifted.is_empty() {
        let remedy = "if that is meant, run cargo xtask budget --write";
        return Err(format!("{}; {remedy}", drifted.join(", ")));
    }
    Ok(format!("{} paths within {DRIFT_PERCENT_MAX} %", paths.len()))
}

/// A path as the program lists it: `leech 8192 block`.
#[derive(Clone, Debug, Eq, PartialEq)]
struct HotPath {
    name: String,
    operations: u64,
    unit: String,
}

impl HotPath {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        let operations = words.next()?.parse().ok().filter(|operations| *operations > 0)?;
        Some(Self { name, operations, unit: words.next()?.to_owned() })
    }
}

/// What the repository says about the counts.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Budget {
    compiler: String,
    /// Path and instructions.
    counts: Vec<(String, u64)>,
}

impl Budget {
    fn new(compiler: String, paths: &[HotPath], counts: &[u64]) -> Self {
        let names = paths.iter().map(|path| path.name.clone());
        Self { compiler, counts: names.zip(counts.iter().copied()).collect() }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("bench/BUDGET.json: {what}");
        let value: Value = serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?;
        let compiler = value["compiler"].as_str().ok_or_else(|| wrong("no compiler"))?;
        let counts = value["instructions"].as_object().ok_or_else(|| wrong("no instructions"))?;
        let counts = counts.iter().map(|(name, count)| Some((name.clone(), count.as_u64()?)));
        let counts = counts.collect::<Option<Vec<_>>>().ok_or_else(|| wrong("a count is none"))?;
        Ok(Self { compiler: compiler.to_owned(), counts })
    }

    fn text(&self) -> String {
        let counts: serde_json::Map<String, Value> =
            self.counts.iter().map(|(name, count)| (name.clone(), json!(count))).collect();
        format!("{:#}\n", json!({ "compiler": self.compiler, "instructions": counts }))
    }

    fn of(&self, path: &HotPath) -> Option<u64> {
        self.counts.iter().find(|(name, _)| *name == path.name).map(|(_, count)| *count)
    }
}

/// The paths whose count is too far from its budget, or that only one side knows.
fn drifted(paths: &[HotPath], counts: &[u64], budget: &Budget) -> Vec<String> {
    let mut drifted = Vec::new();
    for (path, count) in paths.iter().zip(counts) {
        match budget.of(path).map(|budget| drift_percent(*count, budget)) {
            None => drifted.push(format!("{} has no budget", path.name)),
            Some(drift) if drift.abs() > DRIFT_PERCENT_MAX => {
                drifted.push(format!("{} {drift:+.1} %", path.name));
            }
            Some(_) => {}
        }
    }
    let is_gone = |name: &String| paths.iter().all(|path| path.name != *name);
    let gone = budget.counts.iter().map(|(name, _)| name).filter(|name| is_gone(name));
    drifted.extend(gone.map(|name| format!("{name} is not counted any more")));
    drifted
}

fn drift_percent(count: u64, budget: u64) -> f64 {
    (count as f64 / budget.max(1) as f64 - 1.0) * 100.0
}

fn table(paths: &[HotPath], counts: &[u64], budget: &Budget) -> String {
    let mut text = "| path | instructions | each | budget | drift |\n".to_owned();
    text += "|------|-------------:|-----:|-------:|------:|\n";
    for (path, count) in paths.iter().zip(counts) {
        let HotPath { name, operations, unit } = path;
        let each = count / operations;
        let (budget, drift) = budget.of(path).map_or_else(
            || ("-".to_owned(), "-".to_owned()),
            |budget| (budget.to_string(), format!("{:+.2} %", drift_percent(*count, budget))),
        );
        text += &format!("| {name} | {count} | {each} a {unit} | {budget} | {drift} |\n");
    }
    text
}

/// Runs one path under callgrind.
fn count(binary: &Path, name: &str) -> Result<u64, String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", COUNTED, "--callgrind-out-file=/dev/null"]);
    command.arg(binary).arg(name).envs(PLAIN_CPU);
    let (mut counted, mut said) = (None, Vec::new());
    let result = process::run_reading(command, COUNT_LIMIT, |line| {
        counted = counted.or_else(|| collected(&line));
        said.push(line);
    });
    // A count of nothing means that the function was not found.
    let counted = counted.filter(|count| *count > 0);
    let counted = counted.ok_or_else(|| "callgrind counted nothing".to_owned());
    let counted = result.and(counted).inspect_err(|_| println!("{}", said.join("\n")));
    counted.map_err(|error| format!("{name}: {error}"))
}

/// The figure in `==7530== Collected : 59547951`.
fn collected(line: &str) -> Option<u64> {
    let (_, count) = line.split_once(" Collected : ")?;
    count.trim().parse().ok()
}

/// The compiler and what it builds for.
fn compiler(project: &Project) -> Result<String, String> {
    let text = process::output(&project.root, "rustc", &["--version", "--verbose"])?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let version = text.lines().next().ok_or("rustc does not tell its version")?;
    let host = field("host: ").ok_or("rustc does not tell its host")?;
    Ok(format!("{version}, {host}"))
}

fn has_valgrind() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> HotPath {
        HotPath::parse(&format!("{name} 100 block")).expect("three words")
    }

    fn budget(counts: &[(&str, u64)]) -> Budget {
        let counts = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        Budget { compiler: "rustc 1".to_owned(), counts }
    }

    #[test]
    fn a_count_may_drift_by_three_per_cent_either_way() {
        let paths = ["a", "b", "c", "d"].map(path);
        let budget = budget(&[("a", 1000), ("b", 1000), ("c", 1000), ("d", 1000)]);
        let drifted = drifted(&paths, &[1029, 971, 1031, 969], &budget);
        assert_eq!(drifted, ["c +3.1 %", "d -3.1 %"]);
    }

    #[test]
    fn a_path_that_only_one_side_knows_is_named() {
        let drifted = drifted(&[path("new")], &[7], &budget(&[("old", 7)]));
        assert_eq!(drifted, ["new has no budget", "old is not counted any more"]);
    }

    #[test]
    fn a_budget_is_read_as_it_was_written() {
        let written = budget(&[("a", 1), ("b", 2)]);
        assert_eq!(Budget::parse(&written.text()), Ok(written));
        assert!(Budget::parse("{}").is_err() && Budget::parse("nonsense").is_err());
    }

    #[test]
    fn the_count_is_read_from_what_callgrind_says() {
        assert_eq!(collected("==7530== Collected : 59547951"), Some(59_547_951));
        assert_eq!(collected("==7530== Events    : Ir"), None);
    }

    #[test]
    fn the_table_shows_count_and_drift() {
        let table = table(&[path("a")], &[2020], &budget(&[("a", 2000)]));
        assert!(table.ends_with("| a | 2020 | 20 a block | 2000 | +1.00 % |\n"), "{table}");
    }
}
