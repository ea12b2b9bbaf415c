//! The table as Markdown.

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::fs;

const INTRODUCTION: &str = "\
Written by `piecework-lanes-bench`; do not edit. Shares: engines of ours on loopback, each with a drive
and a chain in memory; a seller whose upload is limited to 8 MiB/s, of which a quarter is for those who
do not pay. In windows of ten seconds, one allocation period, each buyer's own count of payload is held
against what the seller has allocated to it in them, and those without an allocation, together, against
what is allocated to nobody: that quarter, and more when all bids together want less than the rest. A
window is good if all of them are within 3 % and two blocks; one in which the program that looks was
itself kept from running for a tenth of a second is measured again. Cost: the same transfer with and
without payments under callgrind, v1 with pieces of 1 MiB, seller and buyer in one process, so that the
figure is of both. It is by chance how many pieces are hashed at once, and so what they cost:
hashing is left out of the difference, and the cheaper of both counts in what the difference is held
against. Drives are in memory. Flights: between the two lies a line that delays both directions by half
a second and reads along; counted from the first BEP 10 handshake to the first block that the paid lane
has brought to the buyer. Transactions: daemons with wallets, a chain, and a lock of the buyer's for the
seller; counted are those of the account by which the seller cashes, from its first to after the
purchase.
";

/// One figure.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) measured: String,
    pub(crate) gate: String,
    pub(crate) is_met: bool,
    /// What else was seen.
    pub(crate) notes: String,
}

/// The table, and whether every gate in it is met.
pub(crate) fn table(rows: &[Result<Row, String>], taken: usize) -> (String, bool) {
    let mut text = format!("# Paid lanes\n\n{INTRODUCTION}\n{}", machine());
    if taken > 0 {
        text.push_str(" The measurements were made by several calls, one after another.");
    }
    text.push_str("\n\n| what | measured | gate | | |\n|---|---|---|---|---|\n");
    let mut all_met = true;
    for row in rows {
        all_met &= row.as_ref().is_ok_and(|row| row.is_met);
        // Writing to a string does not fail.
        let _ = match row {
            Ok(Row { what, measured, gate, is_met, notes }) => {
                let verdict = if *is_met { "met" } else { "MISSED" };
                writeln!(text, "| {what} | {measured} | {gate} | {verdict} | {notes} |")
            }
            Err(error) => writeln!(text, "| | fails: {error} | | MISSED | |"),
        };
    }
    (text, all_met)
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
