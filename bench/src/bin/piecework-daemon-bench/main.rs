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

use clap::Parser;
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
    /// Where the table goes, besides stdout.
    #[arg(long, value_name = "FILE", default_value = "bench/DAEMON.md")]
    out: PathBuf,
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
    measure_daemons(&bench, arguments.alone, &mut figures);
    let rqbit = arguments.rqbit.clone().unwrap_or_else(stream::installed_rqbit);
    figures.push(measure_streams(&bench, &rqbit, arguments.alone)?);
    let text = report::table(&figures, torrents.len());
    print!("{text}");
    fs::write(&arguments.out, text)
        .map_err(|error| format!("cannot write {}: {error}", arguments.out.display()))?;
    Ok(figures.iter().all(|figure| report::is_met(figure) == Some(true)))
}

/// Everything that is compared with qBittorrent.
fn measure_daemons(bench: &Bench<'_>, is_alone: bool, figures: &mut Vec<Figure>) {
    let mut add =
        Figure::new("add 1,000 torrents until all are complete", "s", Gate::RatioAtMost(1.0 / 3.0));
    let mut memory = Figure::new("1,000 torrents at rest, memory", "MiB", Gate::RatioAtMost(0.5));
    let mut cpu = Figure::new("1,000 torrents at rest, CPU", "% of a core", Gate::RatioAtMost(0.5));
    let mut list = Figure::new("the whole list", "ms", Gate::RatioAtMost(1.0 / 3.0));
    let mut bytes = Figure::new("the whole list", "bytes", Gate::RatioAtMost(1.0 / 3.0));
    let mut delta = Figure::new("sync/maindata after 100 changes", "ms", Gate::RatioAtMost(0.1));
    let mut restart = Figure::new("restart until the list is whole", "s", Gate::AtMost(3.0));
    for kind in Kind::ALL {
        if is_alone && kind != Kind::Ours {
            continue;
        }
        let name = match kind {
            Kind::Ours => "ours",
            Kind::Qbittorrent => "qbittorrent-nox",
        };
        eprintln!("{kind}: a thousand");
        let thousand = bench.thousand(kind);
        add.values.push((name, thousand.clone().map(|[took, ..]| took)));
        memory.values.push((name, thousand.clone().map(|[_, memory, _]| memory)));
        cpu.values.push((name, thousand.map(|[.., cpu]| cpu)));
        eprintln!("{kind}: lists");
        let lists = bench.lists(kind);
        list.values.push((name, lists.clone().map(|[took, ..]| took)));
        bytes.values.push((name, lists.clone().map(|[_, bytes, _]| bytes)));
        delta.values.push((name, lists.map(|[.., delta]| delta)));
        eprintln!("{kind}: restart");
        restart.values.push((name, bench.restart(kind)));
    }
    figures.extend([list, bytes, delta, add, memory, cpu, restart]);
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
