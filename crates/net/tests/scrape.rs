//! Scrapes over HTTP and UDP, and trackers that refuse, lie or cannot.

#![allow(clippy::unwrap_used)]

use piecework_net::{AnnounceError, Binding, ScrapeJob, Scraped, TrackerClient, TrackerDns};
use piecework_testkit::{FakeTracker, PATIENCE, TrackerAnswer};
use piecework_tracker::{SCRAPE_MAX, ScrapeCounts, TrackerFault};
use piecework_types::InfoHash;
use std::sync::mpsc;

const START: [fn(TrackerAnswer) -> FakeTracker; 2] = [FakeTracker::http, FakeTracker::udp];

fn scrape(url: &str, info_hashes: Vec<InfoHash>) -> Scraped {
    let client = TrackerClient::start(7, Binding::default(), TrackerDns::Off).unwrap();
    let (sender, receiver) = mpsc::channel();
    let reply = Box::new(move |counts| sender.send(counts).unwrap());
    client.scrape(ScrapeJob { url: url.parse().unwrap(), info_hashes, reply });
    receiver.recv_timeout(PATIENCE).expect("an answer")
}

fn hash(number: u32) -> InfoHash {
    let mut hash = [0xfe; 20];
    hash[16..].copy_from_slice(&number.to_be_bytes());
    InfoHash(hash)
}

const fn counts(number: u32) -> ScrapeCounts {
    ScrapeCounts { complete: number, downloaded: 2 * number, incomplete: 3 * number }
}

const fn willing() -> TrackerAnswer {
    TrackerAnswer::Peers(Vec::new(), 1800)
}

#[test]
fn several_torrents_are_scraped_in_one_question_and_answered_in_its_order() {
    for start in START {
        let tracker = start(willing());
        (1..=3).for_each(|number| tracker.set_counts(hash(number), counts(number)));
        let asked = vec![hash(2), hash(3), hash(1)];
        let expected = [2, 3, 1].map(|number| Some(counts(number)));
        assert_eq!(scrape(tracker.url(), asked.clone()).unwrap(), expected);
        assert_eq!(tracker.scrapes(), [asked]);
        assert_eq!(tracker.announces(), [], "a scrape announces nothing");
    }
}

#[test]
fn more_torrents_than_one_question_may_name_are_asked_for_in_turns() {
    for start in START {
        let tracker = start(willing());
        let asked: Vec<_> = (1..=SCRAPE_MAX as u32 + 1).map(hash).collect();
        (1..).zip(&asked).for_each(|(number, hash)| tracker.set_counts(*hash, counts(number)));
        let told = scrape(tracker.url(), asked.clone()).unwrap();
        assert_eq!(told, (1..).take(asked.len()).map(|of| Some(counts(of))).collect::<Vec<_>>());
        let questions: Vec<_> = tracker.scrapes().iter().map(Vec::len).collect();
        assert_eq!(questions, [SCRAPE_MAX, 1]);
    }
}

#[test]
fn a_torrent_that_the_tracker_does_not_know_has_no_counts_over_http_and_zeros_over_udp() {
    let told = START.map(|start| scrape(start(willing()).url(), vec![hash(1)]).unwrap());
    assert_eq!(told, [vec![None], vec![Some(ScrapeCounts::default())]]);
}

#[test]
fn a_refusal_is_told_in_the_words_of_the_tracker() {
    for start in START {
        let tracker = start(TrackerAnswer::Failure("members only".into()));
        let told = scrape(tracker.url(), vec![hash(1)]).unwrap_err();
        assert_eq!(told.to_string(), "tracker refuses: members only");
    }
}

#[test]
fn noise_is_no_answer() {
    let tracker = FakeTracker::http(TrackerAnswer::Noise);
    assert!(matches!(scrape(tracker.url(), vec![hash(1)]), Err(AnnounceError::Transport(_))));
}

#[test]
fn an_address_without_announce_is_not_asked() {
    let tracker = FakeTracker::http(willing());
    let url = tracker.url().replace("announce", "other");
    let told = scrape(&url, vec![hash(1)]);
    assert!(matches!(told, Err(AnnounceError::Tracker(TrackerFault::NoScrape))), "{told:?}");
    assert_eq!(tracker.scrapes(), [[InfoHash([0; 20]); 0]; 0]);
}
