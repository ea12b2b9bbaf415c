//! The demo of paid lanes, as a script runs it.

#![allow(clippy::unwrap_used)]

mod chain;

use chain::Logs;
use piecework_testkit::{Run, Sandbox};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

/// It ends by itself before this.
const PATIENCE: Duration = Duration::from_secs(120);

/// Payload of its torrent.
const BYTES: u64 = 32 << 20;

/// Whole tokens of six digits in the smallest unit.
fn micro(amount: &Value) -> i128 {
    let text = amount.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<6}").parse().unwrap()
}

/// Runs it, and checks what holds whatever happens in it.
fn played(arguments: &[&str]) -> Value {
    let sandbox = Sandbox::new(BINARY);
    let kept = sandbox.root().join("kept");
    let folder = kept.to_str().unwrap();
    let words = [&["demo", "--json", "--keep", folder], arguments].concat();
    let mut run = Run::start(sandbox.command(words));
    assert_eq!(run.wait_within(PATIENCE), 0, "{:?} {}", run.stdout(), run.stderr());
    let report: Value = serde_json::from_str(run.stdout().last().unwrap()).unwrap();
    let lanes = report["lanes"].as_array().unwrap();
    assert_eq!(lanes.len(), 4, "{report}");
    for lane in lanes {
        assert!(lane["seconds"].is_f64(), "{} did not end: {report}", lane["name"]);
        assert!(lane["bytes"].as_u64().unwrap() >= BYTES, "{report}");
    }
    // What is gone from buyers is with sellers, by the chain, and each seller has what its ledger says.
    let mut sum = 0;
    for balance in report["balances"].as_array().unwrap() {
        let change = micro(&balance["after"]) - micro(&balance["before"]);
        sum += change;
        let its = |list: &str| {
            let list = report[list].as_array().unwrap().clone();
            list.into_iter().find(|it| it["name"] == balance["name"])
        };
        // What a killed one had last is not known.
        if let Some(seller) = its("sellers").filter(|it| it["is_killed"] == false) {
            let pending = micro(&seller["uncashed"]);
            assert_eq!(change, micro(&seller["earned"]) - pending, "{report}");
        }
        if let Some(lane) = its("lanes") {
            let spent = micro(&lane["spent"]);
            let is_exact = report["killed"].is_null();
            assert!(-change == spent || (!is_exact && -change <= spent), "{report}");
        }
    }
    assert_eq!((sum, &report["adds_up"]), (0, &true.into()), "{report}");
    let logs = Logs::of(&kept);
    for balance in report["balances"].as_array().unwrap() {
        let account = balance["account"].as_str().unwrap();
        let [before, after] = ["before", "after"].map(|when| micro(&balance[when]));
        assert_eq!((logs.holding(account), logs.cashed(account)), (after, after - before));
    }
    let payload = fs::read(kept.join("demo.bin")).unwrap();
    for lane in lanes {
        assert!(fs::read(downloaded(&kept, lane)).unwrap() == payload, "{lane}");
    }
    report
}

/// Where the receiver of a lane has what came.
fn downloaded(kept: &Path, lane: &Value) -> PathBuf {
    let folder = kept.join(lane["name"].as_str().unwrap());
    let is_plain = lane["name"] == "plain";
    if is_plain { folder } else { folder.join("downloads") }.join("demo.bin")
}

fn spent(report: &Value, lane: &str) -> i128 {
    let lanes = report["lanes"].as_array().unwrap();
    micro(&lanes.iter().find(|it| it["lane"] == lane).unwrap()["spent"])
}

#[test]
fn the_whole_story_ends_by_itself_and_its_balances_add_up() {
    let report = played(&[]);
    assert!(spent(&report, "fast") > 0, "{report}");
    assert_eq!((&report["is_test_money"], &report["killed"]), (&true.into(), &Value::Null));
}

#[test]
fn a_small_budget_is_kept_and_its_download_goes_on_for_nothing() {
    let report = played(&["--budget", "0.01"]);
    for lane in ["medium", "fast"] {
        assert!((0..=10_000).contains(&spent(&report, lane)), "{report}");
    }
}

#[test]
fn a_seller_that_is_killed_midway_ends_nobodys_download() {
    let report = played(&["--budget", "50", "--kill-seller"]);
    assert_eq!(report["killed"], "seller 1", "{report}");
    assert!(spent(&report, "fast") > 0, "{report}");
}

#[test]
fn a_folder_that_has_something_in_it_is_not_written_into() {
    let sandbox = Sandbox::new(BINARY);
    fs::write(sandbox.root().join("mine"), "precious").unwrap();
    let folder = sandbox.root().to_str().unwrap();
    let mut run = Run::start(sandbox.command(["demo", "--keep", folder]));
    assert_eq!(run.wait_within(PATIENCE), 2);
    assert!(run.stderr().contains("name another one"), "{}", run.stderr());
}
