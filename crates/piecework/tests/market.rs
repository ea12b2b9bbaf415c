//! Paid lanes as people use them: one daemon sells a part of its uplink, another buys, and what was paid
//! arrives on a chain.

#![allow(clippy::unwrap_used)]

use piecework_testkit::{Fixture, FixtureBuilder, Run, Sandbox, Signal};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");
const POLITE: Duration = Duration::from_secs(10);

/// A wallet, and a daemon that trades with it.
struct Trader {
    sandbox: Sandbox,
}

impl Trader {
    fn new() -> Self {
        let trader = Self { sandbox: Sandbox::new(BINARY) };
        fs::write(trader.path("password"), "correct horse battery staple\n").unwrap();
        trader.told(&["wallet", "new", "--yes", "--password-file", "password"]);
        trader
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.root().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(arguments);
        command.arg("--json").env("PIECEWORK_DATA_DIR", self.path("daemon"));
        for name in ["PIECEWORK_URL", "PIECEWORK_KEY", "NOTIFY_SOCKET"] {
            command.env_remove(name);
        }
        command
    }

    /// The objects that a command prints, which has to succeed.
    fn told(&self, arguments: &[&str]) -> Vec<Value> {
        let mut run = Run::start(self.command(arguments));
        assert_eq!(run.wait(), 0, "{arguments:?}: {:?} {}", run.stdout(), run.stderr());
        run.stdout().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The same with what a command that signs needs.
    fn spend(&self, arguments: &[&str]) -> Vec<Value> {
        self.told(&[arguments, &["--yes", "--password-file", "password"]].concat())
    }

    /// The text of the error with which a command fails.
    fn refused(&self, arguments: &[&str]) -> String {
        let mut run = Run::start(self.command(arguments));
        assert_ne!(run.wait(), 0, "{arguments:?}: {:?}", run.stdout());
        run.stderr()
    }

    fn up(&self) -> (Run, u64) {
        let mut command = self.command(&["up", "--listen", "127.0.0.1:0", "--port", "0"]);
        for setting in [
            "net.local_discovery=false",
            "net.port_mapping=false",
            "net.trust_peers=true",
            "dht.on=false",
            "disk.free_space_min=0",
        ] {
            command.args(["--set", setting]);
        }
        let run = Run::start(command);
        let ready = run.wait_object("ready", |object| object["event"] == "ready");
        (run, ready["peer_port"].as_u64().unwrap())
    }

    /// Asks until an answer is as it should be.
    fn until(&self, arguments: &[&str], is_it: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..600 {
            last = self.told(arguments).remove(0);
            if is_it(&last) {
                return last;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{arguments:?} is still {last}");
    }

    fn balance(&self) -> u128 {
        let told = self.told(&["token", "balance", "--token", "TOK"]);
        micro(&told[0]["amount"])
    }
}

/// Whole tokens of six digits in the smallest unit.
fn micro(amount: &Value) -> u128 {
    let text = amount.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<6}").parse().unwrap()
}

/// A seller with a chain of its own, and a buyer with an account in its vault.
fn traders() -> (Trader, Trader, Run) {
    let seller = Trader::new();
    seller.told(&["chain", "init", "--token", "TOK"]);
    let chain = Run::start(seller.command(&["chain", "run", "--rpc", "127.0.0.1:0"]));
    chain.wait_object("ready", |object| object["event"] == "ready");
    let buyer = Trader::new();
    let file = buyer.path("network.json");
    seller.told(&["chain", "share", "-o", file.to_str().unwrap()]);
    buyer.told(&["chain", "join", "network.json", "--yes"]);
    let address = buyer.told(&["wallet", "show"])[0]["address"].as_str().unwrap().to_owned();
    seller.spend(&["token", "send", "1000", "TOK", &address]);
    buyer.spend(&["vault", "deposit", "100"]);
    buyer.spend(&["vault", "bond", "500"]);
    (seller, buyer, chain)
}

fn torrent(seller: &Trader, bytes: usize) -> (Fixture, PathBuf) {
    let fixture = FixtureBuilder::file("film.mkv", bytes).build();
    let downloads = seller.path("daemon/downloads");
    fs::create_dir_all(&downloads).unwrap();
    fixture.write_payload(&downloads).unwrap();
    let file = fixture.write_torrent(seller.sandbox.root()).unwrap();
    (fixture, file)
}

#[test]
fn a_daemon_without_a_wallet_says_so_and_one_key_may_spend_and_no_other() {
    let trader = Trader { sandbox: Sandbox::new(BINARY) };
    let (mut up, _) = trader.up();
    assert!(trader.refused(&["sell", "on", "--capacity", "1Mi"]).contains("no paid lanes"));
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());

    let (seller, _buyer, _chain) = traders();
    let (mut up, _) = seller.up();
    let door = fs::read(seller.path("daemon/api.json")).unwrap();
    let door: Value = serde_json::from_slice(&door).unwrap();
    let key = door["key"].as_str().unwrap();
    let refused = seller.refused(&["sell", "on", "--capacity", "1Mi", "--key", key]);
    assert!(refused.contains("no scope \"spend\""), "{refused}");
    let set = ["config", "set", "pay.sells=true"];
    assert!(seller.refused(&set).contains("no scope \"spend\""));
    seller.told(&["sell", "on", "--capacity", "1Mi"]);
    assert_eq!(seller.told(&["sell", "off"])[0]["selling"]["is_on"], false);
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
}

#[test]
fn a_fast_lane_is_bought_and_what_was_paid_arrives_on_the_chain() {
    let (seller, buyer, _chain) = traders();
    let (fixture, file) = torrent(&seller, 24 << 20);
    let before = seller.balance();
    let (mut sells, port) = seller.up();
    let (mut buys, _) = buyer.up();

    // Both sides are off until they are turned on, and selling needs to know the uplink.
    let status = seller.told(&["sell", "status"]).remove(0);
    assert_eq!(status["selling"]["is_on"], false, "{status}");
    assert_eq!(status["network"]["is_test_money"], true);
    assert!(seller.refused(&["sell", "on"]).contains("--capacity"));
    seller.told(&["sell", "on", "--capacity", "3Mi", "--floor", "2"]);
    seller.told(&["add", file.to_str().unwrap(), "--trusted"]);

    let peer = format!("127.0.0.1:{port}");
    buyer.spend(&["buy", "on", "--max", "50", "--day-max", "20"]);
    let torrent = file.to_str().unwrap();
    let lane = ["--lane", "fast", "--budget", "5", "--max-price", "10"];
    let added = buyer.told(&[&["add", torrent, "--peer", &peer][..], &lane].concat());
    assert_eq!(added[0]["event"], "added");
    let id = fixture.label();
    let lane = buyer.until(&["lane", &id], |lane| lane["spent"] != "0");
    assert_eq!((&lane["lane"], &lane["budget"]), (&"fast".into(), &"5".into()));
    buyer.until(&["list"], |torrent| torrent["stage"] == "seeding");
    assert_eq!(fixture.faults(&buyer.path("daemon/downloads")), [""; 0]);

    // The sellers cash by themselves once the buyer has what it wanted.
    let status = seller.until(&["sell", "status"], |status| {
        status["selling"]["uncashed"] == "0" && seller.balance() > before
    });
    let earned = seller.balance() - before;
    let spent = micro(&buyer.told(&["lane", &id])[0]["spent"]);
    assert_eq!(earned, spent, "{status}");
    assert!(spent > 20_000 && spent <= 5_000_000, "{spent}");
    // Both ledgers say the same.
    let sum = |trader: &Trader, what: &str| {
        let report = trader.told(&[what]).remove(0);
        assert_eq!(report["is_test_money"], true, "{report}");
        micro(&report["amount"])
    };
    assert_eq!((sum(&seller, "earnings"), sum(&buyer, "spending")), (earned, spent));
    let status = buyer.told(&["buy", "status"]).remove(0);
    assert_eq!(micro(&status["buying"]["torrents"][0]["spent"]), spent, "{status}");

    buyer.told(&["buy", "off"]);
    assert_eq!(sells.end(Signal::TERM, POLITE), 0, "{}", sells.stderr());
    assert_eq!(buys.end(Signal::TERM, POLITE), 0, "{}", buys.stderr());
}

#[test]
fn a_download_without_a_daemon_pays_for_its_lane_and_says_what_it_has_cost() {
    let (seller, buyer, _chain) = traders();
    let (fixture, file) = torrent(&seller, 12 << 20);
    let (mut sells, port) = seller.up();
    seller.told(&["sell", "on", "--capacity", "2Mi", "--floor", "2"]);
    seller.told(&["add", file.to_str().unwrap(), "--trusted"]);
    let peer = format!("127.0.0.1:{port}");
    let get = ["get", file.to_str().unwrap(), "--dir", "got", "--port", "0", "--peer", &peer];
    let lane = ["--no-local-discovery", "--lane", "fast", "--budget", "1"];
    let get = [&get[..], &lane].concat();
    assert!(buyer.refused(&get).contains("no session key"));
    buyer.spend(&["vault", "delegate", "50", "--bond-at-risk", "500"]);
    let told = buyer.told(&get);
    let paid = told.iter().find(|it| it["event"] == "paid").unwrap();
    assert_eq!(fixture.faults(&buyer.path("got")), [""; 0]);
    assert!((1..=1_000_000).contains(&micro(&paid["amount"])), "{paid}");
    assert_eq!((&paid["token"], &paid["is_test_money"]), (&"TOK".into(), &true.into()));
    // Without a daemon the ledger itself is read.
    assert_eq!(buyer.told(&["spending"])[0]["amount"], paid["amount"]);
    let earned = seller.until(&["earnings"], |line| line["amount"] == paid["amount"]);
    assert_eq!(earned["is_test_money"], true);
    assert_eq!(sells.end(Signal::TERM, POLITE), 0, "{}", sells.stderr());
}
