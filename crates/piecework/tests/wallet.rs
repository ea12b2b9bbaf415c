//! A wallet from its first word to its backup, by scripts and by a person at a terminal.

#![allow(clippy::unwrap_used)]

use piecework_testkit::{Run, Sandbox};
use piecework_wallet::{
    Coin, Cost, Keystore, Password, Phrase, account, hex_address, tron_address,
};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");
const PASSWORD: &str = "correct horse battery staple";

/// A sandbox with files in which a script would keep its secrets.
struct Place {
    sandbox: Sandbox,
}

impl Place {
    fn new() -> Self {
        let place = Self { sandbox: Sandbox::new(BINARY) };
        place.file("password", &format!("{PASSWORD}\n"));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.root().join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn keystore(&self) -> PathBuf {
        self.sandbox.state().join("wallet/keystore.json")
    }

    /// Runs `wallet ARGS --json --password-file password`.
    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = self.sandbox.command(["wallet"].iter().chain(arguments));
        command.arg("--json");
        if arguments != ["show"] {
            command.args(["--password-file", "password"]);
        }
        let mut run = Run::start(command);
        run.wait();
        run
    }

    /// The one object that a command prints, which has to succeed.
    fn done(&self, arguments: &[&str]) -> Value {
        let run = self.run(arguments);
        let [line] = run.stdout().try_into().unwrap_or_else(|lines: Vec<String>| {
            panic!("{arguments:?}: {lines:?} {}", run.stderr())
        });
        let object: Value = serde_json::from_str(&line).unwrap();
        assert_ne!(object["event"], "error", "{object}");
        object
    }

    /// The text of the error with which a command fails.
    fn refused(&self, arguments: &[&str]) -> String {
        let mut run = self.run(arguments);
        assert_eq!(run.wait(), 1, "{arguments:?}: {:?}", run.stdout());
        let object: Value = serde_json::from_str(run.stdout().last().unwrap()).unwrap();
        assert_eq!(object["event"], "error");
        object["text"].as_str().unwrap().to_owned()
    }
}

fn text(object: &Value, name: &str) -> String {
    object[name].as_str().unwrap_or_else(|| panic!("no {name} in {object}")).to_owned()
}

#[test]
fn a_script_makes_a_wallet_and_its_words_bring_it_back_however_they_are_written() {
    let place = Place::new();
    let made = place.done(&["new", "--words", "24", "--yes"]);
    let phrase = text(&made, "phrase");
    assert_eq!(phrase.split(' ').count(), 24);
    let key = account(&Phrase::parse(&phrase).unwrap().seed(""), Coin::Ethereum, 0).unwrap();
    assert_eq!(text(&made, "address"), hex_address(&key.address()));
    assert_eq!(text(&made, "tron"), tron_address(&key.address()));
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(place.sandbox.state().join("wallet")), mode(place.keystore())),
        (0o700, 0o600)
    );
    let shown = place.done(&["show"]);
    assert_eq!((&shown["address"], &shown["sessions"]), (&made["address"], &0.into()));
    // A word alone may be in any text ("address" is one).
    let words: Vec<_> = phrase.split(' ').collect();
    assert!(!words.windows(2).any(|pair| shown.to_string().contains(&pair.join(" "))));

    let elsewhere = Place::new();
    elsewhere.file("words", &format!("  {}\r\n", phrase.to_uppercase().replace(' ', "  ")));
    let restored = elsewhere.done(&["restore", "--phrase-file", "words"]);
    assert_eq!(restored["address"], made["address"]);

    let tron = Place::new();
    tron.file("words", &phrase);
    let restored =
        tron.done(&["restore", "--phrase-file", "words", "--coin", "tron", "--account", "3"]);
    let key = account(&Phrase::parse(&phrase).unwrap().seed(""), Coin::Tron, 3).unwrap();
    assert_eq!(text(&restored, "tron"), tron_address(&key.address()));
}

#[test]
fn a_second_wallet_never_takes_the_place_of_the_first() {
    let place = Place::new();
    let first = place.done(&["new", "--yes"]);
    let before = fs::read(place.keystore()).unwrap();
    place.file("words", &text(&first, "phrase"));
    for command in [&["new", "--yes"][..], &["restore", "--phrase-file", "words"]] {
        let refused = place.refused(command);
        assert!(refused.contains("already there") && refused.contains("move it away"), "{refused}");
    }
    assert_eq!(fs::read(place.keystore()).unwrap(), before);
}

#[test]
fn the_key_is_given_away_only_for_the_password_and_opens_elsewhere() {
    let place = Place::new();
    let made = place.done(&["new", "--yes"]);
    let phrase = Phrase::parse(&text(&made, "phrase")).unwrap();
    let key = account(&phrase.seed(""), Coin::Ethereum, 0).unwrap();
    let hex: String = key.secret().iter().map(|byte| format!("{byte:02x}")).collect();
    let exported = place.done(&["export", "--private-key"]);
    assert_eq!(text(&exported, "private_key"), format!("0x{hex}"));

    place.done(&["export", "--keystore", "--output", "out.json"]);
    let out = fs::read_to_string(place.path("out.json")).unwrap();
    assert_eq!(fs::metadata(place.path("out.json")).unwrap().permissions().mode() & 0o777, 0o600);
    let opened = Keystore::parse(&out).unwrap().decrypt(&Password::new(PASSWORD.into())).unwrap();
    assert_eq!(opened.secret(), key.secret());
    let again = place.refused(&["export", "--keystore", "--output", "out.json"]);
    assert!(again.contains("already there"), "{again}");

    place.file("password", "incorrect horse\n");
    for what in ["--private-key", "--keystore"] {
        let run = place.run(&["export", what]);
        let said = format!("{:?} {}", run.stdout(), run.stderr());
        assert!(said.contains("wrong password"), "{said}");
        assert!(!said.contains(&hex) && !said.contains("ciphertext"), "{said}");
    }
}

#[test]
fn a_keystore_of_another_program_becomes_the_wallet_under_a_new_password() {
    let place = Place::new();
    let all: Value = serde_json::from_str(include_str!("../../../contracts/wallets.json")).unwrap();
    for (number, of) in all["keystores"].as_array().unwrap().iter().enumerate() {
        let place = Place::new();
        place.file("theirs.json", of["text"].as_str().unwrap());
        place.file("their-password", of["password"].as_str().unwrap());
        place.file("password", "a new password");
        let options = ["--keystore", "theirs.json", "--keystore-password-file", "their-password"];
        let restored = place.done(&[&["restore"], &options[..]].concat());
        assert_eq!(restored["address"], of["address"], "{number}");
        let exported = place.done(&["export", "--private-key"]);
        assert_eq!(exported["private_key"], of["privateKey"]);
    }
    let light = Keystore::encrypt(
        &account(&[7; 64], Coin::Ethereum, 0).unwrap(),
        &Password::new("another password".into()),
        Cost::LIGHT,
    );
    place.file("theirs.json", &light.unwrap().to_json());
    let refused = place.refused(&["restore", "--keystore", "theirs.json"]);
    assert!(refused.contains("wrong password"), "{refused}");
    assert!(!place.keystore().exists());
}

#[test]
fn a_backup_brings_the_wallet_back_and_is_never_written_over() {
    let place = Place::new();
    let made = place.done(&["new", "--yes"]);
    let backup = place.done(&["backup", "backup"]);
    assert_eq!(backup["records"], 1);
    let bytes = fs::read(place.path("backup")).unwrap();
    let refused = place.refused(&["backup", "backup"]);
    assert!(refused.contains("already there"), "{refused}");
    assert_eq!(fs::read(place.path("backup")).unwrap(), bytes);

    let elsewhere = Place::new();
    fs::write(elsewhere.path("backup"), &bytes[..bytes.len() - 1]).unwrap();
    let refused = elsewhere.refused(&["restore", "--backup", "backup"]);
    assert!(refused.contains("wrong password (or the backup is damaged or cut off)"), "{refused}");
    fs::write(elsewhere.path("backup"), &bytes).unwrap();
    let restored = elsewhere.done(&["restore", "--backup", "backup"]);
    assert_eq!(restored["address"], made["address"]);
    assert_eq!(fs::read(elsewhere.keystore()).unwrap(), fs::read(place.keystore()).unwrap());
}

#[test]
fn what_is_wrong_is_said_with_the_remedy_and_nothing_is_made() {
    let place = Place::new();
    let refused = place.refused(&["show"]);
    assert!(refused.contains("no wallet in") && refused.contains("wallet new"), "{refused}");
    let wrong = "legal winner thank year wave sausage worth useful legal winner thank yelloww";
    place.file("words", wrong);
    let refused = place.refused(&["restore", "--phrase-file", "words"]);
    assert!(refused.contains("word 12") && refused.contains("did you mean yellow?"), "{refused}");
    assert!(!refused.contains("winner"), "{refused}");
    place.file("words", &wrong.replace("yelloww", "winner"));
    let refused = place.refused(&["restore", "--phrase-file", "words"]);
    assert!(refused.contains("wrong checksum"), "{refused}");
    place.file("password", "short\n");
    let refused = place.refused(&["new", "--yes"]);
    assert!(refused.contains("at least 8 characters"), "{refused}");
    assert!(!place.keystore().exists());
}

#[test]
fn a_keystore_that_is_cut_off_or_newer_says_so() {
    let place = Place::new();
    place.done(&["new", "--yes"]);
    let whole = fs::read_to_string(place.keystore()).unwrap();
    fs::write(place.keystore(), &whole[..whole.len() / 2]).unwrap();
    for command in [&["show"][..], &["export", "--private-key"], &["backup", "backup"]] {
        let refused = place.refused(command);
        assert!(refused.contains("keystore.json: the keystore is cut off"), "{refused}");
    }
    fs::write(place.keystore(), whole.replace("\"format\": 1", "\"format\": 2")).unwrap();
    let refused = place.refused(&["show"]);
    assert!(refused.contains("update Piecework"), "{refused}");
}

#[test]
fn without_a_terminal_the_remedy_is_named_and_no_wallet_is_made() {
    let place = Place::new();
    let run = |arguments: &[&str]| {
        // A session of its own has no terminal, whoever runs the tests.
        let mut command = Command::new("setsid");
        command.args(["--wait", BINARY, "wallet"]).args(arguments);
        command.arg("--state").arg(place.sandbox.state());
        let mut run = Run::start(command);
        assert_eq!(run.wait(), 1);
        run.stderr()
    };
    let said = run(&["new"]);
    assert!(said.contains("no terminal to ask at: give --yes"), "{said}");
    let said = run(&["new", "--yes"]);
    assert!(said.contains("no terminal to ask at: give --password-file"), "{said}");
    let said = run(&["restore"]);
    assert!(said.contains("give --phrase-file FILE"), "{said}");
    assert!(!place.keystore().exists());
}
