//! A list of named steps, timed one by one, and the table that sums them up.
//!
//! A step that fails does not keep the next from running: one run shows everything that is wrong.

use crate::process;
use std::thread;
use std::time::{Duration, Instant};

/// What became of one step.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    /// What the step has to say, or why it failed.
    pub(crate) result: Result<String, String>,
    pub(crate) took: Duration,
}

/// Runs one step between a headline and its time.
pub(crate) fn step(name: &'static str, work: impl FnOnce() -> Result<String, String>) -> Outcome {
    println!("\n=== {name}");
    let start = Instant::now();
    let result = if process::interrupted() { Err("interrupted".into()) } else { work() };
    let took = start.elapsed();
    match &result {
        Ok(note) => println!("=== {name}: ok in {:.1} s {}", took.as_secs_f64(), bracketed(note)),
        Err(why) => println!("=== {name}: FAILED in {:.1} s: {why}", took.as_secs_f64()),
    }
    Outcome { name, result, took }
}

/// Does both halves of something beside each other, for there are two cores.
///
/// # Errors
/// Why one half failed, or both.
pub(crate) fn halves<T: Send>(
    half: impl Fn(usize) -> Result<T, String> + Sync,
) -> Result<[T; 2], String> {
    let (first, second) = thread::scope(|scope| {
        let second = scope.spawn(|| half(1));
        (half(0), second.join().unwrap_or_else(|_| Err("the second half panicked".into())))
    });
    match (first, second) {
        (Ok(first), Ok(second)) => Ok([first, second]),
        (Err(first), Err(second)) => Err(format!("{first}; {second}")),
        (Err(why), Ok(_)) | (Ok(_), Err(why)) => Err(why),
    }
}

/// The outcomes as a markdown table.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let width = outcomes.iter().map(|outcome| outcome.name.len()).max().unwrap_or(0).max(4);
    let mut table = format!("| {:width$} | result | seconds | notes |\n", "step");
    table += &format!("|{:-<1$}|--------|--------:|-------|\n", "", width + 2);
    for Outcome { name, result, took } in outcomes {
        let (word, note) = match result {
            Ok(note) => ("ok", note),
            Err(why) => ("FAILED", why),
        };
        table += &format!("| {name:width$} | {word:6} | {:7.1} | {note} |\n", took.as_secs_f64());
    }
    table
}

/// Succeeds when every step did.
///
/// # Errors
/// Names the steps that failed.
pub(crate) fn verdict(outcomes: &[Outcome]) -> Result<(), String> {
    let failed = outcomes.iter().filter(|outcome| outcome.result.is_err());
    let failed: Vec<_> = failed.map(|outcome| outcome.name).collect();
    let passed = outcomes.len() - failed.len();
    println!("steps: {passed} passed, {} failed", failed.len());
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

fn bracketed(note: &str) -> String {
    if note.is_empty() { String::new() } else { format!("({note})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_fails_the_whole_and_is_named() {
        let good = step("good", || Ok("3 files".into()));
        let bad = step("bad", || Err("broken".into()));
        let outcomes = [good, bad];
        assert!(table(&outcomes).contains("| bad  | FAILED |"));
        assert!(table(&outcomes).contains("3 files"));
        assert_eq!(verdict(&outcomes), Err("failed: bad".into()));
        assert_eq!(verdict(&outcomes[..1]), Ok(()));
    }
}
