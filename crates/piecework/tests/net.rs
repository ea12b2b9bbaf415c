//! `piecework net`, and commands that are tied to an interface, as far as one machine can show.
#![allow(missing_docs, clippy::unwrap_used)]

use piecework_testkit::Sandbox;
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

#[test]
fn a_machine_whose_only_address_is_loopback_is_told_to_be_offline_and_no_gateway_is_asked() {
    let sandbox = Sandbox::new(BINARY);
    let asked = ["net", "--json", "--port", "0", "--bind", "127.0.0.1"];
    let output = sandbox.command(asked).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "offline");
    assert_eq!((&report["gateway"], &report["methods"]), (&Value::Null, &Value::Array(vec![])));
    assert!(report["port"].as_u64().is_some_and(|port| port > 0));
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn an_interface_that_is_not_there_is_1_and_named() {
    let sandbox = Sandbox::new(BINARY);
    let commands: [&[&str]; 2] =
        [&["net"], &["seed", "--torrents-dir", ".", "--dir", ".", "--port", "0"]];
    for command in commands {
        let asked = command.iter().chain(&["--interface", "piecework-none"]);
        let output = sandbox.command(asked).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), told.lines().count()), (Some(1), 1), "{told}");
        assert!(told.contains("no interface piecework-none"), "{told}");
    }
}

#[test]
fn an_address_of_nobody_here_is_1_and_named() {
    let sandbox = Sandbox::new(BINARY);
    let output = sandbox.command(["net", "--bind", "192.0.2.77"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("192.0.2.77"), "{told}");
}
