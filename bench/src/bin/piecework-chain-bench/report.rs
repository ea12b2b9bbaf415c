//! The tables as Markdown.

use crate::cores::Rate;
use crate::gas::Gas;
use crate::node::Kind;
use crate::row::{Figure, Measured, Row};
use std::fmt::Write as _;
use std::fs;

const INTRODUCTION: &str = "\
Written by `piecework-chain-bench`; do not edit. ERC-20 transfers, signed before the clock starts, each to
a receiver of its own, from funded accounts in turn, over JSON-RPC from a program of its own on the same
machine. Counted are transfers in blocks that are there when the time is over, by the log that each with
status 1 has; ours are counted again after a restart, by their receipts. anvil makes a block a second, with
room for all that it can do. CPU of a node is from the first transfer until all are counted.
";

const HEAD: &str = "\
| row | node | transfers | blocks | transfers/s | ms p50 / p95 / p99 | node CPU s | load CPU s \
| load average before | gate | |
|---|---|---|---|---|---|---|---|---|---|---|
";

const CORES: &str = "
## Cheques and links on one core

By the CPU time of one thread: the middle of five samples of a second each, and the slowest. A cheque is
checked as a seller does it, from its bytes to its signer; the delegation was checked before. What is called
bare is the library's operation alone.

| what | a second | slowest | gate | |
|---|---|---|---|---|
";

const GAS: &str = "
## Gas

Of whole transactions, as forge runs them; `contracts/test/Gas.t.sol` holds each to within a hundredth. Of
many at once it is a payer's share.

| cashing | gas | gate | |
|---|---|---|---|
";

/// All that was measured, or taken from earlier calls.
pub(crate) struct Report<'r> {
    pub(crate) loads: Vec<(&'r Row, Kind, Result<Measured, String>)>,
    pub(crate) cores: Option<Result<Vec<Rate>, String>>,
    pub(crate) gas: Option<Result<Vec<Gas>, String>>,
    /// How many came from earlier calls.
    pub(crate) taken: usize,
    pub(crate) seconds: u32,
    pub(crate) senders: u32,
}

impl Report<'_> {
    /// The text, and whether every gate is met.
    pub(crate) fn write(&self) -> (String, bool) {
        let (seconds, senders) = (self.seconds, self.senders);
        let mut text = format!(
            "# The chain beside anvil\n\n{INTRODUCTION}\n{senders} accounts send for {seconds} s. {}",
            machine()
        );
        if self.taken > 0 {
            text.push_str(" The measurements were made by several calls, one after another.");
        }
        let _ = write!(text, "\n\n{HEAD}");
        let mut is_met = true;
        for (row, kind, outcome) in &self.loads {
            is_met &= self.load(&mut text, row, *kind, outcome);
        }
        // Writing to a string does not fail.
        if let Some(rates) = &self.cores {
            text.push_str(CORES);
            is_met &= lines(&mut text, rates, 5, |Rate { title, a_second, lowest, gate }| {
                let is_met = gate.map(|gate| *a_second >= gate);
                let gate = gate.map_or_else(String::new, |gate| format!(">= {gate}"));
                (format!("{title} | {a_second:.0} | {lowest:.0} | {gate}"), is_met)
            });
        }
        if let Some(gas) = &self.gas {
            text.push_str(GAS);
            is_met &= lines(&mut text, gas, 4, |Gas { title, measured, gate }| {
                (format!("{title} | {measured} | <= {gate}"), Some(measured <= gate))
            });
        }
        (text, is_met)
    }

    /// A line of the first table; whether its gate is met.
    fn load(
        &self,
        text: &mut String,
        row: &Row,
        kind: Kind,
        outcome: &Result<Measured, String>,
    ) -> bool {
        let judged = self.judge(row, kind, outcome);
        let verdict = verdict(judged.as_ref().map(|(_, is_met)| *is_met));
        let gate = judged.as_ref().map_or("", |(gate, _)| gate);
        let title = row.title;
        let _ = match outcome {
            Err(error) => {
                writeln!(text, "| {title} | {kind} | {error} | | | | | | | {gate} | {verdict} |")
            }
            Ok(Measured { told, node_cpu, load_average, .. }) => {
                let at = |key: &str| {
                    let ms = told["latency"][key].as_f64();
                    ms.map_or_else(|| "-".into(), |ms| format!("{ms:.0}"))
                };
                writeln!(
                    text,
                    "| {title} | {kind} | {} | {} | {:.0} | {} / {} / {} | {node_cpu:.1} | {:.1} \
                     | {load_average} | {gate} | {verdict} |",
                    told["included"],
                    told["blocks"],
                    told["transfers_per_second"].as_f64().unwrap_or_default(),
                    at("p50_ms"),
                    at("p95_ms"),
                    at("p99_ms"),
                    told["generator_cpu_seconds"].as_f64().unwrap_or_default(),
                )
            }
        };
        judged.is_none_or(|(_, is_met)| is_met)
    }

    /// The gate of ours and whether it is met; anvil has none.
    fn judge(
        &self,
        row: &Row,
        kind: Kind,
        outcome: &Result<Measured, String>,
    ) -> Option<(String, bool)> {
        if kind != Kind::Ours {
            return None;
        }
        let figure = |outcome: &Result<Measured, String>| {
            let measured = outcome.as_ref().map_err(Clone::clone);
            measured.and_then(|measured| measured.figure(row.figure)).ok()
        };
        let ours = figure(outcome);
        let mut rivals = self.loads.iter().filter(|(_, kind, _)| *kind == Kind::Anvil);
        let rival = rivals.find(|(other, ..)| other.id == row.id);
        let rival = rival.and_then(|(_, _, outcome)| figure(outcome));
        Some(match row.figure {
            Figure::Rate { gate, goal } => {
                let is_ahead = |ours: f64| rival.is_none_or(|rival| ours > rival);
                let is_met = ours.is_some_and(|ours| ours >= gate && is_ahead(ours));
                (format!(">= {gate} and more than anvil (goal {goal})"), is_met)
            }
            Figure::Latency { gate } => {
                (format!("p50 < {gate} ms"), ours.is_some_and(|ours| ours < gate))
            }
        })
    }
}

/// A line for each of what was measured, or one that says why there is none; whether all gates are met.
fn lines<T>(
    text: &mut String,
    measured: &Result<Vec<T>, String>,
    columns: usize,
    line: impl Fn(&T) -> (String, Option<bool>),
) -> bool {
    let mut is_all_met = measured.is_ok();
    match measured {
        Err(error) => {
            let _ = writeln!(text, "| {error} {}", "|".repeat(columns));
        }
        Ok(measured) => {
            for (line, is_met) in measured.iter().map(line) {
                let _ = writeln!(text, "| {line} | {} |", verdict(is_met));
                is_all_met &= is_met != Some(false);
            }
        }
    }
    is_all_met
}

fn verdict(is_met: Option<bool>) -> &'static str {
    match is_met {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "",
    }
}

/// What this machine is, in a line.
fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown CPU", |line| line.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {model}.")
}

/// How busy the machine was in the last minute.
pub(crate) fn load_average() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("unknown").to_owned()
}
