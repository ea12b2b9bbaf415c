//! A network file against servers that serve something else than it says.

use crate::proxy::{Fault, Proxy};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolCall, SolValue, sol};
use piecework_pay::Domain;
use piecework_settle::{
    CheckFault, Checked, Coin, Contract, Format, Money, Network, Patience, Rpc, TokenEntry, Trust,
    check,
};
use serde_json::{Value, json};
use std::time::Duration;

sol! {
    function DOMAIN_SEPARATOR() external view returns (bytes32);
    function name() external view returns (string);
    function symbol() external view returns (string);
    function decimals() external view returns (uint8);
}

const CHAIN: u64 = 4_295_000_000;
const VAULT: Address = Address::repeat_byte(1);
const ASSETS: Address = Address::repeat_byte(2);
const TOKEN: Address = Address::repeat_byte(3);

fn contract(address: Address) -> Contract {
    Contract { address, code_hash: keccak256(address) }
}

pub(crate) fn network() -> Network {
    let Contract { address, code_hash } = contract(TOKEN);
    let (name, symbol) = ("Piece".into(), "PCE".into());
    Network {
        format: Format,
        name: "home".into(),
        chain_id: CHAIN,
        genesis: B256::repeat_byte(7),
        hardfork: "prague".into(),
        rpc: vec!["http://127.0.0.1:8545".into()],
        confirmations: 0,
        first_block: 0,
        coin: Coin { symbol: "PWC".into() },
        vault: contract(VAULT),
        assets: contract(ASSETS),
        tokens: vec![TokenEntry { address, code_hash, name, symbol, decimals: 6 }],
        money: Money::Test,
    }
}

fn truth() -> Proxy {
    Proxy::stub(served)
}

/// What the file says; a contract's code is its own address.
pub(crate) fn served(method: &str, params: &Value) -> Result<Value, Value> {
    Ok(match method {
        "eth_chainId" => json!(format!("{CHAIN:#x}")),
        "eth_getBlockByNumber" => {
            json!({ "number": "0x0", "hash": B256::repeat_byte(7), "timestamp": "0x0" })
        }
        "eth_getCode" => params[0].clone(),
        "eth_call" => json!(called(&params[0])),
        _ => return Err(json!({ "code": -32601, "message": "no such method" })),
    })
}

fn called(call: &Value) -> Bytes {
    let data: Bytes = serde_json::from_value(call["data"].clone()).unwrap();
    let selector: [u8; 4] = data[..4].try_into().unwrap();
    let domain = Domain { chain_id: CHAIN, verifying_contract: VAULT };
    match selector {
        DOMAIN_SEPARATORCall::SELECTOR => domain.separator().abi_encode().into(),
        decimalsCall::SELECTOR => U256::from(6).abi_encode().into(),
        nameCall::SELECTOR => "Piece".abi_encode().into(),
        symbolCall::SELECTOR => "PCE".abi_encode().into(),
        _ => Bytes::new(),
    }
}

fn rpc(proxy: &Proxy) -> Rpc {
    let pause = Duration::from_millis(1);
    let patience = Patience { tries: 2, pause, pause_max: pause, ..Patience::default() };
    Rpc::new(&proxy.url(), patience).unwrap()
}

fn checked(proxies: &[&Proxy]) -> Result<Checked, Box<CheckFault>> {
    let servers: Vec<Rpc> = proxies.iter().map(|proxy| rpc(proxy)).collect();
    check(&network(), &servers).map_err(Box::new)
}

/// What comes of a lie in the first answer to a method.
fn lie(method: &'static str, result: Value) -> CheckFault {
    let proxy = truth();
    proxy.fail_at(method, Fault::Lie(result));
    *checked(&[&proxy]).unwrap_err()
}

#[test]
fn one_server_that_confirms_the_file_is_named_as_trusted() {
    let proxy = truth();
    let checked = checked(&[&proxy]).unwrap();
    assert_eq!(checked.trust, Trust::OneOperator { server: proxy.url() });
}

#[test]
fn two_servers_have_to_agree() {
    let (one, two) = (truth(), truth());
    let both = checked(&[&one, &two]).unwrap();
    assert_eq!(both.trust, Trust::Witnesses { servers: vec![one.url(), two.url()] });

    two.fail_at("eth_chainId", Fault::Lie(json!("0x1")));
    let fault = *checked(&[&one, &two]).unwrap_err();
    assert!(matches!(fault, CheckFault::ChainId { got: 1, .. }), "{fault}");

    two.fail_at("eth_chainId", Fault::Body("<html>".into()));
    let fault = *checked(&[&one, &two]).unwrap_err();
    assert!(matches!(fault, CheckFault::TooFew { agreed: 1, .. }), "{fault}");
    assert!(fault.to_string().contains("1 of the 2 servers"), "{fault}");
}

#[test]
fn a_third_server_may_be_away_but_may_not_contradict() {
    let (one, two, three) = (truth(), truth(), truth());
    three.fail_at("eth_chainId", Fault::Body("<html>".into()));
    let some = checked(&[&one, &two, &three]).unwrap();
    assert_eq!(some.trust, Trust::Witnesses { servers: vec![one.url(), two.url()] });
    assert_eq!(some.failed.len(), 1);

    three.fail_at("eth_getCode", Fault::Lie(json!("0x6001")));
    let fault = *checked(&[&one, &two, &three]).unwrap_err();
    assert!(matches!(fault, CheckFault::CodeHash { .. }), "{fault}");
}

#[test]
fn each_contradiction_has_an_error_of_its_own_with_a_remedy() {
    let says = |fault: &CheckFault, remedy: &str| {
        assert!(fault.to_string().contains(remedy), "{fault}");
    };
    let fault = lie("eth_chainId", json!("0x7a69"));
    assert!(matches!(fault, CheckFault::ChainId { expected: CHAIN, got: 31337, .. }), "{fault}");
    says(&fault, "use its own servers");

    let other = json!({ "number": "0x0", "hash": B256::ZERO, "timestamp": "0x0" });
    let fault = lie("eth_getBlockByNumber", other);
    assert!(matches!(fault, CheckFault::Genesis { .. }), "{fault}");
    says(&fault, "forget this network");

    let fault = lie("eth_getCode", json!("0x"));
    assert!(
        matches!(&fault, CheckFault::NoContract { contract, .. } if *contract == "Vault"),
        "{fault}"
    );
    says(&fault, "caught up");

    let fault = lie("eth_getCode", json!("0x6001"));
    assert!(matches!(fault, CheckFault::CodeHash { address: VAULT, .. }), "{fault}");
    says(&fault, "do not use this network");

    let fault = lie("eth_call", json!(B256::ZERO));
    assert!(matches!(fault, CheckFault::Separator { .. }), "{fault}");
    says(&fault, "nothing signed for this network would be paid");
}

#[test]
fn a_token_that_says_something_else_of_itself_is_refused() {
    let of = |selector: [u8; 4], answer: Bytes| {
        let proxy = Proxy::stub(move |method, params| {
            let data = params[0]["data"].as_str().unwrap_or_default();
            if data.starts_with(&Bytes::from(selector).to_string()) {
                return Ok(json!(answer));
            }
            served(method, params)
        });
        *checked(&[&proxy]).unwrap_err()
    };
    for (what, selector, answer) in [
        ("decimals", decimalsCall::SELECTOR, Bytes::from(U256::from(18).abi_encode())),
        ("symbol", symbolCall::SELECTOR, "USDT".abi_encode().into()),
        ("name", nameCall::SELECTOR, "Tether\u{1b}[2J".abi_encode().into()),
    ] {
        let fault = of(selector, answer);
        assert!(matches!(fault, CheckFault::Token { what: said, .. } if said == what), "{fault}");
        assert!(!fault.to_string().contains('\u{1b}'));
    }
    for broken in [Bytes::new(), vec![0xff; 32].into(), vec![0xff; 4096].into()] {
        let fault = of(nameCall::SELECTOR, broken);
        assert!(matches!(fault, CheckFault::Rpc(_)), "{fault}");
    }
}
