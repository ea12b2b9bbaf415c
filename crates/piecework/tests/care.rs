//! The daemon as a whole, through the program that users get: its service and its health.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The program in a home of its own, where no systemd can be reached.
fn piecework(home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_piecework"));
    command.args(args).env_clear().env("HOME", home).env("PATH", "/nowhere").output().unwrap()
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn a_service_is_written_for_this_program_and_removed_and_one_of_others_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let unit = home.path().join(".config/systemd/user/piecework.service");
    let installed = piecework(home.path(), &["service", "install", "--data-dir", "/srv/a b"]);
    assert!(installed.status.success(), "{}", text(&installed));
    assert!(text(&installed).contains("systemctl --user enable"), "{}", text(&installed));
    let written = fs::read_to_string(&unit).unwrap();
    let start =
        format!("ExecStart=\"{}\" up --data-dir \"/srv/a b\"\n", env!("CARGO_BIN_EXE_piecework"));
    assert!(written.contains(&start), "{written}");
    assert!(piecework(home.path(), &["service", "remove"]).status.success());
    assert!(!unit.exists());
    let again = piecework(home.path(), &["service", "remove"]);
    assert!(
        !again.status.success() && text(&again).contains("there is no service"),
        "{}",
        text(&again)
    );

    fs::write(&unit, "[Service]\n").unwrap();
    for what in ["install", "remove"] {
        let refused = piecework(home.path(), &["service", what]);
        assert!(
            !refused.status.success() && text(&refused).contains("not written by this program")
        );
        assert_eq!(fs::read_to_string(&unit).unwrap(), "[Service]\n");
    }
}

#[test]
fn the_doctor_tells_what_is_wrong_with_its_remedy_and_shows_no_home() {
    let home = tempfile::tempdir().unwrap();
    let well = piecework(home.path(), &["doctor"]);
    assert!(well.status.success(), "{}", text(&well));
    assert!(text(&well).contains("~/") && !text(&well).contains(home.path().to_str().unwrap()));
    let config = home.path().join(".config/piecework");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("piecework.toml"), "[queue]\ndownloads_max = \"many\"\n").unwrap();
    let ill = piecework(home.path(), &["doctor", "--json"]);
    assert_eq!(ill.status.code(), Some(1), "{}", text(&ill));
    let lines = text(&ill);
    let bad: Vec<&str> = lines.lines().filter(|line| line.contains("\"bad\"")).collect();
    assert!(matches!(bad.as_slice(), [only] if only.contains("downloads_max")), "{lines}");
}
