//! The table as Markdown.

use crate::row::Figure;
use std::fs;

const INTRODUCTION: &str = "\
Written by `piecework-daemon-bench`; do not edit. Every daemon keeps the same small torrents, whose files
are there, on a machine that they share with nothing else; it is asked over one kept connection on loopback.
Lists and deltas are medians of 15. Ours answers lists on its own API, adds and deltas in the qBittorrent
dialect, a hundred torrents a request; adding ends when the last one, and then the list of all, is complete,
and is the median of nine daemons, one of each kind after the other. A delta is asked for 0.3 s after 100
torrents got a tag. The files are those of a stopped torrent. Rest is half a minute, 20 s after the last was
added; memory is all that is resident then, pages of programs and libraries included (VmRSS), and once more
without any pages of files (RssAnon): of those ours lets go when it is idle. Streaming is the median of five
places of a 256 MiB file, each in a daemon that has never seen it. Rows may be of different runs (`--only`).
";

/// The table, with rows of an `old` one that were not measured again.
pub(crate) fn table(figures: &[Figure], torrents: usize, old: &str) -> String {
    let mut text = format!(
        "# The daemon beside others\n\n{INTRODUCTION}\n{torrents} torrents in the lists. {}\n\n\
         | what | unit | piecework | other | | ratio | gate | |\n|---|---|---|---|---|---|---|---|\n",
        machine()
    );
    let mut rows: Vec<String> =
        old.lines().filter(|line| is_row(line)).map(str::to_owned).collect();
    for figure in figures {
        let row = row(figure);
        match rows.iter_mut().find(|old| key(old) == key(&row)) {
            Some(old) => *old = row,
            None => rows.push(row),
        }
    }
    text.extend(rows.iter().flat_map(|row| [row.as_str(), "\n"]));
    text
}

/// The line of a figure.
fn row(figure: &Figure) -> String {
    let word = |value: Option<&Result<f64, String>>| match value {
        Some(Ok(value)) => number(*value),
        Some(Err(error)) => format!("fails: {error}"),
        None => "-".into(),
    };
    let other = figure.values.get(1);
    let ratio = match (ours(figure), theirs(figure)) {
        (Some(ours), Some(theirs)) if theirs > 0.0 => format!("{:.2}", ours / theirs),
        _ => String::new(),
    };
    let verdict = match is_met(figure) {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "not compared",
    };
    format!(
        "| {} | {} | {} | {} | {} | {ratio} | {} | {verdict} |",
        figure.title,
        figure.unit,
        word(figure.values.first().map(|(_, value)| value)),
        word(other.map(|(_, value)| value)),
        other.map_or("", |(name, _)| name),
        figure.gate.words(figure.unit),
    )
}

/// Whether a line of a table is about a figure.
fn is_row(line: &str) -> bool {
    line.starts_with("| ") && !line.starts_with("| what |")
}

/// Title and unit, which tell rows apart.
fn key(row: &str) -> Vec<&str> {
    row.splitn(4, " | ").take(2).collect()
}

/// Whether a gate is met; `None` where there is nobody to compare with.
pub(crate) fn is_met(figure: &Figure) -> Option<bool> {
    let Some(ours) = ours(figure) else { return Some(false) };
    match (figure.gate, theirs(figure)) {
        (crate::row::Gate::RatioAtMost(_), None) => None,
        (gate, theirs) => Some(gate.is_met(ours, theirs)),
    }
}

fn ours(figure: &Figure) -> Option<f64> {
    figure.values.first().and_then(|(_, value)| value.as_ref().ok()).copied()
}

fn theirs(figure: &Figure) -> Option<f64> {
    figure.values.get(1).and_then(|(_, value)| value.as_ref().ok()).copied()
}

fn number(value: f64) -> String {
    match value {
        value if value >= 1000.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.3}"),
    }
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
