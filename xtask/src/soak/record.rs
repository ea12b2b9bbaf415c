//! What a part of the soak has shown, kept from one run to the next, and the report made of them.

use crate::process;
use crate::project::Project;
use crate::steps::Outcome;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

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

    /// Writes it where [`Record::read`] finds it.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(super) fn keep(&self, folder: &Path) -> Result<(), String> {
        let path = folder.join(format!("{}.json", self.part));
        let value = json!({
            "part": self.part,
            "note": self.note,
            "failure": self.failure,
            "seconds": self.seconds,
            "commit": self.commit,
            "date": self.date,
            "machine": self.machine,
            "shortened": self.shortened,
            "lines": self.lines,
        });
        fs::write(&path, format!("{value:#}\n"))
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The record of a part; `None` if there is none that can be read.
    pub(super) fn read(folder: &Path, part: &str) -> Option<Self> {
        let text = fs::read_to_string(folder.join(format!("{part}.json"))).ok()?;
        let value: Value = serde_json::from_str(&text).ok()?;
        let text = |key: &str| Some(value[key].as_str()?.to_owned());
        let lines = value["lines"].as_array()?.iter();
        Some(Self {
            part: text("part")?,
            note: text("note")?,
            failure: text("failure"),
            seconds: value["seconds"].as_u64()?,
            commit: text("commit")?,
            date: text("date")?,
            machine: text("machine")?,
            shortened: text("shortened"),
            lines: lines.filter_map(|line| Some(line.as_str()?.to_owned())).collect(),
        })
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

/// The report: a line a part, and behind that what each part printed.
pub(super) fn report(records: &[(&str, Option<Record>)]) -> String {
    let mut text =
        "# Soak report\n\nWritten by `cargo xtask soak`; each part may have been run alone, \
                    on the commit that its line names.\n\n"
            .to_owned();
    text += "| part | result | seconds | commit | UTC | notes |\n";
    text += "|------|--------|--------:|--------|-----|-------|\n";
    for (part, record) in records {
        let absent = || format!("| {part} | NOT RUN | | | | |\n");
        text += &record.as_ref().map_or_else(absent, Record::row);
    }
    for record in records.iter().filter_map(|(_, record)| record.as_ref()) {
        text += &record.section();
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
    fn a_record_is_read_as_it_was_kept() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for written in [record("kill", Some("| lost")), record("churn", None)] {
            written.keep(folder.path()).expect("it can be written");
            assert_eq!(Record::read(folder.path(), &written.part), Some(written));
        }
        assert_eq!(Record::read(folder.path(), "fuzz"), None);
    }

    #[test]
    fn the_report_names_commits_failures_and_parts_that_were_not_run() {
        let failed = record("kill", Some("no such program"));
        let text = report(&[
            ("fuzz", None),
            ("kill", Some(failed)),
            ("churn", Some(record("churn", None))),
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
}
