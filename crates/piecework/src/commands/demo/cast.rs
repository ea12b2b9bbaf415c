//! Who plays: two sellers, three buyers, a plain client, and the tracker that introduces them.

use super::money::{Bank, Money};
use super::node::{Node, Place, Role, TORRENT, state_of};
use super::process::Process;
use crate::failure::{Context, Failure};
use piecework_pay::Address;
use piecework_types::Rng;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// What a seller sends a second. What others may send is little: the sellers' bytes are fought for.
pub(super) const SELLER_UP: u64 = 4 << 20;
const OTHER_UP: u64 = 64 << 10;

/// Payload of the torrent.
pub(super) const PAYLOAD_BYTES: u64 = 32 << 20;
const PAYLOAD: &str = "demo.bin";

/// Hundredths of a seller's uplink for those who do not pay.
pub(super) const FREE_PERCENT: u32 = 25;

/// All processes but the chain.
pub(super) struct Cast {
    folder: PathBuf,
    tracker: Process,
    pub(super) nodes: Vec<Node>,
    /// The plain client: a download without a daemon, a wallet or a word of payments.
    pub(super) plain: Option<Process>,
    money: Money,
}

impl Cast {
    /// Starts everybody but the plain client, and has the sellers seed and sell.
    pub(super) fn start(folder: &Path, bank: &Bank, money: &Money) -> Result<Self, Failure> {
        let mut tracker = Process::start(
            "tracker",
            folder,
            &words(&[
                "tracker",
                "--open",
                "--bind",
                "127.0.0.1",
                "--port",
                "0",
                "--interval",
                "10",
            ]),
        )?;
        let port = tracker.wait_for("ready")?["port"].as_u64().unwrap_or_default();
        let announce = format!("http://127.0.0.1:{port}/announce");
        write_payload(&folder.join(PAYLOAD))?;
        let create =
            ["create", PAYLOAD, "-o", TORRENT, "--format", "v1", "--piece-length", "256Ki"];
        Process::run("create", folder, &words(&[&create[..], &["--tracker", &announce]].concat()))?;
        let mut cast = Self {
            folder: folder.to_owned(),
            tracker,
            nodes: Vec::new(),
            plain: None,
            money: money.clone(),
        };
        for name in ["seller 1", "seller 2"] {
            cast.start_seller(name, bank)?;
        }
        for (name, lane) in [("slow", "slow"), ("medium", "medium"), ("fast", "fast")] {
            cast.start_buyer(name, lane, bank)?;
        }
        Ok(cast)
    }

    fn start_seller(&mut self, name: &'static str, bank: &Bank) -> Result<(), Failure> {
        let key = bank.account(&state_of(&self.folder, name))?;
        let place = Place { folder: &self.folder, up_limit: SELLER_UP };
        let node = Node::start((name, Role::Sells), &place, Some(key.address()))?;
        let market = node.get("/market")?;
        let fee = market.pointer("/selling/fee_account").and_then(Value::as_str);
        let fee = crate::purse::address(fee.unwrap_or_default())?;
        bank.give_coin(fee)?;
        let terms = json!({
            "sells": true, "price_floor": self.money.floor, "free_percent": FREE_PERCENT,
        });
        node.change("/market", &terms)?;
        let downloads = self.folder.join(name).join("downloads");
        let doing = "cannot write the payload";
        fs::create_dir_all(&downloads).context(doing)?;
        fs::copy(self.folder.join(PAYLOAD), downloads.join(PAYLOAD)).context(doing)?;
        node.add(&self.folder, &["--trusted"])?;
        self.nodes.push(node);
        Ok(())
    }

    fn start_buyer(
        &mut self,
        name: &'static str,
        lane: &'static str,
        bank: &Bank,
    ) -> Result<(), Failure> {
        let place = Place { folder: &self.folder, up_limit: OTHER_UP };
        let state = state_of(&self.folder, name);
        if lane == "slow" {
            let node = Node::start((name, Role::Buys(lane)), &place, None)?;
            self.nodes.push(node);
            return Ok(());
        }
        let key = bank.account(&state)?;
        bank.fund(&state, &key, &self.money)?;
        let node = Node::start((name, Role::Buys(lane)), &place, Some(key.address()))?;
        node.change("/market", &json!({ "buys": true }))?;
        self.nodes.push(node);
        Ok(())
    }

    /// Everybody begins to download.
    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        let got = self.folder.join("plain").display().to_string();
        let get = [
            "get",
            TORRENT,
            "--dir",
            &got,
            "--port",
            "0",
            "--no-dht",
            "--no-local-discovery",
            "--no-port-mapping",
            "--trust-peers",
            "--limit-up",
            "64Ki",
        ];
        self.plain = Some(Process::start("plain", &self.folder, &words(&get))?);
        for node in &self.nodes {
            match node.role {
                Role::Sells => {}
                Role::Buys("slow") => node.add(&self.folder, &[])?,
                Role::Buys(lane) => {
                    let (budget, most) = (&self.money.budget, &self.money.price_max);
                    let wish = ["--lane", lane, "--budget", budget, "--max-price", most];
                    node.add(&self.folder, &wish)?;
                }
            }
        }
        Ok(())
    }

    /// The accounts of those who trade.
    pub(super) fn accounts(&self) -> Vec<(&'static str, Address)> {
        self.nodes.iter().filter_map(|node| Some((node.name, node.account?))).collect()
    }

    pub(super) fn end(mut self) {
        self.nodes.iter().for_each(Node::ask_to_end);
        self.tracker.ask_to_end();
        self.nodes.iter_mut().for_each(Node::end);
        self.tracker.end();
    }
}

/// Bytes that nothing compresses.
fn write_payload(path: &Path) -> Result<(), Failure> {
    let mut rng = Rng::new(PAYLOAD_BYTES);
    let words = (0..PAYLOAD_BYTES / 8).flat_map(|_| rng.next_u64().to_le_bytes());
    fs::write(path, words.collect::<Vec<u8>>()).context("cannot write the payload")
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|word| (*word).to_owned()).collect()
}
