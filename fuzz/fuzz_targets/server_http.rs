//! Targets of GETs that a tracker of ours is sent, one a line. No answer is torn, and the bounds hold.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_tracker::http::{announce_url, decode_announce};
use piecework_tracker::server::{Admission, HttpQuery, ServerConfig, TrackerServer, decode_query};
use piecework_tracker::{PEERS_WANTED, SCRAPE_MAX, TrackerFault, TrackerUrl};
use piecework_types::{Rng, Time};
use std::net::{Ipv4Addr, SocketAddr};

fuzz_target!(|bytes: &[u8]| {
    let config = ServerConfig::new(Admission::Open);
    let mut server = TrackerServer::new(config, [1; 32], Rng::new(1));
    for (target, number) in bytes.split(|&byte| byte == b'\n').zip(0..=u8::MAX) {
        check(target);
        let from = SocketAddr::from((Ipv4Addr::new(10, 0, 0, number), 9));
        let answer = server.answer_http(from, target, Time::from_micros(u64::from(number) << 24));
        if answer.status == 200 && !target.starts_with(b"/scrape") {
            match decode_announce(&answer.body) {
                Ok(answer) => assert!(answer.peers.len() <= PEERS_WANTED as usize),
                Err(TrackerFault::Refused { .. }) => {}
                Err(fault) => panic!("{fault}"),
            }
        }
        assert!(server.figures().peers <= usize::from(number) + 1);
    }
});

/// What was understood means the same when our client says it.
fn check(target: &[u8]) {
    match decode_query(target) {
        Ok(HttpQuery::Announce(read)) => {
            let base: TrackerUrl = "http://t/announce".parse().expect("an address");
            let url = announce_url(&base, &read.announce);
            let again = decode_query(&url.as_bytes()["http://t".len()..]);
            let Ok(HttpQuery::Announce(again)) = again else { panic!("{url}") };
            let amounts = |a: &piecework_tracker::Announce| (a.uploaded, a.downloaded);
            assert_eq!(amounts(&again.announce), amounts(&read.announce));
            assert_eq!(again.announce, read.announce);
        }
        Ok(HttpQuery::Scrape(hashes)) => assert!((1..=SCRAPE_MAX).contains(&hashes.len())),
        Err(_) => {}
    }
}
