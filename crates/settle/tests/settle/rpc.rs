//! What a server that misbehaves gets: another try where that may help, else an error of its own.

use crate::proxy::{Fault, Proxy};
use piecework_settle::{Patience, Rpc, RpcError, RpcFault};
use serde_json::json;
use std::time::Duration;

const QUICK: Patience = Patience {
    exchange: Duration::from_secs(20),
    tries: 3,
    pause: Duration::from_millis(1),
    pause_max: Duration::from_millis(2),
};

fn height_7() -> Proxy {
    Proxy::stub(|method, _| match method {
        "eth_blockNumber" => Ok(json!("0x7")),
        _ => Err(json!({ "code": -32601, "message": "no such method" })),
    })
}

fn rpc(proxy: &Proxy) -> Rpc {
    Rpc::new(&proxy.url(), QUICK).unwrap()
}

/// What comes of a fault that stays.
fn lasting(fault: &Fault) -> (RpcFault, usize) {
    let proxy = height_7();
    (0..QUICK.tries).for_each(|_| proxy.fail(fault.clone()));
    let error = rpc(&proxy).height().unwrap_err();
    assert_eq!((error.method, &error.server), ("eth_blockNumber", &proxy.url()));
    (error.fault, proxy.count("eth_blockNumber"))
}

fn http(status: u16) -> Fault {
    Fault::Http(status, "", String::new())
}

#[test]
fn what_may_pass_by_itself_is_asked_again() {
    let proxy = height_7();
    for fault in [
        Fault::Close,
        Fault::Cut(20),
        Fault::Cut(0),
        http(429),
        Fault::Http(429, "retry-after: 3600\r\n", "slow down".into()),
        http(500),
        http(502),
        http(503),
        Fault::Id(json!(99_999)),
        Fault::Id(json!("1")),
        Fault::Body(
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"limit"}}"#.into(),
        ),
        Fault::LoseAnswer,
    ] {
        proxy.fail(fault.clone());
        assert_eq!(rpc(&proxy).height().unwrap(), 7, "{fault:?}");
    }
    assert_eq!(proxy.count("eth_blockNumber"), 24, "each fault costs one more exchange");
}

#[test]
fn a_fault_that_stays_ends_with_its_own_error_after_the_last_try() {
    for (fault, expected) in [
        (Fault::Cut(20), RpcFault::Truncated { got_bytes: 20 }),
        (http(429), RpcFault::Busy { retry_after: None }),
        (http(503), RpcFault::Status { status: 503 }),
        (Fault::Body("{\"jsonrpc\":\"2.0\",\"id\":".into()), RpcFault::Truncated { got_bytes: 22 }),
    ] {
        assert_eq!(lasting(&fault), (expected, 3), "{fault:?}");
    }
    assert!(matches!(lasting(&Fault::Close), (RpcFault::Unreachable(_), 3)));
    let (fault, tries) = lasting(&Fault::Id(json!(99_999)));
    let RpcFault::WrongId { got, .. } = fault else { panic!("{fault}") };
    assert_eq!((got.as_str(), tries), ("99999", 3));
}

#[test]
fn what_another_try_cannot_mend_ends_at_once() {
    let page = "<!DOCTYPE html><title>Sign in</title>";
    let body = |text: &str| Fault::Body(text.into());
    for (fault, expected) in [
        (body(page), RpcFault::WebPage),
        (Fault::Http(200, "content-type: text/html\r\n", "Hello".into()), RpcFault::WebPage),
        (body("hello there"), RpcFault::NotJson { begins: "hello there".into() }),
        (body("a\u{1b}[2Jb"), RpcFault::NotJson { begins: "a [2Jb".into() }),
        (body("[]"), RpcFault::NotAnAnswer { what: "it is not an object" }),
        (
            body(r#"{"id":1,"result":"0x1"}"#),
            RpcFault::NotAnAnswer { what: "it names no version 2.0" },
        ),
        (http(403), RpcFault::Status { status: 403 }),
        (Fault::Http(404, "", page.into()), RpcFault::Status { status: 404 }),
        (
            Fault::Http(301, "location: http://127.0.0.1:1/\r\n", String::new()),
            RpcFault::Status { status: 301 },
        ),
    ] {
        assert_eq!(lasting(&fault), (expected, 1), "{fault:?}");
    }
    let huge = "x".repeat(piecework_settle::ANSWER_BYTES_MAX + 1);
    assert!(matches!(lasting(&Fault::Body(huge)), (RpcFault::TooLong { .. }, 1)));
}

#[test]
fn a_result_of_the_wrong_form_is_named_and_not_taken() {
    for lie in [
        json!(7),
        json!("7"),
        json!("0x"),
        json!("0xg"),
        json!("0x-7"),
        json!("0x10000000000000000"),
        json!(null),
        json!({ "a": 1 }),
        json!(format!("0x{}", "f".repeat(1000))),
    ] {
        let (fault, tries) = lasting(&Fault::Lie(lie.clone()));
        assert!(matches!(fault, RpcFault::Field { .. }), "{lie}: {fault}");
        assert!(fault.to_string().len() < 200);
        assert_eq!(tries, 1);
    }
}

#[test]
fn an_answer_with_neither_result_nor_error_and_an_unknown_method_are_told_apart() {
    let proxy = height_7();
    proxy.fail(Fault::Body(r#"{"jsonrpc":"2.0","id":1}"#.into()));
    let fault = rpc(&proxy).height().unwrap_err().fault;
    assert_eq!(fault, RpcFault::NotAnAnswer { what: "it has neither result nor error" });
    let fault = rpc(&proxy).chain_id().unwrap_err().fault;
    let RpcFault::Refused { code, message, data: None } = fault else { panic!("{fault}") };
    assert_eq!((code, message.as_str()), (-32601, "no such method"));
}

#[test]
fn a_server_that_never_answers_costs_its_time_and_no_more() {
    let proxy = height_7();
    proxy.fail(Fault::Hang);
    let exchange = Duration::from_millis(50);
    let once = Patience { exchange, tries: 1, ..QUICK };
    let fault = Rpc::new(&proxy.url(), once).unwrap().height().unwrap_err().fault;
    assert_eq!(fault, RpcFault::Timeout { after: exchange });
}

#[test]
fn a_key_in_an_address_is_in_no_message() {
    let rpc = Rpc::new("http://user:secret@127.0.0.1:1/v3/secret?key=secret", QUICK).unwrap();
    let error = rpc.height().unwrap_err();
    assert!(matches!(error.fault, RpcFault::Unreachable(_)));
    assert_eq!(rpc.name(), "http://127.0.0.1:1");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    for bad in ["", "127.0.0.1:8545", "file:///secret", "ws://secret", "http://"] {
        let error: RpcError = Rpc::new(bad, QUICK).err().unwrap();
        assert_eq!(error.fault, RpcFault::BadUrl);
        assert!(!error.to_string().contains("secret"));
    }
}

#[test]
fn a_call_from_within_a_runtime_is_refused_instead_of_stopping_it() {
    let proxy = height_7();
    let rpc = rpc(&proxy);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let fault = runtime.block_on(async { rpc.height() }).unwrap_err().fault;
    assert_eq!(fault, RpcFault::InsideRuntime);
}
