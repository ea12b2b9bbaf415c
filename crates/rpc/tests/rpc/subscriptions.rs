//! What is sent over a WebSocket without being asked for each time.

use crate::client::{Http, Socket, error_of};
use crate::node::{CONTRACT, Node};
use alloy_primitives::TxKind;
use piecework_rpc::Settings;
use serde_json::{Value, json};
use std::time::Duration;

fn notified(socket: &mut Socket, id: &Value) -> Value {
    loop {
        let mut message = socket.next();
        if &message["params"]["subscription"] == id {
            assert_eq!(message["method"], "eth_subscription");
            return message["params"]["result"].take();
        }
    }
}

#[test]
fn new_heads_are_sent_in_order_and_none_after_unsubscribing() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    let mut socket = Socket::new(node.address());
    let id = socket.call("eth_subscribe", &json!(["newHeads"]));
    assert!(id.as_str().unwrap().starts_with("0x"), "{id}");
    for _ in 0..3 {
        let receipt = node.send(&mut http, 0, |_| {});
        let head = notified(&mut socket, &id);
        assert_eq!(head["hash"], receipt["blockHash"]);
        assert_eq!(head["number"], receipt["blockNumber"]);
    }
    assert_eq!(socket.call("eth_unsubscribe", &json!([id])), true);
    node.send(&mut http, 0, |_| {});
    socket.send("eth_chainId", &json!([]));
    assert!(socket.next()["result"].is_string());
}

#[test]
fn logs_are_sent_that_match() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    let mut deploy = || {
        let receipt = node.send(&mut http, 0, |wish| {
            wish.to = TxKind::Create;
            wish.data = CONTRACT;
        });
        receipt["contractAddress"].as_str().unwrap().parse().unwrap()
    };
    let (ours, other) = (deploy(), deploy());
    let mut socket = Socket::new(node.address());
    let id = socket.call("eth_subscribe", &json!(["logs", { "address": ours }]));
    node.send(&mut http, 0, |wish| wish.to = TxKind::Call(other));
    let wanted = node.send(&mut http, 0, |wish| wish.to = TxKind::Call(ours));
    let log = notified(&mut socket, &id);
    assert_eq!(log["transactionHash"], wanted["transactionHash"]);
    assert_eq!(log, wanted["logs"][0]);
}

#[test]
fn what_cannot_be_subscribed_to_and_one_too_many_are_refused() {
    let node = Node::with(Settings { subscriptions_max: 2, ..Node::settings() });
    let mut socket = Socket::new(node.address());
    let answer = socket.answer("eth_subscribe", &json!(["syncing"]));
    assert_eq!(error_of(&answer).0, -32602);
    // Not on the same connection: what was refused there gives its place back after its answer.
    let mut socket = Socket::new(node.address());
    socket.call("eth_subscribe", &json!(["newHeads"]));
    socket.call("eth_subscribe", &json!(["logs"]));
    let answer = socket.answer("eth_subscribe", &json!(["newHeads"]));
    assert_eq!(error_of(&answer).0, -32006);
}

#[test]
fn a_stopped_server_lets_go_of_the_chain() {
    let node = Node::start();
    let mut socket = Socket::new(node.address());
    socket.call("eth_subscribe", &json!(["newHeads"]));
    let chain = node.stop();
    let is_alone = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        std::sync::Arc::strong_count(&chain) == 1
    });
    assert!(is_alone, "{} others hold the chain", std::sync::Arc::strong_count(&chain) - 1);
}

#[test]
fn a_subscription_whose_client_does_not_read_is_dropped_with_its_reason() {
    let settings = Settings { subscription_lag_max: Duration::from_millis(1), ..Node::settings() };
    let node = Node::with(settings);
    let mut http = Http::new(node.address());
    let created = node.send(&mut http, 0, |wish| {
        wish.to = TxKind::Create;
        wish.data = CONTRACT;
    });
    let contract = created["contractAddress"].as_str().unwrap().parse().unwrap();
    let mut socket = Socket::new(node.address());
    for _ in 0..64 {
        socket.call("eth_subscribe", &json!(["logs"]));
    }
    // 64 messages each: more than queue and sockets hold, and nobody reads.
    let sends: Vec<_> = (1..=400)
        .map(|nonce| {
            let raw = node.signed(0, nonce, |wish| wish.to = TxKind::Call(contract));
            ("eth_sendRawTransaction", json!([raw]))
        })
        .collect();
    let answers = http.batch(&sends);
    node.receipt(&mut http, &answers[399]["result"]);
    let reason = std::iter::repeat_with(|| socket.next())
        .find_map(|message| Some(message["params"]["error"].as_str()?.to_owned()));
    let reason = reason.unwrap();
    assert!(reason.starts_with("subscription dropped: "), "{reason}");
    // The connection itself goes on.
    assert!(socket.call("eth_chainId", &json!([])).is_string());
}
