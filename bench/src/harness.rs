//! Calls `harness/swarm_bench.py`, which makes one measurement a call.
//!
//! What the harness prints is data: figures by name with their unit at the end, the command lines
//! with names in place of folders and ports, and how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::install::Rivals;
use crate::work::Work;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/harness/swarm_bench.py");

/// What does encrypted handshakes with a seeder; cargo puts it beside the bench.
const STRANGERS: &str = "piecework-strangers";

/// Command lines of ours, with the placeholders of the harness. Our defaults, but for ports and folders,
/// for encryption, which the others have or have not as we do, and without local discovery and DHT, which
/// they have switched off too.
const ROLES: [(&str, &str); 6] = [
    (
        "seed",
        "{binary} seed --no-local-discovery --no-dht --trust --port {port} --dir {dir} \
         --state {scratch}/state --encryption {encryption} {torrent}",
    ),
    (
        "leech",
        "{binary} get --no-local-discovery --no-dht --port {port} --dir {dir} --peer {peer} \
         --state {scratch}/state --encryption {encryption} {torrent}",
    ),
    ("check", "{binary} check --dir {dir} --state {scratch}/state {torrent}"),
    (
        "idle",
        "{binary} seed --no-local-discovery --no-dht --trust --port {port} --dir {dir} \
         --state {scratch}/state --torrents-dir {torrents_dir}",
    ),
    (
        "dht",
        "{binary} seed --no-local-discovery {dht} --trust --port {port} --dir {dir} \
         --state {scratch}/state --torrents-dir {torrents_dir}",
    ),
    (
        "magnet",
        "{binary} metadata --no-local-discovery --no-dht --json --port {port} --peer {peer} --state \
         {scratch}/state --encryption {encryption} -o {dir}/t.torrent {magnet}",
    ),
];

/// What stands in our place in [`Subject::StandIn`].
const STAND_IN: [(&str, &str); 6] = [
    ("seed", "seed --torrent {torrent} {encrypted}"),
    ("leech", "leech --torrent {torrent} --peer {peer} {encrypted}"),
    ("check", "check --torrent {torrent}"),
    ("idle", "idle --torrents-dir {torrents_dir}"),
    ("dht", "idle --torrents-dir {torrents_dir} {dht}"),
    ("magnet", "magnet --magnet {magnet} --peer {peer}"),
];

/// Who plays our part.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// This binary.
    Binary(PathBuf),
    /// libtorrent 2.1.1, to test the bench.
    StandIn,
}

/// Figures of one run by name; the name ends in the unit.
pub(crate) type Figures = BTreeMap<String, f64>;

/// All figures of one run in one line.
pub(crate) fn line(figures: &Figures) -> String {
    let words: Vec<String> =
        figures.iter().map(|(name, value)| format!("{name} {value:.2}")).collect();
    words.join(", ")
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The work was done and the files are what they should be.
    Ok(Figures),
    /// The work was said to be done, and a file is not what was shared.
    Differs(String),
    /// A client did not do its work.
    Failed(String),
}

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) outcome: Outcome,
    pub(crate) commands: Vec<String>,
}

/// The harness with everything it has to know about this machine.
#[derive(Debug)]
pub(crate) struct Harness {
    subject: Subject,
    work: PathBuf,
    size_mib: u32,
    lt21_python: PathBuf,
    lt20_python: PathBuf,
    rqbit: PathBuf,
}

impl Harness {
    /// Payloads and runs go below `work`; payloads of one file are of `size_mib`.
    pub(crate) fn new(subject: Subject, rivals: &Rivals, work: &Path, size_mib: u32) -> Self {
        Self {
            subject,
            work: work.to_owned(),
            size_mib,
            lt21_python: rivals.lt21_python(),
            lt20_python: rivals.lt20_python(),
            rqbit: rivals.rqbit(),
        }
    }

    /// Size of the payloads of one file.
    pub(crate) fn size_mib(&self) -> u32 {
        self.size_mib
    }

    /// What is measured, with its version.
    pub(crate) fn version(&self) -> String {
        match &self.subject {
            Subject::StandIn => "libtorrent 2.1.1 standing in for piecework".into(),
            Subject::Binary(binary) => {
                let output = Command::new(binary).arg("--version").output();
                let text =
                    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
                text.map_or_else(|error| format!("piecework ({error})"), |text| text.trim().into())
            }
        }
    }

    /// Makes the payloads that `works` need, so that no run begins with dirty pages.
    pub(crate) fn prepare(&self, works: &[Work]) -> Result<(), String> {
        let payloads: BTreeSet<_> =
            works.iter().filter_map(|work| work.payload(self.size_mib)).collect();
        for (payload, size_mib) in payloads {
            let size = size_mib.to_string();
            self.call(&["prepare", "--payload", payload.word(), "--size-mib", &size])?;
        }
        Ok(())
    }

    /// Measures `work` once.
    ///
    /// # Errors
    /// When the harness itself cannot work; what the clients do wrong is an [`Outcome`].
    pub(crate) fn measure(&self, work: Work) -> Result<Measured, String> {
        let arguments = work.arguments(self.size_mib);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let text = self.call(&arguments)?;
        parse(&text).ok_or_else(|| format!("the harness answers {text:?} to {work}"))
    }

    fn call(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("python3");
        command.arg("-B").arg(SCRIPT).args(arguments);
        // A bench talks to nobody outside.
        command.env("PIECEWORK_NO_PORT_MAPPING", "true");
        command.arg("--work").arg(&self.work);
        command.arg("--lt21-python").arg(&self.lt21_python);
        command.arg("--lt20-python").arg(&self.lt20_python);
        command.arg("--rqbit").arg(&self.rqbit);
        if let Ok(own) = std::env::current_exe() {
            command.arg("--strangers").arg(own.with_file_name(STRANGERS));
        }
        match &self.subject {
            Subject::Binary(binary) => {
                command.arg("--ours-binary").arg(binary);
                for (role, words) in ROLES {
                    command.arg(format!("--ours-{role}")).arg(words);
                }
            }
            Subject::StandIn => {
                command.arg("--ours-binary").arg(&self.lt21_python);
                for (role, words) in STAND_IN {
                    let words =
                        ["{binary} {child}", words, "--dir {dir} --host {host} --port {port}"];
                    command.arg(format!("--ours-{role}")).arg(words.join(" "));
                }
            }
        }
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("cannot run python3: {error}"))?;
        if !output.status.success() {
            return Err(format!("the harness ends with {}", output.status));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Reads the line that one measurement prints.
fn parse(text: &str) -> Option<Measured> {
    let record: Value = serde_json::from_str(text).ok()?;
    let fields = record.as_object()?;
    let reason = || fields.get("reason").and_then(Value::as_str).unwrap_or("no reason").to_owned();
    let outcome = match fields.get("outcome")?.as_str()? {
        "ok" => Outcome::Ok(
            fields
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)))
                .collect(),
        ),
        "differs" => Outcome::Differs(reason()),
        "failed" => Outcome::Failed(reason()),
        _ => return None,
    };
    let commands = fields.get("commands")?.as_array()?;
    let commands = commands.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    Some(Measured { outcome, commands })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_the_numbers_of_the_line() {
        let line = r#"{"outcome": "ok", "start_s": 0.5, "rate_mib_s": 3, "commands": ["a", "b"]}"#;
        let figures = Figures::from([("start_s".into(), 0.5), ("rate_mib_s".into(), 3.0)]);
        let commands = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(parse(line), Some(Measured { outcome: Outcome::Ok(figures), commands }));
    }

    #[test]
    fn files_that_differ_are_not_a_client_that_fails() {
        let outcome = |line| parse(line).map(|measured| measured.outcome);
        let differs = r#"{"outcome": "differs", "reason": "no file", "commands": []}"#;
        assert_eq!(outcome(differs), Some(Outcome::Differs("no file".into())));
        let failed = r#"{"outcome": "failed", "reason": "exit", "commands": []}"#;
        assert_eq!(outcome(failed), Some(Outcome::Failed("exit".into())));
        assert_eq!(outcome(r#"{"outcome": "fine", "commands": []}"#), None);
    }
}
