//! What the chain has, as it is answered.

use crate::client::Http;
use crate::node::{CHAIN_ID, COIN, CONTRACT, Node};
use alloy_primitives::{Address, TxKind};
use serde_json::{Value, json};

#[test]
fn the_chain_says_who_it_is_and_how_far() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    assert_eq!(http.call("eth_chainId", &json!([])), format!("{CHAIN_ID:#x}"));
    assert_eq!(http.call("net_version", &json!([])), CHAIN_ID.to_string());
    assert_eq!(http.call("eth_syncing", &json!([])), false);
    assert_eq!(http.call("eth_accounts", &json!([])), json!([]));
    assert_eq!(http.call("eth_blockNumber", &json!([])), "0x0");
    let version = http.call("web3_clientVersion", &json!([]));
    assert!(version.as_str().unwrap().starts_with("piecework/v"), "{version}");
    node.send(&mut http, 0, |_| {});
    assert_eq!(http.call("eth_blockNumber", &json!([])), "0x1");
}

#[test]
fn every_way_to_a_transaction_and_its_block_leads_to_the_same() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    let receipt = node.send(&mut http, 1, |wish| wish.value = COIN);
    assert_eq!(receipt["status"], "0x1");
    assert_eq!(receipt["gasUsed"], "0x5208");
    assert_eq!(receipt["from"], json!(Node::address_of(1)));
    assert_eq!(receipt["to"], json!(Address::repeat_byte(0x77)));
    assert_eq!(receipt["type"], "0x2");
    let (block_hash, number) = (&receipt["blockHash"], &receipt["blockNumber"]);
    let hash = &receipt["transactionHash"];
    let transaction = http.call("eth_getTransactionByHash", &json!([hash]));
    assert_eq!(transaction["value"], format!("{COIN:#x}"));
    assert_eq!(&transaction["blockHash"], block_hash);
    for (method, block) in [("Number", number), ("Hash", block_hash)] {
        let by_place = format!("eth_getTransactionByBlock{method}AndIndex");
        assert_eq!(http.call(&by_place, &json!([block, "0x0"])), transaction);
        assert!(http.call(&by_place, &json!([block, "0x1"])).is_null());
        let count = format!("eth_getBlockTransactionCountBy{method}");
        assert_eq!(http.call(&count, &json!([block])), "0x1");
        let by = format!("eth_getBlockBy{method}");
        let full = http.call(&by, &json!([block, true]));
        assert_eq!(full["transactions"], json!([transaction]));
        let short = http.call(&by, &json!([block, false]));
        assert_eq!(short["transactions"], json!([hash]));
        assert_eq!(&short["hash"], block_hash);
        assert_eq!(short["uncles"], json!([]));
        for field in ["parentHash", "stateRoot", "baseFeePerGas", "timestamp", "size", "logsBloom"]
        {
            assert!(short[field].is_string(), "{field}: {short}");
        }
        assert_eq!(http.call("eth_getBlockReceipts", &json!([block])), json!([receipt]));
    }
}

#[test]
fn tags_mean_blocks_and_old_state_is_kept_for_a_while() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    let receiver = Address::repeat_byte(0x77);
    node.send(&mut http, 0, |wish| wish.value = 3);
    node.send(&mut http, 0, |wish| wish.value = 4);
    for (tag, balance, height) in [
        ("earliest", "0x0", "0x0"),
        ("0x1", "0x3", "0x1"),
        ("latest", "0x7", "0x2"),
        ("safe", "0x7", "0x2"),
        ("finalized", "0x7", "0x2"),
        ("pending", "0x7", "0x3"),
    ] {
        assert_eq!(http.call("eth_getBalance", &json!([receiver, tag])), balance, "{tag}");
        let block = http.call("eth_getBlockByNumber", &json!([tag, false]));
        assert_eq!(block["number"], height, "{tag}");
        assert_eq!(block["hash"].is_null(), tag == "pending", "{tag}");
    }
    let first = http.call("eth_getBlockByNumber", &json!(["0x1", false]));
    let by_hash = json!([receiver, { "blockHash": first["hash"] }]);
    assert_eq!(http.call("eth_getBalance", &by_hash), "0x3");
    assert_eq!(http.call("eth_getBalance", &json!([receiver])), "0x7");
    assert_eq!(http.call("eth_getTransactionCount", &json!([Node::address_of(0), "0x1"])), "0x1");
}

#[test]
fn a_transaction_that_waits_is_found_and_counted_as_pending() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    let raw = node.signed(0, 1, |wish| wish.value = 1);
    let hash = http.call("eth_sendRawTransaction", &json!([raw]));
    let waiting = http.call("eth_getTransactionByHash", &json!([hash]));
    assert_eq!((&waiting["hash"], &waiting["blockHash"]), (&hash, &Value::Null));
    assert!(http.call("eth_getTransactionReceipt", &json!([hash])).is_null());
    node.send(&mut http, 0, |_| {});
    node.receipt(&mut http, &hash);
    let count = http.call("eth_getTransactionCount", &json!([Node::address_of(0), "pending"]));
    assert_eq!(count, "0x2");
}

#[test]
fn a_contract_is_created_called_and_read() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    let receipt = node.send(&mut http, 2, |wish| {
        wish.to = TxKind::Create;
        wish.data = CONTRACT;
        wish.value = 5;
    });
    // Its constructor takes coin as it comes; the code is what it returned.
    let contract = &receipt["contractAddress"];
    assert_eq!(contract, &json!(Node::address_of(2).create(0)));
    let code = http.call("eth_getCode", &json!([contract, "latest"]));
    assert_eq!(code, json!(CONTRACT.slice(12..)));
    assert_eq!(http.call("eth_getCode", &json!([contract, "earliest"])), "0x");
    let call = json!({ "to": contract });
    let word = "0x000000000000000000000000000000000000000000000000000000000000002a";
    assert_eq!(http.call("eth_call", &json!([call, "latest"])), word);
    assert_eq!(http.call("eth_call", &json!([call, "pending"])), word);
    let zero = "0x0000000000000000000000000000000000000000000000000000000000000000";
    assert_eq!(http.call("eth_getStorageAt", &json!([contract, "0x0", "latest"])), zero);
    let gas = http.call("eth_estimateGas", &json!([call]));
    let gas = u64::from_str_radix(&gas.as_str().unwrap()[2..], 16).unwrap();
    assert!((21_000..30_000).contains(&gas), "{gas}");
    let logged = node.send(&mut http, 2, |wish| {
        wish.to = TxKind::Call(contract.as_str().unwrap().parse().unwrap());
        wish.gas = gas;
    });
    assert_eq!(logged["status"], "0x1");
    assert_eq!(logged["logs"][0]["data"], word);
    assert_eq!(logged["logs"][0]["transactionHash"], logged["transactionHash"]);
    let bloom = &logged["logsBloom"];
    let block = http.call("eth_getBlockByNumber", &json!([logged["blockNumber"], false]));
    assert_eq!(&block["logsBloom"], bloom);
}

#[test]
fn fees_are_told_for_a_range_of_blocks() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    for tip in 1..=3 {
        node.send(&mut http, 0, |wish| (wish.fee, wish.tip) = (tip, tip));
    }
    let history = http.call("eth_feeHistory", &json!(["0x2", "latest", [10, 90]]));
    assert_eq!(history["oldestBlock"], "0x2");
    assert_eq!(history["baseFeePerGas"], json!(["0x0", "0x0", "0x0"]));
    assert_eq!(history["gasUsedRatio"].as_array().unwrap().len(), 2);
    assert_eq!(history["reward"], json!([["0x2", "0x2"], ["0x3", "0x3"]]));
    let all = http.call("eth_feeHistory", &json!([99, "latest"]));
    assert_eq!(all["oldestBlock"], "0x0");
    assert!(all.get("reward").is_none());
    assert_eq!(http.call("eth_maxPriorityFeePerGas", &json!([])), "0x2");
    assert_eq!(http.call("eth_gasPrice", &json!([])), "0x2");
    let (code, _) = http.fail("eth_feeHistory", &json!([2, "latest", [90, 10]]));
    assert_eq!(code, -32602);
    assert_eq!(http.fail("eth_feeHistory", &json!([2, "0x99"])).1, "request beyond head block");
}
