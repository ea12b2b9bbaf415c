//! The README's chapter about the daemon, run as it is written: every shell line of it in one fresh home, in
//! its order, and every command that its prose names. A line that this file does not know how to end, and a
//! command in the prose that it does not know, fail the cell: the chapter cannot change without it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::process::Signal;

use super::Cell;
use crate::failure::{Context as _, Failure, Outcome};
use crate::lab::{Room, Subject};
use crate::matrix::Measure;
use crate::peers::Foreign;
use crate::peers::qbittorrent::Qbittorrent;
use crate::process::Launch;

const README: &str = include_str!("../../../README.md");
const CHAPTER: &str = "## Run it all day";

/// What the prose names, as it is run: placeholders filled, passwords from a file as scripts give them. Those
/// behind the daemon's end come last.
const PROSE: [(&str, &str); 8] = [
    ("source <(piecework completions bash)", "source <(piecework completions bash)"),
    ("piecework feed add NAME URL", "piecework feed add news http://127.0.0.1:9/feed"),
    (
        "piecework feed rule set NAME --wants 'WORDS'",
        "piecework feed rule set news --wants 'some words'",
    ),
    ("piecework doctor", "piecework doctor"),
    // Where systemd does not run the user's session it writes the unit and says what is left to do.
    ("piecework service install", "piecework service install"),
    ("piecework password", "piecework password --password-file new-password"),
    ("piecework backup FILE", "piecework backup saved --password-file new-password"),
    (
        "piecework restore FILE",
        "piecework restore saved --password-file new-password --data-dir restored",
    ),
];

/// How many of these need a daemon, or do not mind one.
const WHILE_IT_RUNS: usize = 5;

/// The cell; a stand-in has no README.
pub(super) fn cells(subject: &Subject) -> Vec<Cell> {
    let Subject::Ours(_) = subject else { return Vec::new() };
    vec![Cell::new("the README as written", "a reader -> ours", &[Foreign::Qbittorrent], run)]
}

/// From a heading to the next of its rank.
fn chapter() -> Outcome<&'static str> {
    let rest = README.split(CHAPTER).nth(1).and_then(|rest| rest.split("\n## ").next());
    rest.ok_or_else(|| Failure::new(format!("the README has no chapter {CHAPTER}")))
}

/// The shell lines of a text without their comments, and the rest of it.
fn shell_lines(text: &str) -> (Vec<&str>, String) {
    let (mut lines, mut prose) = (Vec::new(), String::new());
    let mut is_shell = false;
    for line in text.lines() {
        if line.starts_with("```") {
            is_shell = line == "```sh";
        } else if is_shell {
            let line = line.split(" #").next().unwrap_or(line).trim();
            lines.extend(Some(line).filter(|line| !line.is_empty() && !line.starts_with('#')));
        } else {
            prose.push_str(line);
            prose.push(' ');
        }
    }
    (lines, prose)
}

/// Commands that stand between backticks.
fn named(prose: &str) -> Vec<&str> {
    let spans = prose.split('`').skip(1).step_by(2);
    spans.filter(|span| span.starts_with("piecework ") || span.starts_with("source ")).collect()
}

/// The home of a reader, with our program in the path.
struct Reader {
    home: PathBuf,
    path: String,
}

impl Reader {
    fn new(room: &Room<'_>) -> Outcome<Self> {
        let (home, bin) = (room.home("reader")?, room.dir("bin")?);
        let link = bin.join("piecework");
        std::os::unix::fs::symlink(room.ours()?.binary(), link).context(|| "a link to ours")?;
        let path = format!("PATH={}:/usr/bin:/bin", bin.display());
        Ok(Self { home, path })
    }

    fn launch(&self, line: &str) -> Launch {
        Launch::new("env", &self.home).args([&self.path, "bash", "-c", line])
    }

    fn output(&self, line: &str, room: &Room<'_>) -> Outcome<String> {
        let output = self.launch(line).output(room.deadline);
        output.map_err(|failure| Failure::new(format!("`{line}`: {failure}")))
    }

    /// What the chapter takes for granted: a torrent file with its data, and a client to move from.
    fn furnish(&self, room: &Room<'_>) -> Outcome<()> {
        let downloads = self.home.join("Downloads");
        fs::create_dir(&downloads).context(|| "a folder of downloads")?;
        for (payload, torrent) in [("something.bin", "some"), ("elsewhere.bin", "other")] {
            fs::write(downloads.join(payload), vec![7; 300_000]).context(|| "a payload")?;
            let create = format!("piecework create Downloads/{payload} -o {torrent}.torrent");
            self.output(&create, room)?;
        }
        fs::write(self.home.join("new-password"), "a password for this test\n")
            .context(|| "a password")?;
        let profile = room.home("qbittorrent")?;
        let mut client = Qbittorrent::start(&profile, room.deadline)?;
        let save_path = downloads.display().to_string();
        let add = [("savepath", save_path.as_str())];
        client.call("torrents/add", &add, Some(&self.home.join("other.torrent")))?;
        room.deadline.poll("qBittorrent seeds", || {
            let is_whole = client.torrents()?.iter().any(|it| it["state"] == "stalledUP");
            Ok(is_whole.then_some(()))
        })?;
        client.stop()?;
        // Where it would lie if it had been started without a profile of its own.
        for (from, to) in [("data", ".local/share/qBittorrent"), ("config", ".config/qBittorrent")]
        {
            let to = self.home.join(to);
            fs::create_dir_all(to.parent().unwrap_or(&to)).context(|| "a folder for a profile")?;
            fs::rename(profile.join("qBittorrent").join(from), to).context(|| "a profile")?;
        }
        Ok(())
    }
}

fn run(room: &Room<'_>) -> Outcome<Measure> {
    let (lines, prose) = shell_lines(chapter()?);
    for span in named(&prose) {
        if !PROSE.iter().any(|(written, _)| *written == span) {
            return Err(Failure::new(format!("nobody knows how to try `{span}`")));
        }
    }
    let reader = Reader::new(room)?;
    reader.furnish(room)?;
    let began = Instant::now();
    let Some((&"piecework up", lines)) = lines.split_first() else {
        return Err(Failure::new("the chapter does not begin with `piecework up`"));
    };
    let mut daemon = reader.launch("piecework up").start()?;
    room.deadline.poll("the daemon answers", || {
        daemon.must_live("it answers")?;
        let (status, _) = reader.launch("piecework list").output_any(room.deadline)?;
        Ok(status.success().then_some(()))
    })?;
    let first_login = reader.home.join(".local/share/piecework/first-login.txt");
    if !first_login.is_file() {
        return Err(Failure::new("the first start leaves no first-login.txt"));
    }
    for line in lines {
        try_line(&reader, line, room)?;
    }
    let (running, ended) = PROSE.split_at(WHILE_IT_RUNS);
    for (_, command) in running {
        reader.output(command, room)?;
    }
    let status = daemon.terminate(room.deadline.left())?;
    if !status.success() {
        return Err(Failure::new(format!("the daemon ended with {status}")));
    }
    for (_, command) in ended {
        reader.output(command, room)?;
    }
    look_at(&reader.home)?;
    Ok(Measure::new(0, began.elapsed().as_secs_f64()))
}

/// What lines print where the chapter says what they show.
fn try_line(reader: &Reader, line: &str, room: &Room<'_>) -> Outcome<()> {
    if line == "piecework list --watch" {
        // It goes on until somebody ends it.
        let mut watch = reader.launch(line).start()?;
        watch.wait_line("the list is shown", room.deadline, |line| {
            Ok(line.text.contains("something.bin").then_some(()))
        })?;
        watch.signal(Signal::INT)?;
        return watch.wait_exit(room.deadline).map(drop);
    }
    let printed = reader.output(line, room)?;
    let wanted = match line {
        "piecework info some" => "something.bin",
        "piecework config show --origin" => "queue.downloads_max",
        "piecework import qbittorrent" | "piecework import qbittorrent --dry-run" => "1",
        _ => "",
    };
    if !printed.contains(wanted) {
        return Err(Failure::new(format!("`{line}` does not show {wanted:?}: {printed}")));
    }
    Ok(())
}

/// What the chapter says where things are.
fn look_at(home: &Path) -> Outcome<()> {
    for path in [".local/share/piecework", ".config/systemd/user/piecework.service", "restored"] {
        if !home.join(path).exists() {
            return Err(Failure::new(format!("{path} is not there")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn lines_are_told_from_prose_and_commands_in_prose_are_found() {
        let text = "Say `up`, `piecework x` or `source y`.\n```sh\na b   # why\n  # only\n\nc\n```\n\
                    end\n```\nd\n```\n";
        let (lines, prose) = shell_lines(text);
        assert_eq!(lines, ["a b", "c"]);
        assert_eq!(named(&prose), ["piecework x", "source y"]);
    }

    #[test]
    fn the_chapter_has_lines_and_names_every_command_that_is_tried() {
        let (lines, prose) = shell_lines(chapter().unwrap());
        assert!(lines.len() > 9, "{lines:?}");
        let named = named(&prose);
        for (written, _) in PROSE {
            assert!(named.contains(&written), "{written} is no longer in the chapter");
        }
    }
}
