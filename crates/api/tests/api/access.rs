//! Who is let in.

use crate::door::{Door, answer, with_json};
use piecework_access::Scopes;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn nobody_is_let_in_without_a_key_or_a_login() {
    let door = Door::open().await;
    for path in ["/torrents", "/settings", "/node", "/events", "/keys", "/metrics"] {
        let (status, told) = answer(door.bare(Method::GET, &format!("/api/v1{path}"))).await;
        assert_eq!((status, &told["code"]), (401, &json!("unauthorized")), "{path}");
    }
    let wrong = door.bare(Method::GET, "/api/v1/torrents").bearer_auth("pw_wrong");
    assert_eq!(answer(wrong).await.0, 401);
    assert_eq!(answer(door.bare(Method::GET, "/metrics")).await.0, 401);
    let described = door.bare(Method::GET, "/api/v1/openapi.json").send().await.unwrap();
    assert_eq!(described.text().await.unwrap(), piecework_api::openapi());
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say() {
    let door = Door::open().await;
    let key = door.key("reader", Scopes::READ);
    let looks = door.bare(Method::GET, "/api/v1/torrents").bearer_auth(&key);
    assert_eq!(answer(looks).await.0, 200);
    let changes = door.bare(Method::PUT, "/api/v1/tags/a").bearer_auth(&key);
    let (status, told) = answer(changes).await;
    assert_eq!((status, &told["code"]), (403, &json!("scope")));
    // The first key may control, so it makes keys that do, but none that spend.
    let new = |scopes: &[&str]| json!({ "name": scopes.join(" "), "scopes": scopes });
    let (status, made) = door.send(Method::POST, "/keys", &new(&["control"])).await;
    assert_eq!(status, 201);
    let made_key = made["key"].as_str().unwrap();
    let me = door.bare(Method::GET, "/api/v1/session").bearer_auth(made_key);
    let (_, me) = answer(me).await;
    assert_eq!(me, json!({ "name": "control", "scopes": ["read", "control"], "is_key": true }));
    assert_eq!(door.send(Method::POST, "/keys", &new(&["spend"])).await.0, 403);
    assert!(!door.get("/keys").await.1.to_string().contains(made_key));
    let path = format!("/keys/{}", made["id"]);
    assert_eq!(door.send(Method::DELETE, &path, &json!(null)).await.0, 204);
    assert_eq!(door.send(Method::DELETE, &path, &json!(null)).await.0, 404);
    let gone = door.bare(Method::GET, "/api/v1/session").bearer_auth(made_key);
    assert_eq!(answer(gone).await.0, 401);
}

#[tokio::test]
async fn a_login_by_cookie_changes_things_from_our_own_page_alone() {
    let door = Door::open().await;
    let login = json!({ "user": "admin", "password": door.password });
    let request = || with_json(door.bare(Method::POST, "/api/v1/session"), &login);
    let foreign = request().header("origin", "http://evil.example");
    let (status, told) = answer(foreign).await;
    assert_eq!((status, &told["code"]), (403, &json!("foreign_page")));
    let response = request().send().await.unwrap();
    assert_eq!(response.status(), 204);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let tag = || door.bare(Method::PUT, "/api/v1/tags/a").header("cookie", cookie);
    let origin = format!("http://{}", door.address);
    assert_eq!(answer(tag().header("origin", &origin)).await.0, 204);
    assert_eq!(answer(tag()).await.0, 204);
    for (header, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("referer", "http://evil.example/"),
        ("sec-fetch-site", "cross-site"),
    ] {
        assert_eq!(answer(tag().header(header, value)).await.0, 403, "{header}: {value}");
    }
    let logout = door.bare(Method::DELETE, "/api/v1/session").header("cookie", cookie);
    assert_eq!(answer(logout).await.0, 204);
    assert_eq!(answer(tag()).await.0, 401);
}

#[tokio::test]
async fn brute_force_ends_in_a_ban_that_says_for_how_long() {
    let door = Door::open().await;
    let login = |password: &str| {
        let body = json!({ "user": "admin", "password": password });
        with_json(door.bare(Method::POST, "/api/v1/session"), &body)
    };
    for _ in 0..5 {
        assert_eq!(answer(login("wrong")).await.0, 401);
    }
    let response = login(&door.password).send().await.unwrap();
    assert_eq!(response.status(), 429);
    let wait: u32 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    // Keys go on.
    assert_eq!(door.get("/node").await.0, 200);
}

#[tokio::test]
async fn a_name_that_was_rebound_is_refused_on_every_path() {
    let door = Door::open().await;
    for path in ["/", "/metrics", "/api/v1/openapi.json", "/api/v2/app/version"] {
        let request = door.bare(Method::GET, path).header("host", "evil.example");
        let (status, told) = answer(request).await;
        assert_eq!((status, &told["code"]), (421, &json!("foreign_host")), "{path}");
    }
}

#[tokio::test]
async fn another_password_holds_and_ends_logins() {
    let door = Door::open().await;
    let body = json!({ "old": "wrong password", "new": "another password" });
    assert_eq!(door.send(Method::PUT, "/password", &body).await.0, 403);
    let body = json!({ "old": door.password, "new": "short" });
    assert_eq!(door.send(Method::PUT, "/password", &body).await.0, 422);
    let body = json!({ "old": door.password, "new": "another password" });
    assert_eq!(door.send(Method::PUT, "/password", &body).await.0, 204);
    let login = json!({ "user": "admin", "password": "another password" });
    let request = with_json(door.bare(Method::POST, "/api/v1/session"), &login);
    assert_eq!(answer(request).await.0, 204);
}

#[tokio::test]
async fn who_holds_a_thousand_connections_open_is_told_to_close_some() {
    let door = Door::open().await;
    let (mut held, mut refusals) = (Vec::new(), 0);
    for _ in 0..1000 {
        held.push(TcpStream::connect(door.address).await.unwrap());
    }
    for mut stream in held.drain(..) {
        // Those that are held say nothing: they are asked, and answer.
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n").await;
        let mut told = Vec::new();
        let _ = stream.read_to_end(&mut told).await;
        refusals += u32::from(told.starts_with(b"HTTP/1.1 503 ") || told.is_empty());
    }
    assert_eq!(refusals, 750);
    assert_eq!(door.get("/node").await.0, 200);
}
