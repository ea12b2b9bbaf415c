//! `piecework-chain-bench`: our chain and anvil at the same work, in turn, on this machine; what cheques and
//! links cost a core; and what cashing them costs in gas.
//!
//! It starts the nodes, lets `piecework-chainload` work on each, restarts ours and counts again, and writes
//! the tables. It knows our chain by the command line alone.

mod cores;
mod gas;
mod keep;
mod node;
mod report;
mod row;

use clap::Parser;
use keep::Keeper;
use node::{Kind, Places};
use report::Report;
use row::ROWS;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Measures our chain beside anvil, cheques and links, and gas. Without options: everything.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Measure only these: single, batch, latency, cores, gas; single-anvil is one node's.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    rows: Vec<String>,
    /// Keep each measurement in this folder, and do not repeat what another call has kept there.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Seconds of load in each row.
    #[arg(long, value_name = "S", default_value_t = 30)]
    seconds: u32,
    /// Distinct accounts that send.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    senders: u32,
    /// The binary under test [default: piecework beside this program].
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// anvil [default: the one that the contracts' tests have installed].
    #[arg(long, value_name = "PATH")]
    anvil: Option<PathBuf>,
    /// The contracts, with what is compiled of them and forge's tests.
    #[arg(long, value_name = "FOLDER", default_value = "contracts")]
    contracts: PathBuf,
    /// Where the table goes, besides stdout.
    #[arg(long, value_name = "FILE", default_value = "bench/CHAIN.md")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match act(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("piecework-chain-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every gate is met.
fn act(arguments: &Arguments) -> Result<bool, String> {
    let mut keeper =
        Keeper { folder: arguments.keep.clone(), wanted: arguments.rows.clone(), taken: 0 };
    if let Some(folder) = &keeper.folder {
        fs::create_dir_all(folder).map_err(|error| told(folder, &error))?;
    }
    let scratch = tempfile::Builder::new()
        .prefix("piecework-chain-bench-")
        .tempdir()
        .map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let places = places(arguments, scratch.path())?;
    let mut loads = Vec::new();
    for row in &ROWS {
        for kind in Kind::ALL {
            let measured = keeper.measure(&format!("{}-{kind}", row.id), || {
                places.write_genesis(&arguments.contracts, arguments.senders)?;
                row.run(kind, &places, arguments.seconds, arguments.senders)
            });
            loads.extend(measured.map(|measured| (row, kind, measured)));
        }
    }
    let cores = keeper.measure("cores", || Ok(cores::rates()));
    let gas = keeper.measure("gas", || gas::measure(&arguments.contracts));
    if loads.is_empty() && cores.is_none() && gas.is_none() {
        return Err("no such row; there are single, batch, latency, cores, gas".into());
    }
    let (seconds, senders) = (arguments.seconds, arguments.senders);
    let report = Report { loads, cores, gas, taken: keeper.taken, seconds, senders };
    let (text, is_met) = report.write();
    print!("{text}");
    fs::write(&arguments.out, text).map_err(|error| told(&arguments.out, &error))?;
    Ok(is_met)
}

fn places(arguments: &Arguments, work: &Path) -> Result<Places, String> {
    let own = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    Ok(Places {
        piecework: arguments.binary.clone().unwrap_or_else(|| own.with_file_name("piecework")),
        load: own.with_file_name("piecework-chainload"),
        anvil: arguments.anvil.clone().unwrap_or_else(node::installed_anvil),
        genesis: work.join("genesis.json"),
        work: work.to_owned(),
    })
}

fn told(path: &Path, error: &std::io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}
