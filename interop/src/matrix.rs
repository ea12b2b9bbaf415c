//! The matrix: one row a cell, made from results alone, and the line that sums it up.

use std::fmt::Write as _;

use crate::payload::MIB;

/// What a cell that passed has moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measure {
    mib: f64,
    seconds: f64,
}

impl Measure {
    /// `bytes` of payload in `seconds`.
    pub(crate) fn new(bytes: u64, seconds: f64) -> Self {
        Self { mib: bytes as f64 / MIB as f64, seconds }
    }
}

/// How a cell came out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Everything was as it should be.
    Passed(Measure),
    /// Something was not.
    Failed {
        /// What.
        reason: String,
        /// The ends of the logs of its processes.
        logs: String,
    },
    /// A peer is not there, which nobody asked for.
    NotRun(String),
    /// The caller did not want a peer.
    Excluded(String),
}

/// A line of the matrix.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// What was tried.
    pub(crate) cell: String,
    /// Who had the data, and who got it.
    pub(crate) direction: String,
    /// The foreign programs and their versions.
    pub(crate) peers: String,
    /// How it came out.
    pub(crate) verdict: Verdict,
    /// How it came out before, if this is the second try.
    pub(crate) before: Option<Verdict>,
}

impl Row {
    /// The row of the second try, which does not forget the first.
    pub(crate) fn tried_again(self, again: Self) -> Self {
        Self { before: Some(self.verdict), ..again }
    }

    fn columns(&self) -> [String; 6] {
        let (mib, seconds, result) = match &self.verdict {
            Verdict::Passed(measure) => {
                let result = match &self.before {
                    Some(Verdict::Failed { reason, .. }) => {
                        told("passed at the second try", reason)
                    }
                    _ => "passed".to_owned(),
                };
                (format!("{:.1}", measure.mib), format!("{:.1}", measure.seconds), result)
            }
            Verdict::Failed { reason, .. } => {
                (String::new(), String::new(), told("FAILED", reason))
            }
            Verdict::NotRun(reason) => (String::new(), String::new(), told("not run", reason)),
            Verdict::Excluded(reason) => (String::new(), String::new(), told("skipped", reason)),
        };
        [self.cell.clone(), self.direction.clone(), self.peers.clone(), mib, seconds, result]
    }

    /// The row as one line of progress.
    pub(crate) fn line(&self) -> String {
        let [cell, direction, _, _, seconds, result] = self.columns();
        format!("{cell}: {direction}: {result} {seconds}").trim_end().to_owned()
    }
}

/// A table cell stays on its line and within it.
fn told(verdict: &str, reason: &str) -> String {
    const REASON_CHARS_MAX: usize = 160;
    let line = reason.lines().next().unwrap_or_default().replace('|', "/");
    let short: String = line.chars().take(REASON_CHARS_MAX).collect();
    format!("{verdict}: {short}")
}

/// All rows, in a table that is also Markdown, and the sum alone on the last line.
pub(crate) fn table(subject: &str, rows: &[Row]) -> String {
    let head = ["cell", "direction", "peers", "MiB", "seconds", "result"].map(str::to_owned);
    let lines: Vec<[String; 6]> =
        std::iter::once(head).chain(rows.iter().map(Row::columns)).collect();
    let width = |column: usize| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = format!("Client under test: {subject}\n\n");
    for (index, line) in lines.iter().enumerate() {
        push_line(&mut text, line, widths);
        if index == 0 {
            push_line(&mut text, &widths.map(|width| "-".repeat(width)), widths);
        }
    }
    text.push('\n');
    text.push_str(&sum(rows));
    text.push('\n');
    text
}

fn push_line(text: &mut String, line: &[String; 6], widths: [usize; 6]) {
    for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
        // Numbers to the right, so that they align.
        let written = match column {
            3 | 4 => write!(text, "| {cell:>width$} "),
            _ => write!(text, "| {cell:width$} "),
        };
        written.expect("writing to a String does not fail");
    }
    text.push_str("|\n");
}

/// `N passed, N failed, N skipped`.
fn sum(rows: &[Row]) -> String {
    let count = |is: fn(&Verdict) -> bool| rows.iter().filter(|row| is(&row.verdict)).count();
    let passed = count(|verdict| matches!(verdict, Verdict::Passed(_)));
    let failed = count(|verdict| matches!(verdict, Verdict::Failed { .. }));
    let skipped = count(|verdict| matches!(verdict, Verdict::NotRun(_) | Verdict::Excluded(_)));
    format!("{passed} passed, {failed} failed, {skipped} skipped")
}

/// Whether every cell passed or was excluded on purpose.
pub(crate) fn good(rows: &[Row]) -> bool {
    rows.iter().all(|row| match row.verdict {
        Verdict::Passed(_) | Verdict::Excluded(_) => true,
        Verdict::Failed { .. } | Verdict::NotRun(_) => false,
    })
}

/// The whole reason and the logs of every failed cell.
pub(crate) fn failures(rows: &[Row]) -> String {
    let mut text = String::new();
    let verdicts = rows
        .iter()
        .flat_map(|row| row.before.iter().chain([&row.verdict]).map(move |verdict| (row, verdict)));
    for (row, verdict) in verdicts {
        let Verdict::Failed { reason, logs } = verdict else { continue };
        let (cell, direction) = (&row.cell, &row.direction);
        write!(text, "\n## {cell}: {direction}\n\n{reason}\n\n```\n{logs}\n```\n")
            .expect("writing to a String does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Verdict) -> Row {
        let (cell, direction) = ("v1".to_owned(), "ours -> x".to_owned());
        Row { cell, direction, peers: "x 1".to_owned(), verdict, before: None }
    }

    #[test]
    fn a_table_is_made_of_its_rows_and_ends_with_their_sum() {
        let failed =
            Verdict::Failed { reason: "late | gone\nmore".to_owned(), logs: String::new() };
        let rows = [row(Verdict::Passed(Measure::new(32 * MIB, 1.25))), row(failed)];
        let lines: Vec<String> = table("us 1", &rows).lines().map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "Client under test: us 1",
                "",
                "| cell | direction | peers |  MiB | seconds | result              |",
                "| ---- | --------- | ----- | ---- | ------- | ------------------- |",
                "| v1   | ours -> x | x 1   | 32.0 |     1.2 | passed              |",
                "| v1   | ours -> x | x 1   |      |         | FAILED: late / gone |",
                "",
                "1 passed, 1 failed, 0 skipped",
            ]
        );
    }

    #[test]
    fn a_second_try_counts_and_the_first_is_told() {
        let failed = Verdict::Failed { reason: "late".to_owned(), logs: "a log".to_owned() };
        let again = row(failed.clone()).tried_again(row(Verdict::Passed(Measure::new(MIB, 1.0))));
        assert!(again.line().ends_with("passed at the second try: late 1.0"), "{}", again.line());
        assert!(good(std::slice::from_ref(&again)));
        assert!(failures(&[again]).contains("a log"));
        assert!(!good(&[row(failed.clone()).tried_again(row(failed))]));
    }

    #[test]
    fn a_cell_that_could_not_run_spoils_the_matrix_and_an_excluded_one_does_not() {
        let excluded = row(Verdict::Excluded("excluded by --without x".to_owned()));
        assert!(good(std::slice::from_ref(&excluded)));
        assert!(!good(&[excluded, row(Verdict::NotRun("x is missing".to_owned()))]));
    }
}
