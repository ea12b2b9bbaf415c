//! Fuzzing of every parser, for some seconds or for a minute each.
//!
//! With a nightly toolchain the address sanitizer watches too; on stable the targets run without one.
//! What the fuzzer finds interesting is kept below the target folder, never in the repository's corpus.

use crate::process;
use crate::project::Project;
use crate::tools;
use std::fs;
use std::process::Command;
use std::time::Duration;

/// Building all targets with instrumentation.
const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);
/// What a target may take beyond its fuzzing time: a rebuild, reading its corpus, one slow input.
const EXTRA_LIMIT: Duration = Duration::from_secs(120);

/// Fuzzes every target for `seconds`.
///
/// # Errors
/// When there is no target, one does not build, or one finds something.
pub(crate) fn run(project: &Project, seconds: u64) -> Result<String, String> {
    let targets = targets(project)?;
    tools::FUZZ.ensure(project)?;
    let nightly = tools::has_nightly();
    process::run(cargo_fuzz(project, nightly, "build"), BUILD_LIMIT)?;
    for target in &targets {
        println!("--- fuzz {target}, {seconds} s");
        let found = project.target.join("fuzz-corpus").join(target);
        fs::create_dir_all(&found).map_err(|error| format!("{}: {error}", found.display()))?;
        let mut command = cargo_fuzz(project, nightly, "run");
        command.arg(target).arg(&found);
        let committed = project.root.join("fuzz/corpus").join(target);
        if committed.is_dir() {
            command.arg(committed);
        }
        let time = format!("-max_total_time={seconds}");
        command.args(["--", &time, "-timeout=10", "-rss_limit_mb=1024"]);
        command.args(["-verbosity=0", "-print_final_stats=1"]);
        process::run(command, Duration::from_secs(seconds) + EXTRA_LIMIT)
            .map_err(|error| format!("{target}: {error}"))?;
    }
    let watched = if nightly { "nightly, address sanitizer" } else { "stable, no sanitizer" };
    Ok(format!("{} targets, {seconds} s each, {watched}", targets.len()))
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
