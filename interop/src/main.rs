//! `piecework-interop`: our client against the clients of other people, in a private network.
//!
//! It knows our client by its command line alone, and judges files by SHA-256 and by libtorrent.
//! It must not use any of our own crates to move, make or check data.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod capture;
mod cells;
mod digest;
mod failure;
mod http;
mod install;
mod island;
mod kill;
mod lab;
mod matrix;
mod netns;
mod payload;
mod peers;
mod process;
mod torrent;

use crate::cells::Cell;
use crate::failure::{Context as _, Failure, Outcome};
use crate::lab::{Lab, Subject};
use crate::matrix::{Row, Verdict};
use crate::peers::Foreign;
use crate::peers::ours::Ours;

/// Tries Piecework against other BitTorrent clients.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Install the other clients (Debian packages; needs root).
    Install {
        /// Leave this peer out.
        #[arg(long, value_name = "PEER")]
        without: Vec<Foreign>,
    },
    /// Run the matrix. Ends with 1 if a cell failed or could not run.
    Run {
        #[command(flatten)]
        choice: Choice,
        /// The binary under test.
        #[arg(long)]
        binary: Option<PathBuf>,
    },
    /// Run the matrix with a second libtorrent in our place, to test this program.
    Selftest {
        #[command(flatten)]
        choice: Choice,
    },
    /// Kill our client at random moments and look at what it has lost or made up.
    Kill(kill::Options),
}

#[derive(Debug, clap::Args)]
struct Choice {
    /// Leave out the cells that need this peer.
    #[arg(long, value_name = "PEER")]
    without: Vec<Foreign>,
    /// Only the cells whose 'cell: direction' contains this text.
    #[arg(long, value_name = "CELL")]
    only: Option<String>,
    /// Only every Nth cell from the Kth on: N runs beside each other, each in a network of its own, are the
    /// whole matrix.
    #[arg(long, value_name = "K/N", value_parser = part)]
    part: Option<(usize, usize)>,
    /// Write the matrix, and the logs of failed cells, to this file as well.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    match act(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("piecework-interop: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// `K/N`, with 1 <= K <= N.
fn part(text: &str) -> Result<(usize, usize), String> {
    let numbers = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    numbers.filter(|(k, n)| (1..=*n).contains(k)).ok_or_else(|| "a part is like 1/2".into())
}

/// Whether everything is as it should be.
fn act(arguments: Arguments) -> Outcome<bool> {
    match arguments.command {
        Action::Install { without } => install::install(&without).map(|()| true),
        Action::Run { choice, binary } => {
            netns::enter()?;
            run(&choice, Subject::Ours(Ours::new(find_binary(binary)?)))
        }
        Action::Selftest { choice } => {
            netns::enter()?;
            run(&choice, Subject::StandIn)
        }
        Action::Kill(options) => {
            netns::enter()?;
            let ours = Ours::new(find_binary(options.binary.clone())?);
            kill::run(&options, ours)
        }
    }
}

/// The binary named, or the one that cargo has put beside this program.
fn find_binary(named: Option<PathBuf>) -> Outcome<PathBuf> {
    let binary = match named {
        Some(binary) => binary,
        None => env::current_exe()
            .context(|| "cannot find this program's own file")?
            .with_file_name("piecework"),
    };
    binary.canonicalize().context(|| {
        format!("no piecework binary at {}; build it or use --binary", binary.display())
    })
}

fn run(choice: &Choice, subject: Subject) -> Outcome<bool> {
    let judge = !choice.without.contains(&Foreign::Libtorrent);
    if !judge && matches!(subject, Subject::StandIn) {
        return Err(Failure::new("the self-test is made of libtorrent, so it cannot go without"));
    }
    let name = subject.version()?;
    let lab = Lab::new(subject, judge)?;
    let versions: Vec<(Foreign, Outcome<String>)> =
        Foreign::ALL.into_iter().map(|peer| (peer, peer.version())).collect();
    let mut cells = cells::all(&lab);
    if let Some(only) = &choice.only {
        cells.retain(|cell| cell.id().contains(only));
    }
    if cells.is_empty() {
        return Err(Failure::new("--only names no cell"));
    }
    if let Some((first, parts)) = choice.part {
        let numbered = (0..).zip(cells).filter(|(index, _)| index % parts == first - 1);
        cells = numbered.map(|(_, cell)| cell).collect();
    }
    let mut rows = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        let mut row = run_cell(&lab, cell, index + 1, &choice.without, &versions);
        eprintln!("[{}/{}] {}", index + 1, cells.len(), row.line());
        if matches!(row.verdict, Verdict::Failed { .. }) {
            // Other people's programs have races of their own. The first result stays in the table.
            let again = run_cell(&lab, cell, index + 1, &choice.without, &versions);
            row = row.tried_again(again);
            eprintln!("[{}/{}] {}", index + 1, cells.len(), row.line());
        }
        rows.push(row);
    }
    let table = matrix::table(&name, &rows);
    let failures = matrix::failures(&rows);
    if let Some(report) = &choice.report {
        fs::write(report, format!("{table}{failures}"))
            .context(|| format!("cannot write {}", report.display()))?;
    }
    eprint!("{failures}");
    print!("{table}");
    Ok(matrix::good(&rows))
}

fn run_cell(
    lab: &Lab,
    cell: &Cell,
    number: usize,
    without: &[Foreign],
    versions: &[(Foreign, Outcome<String>)],
) -> Row {
    let mut peers = Vec::new();
    for peer in &cell.needs {
        if without.contains(peer) {
            let reason = format!("excluded by --without {peer}");
            return cell.row(peer.to_string(), Verdict::Excluded(reason));
        }
        match versions.iter().find(|(known, _)| known == peer).map(|(_, version)| version) {
            Some(Ok(version)) => peers.push(format!("{peer} {version}")),
            Some(Err(failure)) => {
                let reason = format!("{peer} is not there: {failure}");
                return cell.row(peer.to_string(), Verdict::NotRun(reason));
            }
            None => {
                let reason = format!("{peer} was never asked for its version");
                return cell.row(peer.to_string(), Verdict::NotRun(reason));
            }
        }
    }
    cell.run(lab, number, peers.join(", "))
}
