//! `get` from HTTP servers alone: what is fetched, what is told, and what is refused.

use piecework_testkit::{FakeWebServer, FixtureBuilder, Run, Sandbox, WebBehaviour};

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

#[test]
fn a_server_that_a_person_names_is_enough() {
    let fixture = FixtureBuilder::folder("f").with("a", 1_200_000).with("b", 5).build();
    let server = FakeWebServer::start(&fixture, WebBehaviour::Honest).expect("a port");
    let sandbox = Sandbox::new(BINARY);
    let mut get = sandbox.get(sandbox.torrent(&fixture), &[]);
    get.args(["--web-seed", &server.url()]);
    let mut run = Run::start(get);
    assert_eq!(run.wait(), 0, "{}", run.stderr());
    assert_eq!(fixture.faults(&sandbox.dir()), Vec::<String>::new());
}

#[test]
fn a_server_that_is_given_up_is_told_with_its_reason() {
    let fixture = FixtureBuilder::file("f", 1_200_000).web_seed("http://127.0.0.1:9/").build();
    let server = FakeWebServer::start(&fixture, WebBehaviour::Status(404)).expect("a port");
    let sandbox = Sandbox::new(BINARY);
    let mut get = sandbox.get(sandbox.torrent(&fixture), &[]);
    get.args(["--web-seed", &server.url(), "--give-up", "3"]);
    let mut run = Run::start(get);
    assert_eq!(run.wait(), 1);
    let said = run.stderr();
    let lines = [
        format!("gave up web seed {}: it answers with HTTP status 404", server.url()),
        "127.0.0.1 is in a private network, where a torrent's web seed may not lead".into(),
        "no peer; web seed".into(),
    ];
    assert!(lines.iter().all(|line| said.contains(line)), "{said}");
}

#[test]
fn only_http_is_a_web_seed() {
    let fixture = FixtureBuilder::file("f", 1000).build();
    let sandbox = Sandbox::new(BINARY);
    let mut get = sandbox.get(sandbox.torrent(&fixture), &[]);
    get.args(["--web-seed", "ftp://h/"]);
    let mut run = Run::start(get);
    assert_eq!(run.wait(), 2);
    assert!(run.stderr().contains("--web-seed ftp://h/ is no http or https address"));
}
