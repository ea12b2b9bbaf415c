//! What is over a limit, or not for everybody, and what it gets.

use crate::client::{Http, Socket, connect, error_of, frame, request};
use crate::node::Node;
use piecework_rpc::{Server, Settings};
use serde_json::json;
use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Duration;

#[test]
fn a_request_under_a_foreign_name_is_refused() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    let body = request(1, "eth_chainId", &json!([])).to_string();
    let content = "Content-Type: application/json";
    let answer = http.send(&["Host: evil.example:8545", content], &body);
    assert_eq!(answer.status, 403);
    assert!(answer.body.starts_with("invalid host specified"), "{}", answer.body);
    let answer = http.send(&["Host: localhost", "Origin: https://evil.example", content], &body);
    assert_eq!((answer.status, &answer.body[..18]), (403, "origin not allowed"));
    let answer = http.send(&["Host: localhost", content], &body);
    assert_eq!(answer.status, 200);
    assert!(!answer.head.to_ascii_lowercase().contains("access-control"), "{}", answer.head);
    let foreign = ["Host: localhost", "Origin: http://evil.example"];
    assert!(Socket::upgrade(node.address(), &foreign).0.starts_with("HTTP/1.1 403 "));
}

#[test]
fn a_name_that_was_set_is_answered_to() {
    let hosts = vec!["chain.example".to_owned()];
    let node = Node::with(Settings { hosts, ..Node::settings() });
    let body = request(1, "eth_chainId", &json!([])).to_string();
    let headers = ["Host: Chain.Example:8545", "Content-Type: application/json"];
    assert_eq!(Http::new(node.address()).send(&headers, &body).status, 200);
}

#[test]
fn what_is_no_json_rpc_gets_the_error_of_its_kind() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    assert_eq!(error_of(&http.post("{").json()).0, -32700);
    assert_eq!(error_of(&http.post(r#"{"id":1}"#).json()).0, -32600);
    assert_eq!(error_of(&http.post("[]").json()).0, -32600);
    let plain = http.send(&["Host: localhost", "Content-Type: text/plain"], "{}");
    assert_eq!(plain.status, 415);
    http.raw(b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n");
    assert_eq!(http.receive().status, 405);
    let (code, text) = http.fail("debug_traceTransaction", &json!([]));
    assert_eq!(code, -32601);
    assert_eq!(text, "the method debug_traceTransaction does not exist/is not available");
    let (code, text) = http.fail("eth_getBalance", &json!(["0x12"]));
    assert_eq!((code, &text[..20]), (-32602, "invalid argument 0: "));
    let (code, text) = http.fail("eth_subscribe", &json!(["newHeads"]));
    assert!(code == -32000 && text.contains("WebSocket"), "{code} {text}");
    // Nobody asked for an answer, so nothing is done; the connection goes on.
    let note = r#"{"jsonrpc":"2.0","method":"eth_chainId","params":[]}"#;
    assert_eq!(http.post(note).body, "null");
    http.call("eth_chainId", &json!([]));
}

#[test]
fn bodies_and_batches_have_a_limit_and_the_error_names_it() {
    let settings = Settings { batch_max: 3, request_bytes_max: 2000, ..Node::settings() };
    let node = Node::with(settings);
    let mut http = Http::new(node.address());
    let one = ("eth_chainId", json!([]));
    assert_eq!(http.batch(&vec![one.clone(); 3]).as_array().unwrap().len(), 3);
    let refused = http.batch(&vec![one; 4]);
    assert_eq!(error_of(&refused).0, -32010);
    assert!(refused["error"]["data"].to_string().contains("limit of 3"), "{refused}");
    let long = "0".repeat(2000);
    let answer = http.post(&request(1, "eth_call", &json!([long])).to_string());
    assert_eq!((answer.status, error_of(&answer.json()).0), (413, -32007));
    let mut socket = Socket::new(node.address());
    socket.send("eth_call", &json!([long]));
    assert_eq!(error_of(&socket.next()).0, -32007);
}

#[test]
fn an_answer_over_the_limit_is_an_error() {
    let node = Node::with(Settings { answer_bytes_max: 600, ..Node::settings() });
    let mut http = Http::new(node.address());
    http.call("eth_chainId", &json!([]));
    let answer = http.answer("eth_getBlockByNumber", &json!(["latest", false]));
    assert_eq!(error_of(&answer).0, -32008);
}

#[test]
fn one_connection_too_many_is_told_why_and_a_place_that_is_left_is_given_again() {
    let node = Node::with(Settings { connections_max: 2, ..Node::settings() });
    let mut first = Http::new(node.address());
    first.call("eth_chainId", &json!([]));
    let mut second = Socket::new(node.address());
    second.call("eth_chainId", &json!([]));
    let mut refused = Http::new(node.address());
    let answer = refused.post(&request(1, "eth_chainId", &json!([])).to_string());
    assert_eq!(answer.status, 503);
    let (code, text) = error_of(&answer.json());
    assert!(code == -32005 && text.starts_with("too many connections"), "{code} {text}");
    drop(first);
    // When the server notices is its own affair; that it does is not.
    let is_let_in = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        let mut again = Http::new(node.address());
        again.post(&request(1, "eth_chainId", &json!([])).to_string()).status == 200
    });
    assert!(is_let_in);
}

#[test]
fn a_public_server_keeps_nothing_for_strangers() {
    let node = Node::with(Settings { is_public: true, ..Node::settings() });
    let mut http = Http::new(node.address());
    http.call("eth_getBalance", &json!([Node::address_of(0), "latest"]));
    node.send(&mut http, 0, |wish| wish.value = 1);
    let filters = ["eth_newFilter", "eth_newBlockFilter", "eth_newPendingTransactionFilter"];
    for method in filters {
        assert_eq!(http.fail(method, &json!([])).0, -32601, "{method}");
    }
}

#[test]
fn who_does_not_read_is_not_read_from_and_others_are_served() {
    let node = Node::start();
    let mut deaf = Socket::new(node.address());
    let ask = frame(&request(1, "eth_getBlockByNumber", &json!(["latest", true])).to_string());
    let many = ask.repeat(64);
    let timeout = Some(Duration::from_millis(500));
    deaf.stream().set_write_timeout(timeout).unwrap();
    // 256 MiB of questions: more than all buffers on the way hold.
    let blocked = (0..(256 << 20) / many.len()).find_map(|_| deaf.stream().write_all(&many).err());
    let kind = blocked.expect("the server must stop reading").kind();
    assert!(matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{kind}");
    Http::new(node.address()).call("eth_blockNumber", &json!([]));
}

#[test]
fn a_client_that_sends_half_a_request_holds_nobody_up() {
    let node = Node::start();
    let mut slow = connect(node.address());
    slow.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Le").unwrap();
    Http::new(node.address()).call("eth_blockNumber", &json!([]));
    slow.write_all(b"ngth: 0\r\n\r\n").unwrap();
    assert!(slow.read(&mut [0; 100]).unwrap() > 0);
}

#[test]
fn transactions_of_a_batch_are_answered_in_its_order() {
    let node = Node::start();
    let mut http = Http::new(node.address());
    let sent = |nonce| json!([node.signed(0, nonce, |wish| wish.value = 1)]);
    let answers = http.batch(&[
        ("eth_sendRawTransaction", sent(0)),
        ("eth_sendRawTransaction", json!(["0x01"])),
        ("eth_sendRawTransaction", sent(1)),
        ("eth_chainId", json!([])),
        ("eth_sendRawTransaction", sent(2)),
        ("no_such", json!([])),
    ]);
    let answers = answers.as_array().unwrap();
    let ids: Vec<_> = answers.iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [0, 1, 2, 3, 4, 5]);
    let is_error: Vec<_> = answers.iter().map(|answer| answer.get("error").is_some()).collect();
    assert_eq!(is_error, [false, true, false, false, false, true]);
    let last = answers[4]["result"].clone();
    assert_eq!(node.receipt(&mut http, &last)["status"], "0x1");
    assert_eq!(http.call("eth_getTransactionCount", &json!([Node::address_of(0)])), "0x3");
}

#[test]
fn a_server_whose_port_is_taken_says_so() {
    let node = Node::start();
    let settings = Settings { listen: node.address(), ..Node::settings() };
    let error = Server::start(node.chain(), settings).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen at {}", node.address())), "{error}");
}

#[test]
fn free_transactions_are_not_offered_beyond_this_machine_by_accident() {
    let node = Node::start();
    let listen = "0.0.0.0:0".parse().unwrap();
    let settings = Settings { listen, ..Node::settings() };
    let error = Server::start(node.chain(), settings.clone()).unwrap_err().to_string();
    assert!(error.contains("--open-free"), "{error}");
    let settings = Settings { is_free_for_all: true, ..settings };
    let server = Server::start(node.chain(), settings).unwrap();
    assert_ne!(server.address().port(), 0);
}
