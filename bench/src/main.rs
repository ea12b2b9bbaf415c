//! `piecework-bench`: our client and other people's at the same work, in turn, on this machine.
//!
//! It decides what is run, how often and against which gate, and writes the table; one measurement
//! is made by `harness/swarm_bench.py`. It knows our client by its command line alone.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

mod harness;
mod install;
mod kind;
mod machine;
mod report;
mod rounds;
mod rows;
mod smoke;
mod stats;
mod work;

use crate::harness::{Harness, Subject};
use crate::install::Rivals;
use crate::kind::Kind;
use crate::machine::Machine;
use crate::rounds::Rounds;
use crate::rows::Row;

/// Measures Piecework beside other BitTorrent clients. Without options: everything.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Only whether it works: 64 MiB to ourselves and from libtorrent if that is installed, and a
    /// check. Installs nothing and judges nothing but the files.
    #[arg(long, conflicts_with_all = ["rows", "runs", "out", "without_rqbit"])]
    smoke: bool,
    /// Only these rows: leech, seed, ... (the first column of the table).
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    rows: Vec<String>,
    /// Rounds; each one does all the work once, in another order.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    runs: u32,
    /// Size of the payloads of one file [default: 1024; 64 with --smoke].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(32..=65_536))]
    size_mib: Option<u32>,
    /// The binary under test [default: piecework beside this program].
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Where the table goes, besides stdout.
    #[arg(long, value_name = "FILE", default_value = "bench/RESULTS.md")]
    out: PathBuf,
    /// Where payloads are made and kept [default: a temporary folder, removed at the end].
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Leave rqbit out if it is not there yet: building it takes some minutes.
    #[arg(long)]
    without_rqbit: bool,
    /// Put libtorrent 2.1.1 in our place, to test this program.
    #[arg(long, conflicts_with = "binary")]
    stand_in: bool,
}

fn main() -> ExitCode {
    match act(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("piecework-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether our client did all its work. Being slow is for the reader to judge.
fn act(arguments: &Arguments) -> Result<bool, String> {
    let subject = match arguments.stand_in {
        true => Subject::StandIn,
        false => Subject::Binary(find_binary(arguments.binary.clone())?),
    };
    let scratch = tempfile::Builder::new()
        .prefix("piecework-bench-")
        .tempdir()
        .map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let work = arguments.work.as_deref().unwrap_or_else(|| scratch.path());
    if arguments.smoke {
        let rivals = Rivals::look(&[Kind::Lt21, Kind::Lt20]);
        let size_mib = arguments.size_mib.unwrap_or(smoke::SIZE_MIB);
        return smoke::run(&Harness::new(subject, &rivals, work, size_mib), &rivals);
    }
    full(arguments, subject, work)
}

fn full(arguments: &Arguments, subject: Subject, work: &Path) -> Result<bool, String> {
    let mut machine = Machine::look();
    let rows = Row::select(&arguments.rows, &machine)?;
    let mut kinds: Vec<Kind> = rows.iter().flat_map(Row::kinds).collect();
    kinds.push(Kind::Lt21); // the other end of most transfers
    kinds.sort_unstable();
    kinds.dedup();
    let rivals = Rivals::install(&kinds, arguments.without_rqbit)?;
    let harness = Harness::new(subject, &rivals, work, arguments.size_mib.unwrap_or(1024));
    let mut rounds = Rounds::new(rows.iter().flat_map(Row::works));
    rounds.run(&harness, &rivals, arguments.runs)?;
    machine.look_again();
    let report = report::Report {
        rows: &rows,
        rounds: &rounds,
        machine: &machine,
        rivals: &rivals,
        harness: &harness,
    };
    let text = report.to_string();
    print!("{text}");
    fs::write(&arguments.out, text)
        .map_err(|error| format!("cannot write {}: {error}", arguments.out.display()))?;
    Ok(rounds.failures_of(Kind::Ours).next().is_none())
}

/// The binary named, or the one that cargo has put beside this program.
fn find_binary(named: Option<PathBuf>) -> Result<PathBuf, String> {
    let beside = || env::current_exe().map(|own| own.with_file_name("piecework"));
    let binary = named.map_or_else(beside, Ok);
    let binary = binary.map_err(|error| format!("cannot find this program's own file: {error}"))?;
    binary.canonicalize().map_err(|error| {
        format!("no piecework binary at {} ({error}); build it or use --binary", binary.display())
    })
}
