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
async fn a_browser_logs_in_with_a_key_and_may_what_the_key_may_until_it_is_deleted() {
    let door = Door::open().await;
    let reader = door.key("reader", Scopes::READ);
    let controller = door.key("controller", Scopes::CONTROL);
    let login = |key: &str| {
        let body = json!({ "key": key });
        with_json(door.bare(Method::POST, "/api/v1/session/key"), &body)
    };
    assert_eq!(answer(login("pw_unknown")).await.0, 401);
    assert_eq!(answer(login(&reader).header("origin", "http://evil.example")).await.0, 403);
    let response = login(&reader).send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    let with = |method, path: &str, cookie: &str| {
        door.bare(method, &format!("/api/v1{path}")).header("cookie", cookie)
    };
    let cookie = cookie.split(';').next().unwrap();
    let (_, me) = answer(with(Method::GET, "/session", cookie)).await;
    assert_eq!(me, json!({ "name": "reader", "scopes": ["read"], "is_key": true }));
    assert_eq!(answer(with(Method::PUT, "/tags/a", cookie)).await.0, 403);
    // A key that a browser sends by itself is one of our own pages' alone.
    let cookie = format!("piecework_login={controller}");
    let foreign = with(Method::PUT, "/tags/a", &cookie).header("origin", "http://evil.example");
    assert_eq!(answer(foreign).await.1["code"], json!("foreign_page"));
    assert_eq!(answer(with(Method::PUT, "/tags/a", &cookie)).await.0, 204);
    let (_, keys) = door.get("/keys").await;
    let all = keys.as_array().unwrap();
    let it = all.iter().find(|key| key["name"] == "controller").unwrap();
    let path = format!("/keys/{}", it["id"]);
    assert_eq!(door.send(Method::DELETE, &path, &json!(null)).await.0, 204);
    assert_eq!(answer(with(Method::GET, "/session", &cookie)).await.0, 401);
}

#[tokio::test]
async fn a_login_spends_after_the_password_was_given_again_and_stops_without() {
    let door = Door::open().await;
    let login = json!({ "user": "admin", "password": door.password });
    let request = with_json(door.bare(Method::POST, "/api/v1/session"), &login);
    let response = request.send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    let cookie = cookie.split(';').next().unwrap();
    let ask = |method: Method, path: &str, body: &serde_json::Value| {
        let request = door.bare(method, &format!("/api/v1{path}")).header("cookie", cookie);
        answer(with_json(request, body))
    };
    let price = json!({ "pay.price_floor": "2" });
    let (status, told) = ask(Method::PATCH, "/settings", &price).await;
    assert_eq!((status, &told["code"]), (403, &json!("scope")));
    let key = json!({ "name": "spends", "scopes": ["spend"] });
    assert_eq!(ask(Method::POST, "/keys", &key).await.0, 403);
    // To stop wants no password: neither of a login nor of a key that may control.
    let stop = json!({ "pay.buys": "false", "pay.sells": "false" });
    assert_eq!(ask(Method::PATCH, "/settings", &stop).await.0, 200);
    assert_eq!(door.send(Method::PATCH, "/settings", &stop).await.0, 200);
    assert_eq!(door.send(Method::PATCH, "/settings", &price).await.0, 403);
    let both = json!({ "pay.buys": "false", "pay.sells": "true" });
    assert_eq!(ask(Method::PATCH, "/settings", &both).await.0, 403);
    // A node that cannot trade says so, not that the scope is missing.
    let off = json!({ "buys": false });
    assert_ne!(ask(Method::PATCH, "/market", &off).await.0, 403);
    let dearer = json!({ "buys": false, "day_max": null });
    assert_eq!(ask(Method::PATCH, "/market", &dearer).await.0, 403);

    let spend = "/session/spend";
    let wrong = json!({ "password": "wrong" });
    let (status, told) = ask(Method::PUT, spend, &wrong).await;
    assert_eq!((status, &told["code"]), (403, &json!("forbidden")));
    let right = json!({ "password": door.password });
    assert_eq!(door.send(Method::PUT, spend, &right).await.0, 403);
    assert_eq!(ask(Method::PUT, spend, &right).await.0, 204);
    let me = door.bare(Method::GET, "/api/v1/session").header("cookie", cookie);
    assert_eq!(answer(me).await.1["scopes"], json!(["read", "control", "spend"]));
    assert_eq!(ask(Method::PATCH, "/settings", &price).await.0, 200);
    assert_eq!(ask(Method::DELETE, spend, &json!(null)).await.0, 204);
    assert_eq!(ask(Method::PATCH, "/settings", &price).await.0, 403);
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
