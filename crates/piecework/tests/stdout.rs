//! stdout is for scripts: READY, DONE, the result of a command, or JSON objects, and nothing else.

use piecework_metainfo::Version;
use piecework_testkit::{FakePeer, Fixture, FixtureBuilder, Run, Sandbox};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

fn fixture(version: Version) -> Fixture {
    let folder = FixtureBuilder::folder("content").version(version);
    folder.with("first", 100_000).with("sub/second", 70_000).with("sub/empty", 0).build()
}

fn objects(run: &Run) -> Vec<Value> {
    let parse = |line: &String| -> Value { serde_json::from_str(line).expect("a JSON object") };
    let objects: Vec<Value> = run.stdout().iter().map(parse).collect();
    assert!(objects.iter().all(Value::is_object), "{objects:?}");
    objects
}

#[test]
fn get_prints_ready_then_done_with_the_info_hash_of_the_torrents_version() {
    for (version, digits) in [(Version::V1, 40), (Version::Hybrid, 40), (Version::V2, 64)] {
        let fixture = fixture(version);
        let seed = FakePeer::seed(&fixture);
        let sandbox = Sandbox::new(BINARY);
        let command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
        let mut run = Run::start(command);
        let port = run.wait_ready().port();
        assert_eq!(run.wait(), 0, "{}", run.stderr());
        let label = fixture.label();
        assert_eq!(label.len(), digits);
        assert_eq!(run.stdout(), [format!("READY {label} {port}"), format!("DONE {label}")]);
        assert_eq!(fixture.faults(&sandbox.dir()), [""; 0]);
    }
}

#[test]
fn json_prints_objects_alone_with_ready_and_done_among_them() {
    let fixture = fixture(Version::Hybrid);
    let seed = FakePeer::seed(&fixture);
    let sandbox = Sandbox::new(BINARY);
    let mut command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
    command.arg("--json");
    let mut run = Run::start(command);
    assert_eq!(run.wait(), 0, "{}", run.stderr());
    let objects = objects(&run);
    let place = |event: &str| {
        let is_it = |object: &Value| object["event"] == event;
        let at =
            objects.iter().position(is_it).unwrap_or_else(|| panic!("no {event}: {objects:?}"));
        assert_eq!(objects.iter().filter(|object| is_it(object)).count(), 1, "{event}");
        assert_eq!(objects[at]["info_hash"], fixture.label());
        at
    };
    assert!(place("ready") < place("done"));
    assert!(objects[place("ready")]["port"].as_u64().is_some_and(|port| port > 0));
}

#[test]
fn check_and_show_print_their_result_in_either_form() {
    let fixture = fixture(Version::V1);
    let sandbox = Sandbox::new(BINARY);
    let torrent = sandbox.torrent(&fixture);
    fixture.write_payload(&sandbox.dir()).expect("a folder that can be written");
    for json in [false, true] {
        for name in ["check", "show"] {
            let mut command = sandbox.command([name]);
            command.arg(&torrent).args(json.then_some("--json"));
            if name == "check" {
                command.arg("--dir").arg(sandbox.dir());
            }
            let mut run = Run::start(command);
            assert_eq!(run.wait(), 0, "{}", run.stderr());
            assert!(!run.stdout().is_empty());
            let all = run.stdout().join("\n");
            assert!(!all.contains("READY") && !all.contains("DONE"), "{all}");
            if json {
                let objects = objects(&run);
                let [.., result] = &objects[..] else { panic!("a result") };
                assert_eq!(result["info_hash"], fixture.label());
            }
        }
    }
}

#[test]
fn a_stdout_that_nobody_reads_changes_nothing() {
    let fixture = fixture(Version::V1);
    let seed = FakePeer::seed(&fixture);
    for json in [false, true] {
        let sandbox = Sandbox::new(BINARY);
        let mut command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
        command.args(json.then_some("--json"));
        let mut run = Run::start_unread(command);
        assert_eq!(run.wait(), 0, "{}", run.stderr());
        assert!(!run.stderr().contains("panicked"), "{}", run.stderr());
        assert_eq!(fixture.faults(&sandbox.dir()), [""; 0]);
        for name in ["--help", "--version", "completions"] {
            let arguments = [name].into_iter().chain((name == "completions").then_some("bash"));
            let mut run = Run::start_unread(sandbox.command(arguments));
            assert_eq!(run.wait(), 0, "{name}: {}", run.stderr());
            assert_eq!(run.stderr(), "", "{name}");
        }
    }
}
