//! Errors in the shapes and words that libraries tell apart.

use crate::client::{Http, error_of};
use crate::node::{COIN, CONTRACT, Node};
use alloy_primitives::{Address, TxKind};
use serde_json::json;

fn refusal(http: &mut Http, raw: &alloy_primitives::Bytes) -> String {
    let (code, text) = http.fail("eth_sendRawTransaction", &json!([raw]));
    assert_eq!(code, -32000, "{text}");
    text
}

#[test]
fn transactions_that_cannot_stand_are_refused_in_the_words_that_clients_look_for() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    let first = node.signed(0, 0, |wish| wish.value = 1);
    let hash = http.call("eth_sendRawTransaction", &json!([first]));
    node.receipt(&mut http, &hash);
    let nothing = |_: &mut crate::node::Wish| {};
    let waiting = node.signed(0, 5, nothing);
    http.call("eth_sendRawTransaction", &json!([waiting]));
    for (raw, words) in [
        (first, "nonce too low"),
        (node.signed(0, 0, nothing), "nonce too low: next nonce 1, tx nonce 0"),
        (waiting, "already known"),
        (node.signed(0, 5, |wish| wish.value = 1), "replacement transaction underpriced"),
        (
            node.signed(0, 1, |wish| wish.value = 1000 * COIN),
            "insufficient funds for gas * price + value",
        ),
        (node.signed(9, 0, |wish| wish.value = 1), "insufficient funds for gas * price + value"),
        (node.signed(0, 1, |wish| wish.gas = 20_999), "intrinsic gas too low"),
        (node.signed(0, 1, |wish| wish.gas = 1 << 40), "exceeds block gas limit"),
        (
            node.signed(0, 1, |wish| wish.tip = 1),
            "max priority fee per gas higher than max fee per gas",
        ),
        (node.signed(0, 1, |wish| wish.chain_id = 1), "invalid chain id for signer"),
        (node.signed(0, 1 << 40, nothing), "nonce too high"),
        (vec![0x02, 0xc0].into(), "rlp: "),
        (vec![0; 200_000].into(), "oversized data"),
    ] {
        let text = refusal(&mut http, &raw);
        assert!(text.starts_with(words), "{text} for {words}");
    }
    let (code, text) = http.fail("eth_sendRawTransaction", &json!(["0x0g"]));
    assert_eq!((code, &text[..20]), (-32602, "invalid argument 0: "));
}

#[test]
fn a_revert_comes_with_code_3_its_reason_and_its_data() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    let created = node.send(&mut http, 0, |wish| {
        wish.to = TxKind::Create;
        wish.data = CONTRACT;
    });
    let to = &created["contractAddress"];
    // Error(string) with "no".
    let error = concat!(
        "0x08c379a0",
        "0000000000000000000000000000000000000000000000000000000000000020",
        "0000000000000000000000000000000000000000000000000000000000000002",
        "6e6f000000000000000000000000000000000000000000000000000000000000"
    );
    for method in ["eth_call", "eth_estimateGas"] {
        let answer = http.answer(method, &json!([{ "to": to, "data": error }]));
        assert_eq!(error_of(&answer), (3, "execution reverted: no".into()));
        assert_eq!(answer["error"]["data"], error);
        let answer = http.answer(method, &json!([{ "to": to, "input": "0x1234" }]));
        assert_eq!(error_of(&answer), (3, "execution reverted".into()));
        assert_eq!(answer["error"]["data"], "0x1234");
    }
    let failed = node.send(&mut http, 0, |wish| {
        wish.to = TxKind::Call(to.as_str().unwrap().parse().unwrap());
        wish.data = vec![1].into();
    });
    assert_eq!(failed["status"], "0x0");
}

#[test]
fn calls_that_cannot_be_tried_say_why() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    let (rich, poor) = (Node::address_of(0), Address::repeat_byte(9));
    for (request, words) in [
        (json!({"from": poor, "to": rich, "value": "0x1"}), "insufficient funds"),
        (json!({"from": rich, "to": poor, "gas": "0x10"}), "intrinsic gas too low"),
    ] {
        let (code, text) = http.fail("eth_call", &json!([request]));
        assert_eq!(code, -32000, "{text}");
        assert!(text.starts_with(words), "{text}");
    }
    for (request, words) in [
        (json!([{"to": rich, "chainId": "0x1"}]), "chainId does not match node's"),
        (json!([{"to": rich, "data": "0x01", "input": "0x02"}]), "both \"data\" and \"input\""),
        (
            json!([{"to": rich}, "latest", {rich.to_string(): {"balance": "0x1"}}]),
            "state overrides",
        ),
        (json!([{"to": "0x12"}]), "invalid argument 0"),
        (json!([]), "missing value for required argument 0"),
    ] {
        let (code, text) = http.fail("eth_call", &request);
        assert_eq!(code, -32602, "{text}");
        assert!(text.starts_with(words), "{text}");
    }
}

#[test]
fn a_block_that_is_not_there_and_a_state_that_is_not_kept_are_named() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    let (rich, nowhere) = (Node::address_of(0), alloy_primitives::B256::repeat_byte(1));
    assert!(http.call("eth_getBlockByNumber", &json!(["0x99", false])).is_null());
    assert!(http.call("eth_getBlockByHash", &json!([nowhere, false])).is_null());
    assert!(http.call("eth_getTransactionByHash", &json!([nowhere])).is_null());
    assert!(http.call("eth_getTransactionReceipt", &json!([nowhere])).is_null());
    let (code, text) = http.fail("eth_getBalance", &json!([rich, "0x99"]));
    assert_eq!((code, text.as_str()), (-32000, "header not found"));
    let (_, text) = http.fail("eth_getBalance", &json!([rich, { "blockHash": nowhere }]));
    assert_eq!(text, "header for hash not found");
    let (_, text) = http.fail("eth_getLogs", &json!([{ "blockHash": nowhere }]));
    assert_eq!(text, "unknown block");
    let (code, _) = http.fail("eth_getLogs", &json!([{ "fromBlock": "0x2", "toBlock": "0x1" }]));
    assert_eq!(code, -32602);
    // One block more than are kept.
    for nonce in 0..=piecework_chain::state::UNDO_BLOCKS_MAX as u64 {
        let raw = node.signed(0, nonce, |wish| wish.value = 1);
        let hash = http.call("eth_sendRawTransaction", &json!([raw]));
        node.receipt(&mut http, &hash);
    }
    let (code, text) = http.fail("eth_getBalance", &json!([rich, "earliest"]));
    assert_eq!(code, -32000);
    assert!(text.starts_with("missing state: that of block 0 is no longer kept"), "{text}");
    http.call("eth_getBalance", &json!([rich, "0x1"]));
}
