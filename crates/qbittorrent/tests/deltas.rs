//! `sync/maindata`: what a login is told, and what it is not told twice.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "support/server.rs"]
mod common;

use common::Server;
use serde_json::{Value, json};

const HASH: &str = "5822a0bc5c9df584df4fb7ef57929ba5ee2015d4";

fn server() -> Server {
    let mut server = Server::start();
    server.login();
    let add = json!({
        "method": "POST", "path": "torrents/add", "fields": {"stopped": "true", "tags": "one"},
        "files": {"torrents": "multi"},
    });
    assert_eq!(server.call(&add).text(), "Ok.");
    server
}

fn sync(server: &Server, rid: &Value) -> Value {
    server.get("sync/maindata", &json!({"rid": rid.to_string()})).json()
}

#[test]
fn after_everything_only_what_changed_is_told() {
    let server = server();
    let all = sync(&server, &json!(0));
    assert_eq!((&all["full_update"], &all["tags"]), (&json!(true), &json!(["one"])));
    assert!(all["torrents"][HASH].as_object().unwrap().len() > 49);
    assert_eq!(all["torrents"][HASH]["hash"], Value::Null, "it is the key");
    assert_eq!(all["trackers"], json!({"http://127.0.0.1:9/announce": [HASH]}));
    server.post("torrents/rename", &json!({"hash": HASH, "name": "another"}));
    let mut delta = sync(&server, &all["rid"]);
    delta.as_object_mut().unwrap().remove("server_state");
    let magnet = delta["torrents"][HASH]["magnet_uri"].take();
    assert!(magnet.as_str().unwrap().contains("dn=another"));
    let changed = json!({HASH: {"name": "another", "magnet_uri": null}});
    assert_eq!(delta, json!({"rid": 2, "torrents": changed}));
}

#[test]
fn a_number_that_the_login_does_not_know_gets_everything() {
    let mut server = server();
    let rid = sync(&server, &json!(0))["rid"].clone();
    assert_eq!(sync(&server, &json!(4711))["full_update"], true);
    server.login();
    assert_eq!(sync(&server, &rid)["full_update"], true, "another login's number");
}

#[test]
fn an_answer_that_was_lost_can_be_asked_for_again() {
    let server = server();
    let rid = sync(&server, &json!(0))["rid"].clone();
    server.post("torrents/rename", &json!({"hash": HASH, "name": "another"}));
    for _ in 0..2 {
        let delta = sync(&server, &rid);
        assert_eq!(delta["full_update"], Value::Null);
        assert_eq!(delta["torrents"][HASH]["name"], "another");
    }
}

#[test]
fn what_went_is_told_as_gone() {
    let server = server();
    server.post("torrents/createCategory", &json!({"category": "films"}));
    let rid = sync(&server, &json!(0))["rid"].clone();
    server.post("torrents/removeCategories", &json!({"categories": "films"}));
    server.post("torrents/deleteTags", &json!({"tags": "one"}));
    server.post("torrents/delete", &json!({"hashes": HASH, "deleteFiles": "false"}));
    server.until("it has gone", "torrents/info", &json!({}), |list| *list == json!([]));
    let delta = sync(&server, &rid);
    assert_eq!(delta["torrents_removed"], json!([HASH]));
    assert_eq!(delta["categories_removed"], json!(["films"]));
    assert_eq!(delta["tags_removed"], json!(["one"]));
    assert_eq!(delta["trackers_removed"], json!(["http://127.0.0.1:9/announce"]));
}

#[test]
fn another_limit_of_all_is_told_of_torrents_that_did_not_change() {
    let server = server();
    let rid = sync(&server, &json!(0))["rid"].clone();
    let wanted = json!({"max_ratio_enabled": true, "max_ratio": 2.5}).to_string();
    server.post("app/setPreferences", &json!({"json": wanted}));
    let answer = sync(&server, &rid);
    assert_eq!(answer["torrents"][HASH]["max_ratio"], 2.5);
}
