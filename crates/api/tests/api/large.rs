//! Answers that are long: packed, and in pages.

use crate::door::{Door, fixture};
use piecework_metainfo::Version;
use piecework_testkit::{FixtureBuilder, PATIENCE};
use reqwest::Method;
use serde_json::Value;
use std::time::Instant;

/// Files, each with padding behind it.
const FILES: usize = 300;

async fn many(door: &Door) -> String {
    let folder = FixtureBuilder::folder("many").version(Version::Hybrid);
    let with = |folder: FixtureBuilder, number| folder.with(&format!("part-{number:03}"), 10_000);
    door.add(&(0..FILES).fold(folder, with).build()).await
}

#[tokio::test]
async fn the_files_of_a_torrent_come_in_pages_that_are_all_of_them_together() {
    let door = Door::open().await;
    let path = format!("/torrents/{}/files", many(&door).await);
    let whole = door.get(&path).await.1.as_array().unwrap().clone();
    let numbers: Vec<u64> = whole.iter().filter_map(|file| file["index"].as_u64()).collect();
    assert_eq!((numbers.len(), &numbers[..3]), (FILES, &[0, 2, 4][..]), "padding has numbers too");
    let mut pages: Vec<Value> = Vec::new();
    loop {
        let (status, page) = door.get(&format!("{path}?limit=128&offset={}", pages.len())).await;
        assert_eq!(status, 200, "{page}");
        let page = page.as_array().unwrap();
        pages.extend(page.iter().cloned());
        if page.len() < 128 {
            break;
        }
    }
    assert_eq!(pages, whole);
    let rest = format!("{path}?offset={}", FILES - 1);
    assert_eq!(door.get(&rest).await.1.as_array().map(Vec::len), Some(1));
    let behind = format!("{path}?offset=400000&limit=1");
    assert_eq!(door.get(&behind).await, (200, Value::Array(vec![])));
    for (wrong, status) in [
        ("limit=0", 422),
        ("limit=-1", 400),
        ("offset=400001", 422),
        ("offset=4294967296", 400),
        ("page=1", 400),
    ] {
        assert_eq!(door.get(&format!("{path}?{wrong}")).await.0, status, "{wrong}");
    }
}

#[tokio::test]
async fn a_long_answer_is_packed_for_who_takes_it_and_tells_the_same() {
    let door = Door::open().await;
    let id = many(&door).await;
    let path = format!("/torrents/{id}/files");
    // One that undoes nothing.
    let client = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let ask = |encoding: &'static str| {
        let request = door.request(Method::GET, &path).header("accept-encoding", encoding);
        client.execute(request.build().unwrap())
    };
    let plain = ask("identity").await.unwrap();
    assert!(!plain.headers().contains_key("content-encoding"));
    let plain = plain.bytes().await.unwrap();
    let packed = ask("gzip").await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(packed.headers()["vary"], "accept-encoding");
    let packed = packed.bytes().await.unwrap();
    assert!(packed.len() * 4 < plain.len(), "{} of {}", packed.len(), plain.len());
    assert!(packed.starts_with(&[0x1f, 0x8b]), "gzip, RFC 1952");
    assert_eq!(ask("gzip;q=0, br").await.unwrap().bytes().await.unwrap(), plain);
    let unpacked = door.request(Method::GET, &path).send().await.unwrap();
    assert!(!unpacked.headers().contains_key("content-length"), "it was undone");
    assert_eq!(unpacked.bytes().await.unwrap(), plain);
}

#[tokio::test]
async fn short_answers_and_files_are_sent_as_they_are_and_tags_stay() {
    let (door, fixture) = (Door::open().await, fixture());
    let id = door.add_whole(&fixture).await;
    let client = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    for (path, range) in [
        ("/torrents".to_owned(), None),
        (format!("/torrents/{id}"), None),
        (format!("/torrents/{id}/files/0/stream"), None),
        (format!("/torrents/{id}/files/0/stream"), Some("bytes=0-19999")),
    ] {
        let request = door.request(Method::GET, &path).header("accept-encoding", "gzip");
        let request = range.iter().fold(request, |request, range| request.header("range", *range));
        let response = client.execute(request.build().unwrap()).await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        assert!(!response.headers().contains_key("content-encoding"), "{path} {range:?}");
    }
    many(&door).await;
    let list = |tag: &str| {
        let request = door.request(Method::GET, "/torrents?fields=all");
        request.header("accept-encoding", "gzip").header("if-none-match", tag).send()
    };
    // Those that were just added may still be becoming what they will be.
    let deadline = Instant::now() + PATIENCE;
    let mut tag = String::new();
    loop {
        let answer = list(&tag).await.unwrap();
        if answer.status() == 304 {
            break;
        }
        assert!(Instant::now() < deadline, "the list never stays as it is");
        tag = answer.headers()["etag"].to_str().unwrap().to_owned();
        assert!(tag.starts_with("W/"), "{tag}");
    }
}
