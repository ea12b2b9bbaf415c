//! What a part of the soak has shown, and the report made of all parts. The report keeps it from one run to
//! the next: each part's line and section stay as they are until it is run again.

use super::PARTS;
use crate::process;
use crate::project::Project;
use crate::steps::Outcome;
use std::fs;

/// Lines of a program's output that the report quotes.
const QUOTED_LINES_MAX: usize = 100;

/// What a part has shown, when, and on what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Record {
    part: String,
    /// What it has to say.
    note: String,
    /// Why it failed; `None` if it did not.
    failure: Option<String>,
    seconds: u64,
    /// Commit, with `-dirty` behind it if files were changed.
    commit: String,
    /// Day and time, UTC.
    date: String,
    machine: String,
    /// How it was shorter than it should be.
    shortened: Option<String>,
    lines: Vec<String>,
}

impl Record {
    /// Of a part that has just been run on this commit.
    ///
    /// # Errors
    /// When git or another program of the system does not answer.
    pub(super) fn new(
        project: &Project,
        commit: String,
        outcome: &Outcome,
        shortened: Option<String>,
        lines: Vec<String>,
    ) -> Result<Self, String> {
        let date = process::output(&project.root, "date", &["-u", "+%F %H:%M"])?;
        Ok(Self {
            part: outcome.name.to_owned(),
            note: outcome.result.clone().unwrap_or_default(),
            failure: outcome.result.clone().err(),
            seconds: outcome.took.as_secs(),
            commit,
            date: date.trim().to_owned(),
            machine: machine(project)?,
            shortened,
            lines,
        })
    }

    /// The part of the report.
    pub(super) fn shown(&self) -> Shown {
        Shown { row: self.row(), section: self.section() }
    }

    fn row(&self) -> String {
        let Self { part, note, seconds, commit, date, .. } = self;
        let result = if self.failure.is_none() { "ok" } else { "FAILED" };
        let notes = [Some(note), self.failure.as_ref(), self.shortened.as_ref()];
        let notes: Vec<&str> = notes
            .into_iter()
            .flatten()
            .map(String::as_str)
            .filter(|note| !note.is_empty())
            .collect();
        format!("| {part} | {result} | {seconds} | {commit} | {date} | {} |\n", notes.join("; "))
    }

    fn section(&self) -> String {
        let mut text = format!("\n## {}\n\n{}.\n", self.part, self.machine);
        if let Some(shortened) = &self.shortened {
            text += &format!("It was {shortened}.\n");
        }
        if self.lines.is_empty() {
            return text;
        }
        let quoted = &self.lines[self.lines.len().saturating_sub(QUOTED_LINES_MAX)..];
        let quoted: Vec<_> = quoted.iter().map(|line| line.trim_end()).collect();
        text + &format!("\n```text\n{}\n```\n", quoted.join("\n"))
    }
}

/// What a report says of a part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Shown {
    row: String,
    section: String,
}

impl Shown {
    /// What an earlier report says of a part, word by word; `None` if it was not run for it.
    pub(super) fn read(report: &str, part: &str) -> Option<Self> {
        let row = report.lines().find(|line| line.starts_with(&format!("| {part} | ")))?;
        let is_heading =
            |line: &str| PARTS.iter().any(|part| line.strip_prefix("## ") == Some(*part));
        let mut lines = report.lines().skip_while(|line| *line != format!("## {part}"));
        let mut section = format!("\n{}\n", lines.next()?);
        for line in lines.take_while(|line| !is_heading(line)) {
            section += &format!("{line}\n");
        }
        Some(Self { row: format!("{row}\n"), section: format!("{}\n", section.trim_end()) })
    }
}

/// The report: a line a part, and behind that what each part printed.
pub(super) fn report(parts: &[(&str, Option<Shown>)]) -> String {
    let mut text =
        "# Soak report\n\nWritten by `cargo xtask soak`; each part may have been run alone, \
                    on the commit that its line names.\n\
                    What came later, such as further targets to fuzz, was not in it.\n\n"
            .to_owned();
    text += "| part | result | seconds | commit | UTC | notes |\n";
    text += "|------|--------|--------:|--------|-----|-------|\n";
    for (part, shown) in parts {
        let absent = || format!("| {part} | NOT RUN | | | | |\n");
        text += &shown.as_ref().map_or_else(absent, |it| it.row.clone());
    }
    for shown in parts.iter().filter_map(|(_, shown)| shown.as_ref()) {
        text += &shown.section;
    }
    text
}

/// What is checked out. The report itself may differ from it: it is written after the fact.
///
/// # Errors
/// When git does not answer.
pub(super) fn commit(project: &Project) -> Result<String, String> {
    let head = process::output(&project.root, "git", &["rev-parse", "--short=12", "HEAD"])?;
    let changed = process::output(&project.root, "git", &["status", "--porcelain"])?;
    let is_dirty = changed.lines().any(|line| !line.ends_with(" docs/SOAK.md"));
    Ok(format!("{}{}", head.trim(), if is_dirty { "-dirty" } else { "" }))
}

/// What the figures were taken on: kernel, compiler, processor.
fn machine(project: &Project) -> Result<String, String> {
    let kernel = process::output(&project.root, "uname", &["-srm"])?;
    let rustc = process::output(&project.root, "rustc", &["--version"])?;
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models =
        || cpuinfo.lines().filter_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = models().next().map_or("unknown processor", |(_, model)| model);
    let cores = models().count();
    Ok(format!("{}, {}, {cores} cores of {model}", kernel.trim(), rustc.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(part: &str, failure: Option<&str>) -> Record {
        Record {
            part: part.to_owned(),
            note: String::new(),
            failure: failure.map(str::to_owned),
            seconds: 61,
            commit: "0123456789ab".to_owned(),
            date: "2026-01-02 03:04".to_owned(),
            machine: "A machine".to_owned(),
            shortened: failure.is_none().then(|| "shortened to 2 of 60 minutes".to_owned()),
            lines: (0..QUOTED_LINES_MAX + 10).map(|line| format!("line {line} ")).collect(),
        }
    }

    #[test]
    fn the_report_names_commits_failures_and_parts_that_were_not_run() {
        let failed = record("kill", Some("no such program"));
        let text = report(&[
            ("fuzz", None),
            ("kill", Some(failed.shown())),
            ("churn", Some(record("churn", None).shown())),
        ]);
        assert!(text.contains("| fuzz | NOT RUN |"), "{text}");
        assert!(text.contains("| kill | FAILED | 61 | 0123456789ab | 2026-01-02 03:04 | no such"));
        assert!(
            text.contains("| churn | ok |")
                && text.contains("It was shortened to 2 of 60 minutes.")
        );
        assert!(text.contains("line 109\n") && !text.contains("line 9\n"));
        assert!(!text.lines().any(|line| line.ends_with(' ')));
    }

    #[test]
    fn a_part_that_is_not_run_again_stays_in_the_report_as_it_was() {
        let (kill, churn) = (record("kill", Some("lost")).shown(), record("churn", None).shown());
        let before =
            report(&[("fuzz", None), ("kill", Some(kill)), ("churn", Some(churn.clone()))]);
        let read = |part| Shown::read(&before, part);
        assert_eq!((read("fuzz"), read("churn")), (None, Some(churn)));
        let after = report(&["fuzz", "kill", "churn"].map(|part| (part, read(part))));
        assert_eq!(after, before);
        let anew = Record { seconds: 7, ..record("kill", None) };
        let after = report(&[("kill", Some(anew.shown())), ("churn", read("churn"))]);
        assert!(after.contains("| kill | ok | 7 |") && !after.contains("lost"), "{after}");
        assert!(before.ends_with(&after[after.find("## churn").expect("it is there")..]));
    }
}
