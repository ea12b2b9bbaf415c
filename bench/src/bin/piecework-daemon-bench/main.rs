//! `piecework-daemon-bench`: our daemon and other people's at the same work, in turn, on this machine.
//!
//! It makes thousands of small torrents, starts the daemons, asks them over HTTP as web pages and tools do,
//! and writes the table. It knows ours by its command line and its HTTP faces alone.

mod http;
mod node;
mod report;
mod row;
mod stream;
mod torrents;

use clap::{Parser, ValueEnum};
use node::Kind;
use row::{Bench, Figure, Gate};
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use stream::{Player, Source};

/// Measures our daemon beside qbittorrent-nox, and streaming beside rqbit.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Torrents in the long list.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(200..=100_000))]
    torrents: u32,
    /// The binary under test [default: piecework beside this program].
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// rqbit [default: the one that piecework-bench has built].
    #[arg(long, value_name = "PATH")]
    rqbit: Option<PathBuf>,
    /// Only ours, to try the bench.
    #[arg(long)]
    alone: bool,
    /// Only these rows; the table keeps what it says of the others.
    #[arg(long, value_name = "ROWS")]
    only: Option<Rows>,
    /// Where the table goes, besides stdout.
    #[arg(long, value_name = "FILE", default_value = "bench/DAEMON.md")]
    out: PathBuf,
}

/// Rows that are measured together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Rows {
    Adding,
    Rest,
    Lists,
    Files,
    Stream,
}

fn main() -> ExitCode {
    match act(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("piecework-daemon-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every gate is met.
fn act(arguments: &Arguments) -> Result<bool, String> {
    let scratch = tempfile::Builder::new()
        .prefix("piecework-daemon-bench-")
        .tempdir()
        .map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let own = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let piecework = arguments.binary.clone().unwrap_or_else(|| own.with_file_name("piecework"));
    let payload = scratch.path().join("payload");
    let torrents = torrents::make(arguments.torrents as usize, &payload)?;
    let bench = Bench {
        piecework: &piecework,
        work: scratch.path(),
        payload: &payload,
        torrents: &torrents,
    };
    let mut figures = Vec::new();
    let wants = |rows| arguments.only.is_none_or(|only| only == rows);
    let kinds = if arguments.alone { &Kind::ALL[..1] } else { &Kind::ALL };
    if wants(Rows::Adding) {
        figures.push(measure_adding(&bench, kinds));
    }
    if wants(Rows::Rest) {
        figures.extend(measure_rest(&bench, kinds));
    }
    if wants(Rows::Lists) {
        figures.extend(measure_lists(&bench, kinds));
    }
    if wants(Rows::Files) {
        figures.push(measure_files(&bench, kinds));
    }
    if wants(Rows::Stream) {
        let rqbit = arguments.rqbit.clone().unwrap_or_else(stream::installed_rqbit);
        figures.push(measure_streams(&bench, &rqbit, arguments.alone)?);
    }
    let old = match arguments.only {
        Some(_) => fs::read_to_string(&arguments.out).unwrap_or_default(),
        None => String::new(),
    };
    let text = report::table(&figures, torrents.len(), &old);
    print!("{text}");
    fs::write(&arguments.out, text)
        .map_err(|error| format!("cannot write {}: {error}", arguments.out.display()))?;
    Ok(figures.iter().all(|figure| report::is_met(figure) == Some(true)))
}

/// Adding a thousand: daemon after daemon in turns, so that a slow moment of the machine is nobody's alone.
fn measure_adding(bench: &Bench<'_>, kinds: &[Kind]) -> Figure {
    let title = "add 1,000 torrents until all are complete";
    let mut figure = [Figure::new(title, "s", Gate::RatioAtMost(1.0 / 3.0))];
    let mut took = vec![Ok(Vec::new()); kinds.len()];
    for round in 0..row::ADDINGS {
        for (&kind, took) in kinds.iter().zip(&mut took) {
            eprintln!("{kind}: adding, {} of {}", round + 1, row::ADDINGS);
            if let Ok(values) = took {
                match bench.adding(kind, round) {
                    Ok(value) => values.push(value),
                    Err(error) => *took = Err(error),
                }
            }
        }
    }
    for (&kind, took) in kinds.iter().zip(took) {
        eprintln!("{kind}: added in {took:.3?} s");
        note(&mut figure, kind, &took.map(|values| [row::median(values)]));
    }
    let [figure] = figure;
    figure
}

/// What a thousand cost at rest.
fn measure_rest(bench: &Bench<'_>, kinds: &[Kind]) -> [Figure; 3] {
    let mut figures = [
        Figure::new("1,000 torrents at rest, memory", "MiB", Gate::RatioAtMost(0.5)),
        Figure::new("1,000 torrents at rest, memory without files", "MiB", Gate::RatioAtMost(0.5)),
        Figure::new("1,000 torrents at rest, CPU", "% of a core", Gate::RatioAtMost(0.5)),
    ];
    for &kind in kinds {
        eprintln!("{kind}: a thousand at rest");
        note(&mut figures, kind, &bench.rest(kind));
    }
    figures
}

/// What is asked of many torrents.
fn measure_lists(bench: &Bench<'_>, kinds: &[Kind]) -> impl Iterator<Item = Figure> + use<> {
    let mut figures = [
        Figure::new("the whole list", "ms", Gate::RatioAtMost(1.0 / 3.0)),
        Figure::new("the whole list", "bytes", Gate::RatioAtMost(1.0 / 3.0)),
        Figure::new("sync/maindata after 100 changes", "ms", Gate::RatioAtMost(0.1)),
    ];
    let mut restart = [Figure::new("restart until the list is whole", "s", Gate::AtMost(3.0))];
    for &kind in kinds {
        eprintln!("{kind}: lists");
        note(&mut figures, kind, &bench.lists(kind));
        eprintln!("{kind}: restart");
        note(&mut restart, kind, &bench.restart(kind).map(|took| [took]));
    }
    figures.into_iter().chain(restart)
}

/// What is asked of a torrent of many files.
fn measure_files(bench: &Bench<'_>, kinds: &[Kind]) -> Figure {
    let mut figure = [Figure::new("30,000 files of one torrent", "ms", Gate::AtMost(250.0))];
    for &kind in kinds {
        eprintln!("{kind}: files");
        note(&mut figure, kind, &bench.files(kind).map(|took| [took]));
    }
    let [figure] = figure;
    figure
}

/// Puts down what was measured of somebody.
fn note<const N: usize>(figures: &mut [Figure; N], kind: Kind, values: &Result<[f64; N], String>) {
    for (index, figure) in figures.iter_mut().enumerate() {
        figure.values.push((kind.name(), values.clone().map(|values| values[index])));
    }
}

/// What is compared with rqbit.
fn measure_streams(
    bench: &Bench<'_>,
    rqbit: &std::path::Path,
    is_alone: bool,
) -> Result<Figure, String> {
    let title = "from adding a file to the first byte from its middle, one peer";
    let mut figure = Figure::new(title, "ms", Gate::RatioAtMost(1.0));
    let source = Source::start(bench.piecework, bench.work)?;
    eprintln!("ours: stream");
    let ours = source.first_byte(Player::Ours, bench.piecework, bench.work);
    figure.values.push(("ours", ours));
    if !is_alone {
        eprintln!("rqbit: stream");
        figure.values.push(("rqbit", source.first_byte(Player::Rqbit, rqbit, bench.work)));
    }
    Ok(figure)
}
