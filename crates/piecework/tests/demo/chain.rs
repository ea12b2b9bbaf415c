//! The chain that a demo has kept, by its logs alone: none of the program's own code reads them here.

use crate::BINARY;
use alloy_primitives::{Address, B256, U256, keccak256};
use piecework_testkit::Run;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Event, and what it does to what its account has: the place of that account among the topics, the place
/// of the amount among the words of its data, and whether the account has more by it.
const MOVES: [(&str, usize, usize, bool); 10] = [
    ("Transfer(address,address,uint256)", 1, 0, false),
    ("Transfer(address,address,uint256)", 2, 0, true),
    ("Deposited(address,address,uint128)", 1, 0, true),
    ("Bonded(address,address,uint128)", 1, 0, true),
    (PAID, 1, PAID_AMOUNT, false),
    ("Bounced(address,address,address,bytes32,uint128,uint128)", 1, 2, false),
    ("Exited(address,address,uint128)", 1, 0, false),
    ("BondExited(address,address,uint128)", 1, 0, false),
    ("Credited(address,address,uint256)", 1, 0, true),
    ("Withdrawn(address,address,uint256)", 1, 0, false),
];
const PAID: &str = "Paid(address,address,address,uint64,uint128,uint128,uint128,bytes32)";
const PAID_AMOUNT: usize = 3;

/// All logs of the vault and of the token.
pub(crate) struct Logs(Vec<Log>);

struct Log {
    topics: Vec<B256>,
    words: Vec<U256>,
}

impl Logs {
    /// Starts the kept chain once more and asks it.
    pub(crate) fn of(kept: &Path) -> Self {
        let state = kept.join("bank");
        let mut command = Command::new(BINARY);
        command.args(["chain", "run", "--rpc", "127.0.0.1:0", "--json", "--state"]).arg(&state);
        command.env("HOME", kept).env_remove("XDG_STATE_HOME");
        let chain = Run::start(command);
        let ready = chain.wait_object("ready", |object| object["event"] == "ready");
        let network = fs::read_to_string(state.join("network.json")).unwrap();
        let network: Value = serde_json::from_str(&network).unwrap();
        let contracts = [&network["vault"]["address"], &network["tokens"][0]["address"]];
        let all = asked(
            ready["rpc"].as_str().unwrap(),
            &json!({
                "jsonrpc": "2.0", "id": 1, "method": "eth_getLogs",
                "params": [{ "fromBlock": "0x0", "toBlock": "latest", "address": contracts }],
            }),
        );
        let logs = all["result"].as_array().unwrap_or_else(|| panic!("{all}"));
        Self(logs.iter().map(Log::of).collect())
    }

    /// What an account has, in its own hands and in the vault.
    pub(crate) fn holding(&self, account: &str) -> i128 {
        let moves = MOVES.iter().map(|(event, topic, word, is_more)| {
            let sum = self.sum(event, *topic, *word, account);
            if *is_more { sum } else { -sum }
        });
        moves.sum()
    }

    /// What cheques have brought an account, less what they took of it.
    pub(crate) fn cashed(&self, account: &str) -> i128 {
        self.sum(PAID, 2, PAID_AMOUNT, account) - self.sum(PAID, 1, PAID_AMOUNT, account)
    }

    fn sum(&self, event: &str, topic: usize, word: usize, account: &str) -> i128 {
        let event = keccak256(event);
        let account = account.parse::<Address>().unwrap().into_word();
        let its = |log: &&Log| log.topics[0] == event && log.topics.get(topic) == Some(&account);
        let amounts = self.0.iter().filter(its).map(|log| log.words[word].to::<i128>());
        amounts.sum()
    }
}

impl Log {
    fn of(log: &Value) -> Self {
        let topics = log["topics"].as_array().unwrap();
        let data = log["data"].as_str().unwrap().trim_start_matches("0x").as_bytes();
        let word =
            |digits: &[u8]| U256::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
        Self {
            topics: topics.iter().map(|it| it.as_str().unwrap().parse().unwrap()).collect(),
            words: data.chunks(64).map(word).collect(),
        }
    }
}

fn asked(url: &str, body: &Value) -> Value {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let request = http.post(url).header("content-type", "application/json").body(body.to_string());
    let text = runtime.block_on(async { request.send().await.unwrap().text().await.unwrap() });
    serde_json::from_str(&text).unwrap()
}
