//! Trackers' hosts that say in the DNS what they run, and DNS servers that fail.

#![allow(clippy::unwrap_used)]

use piecework_net::{AnnounceError, Binding, ScrapeJob, Scraped, TrackerClient, TrackerDns};
use piecework_testkit::{DnsAnswer, FakeDns, FakeTracker, PATIENCE, TrackerAnswer};
use piecework_tracker::ScrapeCounts;
use piecework_types::InfoHash;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc;

const INFO_HASH: InfoHash = InfoHash([b'h'; 20]);

fn client(dns: &FakeDns) -> TrackerClient {
    let servers = TrackerDns::Servers(vec![dns.address()]);
    TrackerClient::start(7, Binding::default(), servers).unwrap()
}

fn scrape(client: &TrackerClient, url: &str) -> Scraped {
    let (sender, receiver) = mpsc::channel();
    let reply = Box::new(move |counts| sender.send(counts).unwrap());
    client.scrape(ScrapeJob { url: url.parse().unwrap(), info_hashes: vec![INFO_HASH], reply });
    receiver.recv_timeout(PATIENCE).expect("an answer")
}

/// A tracker that knows so many seeds, and its port.
fn tracker(start: fn(TrackerAnswer) -> FakeTracker, seeds: u32) -> (FakeTracker, u16) {
    let tracker = start(TrackerAnswer::Peers(Vec::new(), 1800));
    tracker.set_counts(INFO_HASH, ScrapeCounts { complete: seeds, downloaded: 0, incomplete: 0 });
    let port = tracker.url().trim_end_matches("/announce").rsplit(':').next().unwrap();
    let port = port.parse().unwrap();
    (tracker, port)
}

fn seeds(told: &Scraped) -> u32 {
    told.as_ref().unwrap()[0].unwrap().complete
}

fn texts(record: &str) -> Vec<String> {
    vec!["v=spf1 -all".to_owned(), record.to_owned()]
}

#[test]
fn a_host_that_denies_is_not_asked_and_one_that_says_nothing_is() {
    let dns = FakeDns::start(DnsAnswer::Texts(texts("BITTORRENT DENY ALL")));
    let (tracker, port) = tracker(FakeTracker::http, 3);
    let url = format!("http://localhost:{port}/announce");
    let told = scrape(&client(&dns), &url);
    assert!(
        matches!(&told, Err(AnnounceError::Transport(text)) if text.contains("BEP 34")),
        "{told:?}"
    );
    assert_eq!(tracker.scrapes().len(), 0);
    assert_eq!(dns.questions(), ["localhost"]);
    for answer in [DnsAnswer::Texts(Vec::new()), DnsAnswer::Texts(texts("bittorrent DENY ALL"))] {
        dns.set_answer(answer);
        assert_eq!(seeds(&scrape(&client(&dns), &url)), 3);
    }
}

#[test]
fn the_order_of_the_record_decides_protocol_and_port_and_a_dead_place_is_passed_over() {
    let dns = FakeDns::start(DnsAnswer::Silence);
    let (_http, http_port) = tracker(FakeTracker::http, 1);
    let (_udp, udp_port) = tracker(FakeTracker::udp, 2);
    // Nobody listens there.
    let dead_port = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    for (record, expected) in [
        (format!("BITTORRENT UDP:{udp_port} TCP:{http_port}"), 2),
        (format!("BITTORRENT TCP:{http_port} UDP:{udp_port}"), 1),
        (format!("BITTORRENT TCP:{dead_port} UDP:{udp_port}"), 2),
    ] {
        dns.set_answer(DnsAnswer::Texts(texts(&record)));
        for scheme in ["http", "udp"] {
            let told = scrape(&client(&dns), &format!("{scheme}://localhost:{dead_port}/announce"));
            assert_eq!(seeds(&told), expected, "{record} for {scheme}");
        }
    }
}

#[test]
fn a_long_record_comes_over_tcp_and_a_forged_packet_is_passed_over() {
    let (_tracker, port) = tracker(FakeTracker::udp, 5);
    let record = format!("BITTORRENT {}UDP:{port}", "x".repeat(300) + " ");
    for answer in [DnsAnswer::Long(texts(&record)), DnsAnswer::Forged(texts(&record))] {
        let dns = FakeDns::start(answer);
        assert_eq!(seeds(&scrape(&client(&dns), "http://localhost:1/announce")), 5);
    }
}

#[test]
fn a_dns_that_fails_changes_nothing_and_its_answer_is_remembered() {
    let (_tracker, port) = tracker(FakeTracker::http, 4);
    let url = format!("http://localhost:{port}/announce");
    let dns = FakeDns::start(DnsAnswer::Failure);
    let client = client(&dns);
    assert_eq!(seeds(&scrape(&client, &url)), 4);
    let asked = dns.questions().len();
    dns.set_answer(DnsAnswer::Texts(texts("BITTORRENT")));
    assert_eq!(seeds(&scrape(&client, &url)), 4);
    assert_eq!(dns.questions().len(), asked, "it is not asked again at once");
}

#[test]
fn nobody_is_asked_about_an_address_without_a_name_or_against_the_users_will() {
    let (_tracker, port) = tracker(FakeTracker::http, 6);
    let dns = FakeDns::start(DnsAnswer::Texts(texts("BITTORRENT")));
    assert_eq!(seeds(&scrape(&client(&dns), &format!("http://127.0.0.1:{port}/announce"))), 6);
    let off = TrackerClient::start(7, Binding::default(), TrackerDns::Off).unwrap();
    assert_eq!(seeds(&scrape(&off, &format!("http://localhost:{port}/announce"))), 6);
    assert_eq!(dns.questions(), [""; 0]);
}
