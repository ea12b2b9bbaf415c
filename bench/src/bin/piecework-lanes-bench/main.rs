//! `piecework-lanes-bench`: the numbers of paid lanes, between engines and daemons of ours on this machine.
//!
//! Shares of a limited uplink and the flights before the first paid byte are measured between engines whose
//! drive and chain are in memory; instructions of the pay path are counted by callgrind; transactions of a
//! purchase are those of whole daemons with a chain of their own.

mod cost;
mod flights;
mod fold;
#[path = "../piecework-chain-bench/keep.rs"]
mod keep;
mod market;
mod process;
mod proxy;
mod report;
#[path = "../piecework-chainload/rpc.rs"]
mod rpc;
mod share;

use clap::{Parser, Subcommand};
use cost::Transfer;
use keep::Keeper;
use report::Row;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures paid lanes. Without options: everything.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// Measure only these: share, cost, flights, fold.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    rows: Vec<String>,
    /// Keep each measurement in this folder, and do not repeat what another call has kept there.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Windows of ten seconds in which shares are measured, of each market.
    #[arg(long, value_name = "N", default_value_t = 20)]
    windows: u32,
    /// Payload of the transfer whose instructions are counted, and of the purchase.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    size_mib: u32,
    /// The binary of the daemons [default: piecework beside this program].
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Where the table goes, besides stdout.
    #[arg(long, value_name = "FILE", default_value = "bench/LANES.md")]
    out: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// One transfer between two engines in this process, for callgrind.
    #[command(hide = true)]
    Transfer(Transfer),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.part {
        Some(Part::Transfer(transfer)) => transfer.run().map(|()| true),
        None => act(&arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("piecework-lanes-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every gate is met.
fn act(arguments: &Arguments) -> Result<bool, String> {
    let told = |file: &PathBuf, error: std::io::Error| format!("{}: {error}", file.display());
    let mut keeper =
        Keeper { folder: arguments.keep.clone(), wanted: arguments.rows.clone(), taken: 0 };
    if let Some(folder) = &keeper.folder {
        fs::create_dir_all(folder).map_err(|error| told(folder, error))?;
    }
    let own = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let piecework = arguments.binary.clone().unwrap_or_else(|| own.with_file_name("piecework"));
    let mut rows: Vec<Result<Row, String>> = Vec::new();
    for market in share::MARKETS {
        let name = format!("share-{}", market.id);
        rows.extend(keeper.measure(&name, || share::measure(&market, arguments.windows)));
    }
    rows.extend(keeper.measure("cost", || cost::measure(&own, arguments.size_mib)));
    rows.extend(keeper.measure("flights", flights::measure));
    rows.extend(keeper.measure("fold", || fold::measure(&piecework, arguments.size_mib)));
    if rows.is_empty() {
        return Err("no such row; there are share, cost, flights, fold".into());
    }
    let (text, is_met) = report::table(&rows, keeper.taken);
    print!("{text}");
    fs::write(&arguments.out, text).map_err(|error| told(&arguments.out, error))?;
    Ok(is_met)
}
