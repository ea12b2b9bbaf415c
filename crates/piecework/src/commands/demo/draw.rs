//! The play on a terminal, drawn over itself; elsewhere a line now and then.

use super::cast::{FREE_PERCENT, PAYLOAD_BYTES};
use super::play::Play;
use crate::commands::list::rate;
use crate::out::{Out, note};
use std::time::{Duration, Instant};

/// Cells of a bar.
const BAR: u64 = 24;

/// Time between two lines where nothing can be drawn.
const LINE_AFTER: Duration = Duration::from_secs(5);

pub(super) struct Screen {
    is_live: bool,
    out: Out,
    lines: usize,
    said: Instant,
}

impl Screen {
    pub(super) fn new(is_live: bool, out: Out) -> Self {
        Self { is_live, out, lines: 0, said: Instant::now() }
    }

    pub(super) fn draw(&mut self, play: &Play) {
        if self.out.is_json() {
            return;
        }
        let text = picture(play);
        if self.is_live {
            let up = if self.lines > 0 { format!("\x1b[{}A", self.lines) } else { String::new() };
            let cleared = text.replace('\n', "\x1b[K\n");
            self.out.text(format!("{up}{cleared}").as_bytes());
            self.lines = text.lines().count();
        } else if self.said.elapsed() >= LINE_AFTER {
            self.said = Instant::now();
            note(&line(play));
        }
    }

    /// What was drawn stays.
    pub(super) fn end(&mut self) {
        self.lines = 0;
    }
}

fn picture(play: &Play) -> String {
    let mut text = format!("{:>5.1} s  {}\n\n", play.seconds(), play.phase);
    text += "  download  lane                              rate        spent\n";
    for it in &play.downloads {
        let cells = (it.bytes.min(PAYLOAD_BYTES) * BAR / PAYLOAD_BYTES) as usize;
        let bar = format!("{}{}", "#".repeat(cells), ".".repeat(BAR as usize - cells));
        let end = match it.seconds {
            Some(seconds) => format!("done in {seconds:.1} s"),
            None => rate(it.rate),
        };
        let spent = if it.spent.is_empty() { "-" } else { &it.spent };
        text += &format!("  {:<9} {:<6} {bar} {end:>14} {spent:>10}\n", it.name, it.lane);
    }
    text += "\n  seller    sends       to payers    price a GiB    earned   to be cashed\n";
    for it in &play.sales {
        let name = if it.is_dead { format!("{} (killed)", it.name) } else { it.name.to_owned() };
        text += &format!(
            "  {name:<9} {:<11} {:<12} {:>11} {:>10} {:>12}\n",
            rate(it.rate),
            rate(it.paid_rate),
            it.price,
            it.earned,
            it.uncashed
        );
    }
    text + &format!(
        "\n  {FREE_PERCENT} % of each seller's uplink are for those who do not pay. Test money.\n"
    )
}

fn line(play: &Play) -> String {
    let all = play.downloads.iter().map(|it| {
        let percent = it.bytes.min(PAYLOAD_BYTES) * 100 / PAYLOAD_BYTES;
        format!("{} {percent} %", it.name)
    });
    format!("{:.0} s: {}", play.seconds(), all.collect::<Vec<_>>().join(", "))
}
