//! Searching logs at a server that was honest while it was checked.

use crate::check::{network, served};
use crate::proxy::{Fault, Proxy};
use alloy_primitives::{Address, B256, U256, keccak256};
use piecework_settle::{Client, Patience, SettleError};
use serde_json::{Value, json};

const TOKEN: Address = Address::repeat_byte(3);
const ALICE: Address = Address::repeat_byte(5);
const BOB: Address = Address::repeat_byte(6);
const CAROL: Address = Address::repeat_byte(7);

fn checked() -> (Proxy, Client) {
    let proxy = Proxy::stub(|method, params| match method {
        "eth_getLogs" => Ok(json!([])),
        _ => served(method, params),
    });
    let mut network = network();
    network.rpc = vec![proxy.url()];
    let client = Client::connect(network, Patience::default()).unwrap().0;
    (proxy, client)
}

fn transfer(from: Address, to: Address) -> Value {
    let event = keccak256("Transfer(address,address,uint256)");
    json!([{
        "address": TOKEN, "topics": [event, from.into_word(), to.into_word()],
        "data": B256::from(U256::from(5)), "blockNumber": "0x2", "logIndex": "0x0",
        "transactionHash": B256::repeat_byte(8),
    }])
}

#[test]
fn what_others_sent_one_another_does_not_come_into_a_history() {
    let (proxy, client) = checked();
    proxy.fail_at("eth_getLogs", Fault::Lie(transfer(ALICE, BOB)));
    assert_eq!(client.history(TOKEN, ALICE, (0, 9)).unwrap().len(), 1);

    proxy.fail_at("eth_getLogs", Fault::Lie(transfer(BOB, CAROL)));
    let error = client.history(TOKEN, ALICE, (0, 9)).unwrap_err().to_string();
    assert!(error.contains("one that was asked for"), "{error}");

    let mut short = transfer(ALICE, BOB);
    short[0]["topics"].as_array_mut().unwrap().truncate(1);
    proxy.fail_at("eth_getLogs", Fault::Lie(short));
    let error = client.history(TOKEN, ALICE, (0, 9)).unwrap_err().to_string();
    assert!(error.contains("one that was asked for"), "{error}");
}

#[test]
fn a_height_that_no_chain_has_is_not_searched_for_years() {
    let (proxy, client) = checked();
    let error = client.history(TOKEN, ALICE, (0, u64::MAX)).unwrap_err();
    assert!(matches!(error, SettleError::TooLarge { .. }), "{error}");
    assert_eq!(proxy.count("eth_getLogs"), 0);
    client.history(TOKEN, ALICE, (u64::MAX - 9, u64::MAX)).unwrap();
    assert_eq!(proxy.count("eth_getLogs"), 2);
}
