//! The calls of programs that people use, in their order, and what each needs of the answers. The calls are
//! data (`consumers/`): method, path, parameters, and what is wanted of the answer.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "support/server.rs"]
mod common;

use common::{PATIENCE, Reply, Server};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn run(text: &str) {
    let script: Value = serde_json::from_str(text).unwrap();
    let mut server = Server::start();
    let known: Value = serde_json::from_str(include_str!("golden/calls.json")).unwrap();
    for (name, value) in known["names"].as_object().unwrap() {
        server.names.insert(name.clone(), value.as_str().unwrap().to_owned());
    }
    let steps = script["steps"].as_array().unwrap();
    assert!(steps.len() > 5);
    for (number, step) in steps.iter().enumerate() {
        let end = Instant::now() + PATIENCE;
        loop {
            let reply = server.call(step);
            let lacking = lacking(&server, &step["wants"], &reply);
            if lacking.is_empty() {
                if step["login"] == true {
                    let cookie = reply.header("set-cookie").split(';').next().unwrap();
                    server.cookie = Some(cookie.to_owned());
                }
                break;
            }
            let may_wait = step["until"] == true && Instant::now() < end;
            assert!(may_wait, "step {number}, {step}:\n{}\n{reply:?}", lacking.join("\n"));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What a program needs of an answer and does not find.
fn lacking(server: &Server, wants: &Value, reply: &Reply) -> Vec<String> {
    let mut lacking = Vec::new();
    if wants["status"] != reply.status {
        lacking.push(format!("status {}, wanted {}", reply.status, wants["status"]));
        return lacking;
    }
    if let Some(text) = wants["text"].as_str().filter(|text| reply.body != text.as_bytes()) {
        lacking.push(format!("wanted the text {text}"));
    }
    if let Some(name) = wants["cookie"].as_str()
        && !reply.header("set-cookie").starts_with(&format!("{name}="))
    {
        lacking.push(format!("wanted the cookie {name}"));
    }
    if ["json", "values", "equals", "one_of", "unlike"].iter().all(|key| wants[key].is_null()) {
        return lacking;
    }
    let answer = reply.json();
    kinds("", &wants["json"], &answer, &mut lacking);
    if !wants["equals"].is_null() && wants["equals"] != answer {
        lacking.push(format!("wanted {}", wants["equals"]));
    }
    for (at, wanted) in wants["values"].as_object().into_iter().flatten() {
        let wanted = match wanted {
            Value::String(text) => json!(server.filled(text)),
            other => other.clone(),
        };
        let value = found(&answer, at);
        let is_equal = match (value.as_f64(), wanted.as_f64()) {
            (Some(value), Some(wanted)) => value == wanted,
            _ => *value == wanted,
        };
        if !is_equal {
            lacking.push(format!("{at} is {value}, wanted {wanted}"));
        }
    }
    for (at, wanted) in wants["one_of"].as_object().into_iter().flatten() {
        if !wanted.as_array().unwrap().contains(found(&answer, at)) {
            lacking.push(format!("{at} is {}, wanted one of {wanted}", found(&answer, at)));
        }
    }
    for (one, two) in wants["unlike"].as_object().into_iter().flatten() {
        if found(&answer, one) == found(&answer, two.as_str().unwrap()) {
            lacking.push(format!("{one} and {two} are the same"));
        }
    }
    lacking
}

fn found<'a>(answer: &'a Value, at: &str) -> &'a Value {
    at.split('.').fold(answer, |value, part| match part.parse::<usize>() {
        Ok(number) => &value[number],
        Err(_) => &value[part],
    })
}

fn kinds(at: &str, wanted: &Value, value: &Value, lacking: &mut Vec<String>) {
    match wanted {
        Value::Object(keys) => {
            for (key, wanted) in keys {
                kinds(&format!("{at}.{key}"), wanted, &value[key], lacking);
            }
            if !value.is_object() {
                lacking.push(format!("{at} is no object"));
            }
        }
        Value::Array(items) => {
            for wanted in items {
                kinds(&format!("{at}.0"), wanted, &value[0], lacking);
            }
            if !value.is_array() {
                lacking.push(format!("{at} is no list"));
            }
        }
        Value::String(kind) => {
            let is_it = match kind.as_str() {
                "text" => value.is_string(),
                "number" => value.is_number(),
                "bool" => value.is_boolean(),
                other => panic!("no such kind: {other}"),
            };
            if !is_it {
                lacking.push(format!("{at} is {value}, wanted a {kind}"));
            }
        }
        _ => {}
    }
}

#[test]
fn sonarr_tests_the_connection_adds_watches_imports_and_removes() {
    run(include_str!("consumers/sonarr.json"));
}

#[test]
fn radarr_does_the_same_with_categories_of_its_own() {
    run(include_str!("consumers/radarr.json"));
}

#[test]
fn autobrr_adds_and_announces_again_until_a_tracker_works() {
    run(include_str!("consumers/autobrr.json"));
}

#[test]
fn flood_reads_by_post_and_changes_files_folders_and_tags() {
    run(include_str!("consumers/flood.json"));
}

#[test]
fn vuetorrent_shows_all_columns_and_sends_every_field_of_its_form() {
    run(include_str!("consumers/vuetorrent.json"));
}

#[test]
fn qui_gets_trackers_with_the_list_and_replaces_tags() {
    run(include_str!("consumers/qui.json"));
}

#[test]
#[should_panic(expected = "wanted the text v9")]
fn a_step_that_is_not_answered_as_wanted_fails() {
    let step = json!({
        "method": "GET", "path": "app/version", "auth": false,
        "headers": {"Authorization": "Bearer {key}"}, "wants": {"status": 200, "text": "v9"},
    });
    run(&json!({"steps": vec![step; 6]}).to_string());
}
