//! Fuzzing of every parser, for some seconds or for a minute each, and the edges that it reaches.
//!
//! With a nightly toolchain the address sanitizer watches too; on stable the targets run without one.
//! Every run starts from the repository's corpus alone, so that its figures can be had again. What the
//! fuzzer finds interesting is kept below the target folder, never in the repository's corpus.

use crate::process;
use crate::project::Project;
use crate::steps;
use crate::tools;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Building all targets with instrumentation.
const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);
/// What a target may take beyond its fuzzing time: a rebuild, reading its corpus, one slow input.
const EXTRA_LIMIT: Duration = Duration::from_secs(120);
/// Edges that a target has to reach, for each one that it reaches with an empty input.
const RATIO_MIN: f64 = 2.0;
/// The last lines of a fuzzer that found something: the stack and where the input lies.
const LINES_SHOWN_MAX: usize = 200;

/// What makes fuzzing fail, and where the fuzzer's chance comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Demand {
    /// A finding. Each run tries the same inputs as the one before, as far as its time reaches: the tests of
    /// a change fail because of the change.
    NoFindings,
    /// A finding, or a target that reaches less than [`RATIO_MIN`]. Each run tries inputs of its own: here
    /// is where what nobody thought of is looked for.
    Coverage,
}

/// Fuzzes every target for `seconds` and puts a table of the edges reached into `kept`.
///
/// # Errors
/// When there is no target, one does not build, finds something, or does not meet the demand.
pub(crate) fn run(
    project: &Project,
    seconds: u64,
    demand: Demand,
    kept: &mut Vec<String>,
) -> Result<String, String> {
    let targets = targets(project)?;
    tools::FUZZ.ensure(project)?;
    let nightly = tools::has_nightly();
    process::run(cargo_fuzz(project, nightly, "build"), BUILD_LIMIT)?;
    let halves = steps::halves(|half| {
        let some = targets.iter().skip(half).step_by(2).map(|target| {
            println!("--- fuzz {target}, {seconds} s");
            let edges = fuzz(project, nightly, target, seconds, demand)?;
            Ok((target.as_str(), edges))
        });
        some.collect::<Result<Vec<_>, String>>()
    })?;
    let mut edges = halves.concat();
    edges.sort_unstable_by_key(|(target, _)| *target);
    let table = table(&edges, seconds);
    println!("{}", table.join("\n"));
    kept.extend(table);
    let thin: Vec<_> = edges.iter().filter(|(_, edges)| edges.ratio() < RATIO_MIN).collect();
    if demand == Demand::Coverage && !thin.is_empty() {
        return Err(format!("below {RATIO_MIN} times an empty corpus: {thin:?}"));
    }
    let watched = if nightly { "nightly, address sanitizer" } else { "stable, no sanitizer" };
    Ok(format!("{} targets, {seconds} s each, {watched}", targets.len()))
}

/// Edges of a target's control flow graph that inputs have reached, as libFuzzer counts them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Edges {
    /// By the empty input, from which a fuzzer without a corpus starts.
    empty: u64,
    /// By the repository's corpus.
    corpus: u64,
    /// By all that was tried.
    fuzzed: u64,
    /// Inputs tried.
    runs: u64,
}

impl Edges {
    fn ratio(self) -> f64 {
        self.fuzzed as f64 / self.empty.max(1) as f64
    }
}

fn fuzz(
    project: &Project,
    nightly: bool,
    target: &str,
    seconds: u64,
    demand: Demand,
) -> Result<Edges, String> {
    let found = project.target.join("fuzz-corpus").join(target);
    let empty = project.target.join("fuzz-corpus-empty").join(target);
    for folder in [&found, &empty] {
        make_anew(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let limit = Duration::from_secs(seconds) + EXTRA_LIMIT;
    let mut start = cargo_fuzz(project, nightly, "run");
    // Only what it is given, and no mutation of it.
    start.arg(target).arg(&empty).args(["--", "-runs=0"]);
    let (start, _) = watch(start, limit).map_err(|error| format!("{target}: {error}"))?;
    let mut command = cargo_fuzz(project, nightly, "run");
    command.arg(target).arg(&found);
    let committed = project.root.join("fuzz/corpus").join(target);
    if committed.is_dir() {
        command.arg(committed);
    }
    let time = format!("-max_total_time={seconds}");
    command.args(["--", &time, "-timeout=10", "-rss_limit_mb=1024"]);
    if demand == Demand::NoFindings {
        command.arg("-seed=1");
    }
    let (first, last) = watch(command, limit).map_err(|error| format!("{target}: {error}"))?;
    Ok(Edges {
        empty: start.edges,
        corpus: first.edges,
        fuzzed: last.edges.max(first.edges),
        runs: last.runs,
    })
}

fn make_anew(folder: &Path) -> std::io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)
}

/// Runs a fuzzer: its state when it had read its corpus, and at its end. What it says is shown only if
/// it finds something.
fn watch(command: Command, limit: Duration) -> Result<(State, State), String> {
    let (mut first, mut last, mut said) = (None, None, Vec::new());
    let result = process::run_reading(command, limit, |line| {
        if let Some(state) = State::parse(&line) {
            first = first.or_else(|| (state.event == Event::Start).then_some(state));
            last = Some(state);
        }
        if said.len() == LINES_SHOWN_MAX {
            said.remove(0);
        }
        said.push(line);
    });
    let states =
        first.zip(last).ok_or_else(|| "it did not say how many edges it covers".to_owned());
    result.and(states).inspect_err(|_| println!("{}", said.join("\n")))
}

/// When a line of state is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Event {
    Start,
    Other,
}

/// A line such as `#2 INITED cov: 31 ft: 32 corp: 1/1b exec/s: 0 rss: 40Mb`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct State {
    runs: u64,
    event: Event,
    edges: u64,
}

impl State {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let runs = words.next()?.strip_prefix('#')?.parse().ok()?;
        let event = if words.next()? == "INITED" { Event::Start } else { Event::Other };
        let edges = words.skip_while(|word| *word != "cov:").nth(1)?.parse().ok()?;
        Some(Self { runs, event, edges })
    }
}

fn table(edges: &[(&str, Edges)], seconds: u64) -> Vec<String> {
    let head = format!("after {seconds} s");
    let mut lines = vec![
        format!("| edges covered | empty input | corpus | {head} | of empty | inputs tried |"),
        "|---|---:|---:|---:|---:|---:|".to_owned(),
    ];
    lines.extend(edges.iter().map(|(target, edges)| {
        let Edges { empty, corpus, fuzzed, runs } = edges;
        format!("| {target} | {empty} | {corpus} | {fuzzed} | {:.1} | {runs} |", edges.ratio())
    }));
    lines
}

/// Looks whether every target still fits the crates, without building one.
///
/// # Errors
/// What the compiler says.
pub(crate) fn check(project: &Project) -> Result<String, String> {
    let command = project.cargo(["check", "--locked", "--manifest-path", "fuzz/Cargo.toml"]);
    process::run(command, BUILD_LIMIT).map(|()| String::new())
}

fn cargo_fuzz(project: &Project, nightly: bool, verb: &str) -> Command {
    let mut command = project.cargo(["fuzz", verb]);
    command.arg("--target-dir").arg(project.target.join("fuzz"));
    if nightly {
        command.env("RUSTUP_TOOLCHAIN", "nightly");
    } else {
        // Coverage instrumentation is a compiler flag that stable knows but does not promise to keep.
        command.env("RUSTC_BOOTSTRAP", "1").args(["--sanitizer", "none"]);
    }
    command
}

fn targets(project: &Project) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(project.root.join("fuzz/fuzz_targets"));
    let entries = entries.map_err(|error| format!("fuzz/fuzz_targets: {error}"))?;
    let files = entries.flatten().map(|entry| entry.path());
    let sources = files.filter(|path| path.extension().is_some_and(|e| e == "rs"));
    let mut names: Vec<_> =
        sources.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    if names.is_empty() { Err("fuzz/fuzz_targets holds no target".into()) } else { Ok(names) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_fuzzer_is_read_from_its_lines() {
        let line = "#2\tINITED cov: 31 ft: 32 corp: 1/1b exec/s: 0 rss: 40Mb";
        let state = State { runs: 2, event: Event::Start, edges: 31 };
        assert_eq!(State::parse(line), Some(state));
        let line = "#524288\tpulse  cov: 417 ft: 1690 corp: 380/22Kb lim: 4096 exec/s: 87381";
        let state = State { runs: 524_288, event: Event::Other, edges: 417 };
        assert_eq!(State::parse(line), Some(state));
        assert_eq!(State::parse("INFO: Loaded 1 modules (9 inline 8-bit counters)"), None);
        assert_eq!(State::parse("#7\tREDUCE ft: 3"), None);
    }

    #[test]
    fn a_fuzzer_that_finds_something_fails_although_it_told_its_state() {
        let fuzzer = |status: u8| {
            let script = format!("echo '#1 INITED cov: 3'; echo '#9 DONE cov: 8'; exit {status}");
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            watch(command, EXTRA_LIMIT).map(|(first, last)| (first.edges, last.edges, last.runs))
        };
        assert_eq!(fuzzer(0), Ok((3, 8, 9)));
        assert_eq!(fuzzer(77), Err("sh exited with 77".into()));
        assert!(watch(Command::new("true"), EXTRA_LIMIT).is_err_and(|it| it.contains("edges")));
    }

    #[test]
    fn the_table_sets_the_edges_beside_those_of_an_empty_corpus() {
        let edges = Edges { empty: 40, corpus: 90, fuzzed: 100, runs: 7 };
        assert_eq!(table(&[("wire", edges)], 60)[2], "| wire | 40 | 90 | 100 | 2.5 | 7 |");
        assert_eq!(Edges::default().ratio(), 0.0);
    }
}
