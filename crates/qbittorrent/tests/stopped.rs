//! Whether new torrents wait to be started: what the preference says, and what a request says.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "support/server.rs"]
mod common;

use common::Server;
use piecework_types::InfoHash;
use serde_json::{Value, json};

fn set(server: &Server, preferences: &Value) {
    let form = json!({"json": preferences.to_string()});
    assert_eq!(server.post("app/setPreferences", &form).status, 200);
}

fn is_set(server: &Server) -> (Value, Value) {
    let all = server.get("app/preferences", &json!({})).json();
    (all["add_stopped_enabled"].clone(), all["start_paused_enabled"].clone())
}

#[test]
fn the_preference_counts_by_both_of_its_names_where_a_request_says_nothing() {
    let mut server = Server::start();
    server.login();
    assert_eq!(is_set(&server), (json!(false), json!(false)));
    set(&server, &json!({"add_stopped_enabled": true}));
    assert_eq!(is_set(&server), (json!(true), json!(true)));
    for (number, more, is_stopped) in [
        (1, json!({}), true),
        (2, json!({"stopped": "false"}), false),
        (3, json!({"paused": "false"}), false),
        (4, json!({"forced": "true"}), false),
        (5, json!({"stopped": "true"}), true),
    ] {
        let id = InfoHash([number; 20]);
        let mut form = json!({"urls": format!("magnet:?xt=urn:btih:{id}")});
        form.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(server.post("torrents/add", &form).text(), "Ok.");
        let catalog = server.handle();
        let record = catalog.catalog().get(id).unwrap().record().clone();
        assert_eq!(record.is_stopped, is_stopped, "{more}");
    }
    // A program sends back all that it was given, with one thing changed.
    set(&server, &json!({"add_stopped_enabled": true, "start_paused_enabled": false}));
    assert_eq!(is_set(&server), (json!(false), json!(false)));
    set(&server, &json!({"add_stopped_enabled": true, "start_paused_enabled": false}));
    assert_eq!(is_set(&server), (json!(true), json!(true)));
}
