//! Exit statuses and the one line on stderr that explains them.

use piecework_testkit::{Fixture, FixtureBuilder, Run, Sandbox, corrupt};
use std::net::{Ipv4Addr, TcpListener};

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

fn fixture() -> Fixture {
    FixtureBuilder::file("payload", 200_000).build()
}

/// Runs to the end; status and stderr.
fn ended(command: std::process::Command) -> (i32, String) {
    let mut run = Run::start(command);
    let status = run.wait();
    (status, run.stderr())
}

#[test]
fn wrong_use_is_2() {
    let sandbox = Sandbox::new(BINARY);
    let wrong: [&[&str]; 9] = [
        &["frobnicate"],
        &["get"],
        &["get", "x", "--port", "99999"],
        &["get", "x", "--priority", "a=8"],
        &["get", "x", "--limit-down", "fast"],
        &["get", "x", "--give-up", "soon"],
        &["seed", "x"],
        &["seed", "--dir", "."],
        &["check", "x"],
    ];
    for arguments in wrong {
        let mut run = Run::start(sandbox.command(arguments));
        assert_eq!(run.wait(), 2, "{arguments:?}: {}", run.stderr());
        assert_eq!(run.stdout(), [""; 0], "{arguments:?}");
        assert!(run.stderr().contains("error:"), "{arguments:?}: {}", run.stderr());
    }
}

#[test]
fn help_and_version_are_0_and_the_version_tells_commit_and_features() {
    let sandbox = Sandbox::new(BINARY);
    let mut run = Run::start(sandbox.command(["--help"]));
    assert_eq!(run.wait(), 0);
    let help = run.stdout().join("\n");
    for command in ["get", "seed", "create", "check", "show", "metadata"] {
        assert!(help.contains(command), "{command} in {help}");
    }
    let mut run = Run::start(sandbox.command(["--version"]));
    assert_eq!(run.wait(), 0);
    let [version] = &run.stdout()[..] else { panic!("one line: {:?}", run.stdout()) };
    assert!(version.contains("commit ") && version.contains("hybrid"), "{version}");
}

#[test]
fn a_missing_torrent_is_1_with_one_line() {
    let sandbox = Sandbox::new(BINARY);
    let dir = sandbox.dir();
    let dir = dir.to_str().expect("a path of text");
    let missing: [&[&str]; 4] = [
        &["get", "no-such.torrent", "--port", "0"],
        &["seed", "no-such.torrent", "--dir", dir, "--port", "0"],
        &["check", "no-such.torrent", "--dir", dir],
        &["show", "no-such.torrent"],
    ];
    for arguments in missing {
        let (status, stderr) = ended(sandbox.command(arguments));
        assert_eq!((status, stderr.lines().count()), (1, 1), "{arguments:?}: {stderr}");
        assert!(stderr.contains("no-such.torrent"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_port_in_use_is_1_and_named() {
    let holder = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a free port");
    let port = holder.local_addr().expect("a bound socket has an address").port().to_string();
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let mut command = sandbox.command(["get"]);
    command.arg(sandbox.torrent(&fixture)).args(["--port", &port]);
    let (status, stderr) = ended(command);
    assert_eq!((status, stderr.lines().count()), (1, 1), "{stderr}");
    assert!(stderr.contains(&port), "{stderr}");
}

#[test]
fn a_state_folder_that_cannot_be_used_is_1_and_named() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    std::fs::write(sandbox.state(), "a file").expect("a folder that can be written");
    let (status, stderr) = ended(sandbox.get(sandbox.torrent(&fixture), &[]));
    assert_eq!((status, stderr.lines().count()), (1, 1), "{stderr}");
    assert!(stderr.contains("--state"), "{stderr}");
}

#[test]
fn check_is_0_for_complete_data_and_1_for_the_rest() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let torrent = sandbox.torrent(&fixture);
    let check = || {
        let mut command = sandbox.command(["check"]);
        command.arg(&torrent).arg("--dir").arg(sandbox.dir());
        let mut run = Run::start(command);
        (run.wait(), run.stdout().join("\n"))
    };
    let (status, stdout) = check();
    assert_eq!(status, 1, "nothing is there: {stdout}");
    fixture.write_payload(&sandbox.dir()).expect("a folder that can be written");
    let (status, stdout) = check();
    assert_eq!(status, 0, "{stdout}");
    corrupt(&sandbox.dir().join("payload"), 150_000).expect("a file of 200,000 bytes");
    let (status, stdout) = check();
    assert_eq!(status, 1, "{stdout}");
    assert!(stdout.contains("6 of 7"), "{stdout}");
}
