//! What people see while they wait, on stderr: bars with a piece map on a terminal, else a whole line
//! at most every ten seconds. Under `--json` an object a second on stdout.

use crate::out::{Out, note};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use piecework_node::{Phase, Refusal, Status};
use piecework_settings::human;
use serde_json::json;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Time between two lines where stderr is no terminal.
const LINE_AFTER: Duration = Duration::from_secs(10);

/// Time between two objects under `--json`.
const OBJECT_AFTER: Duration = Duration::from_secs(1);

/// Time between two drawings of the bar.
const DRAW_AFTER: Duration = Duration::from_millis(200);

/// Columns of the piece map.
const MAP_COLUMNS: usize = 48;

enum Display {
    Bar(ProgressBar),
    Lines,
    Objects,
}

/// The display of one torrent, or of all torrents of a `seed`.
pub(crate) struct Progress {
    display: Display,
    out: Out,
    name: String,
    label: String,
    shown: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(out: Out, name: &str, label: &str) -> Self {
        let display = if out.is_json() {
            Display::Objects
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            bar.set_style(style());
            Display::Bar(bar)
        } else {
            Display::Lines
        };
        Self { display, out, name: name.to_owned(), label: label.to_owned(), shown: None }
    }

    /// Of something that is mostly over in a moment: shown when it was not. Under `--json` nothing is.
    pub(crate) fn of_a_wait(out: Out, name: &str) -> Self {
        Self { shown: Some(Instant::now()), ..Self::new(out, name, "") }
    }

    /// Shows how much of a wait is over, counted as `count` says it, if it is time to.
    pub(crate) fn waited(&mut self, done: u64, total: u64, count: impl Fn(u64) -> String) {
        if self.is_time() && !self.out.is_json() {
            self.share(done, total, &format!("{} of {}", count(done), count(total)));
        }
    }

    /// The name became known, as it does for a magnet link.
    pub(crate) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// Shows how far the hashing of new content is, if it is time to.
    pub(crate) fn hashed(&mut self, done: u64, total: u64) {
        if self.is_time() {
            self.share(done, total, &format!("{} of {}", human(done), human(total)));
        }
    }

    /// Removes the bar from the screen.
    pub(crate) fn clear(&mut self) {
        if let Display::Bar(bar) = &self.display {
            bar.finish_and_clear();
        }
    }

    /// Shows the figures if it is time to.
    pub(crate) fn update(&mut self, status: &Status) {
        if self.is_time() {
            self.show(status);
        }
    }

    /// Whether the next [`Self::update`] would show anything.
    pub(crate) fn is_due(&self) -> bool {
        self.due_in().is_zero()
    }

    /// How long until then.
    pub(crate) fn due_in(&self) -> Duration {
        let after = match self.display {
            Display::Bar(_) => DRAW_AFTER,
            Display::Lines => LINE_AFTER,
            Display::Objects => OBJECT_AFTER,
        };
        self.shown.map_or(Duration::ZERO, |shown| after.saturating_sub(shown.elapsed()))
    }

    fn is_time(&mut self) -> bool {
        let is_due = self.is_due();
        if is_due {
            self.shown = Some(Instant::now());
        }
        is_due
    }

    /// Shows the figures now, for the last time.
    pub(crate) fn finish(&mut self, status: &Status) {
        if self.shown.is_some() || matches!(self.display, Display::Objects) {
            self.show(status);
        }
        if let Display::Bar(bar) = &self.display {
            bar.abandon();
        }
    }

    /// Lets `print` write to the terminal without tearing the bar.
    pub(crate) fn aside(&self, print: impl FnOnce()) {
        match &self.display {
            Display::Bar(bar) => bar.suspend(print),
            Display::Lines | Display::Objects => print(),
        }
    }

    /// Writes a line of text without tearing the bar.
    pub(crate) fn note(&self, text: &str) {
        match &self.display {
            Display::Bar(bar) => bar.suspend(|| note(text)),
            Display::Lines => note(text),
            Display::Objects => self.out.problem(text),
        }
    }

    fn share(&self, done: u64, total: u64, text: &str) {
        match &self.display {
            Display::Bar(bar) => {
                bar.set_length(total.max(1));
                bar.set_position(done);
                bar.set_prefix(share_map(done, total));
                bar.set_message(format!("{}\n{text}", self.name));
            }
            Display::Lines => note(&format!("{}: {text}", self.name)),
            Display::Objects => self.out.event(&json!({
                "event": "hashing", "name": self.label, "done_bytes": done, "total_bytes": total,
            })),
        }
    }

    fn show(&self, status: &Status) {
        match &self.display {
            Display::Bar(bar) => {
                let (done, total) = amounts(status);
                bar.set_length(total);
                bar.set_position(done);
                bar.set_prefix(piece_map(status));
                bar.set_message(format!("{}\n{}", self.name, figures(status)));
            }
            Display::Lines => note(&format!("{}: {}", self.name, figures(status))),
            Display::Objects => self.out.event(&object(&self.label, status)),
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{msg}\n[{prefix}] {percent:>3}%")
        .expect("the template is constant and valid")
}

fn amounts(status: &Status) -> (u64, u64) {
    match status.phase {
        Phase::Checking => (status.checked.0.into(), u64::from(status.checked.1).max(1)),
        Phase::Metadata | Phase::Active | Phase::Stopping => (
            status.wanted_bytes - status.left_bytes.min(status.wanted_bytes),
            status.wanted_bytes.max(1),
        ),
    }
}

fn figures(status: &Status) -> String {
    let peers = match (status.peers, status.seeds) {
        (1, seeds) => format!("1 peer ({seeds} seeding)"),
        (peers, seeds) => format!("{peers} peers ({seeds} seeding)"),
    };
    let up = format!("up {}/s", human(status.up_rate));
    match status.phase {
        Phase::Metadata => format!("fetching metadata, {peers}, {} addresses known", status.known),
        Phase::Checking => {
            let (checked, total) = status.checked;
            format!("checking existing data: {checked} of {total} pieces, {} complete", status.have)
        }
        Phase::Stopping => "stopping".to_owned(),
        Phase::Active if status.is_complete => {
            format!("complete, {up}, {} sent, {peers}", human(status.up_bytes))
        }
        Phase::Active => {
            let done = status.wanted_bytes.saturating_sub(status.left_bytes);
            format!(
                "{} of {}, down {}/s, {up}, {}, {peers}",
                human(done),
                human(status.wanted_bytes),
                human(status.down_rate),
                remaining(status),
            )
        }
    }
}

fn remaining(status: &Status) -> String {
    match status.left_bytes.checked_div(status.down_rate) {
        None => "no time known".to_owned(),
        Some(seconds) if seconds < 60 => format!("{seconds} s left"),
        Some(seconds) if seconds < 6000 => format!("{} min {} s left", seconds / 60, seconds % 60),
        Some(seconds) => format!("{} h {} min left", seconds / 3600, seconds / 60 % 60),
    }
}

/// One character for an equal share of the pieces: none, some, all.
fn piece_map(status: &Status) -> String {
    let pieces = status.pieces as usize;
    if pieces == 0 {
        return "·".repeat(MAP_COLUMNS);
    }
    let columns = MAP_COLUMNS.min(pieces);
    let has = |piece: usize| {
        status.bitfield.get(piece / 8).is_some_and(|byte| byte & (0x80 >> (piece % 8)) != 0)
    };
    let column = |at: usize| {
        let range = at * pieces / columns..(at + 1) * pieces / columns;
        let total = range.len();
        match range.filter(|&piece| has(piece)).count() {
            0 => '·',
            held if held == total => '█',
            held if held * 2 >= total => '▓',
            _ => '░',
        }
    };
    (0..columns).map(column).collect()
}

/// A bar of so much of a total.
fn share_map(done: u64, total: u64) -> String {
    let columns = u128::from(done) * MAP_COLUMNS as u128 / u128::from(total.max(1));
    let full = MAP_COLUMNS.min(usize::try_from(columns).unwrap_or(MAP_COLUMNS));
    "█".repeat(full) + &"·".repeat(MAP_COLUMNS - full)
}

fn object(label: &str, status: &Status) -> serde_json::Value {
    let phase = match status.phase {
        Phase::Metadata => "metadata",
        Phase::Checking => "checking",
        Phase::Active => "active",
        Phase::Stopping => "stopping",
    };
    json!({
        "event": "progress",
        "info_hash": label,
        "phase": phase,
        "checked": status.checked.0,
        "to_check": status.checked.1,
        "have": status.have,
        "pieces": status.pieces,
        "left_bytes": status.left_bytes,
        "wanted_bytes": status.wanted_bytes,
        "down_bytes": status.down_bytes,
        "up_bytes": status.up_bytes,
        "down_rate": status.down_rate,
        "up_rate": status.up_rate,
        "peers": status.peers,
        "seeds": status.seeds,
        "encrypted": status.encrypted,
        "web_seeds": status.web_seeds.iter().filter(|seed| !seed.is_dropped).count(),
        "complete": status.is_complete,
        "refused": by_reason(&status.refused),
        "turned_away": by_reason(&status.turned_away),
    })
}

fn by_reason(counts: &[(Refusal, u64)]) -> serde_json::Map<String, serde_json::Value> {
    counts.iter().map(|(why, count)| (why.name().to_owned(), (*count).into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_piece_map_shows_none_some_and_all() {
        let status = Status { pieces: 96, bitfield: vec![0xff, 0x80], ..Status::default() };
        let map: Vec<char> = piece_map(&status).chars().collect();
        assert_eq!((map.len(), map[0], map[4], map[47]), (48, '█', '▓', '·'));
    }

    #[test]
    fn an_unknown_rate_promises_no_time() {
        let mut status = Status { left_bytes: 90_000, ..Status::default() };
        assert_eq!(remaining(&status), "no time known");
        status.down_rate = 1000;
        assert_eq!(remaining(&status), "1 min 30 s left");
    }
}
