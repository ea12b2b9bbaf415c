//! Torrents: added, listed, changed, looked into.

use crate::door::{Door, answer, fixture, form, with_form, with_json};
use piecework_catalog::Stage;
use piecework_testkit::{FixtureBuilder, PATIENCE};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Instant;

#[tokio::test]
async fn torrents_are_added_by_file_and_link_and_each_is_answered() {
    let (door, fixture) = (Door::open().await, fixture());
    let link = b"magnet:?xt=urn:btih:dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c\n";
    let body = form(&[
        ("torrents", Some("a.torrent"), fixture.torrent()),
        ("torrents", Some("b.torrent"), b"no torrent"),
        ("links", None, link),
        ("options", None, br#"{"is_stopped":true,"tags":["new"]}"#),
    ]);
    let request = with_form(door.request(Method::POST, "/torrents"), body);
    let (status, told) = answer(request).await;
    assert_eq!(status, 200, "{told}");
    let id = fixture.info_hash().to_string();
    assert_eq!(told["results"][0], json!({ "source": "a.torrent", "id": id, "was_there": false }));
    assert_eq!(told["results"][1]["problem"]["code"], "invalid", "{told}");
    assert_eq!(told["results"][2]["id"], "dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c");
    let (_, list) = door.get("/torrents?tag=new&stage=stopped&fields=id,tags").await;
    assert_eq!(list["total"], 2);
    assert_eq!(list["torrents"][0]["tags"], json!(["new"]));
    assert!(list["torrents"][0].get("name").is_none());
}

#[tokio::test]
async fn new_torrents_are_stopped_where_the_settings_say_so_unless_it_is_said_or_forced() {
    let door = Door::open().await;
    let set = json!({ "torrents.add_stopped": "true" });
    let (status, told) = door.send(Method::PATCH, "/settings", &set).await;
    assert_eq!(status, 200, "{told}");
    let cases = [
        (json!({}), true),
        (json!({ "is_stopped": null }), true),
        (json!({ "is_stopped": false }), false),
        (json!({ "is_forced": true }), false),
        (json!({ "is_forced": true, "is_stopped": true }), true),
    ];
    for (number, (options, is_stopped)) in cases.into_iter().enumerate() {
        let id = format!("{number:040x}");
        let body = json!({ "links": [id], "options": options });
        let (status, told) = door.send(Method::POST, "/torrents", &body).await;
        assert_eq!((status, &told["results"][0]["id"]), (200, &json!(id)), "{told}");
        let (_, torrent) = door.get(&format!("/torrents/{id}")).await;
        assert_eq!(torrent["stage"] == "stopped", is_stopped, "{options}: {torrent}");
    }
}

#[tokio::test]
async fn a_request_with_a_key_is_carried_out_once() {
    let door = Door::open().await;
    let body = json!({ "links": ["dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c"],
        "options": { "is_stopped": true } });
    let request = |key: &str, body: &Value| {
        with_json(door.request(Method::POST, "/torrents"), body).header("idempotency-key", key)
    };
    let (_, first) = answer(request("one", &body)).await;
    assert_eq!(first["results"][0]["was_there"], false, "{first}");
    assert_eq!(answer(request("one", &body)).await, (200, first));
    let (_, other) = answer(request("two", &body)).await;
    assert_eq!(other["results"][0]["was_there"], true);
    assert_eq!(answer(request("one", &json!({ "links": ["a"] }))).await.0, 422);
}

async fn three(door: &Door) -> Vec<String> {
    let mut ids = Vec::new();
    for name in ["Beta", "alpha", "gamma"] {
        ids.push(door.add(&FixtureBuilder::file(name, 20_000).build()).await);
    }
    ids
}

#[tokio::test]
async fn a_list_is_sorted_and_told_in_pages() {
    let door = Door::open().await;
    let ids = three(&door).await;
    let names = |list: &Value| {
        let torrents = list["torrents"].as_array().unwrap().clone();
        torrents.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (_, list) = door.get("/torrents?sort=name").await;
    assert_eq!(names(&list), ["alpha", "Beta", "gamma"]);
    let (_, list) = door.get("/torrents?sort=-name&limit=2").await;
    assert_eq!((names(&list), &list["total"]), (vec!["gamma".into(), "Beta".into()], &json!(3)));
    let path = format!("/torrents?sort=-name&limit=2&after={}", list["next"].as_str().unwrap());
    let (_, list) = door.get(&path).await;
    assert_eq!((names(&list), &list["next"]), (vec!["alpha".to_owned()], &Value::Null));
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let (_, list) = door.get(&format!("/torrents?limit=1{after}")).await;
        seen.push(list["torrents"][0]["id"].as_str().unwrap().to_owned());
        match list["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let mut sorted = ids.clone();
    sorted.sort();
    assert_eq!(seen, sorted);
    let (status, told) = door.get(&format!("/torrents?sort=name&after={}", "0".repeat(40))).await;
    assert_eq!((status, &told["code"]), (409, &json!("cursor_gone")));
}

#[tokio::test]
async fn a_list_that_has_not_changed_is_not_told_again() {
    let door = Door::open().await;
    let ids = three(&door).await;
    for id in &ids {
        door.send(Method::POST, &format!("/torrents/{id}:stop"), &json!(null)).await;
        door.wait(id, Stage::Stopped).await;
    }
    let first = door.request(Method::GET, "/torrents").send().await.unwrap();
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    let again = || door.request(Method::GET, "/torrents").header("if-none-match", &tag);
    assert_eq!(again().send().await.unwrap().status(), 304);
    let body = json!({ "name": "another" });
    assert_eq!(door.send(Method::PATCH, &format!("/torrents/{}", ids[0]), &body).await.0, 204);
    assert_eq!(again().send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_torrent_is_changed_field_by_field() {
    let door = Door::open().await;
    let id = door.add(&fixture()).await;
    let films = json!({ "save_path": "films" });
    assert_eq!(door.send(Method::PUT, "/categories/films", &films).await.0, 204);
    let path = format!("/torrents/{id}");
    let body = json!({ "name": "<b>\u{202e}\"", "category": "films", "tags": ["a", "b"],
        "up_limit": 1000, "share_ratio_milli": 1500, "share_seeding_minutes": "unlimited",
        "share_action": "super_seed", "is_sequential": true });
    assert_eq!(door.send(Method::PATCH, &path, &body).await.0, 204);
    let (_, torrent) = door.get(&path).await;
    for (field, value) in body.as_object().unwrap() {
        assert_eq!(&torrent[field], value, "{field}");
    }
    let none = json!({ "category": null, "up_limit": null });
    assert_eq!(door.send(Method::PATCH, &path, &none).await.0, 204);
    let (_, torrent) = door.get(&path).await;
    assert_eq!((&torrent["category"], &torrent["up_limit"]), (&Value::Null, &Value::Null));
    assert_eq!(torrent["name"], body["name"]);
    for (body, status) in [
        (json!({ "category": "unknown" }), 404),
        (json!({ "save_path": "/etc" }), 403),
        (json!({ "nam": "a" }), 422),
        (json!({ "up_limit": 0 }), 422),
    ] {
        let (got, told) = door.send(Method::PATCH, &path, &body).await;
        assert_eq!(got, status, "{body} {told}");
    }
    // One bad change among several: none is made.
    let (_, before) = door.get(&path).await;
    for bad in [json!({ "category": "unknown" }), json!({ "save_path": "/etc" })] {
        let mut body = json!({ "name": "another", "down_limit": 7, "tags": ["c"] });
        body.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
        assert!(door.send(Method::PATCH, &path, &body).await.0 >= 400);
        let (_, after) = door.get(&path).await;
        for field in ["name", "down_limit", "tags", "category", "save_path"] {
            assert_eq!(after[field], before[field], "{field}");
        }
    }
    assert_eq!(door.send(Method::DELETE, &path, &json!(null)).await.0, 204);
    assert_eq!(door.get(&path).await.0, 404);
}

#[tokio::test]
async fn many_torrents_are_started_and_stopped_at_once_or_not_at_all() {
    let door = Door::open().await;
    let ids = three(&door).await;
    let unknown = json!({ "ids": [ids[0], "0".repeat(40)] });
    assert_eq!(door.send(Method::POST, "/torrents:stop", &unknown).await.0, 404);
    let all = json!({ "ids": ids });
    assert_eq!(door.send(Method::POST, "/torrents:stop", &all).await.0, 204);
    assert_eq!(door.get("/torrents?stage=stopped").await.1["total"], 3);
    let moved = json!({ "ids": [ids[2]], "to": "top" });
    assert_eq!(door.send(Method::POST, "/queue", &moved).await.0, 204);
    let (_, torrent) = door.get(&format!("/torrents/{}", ids[2])).await;
    assert_eq!(torrent["queue"], 0);
    for path in [":explode", ""] {
        let path = format!("/torrents/{}{path}", ids[0]);
        assert!([404, 405].contains(&door.send(Method::POST, &path, &json!(null)).await.0));
    }
    let path = format!("/torrents/{}:stop", ids[0]);
    let response = door.request(Method::PATCH, &path).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["allow"]),
        (405, &"POST".parse().unwrap())
    );
    let removal = json!({ "ids": ids, "deletes_files": true });
    assert_eq!(door.send(Method::POST, "/torrents:remove", &removal).await.0, 204);
    assert_eq!(door.get("/torrents").await.1["total"], 0);
}

#[tokio::test]
async fn files_have_progress_and_priorities_and_other_paths() {
    let (door, fixture) = (Door::open().await, fixture());
    let id = door.add_whole(&fixture).await;
    let path = format!("/torrents/{id}/files");
    let (_, files) = door.get(&path).await;
    let film = files.as_array().unwrap().iter().find(|it| it["path"] == "content/film.mp4");
    let film = film.unwrap_or_else(|| panic!("{files}")).clone();
    assert_eq!((&film["size_bytes"], &film["progress_milli"]), (&json!(300_000), &json!(1000)));
    let edits = json!([{ "index": film["index"], "priority": 7, "path": "content/other.mp4" }]);
    assert_eq!(door.send(Method::PATCH, &path, &edits).await.0, 204);
    let (_, files) = door.get(&path).await;
    assert!(files.to_string().contains("content/other.mp4"), "{files}");
    for (edits, status) in [
        (json!([{ "index": 99 }]), 404),
        (json!([{ "index": 0, "priority": 8 }]), 422),
        (json!([{ "index": 0, "path": "../../etc/passwd" }]), 422),
    ] {
        let (got, told) = door.send(Method::PATCH, &path, &edits).await;
        assert_eq!(got, status, "{edits} {told}");
    }
    let (_, pieces) = door.get(&format!("/torrents/{id}/pieces")).await;
    assert!(pieces["piece_bytes"].as_u64().unwrap() > 0);
    let file = door.request(Method::GET, &format!("/torrents/{id}/torrent-file"));
    let bytes = file.send().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, fixture.torrent());
}

#[tokio::test]
async fn trackers_are_shown_whole_to_whoever_may_change_them() {
    let door = Door::open().await;
    let id = door.add(&fixture()).await;
    let path = format!("/torrents/{id}/trackers");
    let url = "http://127.0.0.1:9/announce?passkey=secret";
    let body = json!({ "tiers": [[url]] });
    assert_eq!(door.send(Method::PUT, &path, &body).await.0, 204);
    // The engine takes them over in its own time.
    let until = Instant::now() + PATIENCE;
    while door.get(&path).await.1[0]["url"] != url {
        assert!(Instant::now() < until, "the tracker does not come");
    }
    let key = door.key("reader", piecework_access::Scopes::READ);
    let request = door.bare(Method::GET, &format!("/api/v1{path}")).bearer_auth(key);
    let (_, told) = answer(request).await;
    assert_eq!(told[0]["url"], Value::Null, "{told}");
    assert!(!told.to_string().contains("secret"), "{told}");
}

#[tokio::test]
async fn settings_and_speeds_are_changed_and_say_where_they_came_from() {
    let door = Door::open().await;
    let body = json!({ "queue.downloads_max": "3" });
    let (status, told) = door.send(Method::PATCH, "/settings", &body).await;
    assert_eq!((status, told), (200, json!({ "needs_restart": [] })));
    let (_, settings) = door.get("/settings").await;
    let all = settings.as_array().unwrap();
    let setting = all.iter().find(|it| it["key"] == "queue.downloads_max").unwrap();
    assert_eq!((&setting["value"], &setting["default"]), (&json!("3"), &json!("5")));
    assert_eq!(setting["origin"], "changed at run time");
    for body in [json!({ "queue.downloads_max": "0" }), json!({ "no.such": "0" })] {
        let (status, told) = door.send(Method::PATCH, "/settings", &body).await;
        assert!([404, 422].contains(&status), "{body} {told}");
    }
    let body = json!({ "down_limit": 50_000, "is_alternative": true });
    let (status, speed) = door.send(Method::PATCH, "/speed", &body).await;
    assert_eq!((status, &speed["down_limit"]), (200, &json!(50_000)), "{speed}");
    assert_eq!((&speed["is_alternative"], &speed["up_limit"]), (&json!(true), &Value::Null));
    let (_, speed) = door.send(Method::PATCH, "/speed", &json!({ "down_limit": null })).await;
    assert_eq!((&speed["down_limit"], &speed["is_alternative"]), (&Value::Null, &json!(true)));
}

#[tokio::test]
async fn a_large_body_and_a_wrong_type_are_refused_with_a_problem() {
    let door = Door::open().await;
    let large = "a".repeat(2 << 20);
    let request = with_json(door.request(Method::PATCH, "/settings"), &json!({ "a": large }));
    assert_eq!(answer(request).await.0, 413);
    let request = door.request(Method::POST, "/torrents").header("content-type", "text/plain");
    assert_eq!(answer(request.body("a")).await.0, 415);
    assert_eq!(answer(door.request(Method::PUT, "/torrents")).await.0, 405);
    assert_eq!(door.get("/nothing").await.0, 404);
    assert_eq!(door.get("/torrents?limit=x").await.0, 400);
    assert_eq!(door.get("/torrents?unknown=x").await.0, 400);
}

#[tokio::test]
async fn prometheus_is_told_figures() {
    let door = Door::open().await;
    door.add(&fixture()).await;
    let key = door.key("prometheus", piecework_access::Scopes::READ);
    for path in ["/metrics", "/api/v1/metrics"] {
        let response = door.bare(Method::GET, path).bearer_auth(&key).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let text = response.text().await.unwrap();
        assert!(text.contains("piecework_torrents{stage="), "{text}");
    }
}

async fn read(door: &Door, path: &str, headers: &[(&str, &str)]) -> (u16, Vec<u8>) {
    let mut request = door.bare(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn a_player_opens_a_playlist_and_seeks_without_a_login() {
    let (door, fixture) = (Door::open().await, fixture());
    let id = door.add_whole(&fixture).await;
    let list = door.request(Method::GET, &format!("/torrents/{id}/playlist.m3u8"));
    let list = list.send().await.unwrap().text().await.unwrap();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[..2], ["#EXTM3U", "#EXTINF:-1,content/film.mp4"]);
    assert_eq!(lines.len(), 3, "the text is no film: {list}");
    let root = format!("http://{}", door.address);
    let path = lines[2].strip_prefix(&root).unwrap();
    let film = std::fs::read(door.folder.path().join("data/content/film.mp4")).unwrap();
    assert_eq!(read(&door, path, &[]).await, (200, film.clone()));
    for (range, part) in [
        ("bytes=0-99", 0..100),
        ("bytes=299990-", 299_990..300_000),
        ("bytes=-7", 299_993..300_000),
    ] {
        let got = read(&door, path, &[("range", range)]).await;
        assert_eq!(got, (206, film[part].to_vec()), "{range}");
    }
    assert_eq!(read(&door, path, &[("range", "bytes=300000-")]).await.0, 416);
    let tag = format!("\"{id}-{}\"", path.split('/').nth(6).unwrap());
    let again = [("range", "bytes=0-1"), ("if-range", tag.as_str())];
    assert_eq!(read(&door, path, &again).await, (206, film[..2].to_vec()));
    let other = [("range", "bytes=0-1"), ("if-range", "\"other\"")];
    assert_eq!(read(&door, path, &other).await, (200, film));
    assert_eq!(read(&door, path, &[("if-none-match", &tag)]).await.0, 304);
    // The token opens this file, by this address, and nothing else.
    for path in [path.replace("/files/", "/files/1"), path.replace("token=", "token=1")] {
        assert_eq!(read(&door, &path, &[]).await.0, 401, "{path}");
    }
    let (_, query) = path.split_once('?').unwrap();
    assert_eq!(read(&door, &format!("/api/v1/torrents?{query}"), &[]).await.0, 401);
    let head = door.bare(Method::HEAD, path).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "300000");
    assert_eq!(head.headers()["content-type"], "video/mp4");
    assert!(head.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
}

#[tokio::test]
async fn a_torrent_of_thirty_thousand_files_is_added_listed_and_changed() {
    const FILES: usize = 30_000;
    let builder = FixtureBuilder::folder("many").piece_length(1 << 20);
    let builder = (0..FILES).fold(builder, |builder, number| {
        builder.with(&format!("folder {}/file {number}", number / 100), number % 50)
    });
    let (door, fixture) = (Door::open().await, builder.build());
    let options = br#"{"is_stopped":true}"#;
    let body = form(&[("torrents", Some("a"), fixture.torrent()), ("options", None, options)]);
    let (status, told) = answer(with_form(door.request(Method::POST, "/torrents"), body)).await;
    assert_eq!(status, 200, "{told}");
    let path = format!("/torrents/{}", fixture.info_hash());
    assert_eq!(door.get(&path).await.1["file_count"], FILES);
    let files_path = format!("{path}/files");
    let edits: Vec<_> = (0..FILES)
        .map(|number| {
            let path = format!("many/renamed/into a longer name of a file {number}");
            json!({ "index": number, "priority": number % 8, "path": path })
        })
        .collect();
    let (status, told) = door.send(Method::PATCH, &files_path, &json!(edits)).await;
    assert_eq!(status, 204, "{told}");
    let (_, files) = door.get(&files_path).await;
    let files = files.as_array().unwrap();
    assert_eq!(files.len(), FILES);
    for (number, file) in files.iter().enumerate() {
        assert_eq!(file["index"], number);
        assert_eq!(file["size_bytes"], fixture.info().files()[number].length());
        assert_eq!(
            (&file["priority"], &file["path"]),
            (&edits[number]["priority"], &edits[number]["path"])
        );
    }
    // One bad file among them: none is changed.
    let bad = json!([{ "index": 0, "priority": 1 }, { "index": 1, "path": "../out" }]);
    assert_eq!(door.send(Method::PATCH, &files_path, &bad).await.0, 422);
    let (_, files) = door.get(&files_path).await;
    assert_eq!(files[0]["priority"], 0);
}
