//! The kill report: one row a kill, judged by its figures alone.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::seen::Pieces;
use crate::failure::Failure;

/// Pieces named in a fault.
const LISTED_MAX: usize = 8;

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

/// A kill and what came of it; in the report the number of pieces stands for them.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// What the process did.
    pub(super) act: Act,
    /// From its start to its death.
    pub(super) delay: Duration,
    /// The phase it last told.
    pub(super) phase: String,
    /// What it told that it has, up to its death.
    pub(super) told: Pieces,
    /// What must survive: told a second before the kill, or claimed before this process began.
    pub(super) floor: Pieces,
    /// What passes its hash on the disk.
    pub(super) on_disk: Pieces,
    /// What the next process claims.
    pub(super) claimed: Pieces,
}

impl Round {
    fn fault(&self) -> Option<String> {
        let beyond = |pieces: &Pieces| listed(pieces.difference(&self.on_disk));
        if let Some(wrong) = beyond(&self.told) {
            return Some(format!("told pieces that do not pass their hash: {wrong}"));
        }
        if let Some(wrong) = beyond(&self.claimed) {
            return Some(format!("claims pieces that do not pass their hash: {wrong}"));
        }
        let lost = listed(self.floor.difference(&self.claimed))?;
        Some(format!("lost pieces: {lost}"))
    }

    /// The row of the table.
    pub(super) fn line(&self) -> String {
        let result =
            self.fault().map_or_else(|| "passed".to_owned(), |why| format!("FAILED: {why}"));
        let Self { act, delay, phase, .. } = self;
        let [told, floor, on_disk, claimed] =
            [&self.told, &self.floor, &self.on_disk, &self.claimed].map(Pieces::len);
        let delay = delay.as_millis();
        format!(
            "{act:8} {delay:>5} ms  {phase:8} {told:>9} {floor:>10} {on_disk:>7} {claimed:>7}  {result}"
        )
    }
}

/// Some of these pieces, if there are any.
fn listed<'a>(pieces: impl Iterator<Item = &'a u64>) -> Option<String> {
    let pieces: Vec<String> = pieces.map(u64::to_string).collect();
    let some = pieces[..pieces.len().min(LISTED_MAX)].join(" ");
    (!pieces.is_empty()).then(|| format!("{} ({some})", pieces.len()))
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
    text.push_str("killed while   after  phase         told must keep on disk claimed  result\n");
    for round in rounds {
        text.push_str(&round.line());
        text.push('\n');
    }
    let unclaimed: usize =
        rounds.iter().map(|round| round.on_disk.difference(&round.claimed).count()).sum();
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

    fn round(told: &[u64], floor: &[u64], on_disk: &[u64], claimed: &[u64]) -> Round {
        let (act, phase) = (Act::Download, "active".to_owned());
        let [told, floor, on_disk, claimed] =
            [told, floor, on_disk, claimed].map(|pieces| pieces.iter().copied().collect());
        Round { act, delay: Duration::from_millis(5), phase, told, floor, on_disk, claimed }
    }

    #[test]
    fn a_round_fails_by_losing_or_by_claiming_too_much() {
        let fault = |told, floor, claimed| round(told, floor, &[1, 2, 3], claimed).fault();
        assert_eq!(fault(&[1, 2], &[1], &[1, 3]), None);
        assert_eq!(fault(&[1, 2], &[1], &[2, 3]).unwrap(), "lost pieces: 1 (1)");
        let text = "claims pieces that do not pass their hash: 2 (4 5)";
        assert_eq!(fault(&[1, 2], &[1], &[1, 4, 5]).unwrap(), text);
        let text = "told pieces that do not pass their hash: 1 (4)";
        assert_eq!(fault(&[1, 4], &[1], &[1, 2]).unwrap(), text);
    }

    #[test]
    fn the_report_ends_with_its_sum() {
        let rounds = [round(&[1], &[1], &[1], &[1]), round(&[1], &[1], &[1], &[])];
        let text = text("us 1", 3, &rounds, 1, None);
        assert!(text.contains("\nseed 3\n"));
        assert_eq!(text.lines().last(), Some("1 passed, 1 failed, 0 skipped"));
        assert!(!good(&rounds));
    }
}
