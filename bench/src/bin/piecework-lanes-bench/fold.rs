//! In how many transactions a seller cashes what one purchase under a lock has brought.

use crate::market::MIB;
use crate::process::Trader;
use crate::report::Row;
use crate::rpc;
use piecework_testkit::FixtureBuilder;
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// What the seller sends a second: the purchase takes minutes, in which it could cash several times.
const CAPACITY: &str = "8Mi";

/// Tokens that are locked for the seller: more than the purchase costs.
const LOCK: &str = "40";

const PATIENCE: Duration = Duration::from_secs(1800);

/// After what was bought is cashed: in this another cash-out would come.
const QUIET: Duration = Duration::from_secs(75);

/// One purchase of a file of this size.
pub(crate) fn measure(piecework: &Path, size_mib: u32) -> Result<Row, String> {
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let seller = Trader::new(piecework, scratch.path().join("seller"))?;
    let init = ["chain", "init", "--token", "TOK"];
    seller.told(&init)?;
    let run = ["chain", "run", "--rpc", "127.0.0.1:0"];
    let (_chain, ready) = seller.start("chain", &run)?;
    let node = node(&ready)?;
    let buyer = buyer(piecework, &scratch.path().join("buyer"), &seller)?;
    let (file, id) = file(&seller, size_mib)?;
    let before = balance(&seller)?;

    let (_sells, port) = seller.up()?;
    let (_buys, _) = buyer.up()?;
    seller.told(&["sell", "on", "--capacity", CAPACITY, "--floor", "2"])?;
    seller.told(&["add", &file, "--trusted"])?;
    let account = seller
        .until(&["sell", "status"], PATIENCE, |told| told["selling"]["fee_account"].is_string())?;
    let account = account["selling"]["fee_account"].clone();
    let sent = || -> Result<u64, String> {
        let count = rpc::ask(node, "eth_getTransactionCount", &json!([account, "latest"]))?;
        rpc::number(&count)
    };
    let first = sent()?;
    buyer.spend(&["buy", "on", "--max", "50", "--day-max", "40"])?;
    let start = Instant::now();
    let peer = format!("127.0.0.1:{port}");
    let lane = ["--lane", "fast", "--budget", "30", "--max-price", "10"];
    buyer.told(&[&["add", &file, "--peer", &peer][..], &lane].concat())?;
    buyer.until(&["list"], PATIENCE, |told| told["stage"] == "seeding")?;
    let took = start.elapsed().as_secs();
    seller.until(&["sell", "status"], PATIENCE, |told| told["selling"]["uncashed"] == "0")?;
    thread::sleep(QUIET);
    let transactions = sent()? - first;
    let earned = balance(&seller)? - before;
    let spent = micro(&buyer.told(&["lane", &id])?["spent"]);
    Ok(Row {
        what: format!("transactions of the seller for {size_mib} MiB bought under a lock"),
        measured: transactions.to_string(),
        gate: "1".into(),
        is_met: transactions == 1 && earned == spent && spent > 0,
        notes: format!(
            "in {took} s, with {:.2} of a token spent and {:.2} cashed",
            whole(spent),
            whole(earned)
        ),
    })
}

/// One with an account in the vault, and a lock for the seller.
fn buyer(piecework: &Path, folder: &Path, seller: &Trader) -> Result<Trader, String> {
    let buyer = Trader::new(piecework, folder.to_owned())?;
    let network = folder.join("network.json").display().to_string();
    seller.told(&["chain", "share", "-o", &network])?;
    buyer.told(&["chain", "join", "network.json", "--yes"])?;
    let address = |of: &Trader| -> Result<String, String> {
        let told = of.told(&["wallet", "show"])?;
        told["address"].as_str().map(str::to_owned).ok_or_else(|| "no address".to_owned())
    };
    seller.spend(&["token", "send", "1000", "TOK", &address(&buyer)?])?;
    buyer.spend(&["vault", "deposit", "200"])?;
    buyer.spend(&["vault", "bond", "500"])?;
    buyer.spend(&["vault", "lock", &address(seller)?, LOCK])?;
    Ok(buyer)
}

/// Makes the file where the seller's daemon keeps it; the torrent file and its name.
fn file(seller: &Trader, size_mib: u32) -> Result<(String, String), String> {
    let bytes = u64::from(size_mib) * MIB;
    let fixture = FixtureBuilder::file("film.mkv", bytes as usize).piece_length(1 << 20).build();
    let downloads = seller.folder.join("daemon/downloads");
    fs::create_dir_all(&downloads).map_err(|error| error.to_string())?;
    fixture.write_payload(&downloads).map_err(|error| error.to_string())?;
    let file = fixture.write_torrent(&seller.folder).map_err(|error| error.to_string())?;
    Ok((file.display().to_string(), fixture.label()))
}

fn node(ready: &Value) -> Result<SocketAddr, String> {
    let url = ready["rpc"].as_str().unwrap_or_default();
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    address.parse().map_err(|_| format!("the chain says no address: {ready}"))
}

fn balance(of: &Trader) -> Result<u128, String> {
    Ok(micro(&of.told(&["token", "balance", "--token", "TOK"])?["amount"]))
}

/// Whole tokens of six digits in the smallest unit.
fn micro(amount: &Value) -> u128 {
    let text = amount.as_str().unwrap_or_default();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<6}").parse().unwrap_or(0)
}

fn whole(amount: u128) -> f64 {
    amount as f64 / 1e6
}
