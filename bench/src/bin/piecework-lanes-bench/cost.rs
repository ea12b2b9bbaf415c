//! What the pay path costs in instructions: one transfer with payments, one without, under callgrind.

use crate::market::{FLOOR, MIB, Node, Torrent, wait_until};
use crate::report::Row;
use clap::Args;
use piecework_metainfo::Metainfo;
use piecework_pay::Lane;
use piecework_testkit::FixtureBuilder;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;

/// An upload limit, without which nobody sells. Callgrind comes near it: a seller that gave under a quarter
/// of what it says would be left, and the rest would come unpaid.
const UPLINK: u64 = 16 << 20;

/// What must have been paid for, in percent of the payload: before the paid lane begins some comes unpaid.
const PAID_PERCENT: u64 = 90;

/// Transfers of each kind, in turns, of which the medians count.
const TRANSFERS: usize = 3;

/// Functions that hash pieces: our kernels, and the library's where only a few pieces are there.
const HASHING: [&str; 2] = ["piecework_hash::kernel", "sha1_block_data_order"];

/// What paying may cost, in percent.
const GATE_PERCENT: f64 = 2.0;

/// A transfer between two engines in this process.
#[derive(Args, Debug)]
pub(crate) struct Transfer {
    /// The torrent file.
    torrent: PathBuf,
    /// Where its payload lies.
    payload: PathBuf,
    /// A folder for everything else.
    work: PathBuf,
    /// The buyer pays.
    #[arg(long)]
    paid: bool,
}

impl Transfer {
    /// Transfers, and prints what was paid.
    pub(crate) fn run(&self) -> Result<(), String> {
        let bytes = fs::read(&self.torrent).map_err(|error| told(&self.torrent, &error))?;
        let metainfo = Metainfo::parse(&bytes).map_err(|error| error.to_string())?;
        let torrent = Torrent { metainfo, folder: self.payload.clone() };
        let seller = Node::seed(&torrent, &self.work.join("seller"), UPLINK)?;
        let till = self.paid.then(|| seller.sells()).transpose()?;
        let buyer = Node::leech(&torrent, &self.work.join("buyer"), seller.address())?;
        let purse = self.paid.then(|| buyer.buys(2, Lane::Fast)).transpose()?;
        wait_until("a whole file", || buyer.is_complete())?;
        let sides = [&till, &purse]
            .map(|side| side.as_ref().map_or(0, |account| account.writes.load(Ordering::Relaxed)));
        let spent = || purse.as_ref().map_or(0, |purse| purse.pay.view().spent_today);
        // A view is as old as the last look at one.
        let bytes = buyer.engine.figures(buyer.key).map_or(0, |figures| figures.wanted_bytes);
        let least = u128::from(bytes / MIB * PAID_PERCENT / 100) * FLOOR;
        wait_until("the payments", || purse.is_none() || spent() >= least)?;
        let spent = spent();
        let wasted = buyer.engine.figures(buyer.key).map_or(0, |figures| figures.wasted_bytes);
        println!("{}", json!({ "spent": spent.to_string(), "writes": sides, "wasted": wasted }));
        Ok(())
    }
}

/// Counts both transfers.
pub(crate) fn measure(own: &Path, size_mib: u32) -> Result<Row, String> {
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let bytes = u64::from(size_mib) * MIB;
    let fixture = FixtureBuilder::file("payload", bytes as usize).piece_length(1 << 20).build();
    let folder = scratch.path().join("payload");
    fixture.write_payload(&folder).map_err(|error| error.to_string())?;
    let torrent = fixture.write_torrent(scratch.path()).map_err(|error| error.to_string())?;
    drop(fixture);
    let count = |name: &str, more: &[&str]| -> Result<(Count, Value), String> {
        let work = scratch.path().join(name);
        fs::create_dir_all(&work).map_err(|error| told(&work, &error))?;
        let counts = scratch.path().join(format!("{name}.callgrind"));
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--quiet"]);
        command.arg(format!("--callgrind-out-file={}", counts.display()));
        command.arg(own).arg("transfer").arg(&torrent).arg(&folder).arg(&work).args(more);
        let output = command.output();
        let output = output.map_err(|error| format!("cannot start valgrind: {error}"))?;
        if !output.status.success() {
            return Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let answer = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        // What was downloaded makes room for the next.
        fs::remove_dir_all(&work).map_err(|error| told(&work, &error))?;
        Ok((Count::read(&counts)?, answer))
    };
    let (mut free, mut paid, mut told) = (Vec::new(), Vec::new(), Value::Null);
    for transfer in 1..=TRANSFERS {
        eprintln!("cost: {transfer} of {TRANSFERS}");
        free.push(count("free", &[])?.0);
        let (counted, answer) = count("paid", &["--paid"])?;
        paid.push(counted);
        told = answer;
    }
    let (free, paid) = (Count::median(&free), Count::median(&paid));
    let extra = paid.others as f64 - free.others as f64;
    let percent = 100.0 * extra / (free.others + free.hashing.min(paid.hashing)) as f64;
    let billions = |count: u64| count as f64 / 1e9;
    Ok(Row {
        what: format!("instructions of paying, of both sides together, {size_mib} MiB"),
        measured: format!("{percent:.2} %"),
        gate: format!("at most {GATE_PERCENT} %"),
        is_met: percent <= GATE_PERCENT && told["spent"] != "0",
        notes: format!(
            "{:.3} billion without and {:.3} with it, {:.3} of them for links (Keccak-256), and {:.2} \
             and {:.2} for the hashes of pieces; medians of {TRANSFERS}; {} was paid, {} writes of the \
             seller and the buyer",
            billions(free.others),
            billions(paid.others),
            billions(paid.links),
            billions(free.hashing),
            billions(paid.hashing),
            told["spent"].as_str().unwrap_or_default(),
            told["writes"],
        ),
    })
}

/// Instructions of a transfer.
struct Count {
    /// For the hashes of pieces: how many are taken at once, and so what each costs, is chance.
    hashing: u64,
    others: u64,
    /// Those of the others that make and verify links.
    links: u64,
}

impl Count {
    /// The middle one of each.
    fn median(counts: &[Self]) -> Self {
        let middle = |of: fn(&Self) -> u64| {
            let mut values: Vec<u64> = counts.iter().map(of).collect();
            values.sort_unstable();
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        Self {
            hashing: middle(|count| count.hashing),
            others: middle(|count| count.others),
            links: middle(|count| count.links),
        }
    }

    /// Sums up a file of callgrind's.
    fn read(counts: &Path) -> Result<Self, String> {
        // Without sources beside it: their lines would count again.
        let mut command = Command::new("callgrind_annotate");
        let output = command.args(["--threshold=100", "--auto=no"]).arg(counts).output();
        let output = output.map_err(|error| format!("cannot start callgrind_annotate: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        // Lines such as `1,276 (29.93%)  file:function`; older ones have no percents.
        let number = |line: &str| -> Option<u64> {
            line.split_whitespace().next()?.replace(',', "").parse().ok()
        };
        let sum = |word: &str| -> u64 {
            text.lines().filter(|line| line.contains(word)).filter_map(number).sum()
        };
        let all = sum("PROGRAM TOTALS");
        let hashing = HASHING.into_iter().map(sum).sum();
        let links = sum("keccak_p");
        match all.checked_sub(hashing) {
            Some(others) if hashing > 0 => Ok(Self { hashing, others, links }),
            _ => Err(format!("{} holds no sums", counts.display())),
        }
    }
}

fn told(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
