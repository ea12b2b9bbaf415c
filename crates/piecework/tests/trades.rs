//! What was earned and spent, as a person asks for it: of the ledger itself, and of a daemon that runs. And
//! that a ledger that was put back says so.
#![allow(clippy::unwrap_used)]

use piecework_ledger::{CashOut, Ledger};
use piecework_pay::{Address, B256, Entry, Network, Price, Record, Side};
use piecework_testkit::{Run, Sandbox, Signal};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");
const NOON: u64 = 20_779 * 86_400 + 43_200;

fn money() -> Network {
    let token = Address::repeat_byte(2);
    Network { chain_id: 9, vault: Address::repeat_byte(1), token, genesis: [3; 8] }
}

fn entry(side: Side, torrent: u8, amount: u128) -> Record {
    Record::Entry(Entry {
        side,
        torrent: [torrent; 20],
        network: money(),
        counterparty: Address::repeat_byte(4),
        channel: 7,
        bytes: 1 << 30,
        amount,
        price: Price::new(amount).unwrap(),
    })
}

/// The network file of this money, as `chain join` pins it; nothing is asked of its server.
fn network_file() -> String {
    let contract = |byte: u8| {
        let address = Address::repeat_byte(byte).to_string();
        serde_json::json!({ "address": address, "code_hash": B256::ZERO })
    };
    let mut token = contract(2);
    for (key, value) in [("name", "Piece".into()), ("symbol", "PCE".into()), ("decimals", 6.into())]
    {
        token[key] = value;
    }
    let file: Value = serde_json::json!({
        "format": 1, "name": "home", "chain_id": 9, "genesis": B256::repeat_byte(3),
        "hardfork": "prague", "rpc": ["http://127.0.0.1:9"], "confirmations": 0, "first_block": 0,
        "coin": { "symbol": "PWC" }, "vault": contract(1), "assets": contract(5), "tokens": [token],
    });
    file.to_string()
}

struct Home {
    sandbox: Sandbox,
}

impl Home {
    /// With a purchase, a sale on each of two days, and one cash-out.
    fn new() -> Self {
        let home = Self { sandbox: Sandbox::new(BINARY) };
        let state = home.sandbox.state();
        fs::create_dir_all(&state).unwrap();
        fs::write(state.join("network.json"), network_file()).unwrap();
        let ledger = home.ledger();
        ledger.write_at(&[entry(Side::Selling, 1, 1_500_000)], NOON).unwrap();
        ledger.write_at(&[entry(Side::Selling, 2, 250_000)], NOON + 86_400).unwrap();
        ledger.write_at(&[entry(Side::Buying, 3, 40_000)], NOON).unwrap();
        let cash_out = CashOut {
            side: Side::Selling,
            network: money(),
            counterparty: Address::repeat_byte(4),
            channel: 7,
            paid: 1_600_000,
            fee_wei: 1 << 50,
            fee_token: 10_000,
            tx: B256::repeat_byte(8),
            at: NOON,
        };
        ledger.settled(&cash_out).unwrap();
        home
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(&self.sandbox.state().join("ledger.db")).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.root().join(name)
    }

    fn start(&self, arguments: &[&str]) -> Run {
        Run::start(self.sandbox.daemon(&self.path("daemon"), arguments))
    }

    /// What a command prints, which has to succeed.
    fn told(&self, arguments: &[&str]) -> String {
        let mut run = self.start(arguments);
        assert_eq!(run.wait(), 0, "{arguments:?}: {:?} {}", run.stdout(), run.stderr());
        run.stdout().join("\n")
    }
}

#[test]
fn trades_are_told_by_the_ledger_and_by_a_daemon_alike() {
    let home = Home::new();
    let questions: [&[&str]; 6] = [
        &["earnings", "--json"],
        &["earnings", "--by", "torrent", "--json"],
        &["earnings", "--by", "day"],
        &["spending", "--by", "peer"],
        &["earnings", "--csv", "--since", "2026-11-23"],
        &["spending", "--torrent", &"03".repeat(20), "--until", "2026-11-22"],
    ];
    let alone = questions.map(|question| home.told(question));
    let total: Value = serde_json::from_str(&alone[0]).unwrap();
    let amounts = ["amount", "settled", "pending", "fees"].map(|key| total[key].as_str().unwrap());
    assert_eq!(amounts, ["1.75", "1.6", "0.15", "0.01"]);
    assert_eq!((&total["symbol"], &total["is_test_money"]), (&"PCE".into(), &true.into()));
    assert_eq!(alone[1].lines().count(), 2);
    assert!(alone[2].contains("2026-11-23") && alone[2].contains("PCE (test)"), "{}", alone[2]);
    assert!(alone[3].contains("0.04 PCE (test) spent for 1.00 GiB"), "{}", alone[3]);
    assert_eq!(alone[4].lines().count(), 2, "{}", alone[4]);
    assert!(alone[5].contains("0.04 PCE"), "{}", alone[5]);

    let mut daemon = Run::start(home.sandbox.up(&home.path("daemon")));
    daemon.wait_object("ready", |object| object["event"] == "ready");
    assert_eq!(questions.map(|question| home.told(question)), alone);
    daemon.signal(Signal::TERM);
    daemon.wait();
    assert_eq!(
        home.told(&["earnings", "--json"]),
        alone[0],
        "a daemon that has ended is not needed"
    );
}

#[test]
fn where_nothing_was_traded_nothing_is_told_and_nothing_made() {
    let home = Home { sandbox: Sandbox::new(BINARY) };
    assert_eq!(home.told(&["earnings"]), "nothing earned");
    assert_eq!(home.told(&["spending", "--by", "torrent", "--json"]), "");
    assert!(!home.sandbox.state().join("ledger.db").exists());
    for (arguments, why) in [
        (&["earnings", "--since", "today"], "is no day"),
        (&["spending", "--torrent", "film"], "is no info-hash"),
    ] {
        let mut run = home.start(arguments);
        assert_eq!(run.wait(), 2, "{arguments:?}");
        assert!(run.stderr().contains(why), "{}", run.stderr());
    }
}

#[test]
fn a_ledger_is_put_away_with_the_rest_and_keeps_quiet_when_it_is_back() {
    let home = Home::new();
    fs::write(home.path("password"), "correct horse\n").unwrap();
    // Somebody has it open and has just written: the copy has that too.
    let ledger = home.ledger();
    ledger.write_at(&[entry(Side::Selling, 1, 1)], NOON).unwrap();
    assert_eq!(ledger.restored_at(), None);
    home.told(&["backup", "file", "--password-file", "password"]);
    let names = || {
        let found = fs::read_dir(home.sandbox.state()).unwrap();
        found.map(|it| it.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    assert!(names().iter().all(|name| !name.contains("backup")), "{:?}", names());
    drop(ledger);
    let other = home.path("other");
    // A state folder of its own, which the sandbox would give too.
    let elsewhere = |arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(arguments).env_clear().current_dir(home.sandbox.root());
        command.arg("--state").arg(&other).arg("--data-dir").arg(home.path("other-daemon"));
        let mut run = Run::start(command);
        assert_eq!(run.wait(), 0, "{arguments:?}: {}", run.stderr());
        run.stdout().join("\n")
    };
    elsewhere(&["restore", "file", "--password-file", "password"]);
    assert!(!other.join("ledger.db-wal").exists());
    let asked = elsewhere(&["earnings", "--json"]);
    assert!(asked.contains("\"amount\":\"1.750001\""), "{asked}");
    let back = Ledger::open(&other.join("ledger.db")).unwrap();
    assert!(back.restored_at().is_some() && back.quiet_until() > 0);
    assert_eq!(home.ledger().restored_at(), None);
}
