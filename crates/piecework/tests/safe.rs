//! A daemon's things as a whole, through the program that users get: taken over, put away, brought back.
#![allow(clippy::unwrap_used)]

use piecework_bencode::encode_dict;
use piecework_testkit::{Fixture, FixtureBuilder, Run, Sandbox, Signal};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

struct Home {
    sandbox: Sandbox,
}

impl Home {
    fn new() -> Self {
        let home = Self { sandbox: Sandbox::new(BINARY) };
        fs::write(home.path("password"), "correct horse\n").unwrap();
        fs::write(home.path("wrong"), "battery staple\n").unwrap();
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.root().join(name)
    }

    /// A command for the daemon whose folder has this name.
    fn command(&self, daemon: &str, arguments: &[&str]) -> Command {
        self.sandbox.daemon(&self.path(daemon), arguments)
    }

    fn start(&self, daemon: &str) -> Run {
        let run = Run::start(self.sandbox.up(&self.path(daemon)));
        run.wait_object("ready", |object| object["event"] == "ready");
        run
    }

    /// Status, stdout and stderr together.
    fn ask(&self, daemon: &str, arguments: &[&str]) -> (i32, String) {
        let mut run = Run::start(self.command(daemon, arguments));
        let status = run.wait();
        (status, format!("{}\n{}", run.stdout().join("\n"), run.stderr()))
    }

    fn told(&self, daemon: &str, arguments: &[&str]) -> String {
        let (status, text) = self.ask(daemon, arguments);
        assert_eq!(status, 0, "{arguments:?}: {text}");
        text
    }

    /// Backs up or restores, with the password in a file, into a state folder of its own.
    fn safe(&self, daemon: &str, verb: &str, file: &Path, password: &str) -> (i32, String) {
        let (password, state) = (self.path(password), self.path(&format!("{daemon}-state")));
        let (file, password) = (file.to_str().unwrap(), password.to_str().unwrap());
        let state = state.to_str().unwrap();
        // A state folder of its own, which the sandbox would give too.
        let mut command = Command::new(BINARY);
        command.args([verb, file, "--password-file", password, "--state", state]).env_clear();
        command.arg("--data-dir").arg(self.path(daemon));
        let mut run = Run::start(command);
        let status = run.wait();
        (status, format!("{}\n{}", run.stdout().join("\n"), run.stderr()))
    }
}

fn end(mut run: Run) {
    run.signal(Signal::TERM);
    run.wait();
}

/// A profile of qBittorrent with one torrent that was stopped, and one elsewhere.
fn profile(home: &Home, fixture: &Fixture) -> PathBuf {
    let backup = home.path("profile/qBittorrent/data/BT_backup");
    fs::create_dir_all(&backup).unwrap();
    let save_path = home.path("first/downloads");
    let folders = [("", save_path.to_str().unwrap()), ("0", "/far")];
    for (suffix, folder) in folders {
        let name = backup.join(format!("{}{suffix}", fixture.info_hash()));
        fs::write(name.with_extension("torrent"), fixture.torrent()).unwrap();
        let resume = encode_dict(|dict| {
            dict.int("paused", 1);
            dict.bytes("qBt-category", "films");
            dict.int("qBt-ratioLimit", 1500);
            dict.bytes("save_path", folder);
        });
        fs::write(name.with_extension("fastresume"), resume).unwrap();
    }
    home.path("profile")
}

#[test]
fn torrents_are_taken_over_put_away_and_brought_back() {
    let home = Home::new();
    let fixture = FixtureBuilder::file("film", 300_000).build();
    let profile = profile(&home, &fixture);
    let profile = profile.to_str().unwrap();
    let run = home.start("first");
    let (status, dry) = home.ask("first", &["import", "qbittorrent", profile, "--dry-run"]);
    assert_eq!((status, dry.contains("1 would be taken over")), (1, true), "{dry}");
    let (status, text) = home.ask("first", &["import", "qbittorrent", profile]);
    assert_eq!(status, 1, "the one elsewhere is refused: {text}");
    assert!(text.contains("1 taken over, 0 were there already, 1 refused"), "{text}");
    assert!(text.contains("torrents.roots"), "{text}");
    home.told("first", &["config", "set", "speed.up=100k"]);

    // While it runs there is no backup; nor is one made without a password.
    let file = home.path("backup");
    let (status, text) = home.safe("first", "backup", &file, "password");
    assert!(status == 1 && text.contains("a daemon runs already"), "{text}");
    end(run);
    let wallet = home.path("first-state/wallet");
    fs::create_dir_all(&wallet).unwrap();
    fs::write(wallet.join("keystore.json"), "{}").unwrap();
    fs::create_dir_all(home.path("first/downloads")).unwrap();
    fs::write(home.path("first/downloads/payload"), "stays").unwrap();
    let (status, text) = home.safe("first", "backup", &file, "password");
    assert_eq!(status, 0, "{text}");
    let (status, text) = home.safe("first", "backup", &file, "password");
    assert!(status == 1 && text.contains("already there"), "{text}");

    let (status, text) = home.safe("second", "restore", &file, "wrong");
    assert!(status == 1 && text.contains("wrong password"), "{text}");
    let (status, text) = home.safe("first", "restore", &file, "password");
    assert!(status == 1 && text.contains("is not empty"), "{text}");
    let (status, text) = home.safe("second", "restore", &file, "password");
    assert_eq!(status, 0, "{text}");
    assert_eq!(fs::read(home.path("second-state/wallet/keystore.json")).unwrap(), b"{}");
    assert!(!home.path("second/downloads").exists(), "payload is not in a backup");

    let run = home.start("second");
    let list: Value =
        serde_json::from_str(home.told("second", &["list", "--json"]).trim()).unwrap();
    assert_eq!((&list["name"], &list["stage"]), (&"film".into(), &"stopped".into()), "{list}");
    let shown = home.told("second", &["config", "show"]);
    assert!(shown.contains("100k") || shown.contains("100000"), "{shown}");
    end(run);
}

#[test]
fn a_backup_that_is_damaged_cut_off_or_newer_changes_nothing() {
    let home = Home::new();
    fs::create_dir_all(home.path("first")).unwrap();
    fs::write(home.path("first/access.json"), "{}").unwrap();
    let file = home.path("backup");
    let (status, text) = home.safe("first", "backup", &file, "password");
    assert_eq!(status, 0, "{text}");
    let whole = fs::read(&file).unwrap();
    let refused = |bytes: &[u8], why: &str| {
        let bad = home.path("bad");
        fs::write(&bad, bytes).unwrap();
        let (status, text) = home.safe("second", "restore", &bad, "password");
        assert!(status == 1 && text.contains(why), "{text}");
        assert!(!home.path("second").exists() && !home.path("second-state").exists(), "{text}");
    };
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    refused(&flipped, "damaged");
    refused(&whole[..whole.len() - 1], "cut off");
    let mut newer = whole;
    newer[b"piecework archive\n".len() + 1] = 2;
    refused(&newer, "update Piecework");
    refused(b"junk", "no backup");
}
