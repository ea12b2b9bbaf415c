//! What cashing costs in gas: forge runs the tests that hold the figures, and prints them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What one way to cash costs.
#[derive(Deserialize, Serialize)]
pub(crate) struct Gas {
    pub(crate) title: String,
    pub(crate) measured: u64,
    /// At most so much is wanted.
    pub(crate) gate: u64,
}

/// Runs the tests in the folder of the contracts.
pub(crate) fn measure(contracts: &Path) -> Result<Vec<Gas>, String> {
    let mut command = Command::new("node");
    command.args(["forge.mjs", "test", "--match-contract", "GasTest", "--json"]);
    let output = command.current_dir(contracts).output();
    let output = output.map_err(|error| format!("cannot start node: {error}"))?;
    let told = String::from_utf8_lossy(&output.stdout);
    // The compiler may have said something before.
    let answers = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let found: Vec<Gas> = answers.flat_map(|answer| snapshots(&answer)).collect();
    match (output.status.success(), found.is_empty()) {
        (true, false) => Ok(found),
        _ => {
            let error = String::from_utf8_lossy(&output.stderr);
            Err(format!("forge does not tell gas: {told}{}", error.trim()))
        }
    }
}

/// What the tests have noted.
fn snapshots(answer: &Value) -> Vec<Gas> {
    let suites = answer.as_object().into_iter().flat_map(|suites| suites.values());
    suites
        .filter_map(|suite| suite["test_results"].as_object())
        .flat_map(|tests| tests.values())
        .filter_map(|test| test["gas_snapshots"]["gas"].as_object())
        .flatten()
        .filter_map(|(name, gas)| snapshot(name, gas.as_str()?))
        .collect()
}

/// The name is such as `a link, at most 100`.
fn snapshot(name: &str, gas: &str) -> Option<Gas> {
    let (title, gate) = name.split_once(", at most ")?;
    Some(Gas { title: title.to_owned(), measured: gas.parse().ok()?, gate: gate.parse().ok()? })
}
