//! What servers of files are shown.
#![allow(missing_docs, clippy::unwrap_used)]

use piecework_net::{Binding, Cookie, fetch_as};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};

/// Answers one request, and gives its header.
fn server(answer: String) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
        let header = lines.take_while(|line| !line.is_empty()).collect();
        stream.write_all(answer.as_bytes()).unwrap();
        header
    };
    (address, thread::spawn(serve))
}

fn cookies(header: &[String]) -> Vec<&String> {
    header.iter().filter(|line| line.to_ascii_lowercase().starts_with("cookie:")).collect()
}

#[test]
fn a_cookie_is_shown_to_the_server_that_was_named_and_to_no_other() {
    let file = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nfile";
    let (other, second) = server(file.to_owned());
    let (named, first) = server(format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{other}/file\r\ncontent-length: 0\r\n\r\n"
    ));
    let cookie = Cookie::new(" uid=1; pass=secret ").unwrap();
    let url = format!("http://{named}/file");
    let bytes = fetch_as(&url, 10, &Binding::default(), Some(&cookie)).unwrap();
    assert_eq!(bytes, b"file");
    assert_eq!(cookies(&first.join().unwrap()), ["cookie: uid=1; pass=secret"]);
    assert_eq!(cookies(&second.join().unwrap()), [""; 0]);
}

#[test]
fn a_cookie_is_not_shown_to_people_and_what_cannot_be_one_is_refused() {
    assert_eq!(format!("{:?}", Cookie::new("pass=secret").unwrap()), "Cookie(..)");
    assert_eq!(Cookie::new("a\r\nhost: elsewhere"), None);
    assert_eq!(Cookie::new("  "), None);
    assert_eq!(Cookie::new(&"x".repeat(5_000)), None);
}
