//! Conversations with the dialect in both of its forms, over a real daemon.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../api/tests/support/faced.rs"]
mod faced;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use faced::{Faced, PATIENCE, Reply};
use piecework_access::Scope;
use piecework_api::AccessGate;
use piecework_testkit::{Fixture, FixtureBuilder};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Server {
    faced: Faced,
    router: Router,
    authorization: String,
    session: String,
}

impl Server {
    fn start() -> Self {
        let faced = Faced::with(&[]);
        let gate = Arc::clone(&faced.gate);
        let router = piecework_transmission::router(faced.daemon.handle(), gate).unwrap();
        let login = format!("{}:{}", faced.user, faced.password);
        let authorization = format!("Basic {}", base64(login.as_bytes()));
        let mut server = Self { faced, router, authorization, session: String::new() };
        let (status, headers, _) = server.post(&json!({"method": "session-get"}));
        assert_eq!(status, 409);
        let session = headers.get("x-transmission-session-id").unwrap().to_str().unwrap();
        session.clone_into(&mut server.session);
        server
    }

    fn gate(&self) -> &AccessGate {
        &self.faced.gate
    }

    fn post(&self, body: &Value) -> (u16, HeaderMap, Vec<u8>) {
        let request = Request::post("/transmission/rpc")
            .header("authorization", &self.authorization)
            .header("x-transmission-session-id", &self.session)
            .body(Body::from(body.to_string()));
        self.send(request.unwrap())
    }

    fn send(&self, request: Request<Body>) -> (u16, HeaderMap, Vec<u8>) {
        let Reply { status, headers, body } = self.faced.send(&self.router, request);
        (status, headers, body)
    }

    fn answer(&self, body: &Value) -> Value {
        let (status, _, body) = self.post(body);
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    /// A call of the older form that works.
    fn old(&self, method: &str, arguments: &Value) -> Value {
        let answer = self.answer(&json!({"method": method, "arguments": arguments, "tag": 7}));
        assert_eq!((&answer["result"], &answer["tag"]), (&json!("success"), &json!(7)), "{answer}");
        answer["arguments"].clone()
    }

    /// A call of JSON-RPC that works.
    fn ask(&self, method: &str, params: &Value) -> Value {
        let call = json!({"jsonrpc": "2.0", "method": method, "params": params, "id": "x"});
        let answer = self.answer(&call);
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!("x")));
        assert_eq!(answer["error"], Value::Null, "{answer}");
        answer["result"].clone()
    }

    fn until(&self, what: &str, ask: impl Fn(&Self) -> Value, is_so: impl Fn(&Value) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = ask(self);
            if is_so(&answer) {
                return;
            }
            assert!(Instant::now() < end, "{what}: {answer}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let letter = |six: &[u8]| {
        let value = (0..6).fold(0, |value, at| value << 1 | six.get(at).copied().unwrap_or(0));
        char::from(LETTERS[usize::from(value)])
    };
    bits.chunks(6).map(letter).collect()
}

fn fixture() -> Fixture {
    FixtureBuilder::folder("content").with("a", 50_000).with("b/c", 10_000).build()
}

fn add(server: &Server, fixture: &Fixture) -> Value {
    let arguments =
        json!({"metainfo": base64(fixture.torrent()), "paused": true, "labels": ["tv"]});
    server.old("torrent-add", &arguments)["torrent-added"].clone()
}

#[test]
fn strangers_are_asked_for_a_password_and_everybody_for_the_session_id() {
    let server = Server::start();
    let request =
        || Request::post("/transmission/rpc").header("authorization", &server.authorization);
    let body = || Body::from(r#"{"method": "session-get"}"#);
    let nobody = Request::post("/transmission/rpc").body(body()).unwrap();
    let (status, headers, _) = server.send(nobody);
    assert_eq!((status, headers.contains_key("www-authenticate")), (401, true));
    let (status, headers, _) = server.send(request().body(body()).unwrap());
    assert_eq!(
        (status, headers["x-transmission-session-id"].to_str().unwrap()),
        (409, &*server.session)
    );
    let known = request().header("x-transmission-session-id", &server.session);
    assert_eq!(server.send(known.body(body()).unwrap()).0, 200);
    let foreign = request()
        .header("x-transmission-session-id", &server.session)
        .header("origin", "http://evil.example");
    assert_eq!(server.send(foreign.body(body()).unwrap()).0, 403);
}

#[test]
fn a_key_that_may_only_read_changes_nothing() {
    let mut server = Server::start();
    let (_, key) = server.gate().create_key("reader", [Scope::Read].into_iter().collect()).unwrap();
    server.authorization = format!("Bearer {}", key.reveal());
    server.old("session-stats", &json!({}));
    let answer = server.answer(&json!({"method": "torrent-stop", "arguments": {}}));
    assert_eq!(answer["result"], "this key may only read");
}

/// What Sonarr sends, in its order.
#[test]
fn sonarr_adds_watches_and_removes_in_the_older_form() {
    let (server, fixture) = (Server::start(), fixture());
    let session = server.old("session-get", &json!({}));
    assert!(session["version"].as_str().unwrap().starts_with("4.1.0 "));
    assert!(session["download-dir"].as_str().unwrap().ends_with("/data"));
    assert_eq!(
        (&session["seedRatioLimited"], &session["seedRatioLimit"]),
        (&json!(false), &json!(0.0))
    );
    let added = add(&server, &fixture);
    assert_eq!(added["hashString"], fixture.info_hash().to_string());
    let id = added["id"].clone();
    let hash = json!([added["hashString"]]);
    server.old(
        "torrent-set",
        &json!({"ids": hash, "seedRatioLimit": 1.5, "seedRatioMode": 1,
        "seedIdleLimit": 30, "seedIdleMode": 1}),
    );
    server.old("queue-move-top", &json!({"ids": hash}));
    let fields = [
        "id",
        "hashString",
        "name",
        "downloadDir",
        "totalSize",
        "leftUntilDone",
        "isFinished",
        "eta",
        "status",
        "secondsDownloading",
        "secondsSeeding",
        "errorString",
        "uploadedEver",
        "downloadedEver",
        "seedRatioLimit",
        "seedRatioMode",
        "seedIdleLimit",
        "seedIdleMode",
        "fileCount",
        "file-count",
        "labels",
    ];
    let torrents = server.old("torrent-get", &json!({"fields": fields}));
    let data = server.faced.folder.path().join("data");
    assert_eq!(
        torrents["torrents"],
        json!([{
            "id": id, "hashString": hash[0], "name": "content", "downloadDir": data, "totalSize": 60_000,
            "leftUntilDone": 60_000, "isFinished": false, "eta": -1, "status": 0, "secondsDownloading": 0,
            "secondsSeeding": 0, "errorString": "", "uploadedEver": 0, "downloadedEver": 0,
            "seedRatioLimit": 1.5, "seedRatioMode": 1, "seedIdleLimit": 30, "seedIdleMode": 1,
            "fileCount": 2, "file-count": 2, "labels": ["tv"],
        }])
    );
    server.old("torrent-remove", &json!({"ids": hash, "delete-local-data": true}));
    let gone = |server: &Server| server.old("torrent-get", &json!({"fields": ["id"]}));
    server.until("it is gone", gone, |answer| answer["torrents"] == json!([]));
}

#[test]
fn both_forms_say_the_same_in_their_own_words() {
    let (server, fixture) = (Server::start(), fixture());
    add(&server, &fixture);
    let old =
        ["hashString", "files", "fileStats", "trackerStats", "peers", "pieceCount", "priorities"];
    let new = [
        "hash_string",
        "files",
        "file_stats",
        "tracker_stats",
        "peers",
        "piece_count",
        "priorities",
    ];
    let old = server.old("torrent-get", &json!({"fields": old}))["torrents"][0].clone();
    let new = server.ask("torrent_get", &json!({"fields": new}))["torrents"][0].clone();
    assert_eq!(old["hashString"], new["hash_string"]);
    assert_eq!(
        old["files"][1],
        json!({"bytesCompleted": 0, "length": 10_000, "name": "content/b/c"})
    );
    assert_eq!(
        new["files"][1],
        json!({"bytes_completed": 0, "length": 10_000, "name": "content/b/c"})
    );
    assert_eq!(old["fileStats"][0]["wanted"], true);
    assert_eq!(new["file_stats"][0]["wanted"], true);
    assert_eq!(old["pieceCount"], new["piece_count"]);
    let stats = server.ask("session_stats", &json!({}));
    assert_eq!((&stats["torrent_count"], &stats["paused_torrent_count"]), (&json!(1), &json!(1)));
    assert!(stats["current_stats"]["downloaded_bytes"].is_number());
    let stats = server.old("session-stats", &json!({}));
    assert!(stats["current-stats"]["downloadedBytes"].is_number());
}

#[test]
fn a_table_has_a_row_of_names_and_a_row_for_each_torrent() {
    let (server, fixture) = (Server::start(), fixture());
    add(&server, &fixture);
    let arguments = json!({"fields": ["name", "nonsense", "status"], "format": "table"});
    let table = server.old("torrent-get", &arguments)["torrents"].clone();
    assert_eq!(table, json!([["name", "nonsense", "status"], ["content", null, 0]]));
}

#[test]
fn calls_that_make_no_sense_are_told_so_in_the_form_they_came() {
    let server = Server::start();
    let old = server.answer(&json!({"method": "torrent-fly", "tag": 3}));
    assert_eq!(old, json!({"result": "method name not recognized", "arguments": {}, "tag": 3}));
    let new = server.answer(&json!({"jsonrpc": "2.0", "method": "torrent_fly", "id": 3}));
    assert_eq!((&new["error"]["code"], &new["id"]), (&json!(-32601), &json!(3)));
    let new = server.answer(&json!({"jsonrpc": "2.0", "method": "torrent_get", "id": 4}));
    assert_eq!(new["error"]["code"], -32602);
    assert_eq!(server.answer(&json!(17))["error"]["code"], -32600);
    let path =
        json!({"jsonrpc": "2.0", "method": "free_space", "params": {"path": "/etc"}, "id": 5});
    assert_eq!(server.answer(&path)["error"]["code"], 4);
}

#[test]
fn notifications_are_not_answered_and_batches_are_answered_one_by_one() {
    let server = Server::start();
    let call = |id: Option<u32>| match id {
        Some(id) => json!({"jsonrpc": "2.0", "method": "session_stats", "id": id}),
        None => json!({"jsonrpc": "2.0", "method": "session_stats"}),
    };
    assert_eq!(server.post(&call(None)).0, 204);
    let batch = server.answer(&json!([call(Some(1)), call(None), call(Some(2))]));
    let ids: Vec<_> = batch.as_array().unwrap().iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [1, 2]);
}

#[test]
fn who_asks_what_changed_is_told_of_torrents_that_went() {
    let (server, fixture) = (Server::start(), fixture());
    let id = add(&server, &fixture)["id"].clone();
    let recent = |server: &Server| {
        server.ask("torrent_get", &json!({"ids": "recently_active", "fields": ["id"]}))
    };
    assert_eq!(recent(&server), json!({"torrents": [{"id": id}], "removed": []}));
    server.ask("torrent_remove", &json!({"ids": [id]}));
    // Within the first minute of the process everything counts as recent, which tells of what is there alone.
    server.until("it is gone", recent, |answer| answer["torrents"] == json!([]));
}

#[test]
fn settings_that_are_ours_change_and_are_seen() {
    let server = Server::start();
    server.ask(
        "session_set",
        &json!({
            "speed_limit_down": 500, "speed_limit_down_enabled": true, "alt_speed_up": 20,
            "download_queue_size": 9, "seed_ratio_limited": true, "seed_ratio_limit": 2.5,
            "alt_speed_time_enabled": true, "alt_speed_time_begin": 60, "alt_speed_time_end": 121,
            "alt_speed_time_day": 62,
        }),
    );
    let session = server.old(
        "session-get",
        &json!({"fields": ["speed-limit-down", "alt-speed-up",
        "download-queue-size", "seedRatioLimit", "alt-speed-time-day", "alt-speed-time-end"]}),
    );
    assert_eq!(
        session,
        json!({
            "speed-limit-down": 500, "alt-speed-up": 20, "download-queue-size": 9, "seedRatioLimit": 2.5,
            "alt-speed-time-day": 62, "alt-speed-time-end": 121,
        })
    );
    server.ask("session_set", &json!({"speed_limit_down_enabled": false}));
    assert_eq!(
        server.ask("session_get", &json!({"fields": ["speed_limit_down_enabled"]})),
        json!({"speed_limit_down_enabled": false})
    );
}

#[test]
fn files_are_chosen_and_renamed_and_trackers_edited() {
    let (server, fixture) = (Server::start(), fixture());
    let id = add(&server, &fixture)["id"].clone();
    server.ask(
        "torrent_set",
        &json!({"ids": [id], "files_unwanted": [1], "priority_high": [0],
        "tracker_list": "http://127.0.0.1:9/a\n\nhttp://127.0.0.1:9/b", "labels": ["x", "y"]}),
    );
    server.ask("torrent_rename_path", &json!({"ids": [id], "path": "content/b", "name": "below"}));
    let torrent = |server: &Server| {
        let fields = json!(["wanted", "priorities", "tracker_list", "labels", "files"]);
        server.ask("torrent_get", &json!({"ids": id, "fields": fields}))["torrents"][0].clone()
    };
    server
        .until("the file has its name", torrent, |it| it["files"][1]["name"] == "content/below/c");
    let torrent = torrent(&server);
    assert_eq!((&torrent["wanted"], &torrent["priorities"]), (&json!([1, 0]), &json!([1, 0])));
    assert_eq!(torrent["tracker_list"], "http://127.0.0.1:9/a\n\nhttp://127.0.0.1:9/b");
    assert_eq!(torrent["labels"], json!(["x", "y"]));
}

#[test]
fn torrents_wait_to_be_started_where_the_session_says_so_unless_whoever_adds_them_does() {
    let server = Server::start();
    let starts = || server.ask("session_get", &json!({}))["start_added_torrents"].clone();
    assert_eq!(starts(), true);
    server.ask("session_set", &json!({"start_added_torrents": false}));
    assert_eq!(starts(), false);
    for (number, more, status) in
        [(1, json!({}), 0), (2, json!({"paused": false}), 4), (3, json!({"paused": true}), 0)]
    {
        let id = format!("{number:040x}");
        let mut add = json!({"filename": format!("magnet:?xt=urn:btih:{id}")});
        add.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.ask("torrent_add", &add);
        let get = json!({"ids": [id], "fields": ["status"]});
        let told = server.ask("torrent_get", &get);
        assert_eq!(told["torrents"][0]["status"], status, "{add}: {told}");
    }
}
