//! The table as Markdown.

use crate::node::Kind;
use crate::row::{Figure, Measured, Row};
use std::fmt::Write as _;
use std::fs;

const INTRODUCTION: &str = "\
Written by `piecework-chain-bench`; do not edit. ERC-20 transfers, signed before the clock starts, each to
a receiver of its own, from funded accounts in turn, over JSON-RPC from a program of its own on the same
machine. Counted are receipts with status 1 until the last transfer is in a block; ours are counted again
after a restart. anvil makes a block a second here; by itself it makes one for each transaction.
";

const HEAD: &str = "\
| row | node | transfers | blocks | transfers/s | ms p50 / p95 / p99 | node CPU s | load CPU s | gate | |
|---|---|---|---|---|---|---|---|---|---|
";

type Outcome<'r> = (&'r Row, Kind, Result<Measured, String>);

/// The table, and whether every gate is met.
pub(crate) fn table(measured: &[Outcome<'_>], seconds: u32, senders: u32) -> (String, bool) {
    let mut text = format!(
        "# The chain beside anvil\n\n{INTRODUCTION}\n{senders} accounts send for {seconds} s. {}\n\n{HEAD}",
        machine()
    );
    let mut is_met = true;
    for (row, kind, outcome) in measured {
        let judged = judge(measured, row, *kind, outcome);
        is_met &= judged.as_ref().is_none_or(|(_, is_met)| *is_met);
        let (gate, verdict) = match judged {
            Some((gate, true)) => (gate, "met"),
            Some((gate, false)) => (gate, "MISSED"),
            None => (String::new(), ""),
        };
        let title = row.title;
        // Writing to a string does not fail.
        let _ = match outcome {
            Err(error) => {
                writeln!(text, "| {title} | {kind} | {error} | | | | | | {gate} | {verdict} |")
            }
            Ok(measured) => {
                let told = &measured.told;
                let latency = &told["latency"];
                let at = |key: &str| {
                    latency[key].as_f64().map_or_else(|| "-".into(), |ms| format!("{ms:.0}"))
                };
                writeln!(
                    text,
                    "| {title} | {kind} | {} | {} | {:.0} | {} / {} / {} | {:.1} | {:.1} | {gate} | {} |",
                    told["included"],
                    told["blocks"],
                    told["transfers_per_second"].as_f64().unwrap_or_default(),
                    at("p50_ms"),
                    at("p95_ms"),
                    at("p99_ms"),
                    measured.node_cpu,
                    told["generator_cpu_seconds"].as_f64().unwrap_or_default(),
                    verdict,
                )
            }
        };
    }
    (text, is_met)
}

/// The gate of ours and whether it is met; anvil has none.
fn judge(
    all: &[Outcome<'_>],
    row: &Row,
    kind: Kind,
    outcome: &Result<Measured, String>,
) -> Option<(String, bool)> {
    if kind != Kind::Ours {
        return None;
    }
    let figure = |outcome: &Result<Measured, String>| {
        outcome.as_ref().map_err(Clone::clone).and_then(|measured| measured.figure(row.figure)).ok()
    };
    let ours = figure(outcome);
    let rival = all.iter().find(|(other, kind, _)| other.id == row.id && *kind == Kind::Anvil);
    let rival = rival.and_then(|(_, _, outcome)| figure(outcome));
    Some(match row.figure {
        Figure::Rate { gate, goal } => {
            let is_met = ours.is_some_and(|ours| ours >= gate && rival.is_none_or(|it| ours > it));
            (format!(">= {gate} and more than anvil (goal {goal})"), is_met)
        }
        Figure::Latency { gate } => {
            (format!("p50 < {gate} ms"), ours.is_some_and(|ours| ours < gate))
        }
    })
}

/// What this machine is, in a line.
fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown CPU", |line| line.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    format!("{cores} cores of {model}; load average at the end {load}.")
}
