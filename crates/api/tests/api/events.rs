//! Changes as they happen.

use crate::door::{Door, fixture};
use piecework_testkit::PATIENCE;
use reqwest::{Method, Response};
use serde_json::{Value, json};

/// Reads events off an answer.
struct Reader {
    response: Response,
    buffer: String,
}

impl Reader {
    async fn open(door: &Door, path: &str) -> Self {
        let response = door.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, buffer: String::new() }
    }

    /// The next event of this name, with its id.
    async fn next(&mut self, name: &str) -> (Option<u64>, Value) {
        let found = async {
            loop {
                while let Some((event, rest)) = self.buffer.split_once("\n\n") {
                    let line = |key: &str| {
                        event.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned)
                    };
                    let (told, id, data) = (line("event: "), line("id: "), line("data: "));
                    self.buffer = rest.to_owned();
                    if told.as_deref() == Some(name) {
                        let data = serde_json::from_str(&data.unwrap()).unwrap();
                        return (id.map(|id| id.parse().unwrap()), data);
                    }
                }
                let bytes = self.response.chunk().await.unwrap().expect("the events ended");
                self.buffer += std::str::from_utf8(&bytes).unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no {name} came"))
    }
}

#[tokio::test]
async fn a_watcher_is_told_everything_once_and_then_what_changes() {
    let door = Door::open().await;
    let first = door.add(&fixture()).await;
    let mut reader = Reader::open(&door, "/events?fields=name,tags").await;
    let (_, full) = reader.next("full").await;
    assert_eq!(full["torrents"][&first], json!({ "name": "content", "tags": [] }));
    let body = json!({ "tags": ["one"] });
    door.send(Method::PATCH, &format!("/torrents/{first}"), &body).await;
    let (id, delta) = reader.next("delta").await;
    assert_eq!(delta["torrents"], json!({ &first: { "tags": ["one"] } }));
    assert_eq!(delta["tags"], json!(["one"]));
    assert_eq!(delta["revision"].as_u64(), id);
    door.send(Method::DELETE, &format!("/torrents/{first}"), &json!(null)).await;
    let (_, delta) = reader.next("delta").await;
    assert_eq!((&delta["gone"], &delta["torrents"]), (&json!([first]), &json!({})));
}

#[tokio::test]
async fn a_watcher_that_comes_back_is_told_what_it_missed() {
    let door = Door::open().await;
    let (_, list) = door.get("/torrents").await;
    let revision = list["revision"].as_u64().unwrap();
    let id = door.add(&fixture()).await;
    let path = format!("/events?fields=name&since={revision}");
    let mut reader = Reader::open(&door, &path).await;
    let (last, delta) = reader.next("delta").await;
    assert_eq!(delta["torrents"], json!({ &id: { "name": "content" } }));
    door.send(Method::PUT, "/tags/a", &json!(null)).await;
    let request = door.request(Method::GET, "/events?fields=name");
    let request = request.header("last-event-id", last.unwrap());
    let mut reader = Reader { response: request.send().await.unwrap(), buffer: String::new() };
    let (_, delta) = reader.next("delta").await;
    assert_eq!((&delta["torrents"], &delta["tags"]), (&json!({}), &json!(["a"])));
    let mut reader = Reader::open(&door, "/events?fields=name&since=1").await;
    assert!(reader.next("full").await.1["torrents"][&id].is_object());
}

#[tokio::test]
async fn news_and_figures_come_too() {
    let door = Door::open().await;
    let mut reader = Reader::open(&door, "/events").await;
    let (_, node) = reader.next("node").await;
    assert_eq!(node["version"], env!("CARGO_PKG_VERSION"));
    let id = door.add(&fixture()).await;
    let (_, news) = reader.next("news").await;
    assert_eq!((&news["code"], &news["torrent"]), (&json!("torrent_added"), &json!(id)));
}

#[tokio::test]
async fn a_switch_of_the_speeds_is_told_to_whoever_watches() {
    let door = Door::open().await;
    let mut reader = Reader::open(&door, "/events").await;
    let (_, node) = reader.next("node").await;
    assert_eq!(node["is_alternative"], false);
    let body = json!({ "is_alternative": true });
    door.send(Method::PATCH, "/speed", &body).await;
    while reader.next("node").await.1["is_alternative"] != true {}
}

#[tokio::test]
async fn sixty_four_watch_and_no_more_until_one_leaves() {
    let door = Door::open().await;
    let mut readers = Vec::new();
    for _ in 0..64 {
        let mut reader = Reader::open(&door, "/events").await;
        reader.next("full").await;
        readers.push(reader);
    }
    let refused = door.request(Method::GET, "/events").send().await.unwrap();
    assert_eq!(refused.status(), 429);
    readers.pop();
    let until = tokio::time::Instant::now() + PATIENCE;
    while door.request(Method::GET, "/events").send().await.unwrap().status() != 200 {
        assert!(tokio::time::Instant::now() < until, "the place of one that left stays taken");
    }
}
