//! Logs, and the filters that clients poll.

use crate::client::{Http, Socket};
use crate::node::{CONTRACT, Node};
use alloy_primitives::{Address, B256, TxKind, U256};
use piecework_rpc::Settings;
use serde_json::{Value, json};

fn contract(node: &Node, http: &mut Http) -> Address {
    let receipt = node.send(http, 3, |wish| {
        wish.to = TxKind::Create;
        wish.data = CONTRACT;
    });
    receipt["contractAddress"].as_str().unwrap().parse().unwrap()
}

fn log(node: &Node, http: &mut Http, contract: Address) -> Value {
    node.send(http, 3, |wish| wish.to = TxKind::Call(contract))
}

#[test]
fn logs_are_found_by_range_hash_address_and_topic() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    let contract = contract(&node, &mut http);
    let other = self::contract(&node, &mut http);
    let [first, second] = [contract, other].map(|of| log(&node, &mut http, of));
    let seven = B256::from(U256::from(7));
    let mut found = |filter: Value| {
        let logs = http.call("eth_getLogs", &json!([filter]));
        let hashes = logs.as_array().unwrap().iter().map(|log| log["transactionHash"].clone());
        hashes.collect::<Vec<_>>()
    };
    let [a, b] = [&first, &second].map(|receipt| receipt["transactionHash"].clone());
    let both = vec![a.clone(), b.clone()];
    assert_eq!(found(json!({"fromBlock": "earliest"})), both);
    assert_eq!(
        found(json!({"fromBlock": "0x0", "toBlock": first["blockNumber"]})),
        std::slice::from_ref(&a)
    );
    assert_eq!(found(json!({})), std::slice::from_ref(&b));
    assert_eq!(found(json!({"blockHash": first["blockHash"]})), std::slice::from_ref(&a));
    assert_eq!(found(json!({"fromBlock": "0x0", "address": contract})), [a]);
    assert_eq!(found(json!({"fromBlock": "0x0", "address": [contract, other]})), both);
    assert_eq!(found(json!({"fromBlock": "0x0", "topics": [seven]})), both);
    assert_eq!(found(json!({"fromBlock": "0x0", "topics": [[B256::ZERO, seven]]})), both);
    assert!(found(json!({"fromBlock": "0x0", "topics": [B256::ZERO]})).is_empty());
    assert!(found(json!({"fromBlock": "0x0", "topics": [null, seven]})).is_empty());
    assert!(found(json!({"fromBlock": "0x99"})).is_empty());
}

#[test]
fn filters_tell_what_is_new_since_they_were_asked_last() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    let contract = contract(&node, &mut http);
    log(&node, &mut http, contract);
    let logs = http.call("eth_newFilter", &json!([{"address": contract, "fromBlock": "0x0"}]));
    let blocks = http.call("eth_newBlockFilter", &json!([]));
    let transactions = http.call("eth_newPendingTransactionFilter", &json!([]));
    for id in [&logs, &blocks, &transactions] {
        assert_eq!(http.call("eth_getFilterChanges", &json!([id])), json!([]));
    }
    let receipt = log(&node, &mut http, contract);
    let changes = http.call("eth_getFilterChanges", &json!([logs]));
    assert_eq!(changes.as_array().unwrap().len(), 1);
    assert_eq!(changes[0]["transactionHash"], receipt["transactionHash"]);
    assert_eq!(http.call("eth_getFilterChanges", &json!([blocks])), json!([receipt["blockHash"]]));
    assert_eq!(
        http.call("eth_getFilterChanges", &json!([transactions])),
        json!([receipt["transactionHash"]])
    );
    for id in [&logs, &blocks, &transactions] {
        assert_eq!(http.call("eth_getFilterChanges", &json!([id])), json!([]));
    }
    let all = http.call("eth_getFilterLogs", &json!([logs]));
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert_eq!(http.call("eth_uninstallFilter", &json!([logs])), true);
    assert_eq!(http.call("eth_uninstallFilter", &json!([logs])), false);
    let (code, text) = http.fail("eth_getFilterChanges", &json!([logs]));
    assert_eq!((code, text.as_str()), (-32000, "filter not found"));
}

#[test]
fn a_filter_with_very_many_terms_is_refused_everywhere() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    let addresses: Vec<_> =
        (0_u64..1001).map(|at| Address::from_word(B256::from(U256::from(at)))).collect();
    for (terms, is_taken) in [(&addresses[1..], true), (&addresses[..], false)] {
        let filter = json!([{ "address": terms }]);
        for method in ["eth_getLogs", "eth_newFilter"] {
            let answer = http.answer(method, &filter);
            assert_eq!(answer.get("error").is_none(), is_taken, "{method}");
        }
        let answer =
            Socket::new(node.address()).answer("eth_subscribe", &json!(["logs", filter[0]]));
        assert_eq!(answer.get("error").is_none(), is_taken);
    }
}

#[test]
fn a_filter_too_many_is_refused() {
    let node = Node::with(Settings { filters_max: 1, ..Node::settings() });
    let mut http = Http::new(node.address());
    http.call("eth_newBlockFilter", &json!([]));
    let (code, text) = http.fail("eth_newBlockFilter", &json!([]));
    assert!(code == -32005 && text.starts_with("too many filters"), "{code} {text}");
}
