//! `piecework show --scrape` over HTTP and UDP, as text and as JSON, and trackers that do not answer.

use piecework_testkit::{FakeTracker, FixtureBuilder, Run, Sandbox, TrackerAnswer};
use piecework_tracker::ScrapeCounts;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");
const COUNTS: ScrapeCounts = ScrapeCounts { complete: 5, downloaded: 70, incomplete: 3 };

/// What `show` writes about a torrent with these trackers.
fn show(trackers: &[&FakeTracker], arguments: &[&str]) -> Vec<String> {
    let builder = FixtureBuilder::file("payload", 1000);
    let builder = trackers.iter().fold(builder, |builder, it| builder.tracker(it.url()));
    let (fixture, sandbox) = (builder.build(), Sandbox::new(BINARY));
    trackers.iter().for_each(|tracker| tracker.set_counts(fixture.info_hash(), COUNTS));
    let mut command = sandbox.command(["show"]);
    command.args(arguments).arg(sandbox.torrent(&fixture));
    let mut run = Run::start(command);
    assert_eq!(run.wait(), 0, "{}", run.stderr());
    run.stdout()
}

fn willing() -> TrackerAnswer {
    TrackerAnswer::Peers(Vec::new(), 1800)
}

#[test]
fn the_counts_of_each_tracker_are_shown_and_a_refusal_in_its_words() {
    let (http, udp) = (FakeTracker::http(willing()), FakeTracker::udp(willing()));
    let closed = FakeTracker::http(TrackerAnswer::Failure("members only".into()));
    let shown = show(&[&http, &udp, &closed], &["--scrape"]);
    let lines: Vec<_> = shown.iter().filter(|line| line.contains("  5 seeds")).collect();
    assert_eq!(lines.len(), 2, "{shown:#?}");
    for (line, tracker) in lines.iter().zip([&http, &udp]) {
        assert!(line.contains(tracker.url()), "{line}");
        assert!(line.contains("5 seeds, 3 leechers, 70 downloads"), "{line}");
    }
    let refusal = format!("{}  tracker refuses: members only", closed.url());
    assert!(shown.iter().any(|line| line.contains(&refusal)), "{shown:#?}");
}

#[test]
fn under_json_the_counts_are_part_of_the_one_object() {
    let tracker = FakeTracker::udp(willing());
    let shown = show(&[&tracker], &["--scrape", "--json"]);
    assert_eq!(shown.len(), 1);
    let object: Value = serde_json::from_str(&shown[0]).expect("an object");
    let scraped = json!([{
        "tracker": tracker.url(),
        "info_hash": object["info_hash"],
        "seeds": 5,
        "leechers": 3,
        "downloads": 70,
        "error": null,
    }]);
    assert_eq!(object["scrape"], scraped);
}

#[test]
fn without_the_flag_no_tracker_is_contacted() {
    let tracker = FakeTracker::http(willing());
    let shown = show(&[&tracker], &["--json"]);
    let object: Value = serde_json::from_str(&shown[0]).expect("an object");
    assert_eq!(object.get("scrape"), None);
    assert_eq!((tracker.scrapes().len(), tracker.announces().len()), (0, 0));
}
