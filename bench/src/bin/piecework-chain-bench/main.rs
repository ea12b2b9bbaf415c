//! `piecework-chain-bench`: our chain and anvil at the same work, in turn, on this machine.
//!
//! It starts the nodes, lets `piecework-chainload` work on each, restarts ours and counts again, and writes
//! the table. It knows our chain by the command line alone.

mod node;
mod report;
mod row;

use clap::Parser;
use node::{Kind, Places};
use row::{ROWS, Row};
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures our chain beside anvil. Without options: everything.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Only these rows: single, batch, latency.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    rows: Vec<String>,
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
    /// The compiled token.
    #[arg(long, value_name = "FILE", default_value = "contracts/artifacts/Token.json")]
    artifact: PathBuf,
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
    let rows: Vec<&Row> = ROWS.iter().filter(|row| is_wanted(arguments, row)).collect();
    if rows.is_empty() {
        let known: Vec<_> = ROWS.iter().map(|row| row.id).collect();
        return Err(format!("no such row; there are {}", known.join(", ")));
    }
    let scratch = tempfile::Builder::new()
        .prefix("piecework-chain-bench-")
        .tempdir()
        .map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let own = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let places = Places {
        piecework: arguments.binary.clone().unwrap_or_else(|| own.with_file_name("piecework")),
        load: own.with_file_name("piecework-chainload"),
        anvil: arguments.anvil.clone().unwrap_or_else(node::installed_anvil),
        genesis: scratch.path().join("genesis.json"),
        work: scratch.path().to_owned(),
    };
    places.write_genesis(&arguments.artifact, arguments.senders)?;
    let mut measured = Vec::new();
    for row in rows {
        for kind in Kind::ALL {
            eprintln!("{}: {kind}", row.id);
            measured.push((
                row,
                kind,
                row.run(kind, &places, arguments.seconds, arguments.senders),
            ));
        }
    }
    let (text, is_met) = report::table(&measured, arguments.seconds, arguments.senders);
    print!("{text}");
    fs::write(&arguments.out, text)
        .map_err(|error| format!("cannot write {}: {error}", arguments.out.display()))?;
    Ok(is_met)
}

fn is_wanted(arguments: &Arguments, row: &Row) -> bool {
    arguments.rows.is_empty() || arguments.rows.iter().any(|wanted| wanted == row.id)
}
