//! The kill report: one row a kill, judged by its figures alone.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::failure::Failure;

/// What the process was made to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Act {
    /// Fetch pieces from a seeder.
    Download,
    /// Hash what is on the disk, without resume data and without a peer.
    Check,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Download => "download",
            Self::Check => "check",
        })
    }
}

/// A kill and what came of it; all figures but the delay are pieces.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// What the process did.
    pub(super) act: Act,
    /// From its start to its death.
    pub(super) delay: Duration,
    /// The phase it last told.
    pub(super) phase: String,
    /// What it last told that it had.
    pub(super) last: u64,
    /// What must survive: told a second before the kill, or claimed before this process began.
    pub(super) floor: u64,
    /// What passes its hash on the disk.
    pub(super) on_disk: u64,
    /// What the next process claims.
    pub(super) claimed: u64,
}

impl Round {
    fn fault(&self) -> Option<String> {
        if self.last > self.on_disk {
            return Some(format!("told {} pieces, {} pass their hash", self.last, self.on_disk));
        }
        if self.claimed > self.on_disk {
            return Some(format!(
                "claims {} pieces, {} pass their hash",
                self.claimed, self.on_disk
            ));
        }
        if self.claimed < self.floor {
            return Some(format!("lost {} pieces of {}", self.floor - self.claimed, self.floor));
        }
        None
    }

    /// The row of the table.
    pub(super) fn line(&self) -> String {
        let result =
            self.fault().map_or_else(|| "passed".to_owned(), |why| format!("FAILED: {why}"));
        let Self { act, delay, phase, last, floor, on_disk, claimed } = self;
        let delay = delay.as_millis();
        format!(
            "{act:8} {delay:>5} ms  {phase:8} {last:>9} {floor:>10} {on_disk:>7} {claimed:>7}  {result}"
        )
    }
}

/// Whether every round passed.
pub(super) fn good(rounds: &[Round]) -> bool {
    rounds.iter().all(|round| round.fault().is_none())
}

/// The whole report.
pub(super) fn text(
    version: &str,
    seed: u64,
    rounds: &[Round],
    finished: usize,
    broken: Option<Failure>,
) -> String {
    let mut text = format!("Client under test: {version}\nseed {seed}\n\n");
    text.push_str("killed while   after  phase    told last must keep on disk claimed  result\n");
    for round in rounds {
        text.push_str(&round.line());
        text.push('\n');
    }
    let unclaimed: u64 =
        rounds.iter().map(|round| round.on_disk.saturating_sub(round.claimed)).sum();
    let failed = rounds.iter().filter(|round| round.fault().is_some()).count();
    let broke = usize::from(broken.is_some());
    let passed = rounds.len() - failed;
    let failed = failed + broke;
    let told = broken.map_or_else(String::new, |failure| format!("broken off: {failure}\n"));
    write!(
        text,
        "\n{told}{} kills; {finished} finished downloads equal the origin and pass check and \
         libtorrent's recheck;\n{unclaimed} pieces in all were on the disk and not claimed after the \
         restart\n\n{passed} passed, {failed} failed, 0 skipped\n",
        rounds.len(),
    )
    .expect("writing to a String does not fail");
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn round(last: u64, floor: u64, on_disk: u64, claimed: u64) -> Round {
        let (act, phase) = (Act::Download, "active".to_owned());
        Round { act, delay: Duration::from_millis(5), phase, last, floor, on_disk, claimed }
    }

    #[test]
    fn a_round_fails_by_losing_or_by_claiming_too_much() {
        assert_eq!(round(8, 5, 9, 7).fault(), None);
        assert_eq!(round(8, 5, 9, 4).fault().unwrap(), "lost 1 pieces of 5");
        assert_eq!(round(8, 5, 9, 10).fault().unwrap(), "claims 10 pieces, 9 pass their hash");
        assert_eq!(round(10, 5, 9, 9).fault().unwrap(), "told 10 pieces, 9 pass their hash");
    }

    #[test]
    fn the_report_ends_with_its_sum() {
        let rounds = [round(8, 5, 9, 7), round(8, 5, 9, 4)];
        let text = text("us 1", 3, &rounds, 1, None);
        assert!(text.contains("\nseed 3\n"));
        assert_eq!(text.lines().last(), Some("1 passed, 1 failed, 0 skipped"));
        assert!(!good(&rounds));
    }
}
