//! The DHT by the command line: three processes that know one port of each other.

use piecework_testkit::{FixtureBuilder, Run, Sandbox};
use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

/// A command that enters the DHT at this port of this machine.
fn entering(mut command: Command, port: &str) -> Command {
    command.env_remove("PIECEWORK_NO_DHT").args(["--dht-router", &format!("127.0.0.1:{port}")]);
    command
}

/// Starts to seed; gives the port of its READY.
fn seed(sandbox: &Sandbox, name: &str, entrance: &str) -> (Run, String, String) {
    let fixture = FixtureBuilder::file(name, 200_000).build();
    fixture.write_payload(&sandbox.dir()).expect("the temporary folder can be written");
    let run = Run::start(entering(sandbox.seed(sandbox.torrent(&fixture), &[]), entrance));
    let ready = run.wait_stdout("READY");
    let port = ready.rsplit(' ').next().expect("READY names a port").to_owned();
    (run, port, fixture.magnet(&[]).to_string())
}

#[test]
fn a_magnet_that_names_nobody_is_downloaded_by_way_of_a_node_that_is_named() {
    let [first, second, third] = [0; 3].map(|_| Sandbox::new(BINARY));
    // Port 9 answers nobody: the first node is the first of its network.
    let (_router, port, _) = seed(&first, "other", "9");
    let (_seed, _, magnet) = seed(&second, "content", &port);
    let mut get = Run::start(entering(third.get(magnet, &[]), &port));
    assert_eq!(get.wait(), 0, "{}", get.stderr());
    let ours = std::fs::read(third.dir().join("content")).expect("the download");
    assert_eq!(ours, std::fs::read(second.dir().join("content")).expect("the payload"));
    assert!(third.state().join("dht").is_file(), "the table is kept for the next run");
}

#[test]
fn following_and_having_no_dht_exclude_each_other() {
    let sandbox = Sandbox::new(BINARY);
    let key = "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e";
    let mut run = Run::start(sandbox.command(["follow", key, "--no-local-discovery"]));
    assert_eq!(run.wait(), 2);
    assert!(run.stderr().contains("leave --no-dht out"), "{}", run.stderr());
}
