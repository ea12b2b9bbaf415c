//! `piecework doctor`: what a person would have to look up before asking for help, in one report that may be
//! shown to strangers: no names of torrents, no addresses, no keys, the home folder as `~`.

use crate::args::care::DoctorArgs;
use crate::args::client::ClientArgs;
use crate::client::{Client, Door};
use crate::failure::Failure;
use crate::folders::Folders;
use crate::layers;
use crate::out::Out;
use piecework_settings::Settings;
use rustix::fs::StatVfs;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Open files that a node with many torrents and peers wants.
const FILES_WANTED: u64 = 4096;

/// Free space below which a download soon ends.
const FREE_WANTED: u64 = 1 << 30;

/// How a check ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Good,
    Warning,
    Bad,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// The report as it grows.
struct Report {
    out: Out,
    home: Option<String>,
    is_bad: bool,
}

impl Report {
    /// One line; what is wrong comes with its remedy.
    fn tell(&mut self, what: &str, state: State, text: &str) {
        let text = self.redact(text);
        self.is_bad |= state == State::Bad;
        let object = json!({ "event": "check", "what": what, "state": state.word(), "text": text });
        self.out.say(&format!("{:<8} {what}: {text}", state.word()), &object);
    }

    fn redact(&self, text: &str) -> String {
        match &self.home {
            Some(home) => text.replace(home.as_str(), "~"),
            None => text.to_owned(),
        }
    }
}

/// Runs the command; fails if a check does.
pub(crate) fn run(args: &DoctorArgs, out: Out) -> Result<(), Failure> {
    let home = std::env::var("HOME").ok().filter(|home| home.len() > 1);
    let mut report = Report { out, home, is_bad: false };
    system(&mut report);
    let folders = Folders::of(&args.place)?;
    let sources = layers::sources(&folders, &args.set, Vec::new())?;
    match Settings::read(&sources) {
        Ok(settings) => {
            changed(&mut report, &settings);
        }
        Err(problems) => {
            let text = format!("{}; `piecework config check` tells more", layers::told(&problems));
            report.tell("settings", State::Bad, &text);
        }
    }
    folder(&mut report, "data folder", &folders.data, true);
    folder(&mut report, "downloads", &folders.downloads, false);
    limits(&mut report);
    daemon(&mut report, &folders, args);
    if report.is_bad { Err(Failure::silent(1)) } else { Ok(()) }
}

fn system(report: &mut Report) {
    let name = rustix::system::uname();
    let word = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = format!(
        "piecework {} on {} {} ({}), {cores} cores",
        env!("CARGO_PKG_VERSION"),
        word(name.sysname()),
        word(name.release()),
        word(name.machine())
    );
    report.tell("program", State::Good, &text);
}

/// Which settings are not the defaults. Values stay here: they may be addresses.
fn changed(report: &mut Report, settings: &Settings) {
    let changed: Vec<String> = settings
        .entries()
        .filter(|entry| entry.origin.to_string() != "default")
        .map(|entry| format!("{} ({})", entry.setting.key, entry.origin))
        .collect();
    let text = match changed.as_slice() {
        [] => "all are the defaults".to_owned(),
        some => format!("changed: {}", some.join(", ")),
    };
    report.tell("settings", State::Good, &text);
}

/// Whether a folder can be used, and how much room its drive has.
fn folder(report: &mut Report, what: &str, path: &Path, is_private: bool) {
    let shown = path.display();
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            report.tell(
                what,
                State::Good,
                &format!("{shown} is not there yet; it is made when needed"),
            );
            return;
        }
        Err(error) => {
            report.tell(what, State::Bad, &format!("{shown}: {error}"));
            return;
        }
        Ok(metadata) => metadata,
    };
    let may = rustix::fs::access(path, rustix::fs::Access::WRITE_OK);
    if !metadata.is_dir() || may.is_err() {
        let text =
            format!("{shown} cannot be written; give it to the user that the daemon runs as");
        report.tell(what, State::Bad, &text);
    } else if is_private && metadata.mode() & 0o007 != 0 {
        let text = format!("others can look into {shown}, which holds keys: chmod o-rwx it");
        report.tell(what, State::Warning, &text);
    } else {
        let free =
            rustix::fs::statvfs(path).map_or(u64::MAX, |it: StatVfs| it.f_bavail * it.f_frsize);
        let (state, hint) = match free {
            0..FREE_WANTED => (State::Warning, "; make room before downloads stop"),
            _ => (State::Good, ""),
        };
        report.tell(what, state, &format!("{shown}, {} MiB free{hint}", free >> 20));
    }
}

fn limits(report: &mut Report) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let files = limit.current.unwrap_or(u64::MAX);
    match files {
        0..FILES_WANTED => {
            let text =
                format!("{files}; many torrents want {FILES_WANTED}: ulimit -n {FILES_WANTED}");
            report.tell("open files", State::Warning, &text);
        }
        _ => report.tell("open files", State::Good, &files.to_string()),
    }
}

/// What a running daemon says of itself.
fn daemon(report: &mut Report, folders: &Folders, args: &DoctorArgs) {
    if Door::read(&folders.door()).is_none() {
        let text = "none has run with this data folder, or it has ended; `piecework up` starts one";
        report.tell("daemon", State::Good, text);
        return;
    }
    let client = ClientArgs { place: args.place.clone(), url: None, key: None };
    let asked = Client::new(&client).and_then(|client| {
        Ok((client.get("/node")?, client.get("/torrents?fields=stage")?, client.get("/news")?))
    });
    match asked {
        Err(failure) => report.tell("daemon", State::Warning, &failure.text),
        Ok((node, torrents, news)) => {
            let figure = |key: &str| node[key].as_u64().unwrap_or_default();
            let text = format!("runs, {} peers", figure("peers"));
            report.tell("daemon", State::Good, &text);
            if node["is_reachable"] == Value::Bool(false) {
                let text =
                    "no peer has come by itself yet; `piecework net` tells why and what helps";
                report.tell("reachability", State::Warning, text);
            }
            stages(report, &torrents);
            codes(report, &news);
        }
    }
}

fn stages(report: &mut Report, torrents: &Value) {
    let mut counts = BTreeMap::<&str, u64>::new();
    for torrent in list(torrents, "torrents") {
        *counts.entry(torrent["stage"].as_str().unwrap_or("unknown")).or_default() += 1;
    }
    let is_broken = counts.contains_key("failed") || counts.contains_key("missing");
    let text = match counts.len() {
        0 => "none".to_owned(),
        _ => counts
            .iter()
            .map(|(stage, count)| format!("{count} {stage}"))
            .collect::<Vec<_>>()
            .join(", "),
    };
    let state = if is_broken { State::Warning } else { State::Good };
    report.tell("torrents", state, &text);
}

/// What went wrong lately, by its stable words alone: texts name torrents.
fn codes(report: &mut Report, news: &Value) {
    let mut counts = BTreeMap::<String, u64>::new();
    for item in list(news, "news").filter(|item| item["level"] != "info") {
        let code = item["code"].as_str().unwrap_or("unknown");
        *counts.entry(code.to_owned()).or_default() += 1;
    }
    if !counts.is_empty() {
        let told: Vec<_> = counts.iter().map(|(code, count)| format!("{code} ({count})")).collect();
        report.tell("news", State::Warning, &told.join(", "));
    }
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.as_array().or_else(|| value[key].as_array()).into_iter().flatten()
}
