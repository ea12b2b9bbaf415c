//! Feeds over days.

#![allow(clippy::unwrap_used)]

use super::*;

fn item(id: &str, title: &str) -> Item {
    Item { title: title.into(), link: format!("https://t.example/{id}.torrent"), id: id.into() }
}

fn items(list: &[(&str, &str)]) -> Answer {
    let items = list.iter().map(|(id, title)| item(id, title)).collect();
    Answer::Items { items, etag: Some("v1".into()), modified: None }
}

fn with_rule(rule: Rule) -> Feeds {
    let mut feeds = Feeds::default();
    feeds.set_feed("all", "https://t.example/rss?passkey=s", 30).unwrap();
    feeds.set_rule("r", rule).unwrap();
    feeds
}

fn wants(words: &str) -> Rule {
    Rule { wants: words.into(), ..Rule::default() }
}

#[test]
fn each_item_is_given_once_however_often_the_feed_shows_it() {
    let mut feeds = with_rule(wants("linux"));
    let list = [("1", "Linux 1"), ("2", "BSD"), ("3", "Linux 2")];
    let given = feeds.answered("all", items(&list), 100);
    assert_eq!(
        given.iter().map(|it| it.title.as_str()).collect::<Vec<_>>(),
        ["Linux 1", "Linux 2"]
    );
    assert!(feeds.answered("all", items(&list), 2_000).is_empty());
    let list = [("4", "Linux 3"), ("1", "Linux 1")];
    assert_eq!(feeds.answered("all", items(&list), 4_000).len(), 1);
}

#[test]
fn what_was_seen_survives_being_written_down() {
    let mut feeds = with_rule(Rule { pause_days: 1, ..wants("a") });
    assert_eq!(feeds.answered("all", items(&[("1", "a")]), 100).len(), 1);
    let text = serde_json::to_string(&feeds).unwrap();
    let mut read: Feeds = serde_json::from_str(&text).unwrap();
    assert!(
        read.answered("all", items(&[("1", "a"), ("2", "a")]), 100 + DAY - 1).is_empty(),
        "it pauses"
    );
    assert_eq!(read.answered("all", items(&[("3", "a")]), 100 + DAY).len(), 1);
    assert_eq!(read.rules().next().unwrap().1.pause_days, 1);
}

#[test]
fn a_feed_is_due_after_its_interval_and_later_and_later_after_failures() {
    let mut feeds = with_rule(wants("a"));
    assert_eq!(feeds.due(0).count(), 1, "a new feed is due at once");
    feeds.answered("all", items(&[]), 1_000);
    assert_eq!(feeds.next_due(), Some(1_000 + 30 * 60));
    assert_eq!(feeds.due(1_000 + 30 * 60 - 1).count(), 0);
    let mut last = 0;
    for failure in 1..20_u64 {
        feeds.answered("all", Answer::Failed("gone".into()), failure * 1_000_000);
        let pause = feeds.next_due().unwrap() - failure * 1_000_000;
        assert!(pause >= last && pause <= BACKOFF_MAX, "{pause}");
        last = pause;
    }
    assert_eq!(last, BACKOFF_MAX);
    assert_eq!(feeds.feeds()["all"].error.as_deref(), Some("gone"));
    feeds.answered("all", Answer::Unchanged, 30_000_000);
    assert_eq!((feeds.feeds()["all"].error.as_deref(), feeds.feeds()["all"].failures), (None, 0));
    feeds.refresh("all").unwrap();
    assert_eq!(feeds.due(30_000_000).count(), 1);
}

#[test]
fn a_rule_looks_at_its_feeds_alone_and_one_that_is_off_at_none() {
    let mut feeds = with_rule(Rule { feeds: ["other".into()].into(), ..wants("a") });
    feeds.set_feed("other", "http://o.example/", 10).unwrap();
    assert!(feeds.answered("all", items(&[("1", "a")]), 1).is_empty());
    assert_eq!(feeds.answered("other", items(&[("1", "a")]), 1)[0].rule, "r");
    feeds.set_rule("r", Rule { is_off: true, ..wants("a") }).unwrap();
    assert!(feeds.answered("all", items(&[("2", "a")]), 2).is_empty());
    assert_eq!(feeds.preview(&wants("a")).unwrap().len(), 2, "a preview asks no rule of the list");
}

#[test]
fn a_link_that_cannot_be_had_is_given_again_a_few_times() {
    let mut feeds = with_rule(wants("a"));
    let mut given = 0;
    for look in 0..10 {
        for wanted in feeds.answered("all", items(&[("1", "a")]), look) {
            feeds.failed(&wanted);
            given += 1;
        }
    }
    assert_eq!(given, TRIES_MAX);
}

#[test]
fn memory_of_what_was_seen_is_bounded() {
    let mut feeds = with_rule(wants("nothing"));
    for round in 0..5 {
        let many: Vec<_> = (0..2_000).map(|n| item(&format!("{round}-{n}"), "x")).collect();
        feeds.answered("all", Answer::Items { items: many, etag: None, modified: None }, round);
    }
    assert_eq!(feeds.feeds()["all"].seen.len(), SEEN_MAX);
}

#[test]
fn changes_that_make_no_sense_are_refused_and_change_nothing() {
    let mut feeds = with_rule(wants("a"));
    assert_eq!(feeds.set_feed("x", "ftp://t.example", 1), Err(FeedError::Address));
    assert!(matches!(feeds.set_feed("", "http://t.example", 1), Err(FeedError::Name(_))));
    assert!(matches!(feeds.set_rule("a\nb", wants("a")), Err(FeedError::Name(_))));
    assert!(matches!(feeds.remove_feed("none"), Err(FeedError::Unknown("feed", _))));
    assert!(matches!(feeds.remove_rule("none"), Err(FeedError::Unknown("rule", _))));
    let bad = Rule { wants: "(".into(), is_regex: true, ..Rule::default() };
    assert!(matches!(feeds.set_rule("r", bad), Err(FeedError::Rule(_))));
    assert_eq!(feeds.rules().next().unwrap().1.wants, "a");
    for number in feeds.feeds().len()..FEEDS_MAX {
        feeds.set_feed(&number.to_string(), "http://t.example", 1).unwrap();
    }
    assert_eq!(feeds.set_feed("more", "http://t.example", 1), Err(FeedError::Full(FEEDS_MAX)));
}
