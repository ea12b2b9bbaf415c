//! One process with a thousand torrents, and one with none.

use piecework_testkit::{Fixture, FixtureBuilder, PATIENCE, Run, Sandbox, Signal, download};
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");
const COUNT: u64 = 1000;

#[test]
fn a_thousand_torrents_of_a_folder_are_seeded() {
    let sandbox = Sandbox::new(BINARY);
    let make = |seed| -> Fixture {
        let fixture = FixtureBuilder::file(&format!("payload-{seed}"), 2000).seed(seed).build();
        sandbox.torrent(&fixture);
        fixture.write_payload(&sandbox.dir()).expect("a folder that can be written");
        fixture
    };
    let fixtures: Vec<Fixture> = (1..=COUNT).map(make).collect();
    let mut run = Run::start(sandbox.seed_folder(&sandbox.root().join("torrents")));
    let mut labels: Vec<String> = fixtures.iter().map(Fixture::label).collect();
    labels.sort();
    let address = run.wait_ready();
    for label in &labels {
        let line = run.wait_stdout(&format!("READY {label} "));
        assert!(line.ends_with(&format!(" {}", address.port())), "{line}");
    }
    assert_eq!(run.stdout().len(), labels.len());
    for fixture in [&fixtures[0], &fixtures[499], &fixtures[999]] {
        assert_eq!(download(fixture, address).expect("a download").bytes, 2000);
    }
    assert_eq!(run.end(Signal::TERM, Duration::from_secs(3)), 0, "{}", run.stderr());
}

#[test]
fn an_empty_folder_is_no_error_and_seed_stays_up() {
    let sandbox = Sandbox::new(BINARY);
    let empty = sandbox.root().join("torrents");
    std::fs::create_dir(&empty).expect("a folder that can be written");
    let mut command = sandbox.seed_folder(&empty);
    command.arg("--json");
    let mut run = Run::start(command);
    run.wait_object("figures", |object| object["event"] == "progress");
    assert_eq!(run.end(Signal::TERM, Duration::from_secs(3)), 0, "{}", run.stderr());
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let sandbox = Sandbox::new(BINARY);
    let mut run = Run::start(sandbox.seed_folder(&sandbox.root().join("absent")));
    assert_eq!(run.wait_within(PATIENCE), 1);
    assert!(run.stderr().contains("absent"), "{}", run.stderr());
}
