//! Feeds over a real web server: what a rule wants is added once, and what cannot be had is tried again.

#![allow(clippy::unwrap_used)]

use crate::common::{Node, wait};
use piecework_feeds::Rule;
use piecework_testkit::FixtureBuilder;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server of some paths, that counts what it is asked. It ends with the process.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(pages: impl Fn(SocketAddr, &str) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let first = lines.next().unwrap_or_default();
                let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                let knows =
                    headers.iter().any(|line| line.eq_ignore_ascii_case("if-none-match: \"1\""));
                log.lock().unwrap().push(format!("{path}{}", if knows { " again" } else { "" }));
                let answer = match pages(address, &path) {
                    _ if knows => {
                        b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_vec()
                    }
                    Some(body) => {
                        let head = format!(
                            "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {}\r\n\
                             Connection: close\r\n\r\n",
                            body.len()
                        );
                        [head.into_bytes(), body].concat()
                    }
                    None => {
                        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                            .to_vec()
                    }
                };
                drop((&stream).write_all(&answer));
            }
        });
        Self { address, asked }
    }

    fn asked(&self, what: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == what).count()
    }
}

fn feed_of(title: &str, link: &str) -> Vec<u8> {
    let item = format!("<item><title>{title}</title><enclosure url='{link}'/></item>");
    let other = "<item><title>other</title><link>http://x.example/</link></item>";
    format!("<rss><channel>{item}{other}</channel></rss>").into_bytes()
}

#[test]
fn what_a_rule_wants_is_added_as_it_says_and_once_although_the_daemon_restarts() {
    let fixture = FixtureBuilder::file("film", 100_000).build();
    let torrent = fixture.torrent().to_vec();
    let server = Server::start(move |address, path| match path {
        "/rss?passkey=secret" | "/moved" => {
            Some(feed_of("A film 2026", &format!("http://{address}/film.torrent")))
        }
        "/film.torrent" => Some(torrent.clone()),
        _ => None,
    });
    let mut node = Node::start();
    let rule = Rule {
        wants: "film 20??".into(),
        tags: ["fed".into()].into(),
        adds_stopped: true,
        ..Rule::default()
    };
    wait(node.handle().change_feeds(move |feeds| feeds.set_rule("films", rule))).unwrap();
    let url = format!("http://{}/rss?passkey=secret", server.address);
    wait(node.handle().change_feeds(move |feeds| feeds.set_feed("all", &url, 10))).unwrap();
    let told = node.wait_news("feed_taken");
    assert!(told.contains("A film 2026") && !told.contains("secret"), "{told}");
    let record = node.record(fixture.info_hash());
    assert!(record.is_stopped && record.tags.contains("fed"));
    assert_eq!(node.handle().catalog().torrents().len(), 1, "the rule wants no other");

    node.stop();
    node.go_on();
    assert_eq!(node.handle().feeds(|feeds| feeds.feeds().len()), 1);
    wait(node.handle().change_feeds(|feeds| feeds.refresh("all"))).unwrap();
    crate::common::until("the feed is asked again", || {
        server.asked("/rss?passkey=secret again") == 1
    });
    // Under another address all of it is shown again: only what was seen tells.
    let moved = format!("http://{}/moved", server.address);
    wait(node.handle().change_feeds(move |feeds| feeds.set_feed("all", &moved, 10))).unwrap();
    crate::common::until("the feed is read again", || {
        node.handle().feeds(|feeds| feeds.feeds()["all"].items.len() == 2)
    });
    // One after the other: once it is asked again, what the last answer led to is done.
    wait(node.handle().change_feeds(|feeds| feeds.refresh("all"))).unwrap();
    crate::common::until("the feed is asked again", || server.asked("/moved again") == 1);
    assert_eq!(server.asked("/film.torrent"), 1, "what was taken is not taken again");
    node.stop();
}

#[test]
fn what_feeds_bring_is_stopped_where_new_torrents_are() {
    let fixture = FixtureBuilder::file("film", 100_000).build();
    let torrent = fixture.torrent().to_vec();
    let server = Server::start(move |address, path| match path {
        "/rss" => Some(feed_of("A film", &format!("http://{address}/film.torrent"))),
        "/film.torrent" => Some(torrent.clone()),
        _ => None,
    });
    let mut node = Node::start();
    wait(node.handle().set(vec![("torrents.add_stopped".into(), "true".into())])).unwrap();
    let rule = Rule { wants: "film".into(), ..Rule::default() };
    wait(node.handle().change_feeds(move |feeds| feeds.set_rule("films", rule))).unwrap();
    let url = format!("http://{}/rss", server.address);
    wait(node.handle().change_feeds(move |feeds| feeds.set_feed("all", &url, 10))).unwrap();
    node.wait_news("feed_taken");
    assert!(node.record(fixture.info_hash()).is_stopped);
    node.stop();
}

#[test]
fn a_feed_that_is_none_is_told_once_without_its_address() {
    let server = Server::start(|_, _| Some(b"<html></html>".to_vec()));
    let mut node = Node::start();
    let url = format!("http://{}/key", server.address);
    wait(node.handle().change_feeds(move |feeds| feeds.set_feed("odd", &url, 10))).unwrap();
    let told = node.wait_news("feed_failed");
    assert!(told.contains("<html>") && !told.contains("/key"), "{told}");
    assert!(node.handle().feeds(|feeds| feeds.feeds()["odd"].error.is_some()));
    node.stop();
}
