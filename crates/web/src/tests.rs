use crate::{is_built, router};
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tower_service::Service;

struct Told {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Told {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn ask(root: Option<&Path>, method: &str, path: &str, headers: &[(&str, &str)]) -> Told {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = router(root.map(Path::to_owned)).call(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Told { status: head.status, headers: head.headers, body }
}

const PAGE: (&str, &str) = ("accept", "text/html,*/*");

#[tokio::test]
async fn the_root_is_the_app_or_says_how_to_build_it() {
    let told = ask(None, "GET", "/", &[PAGE]).await;
    assert_eq!(told.status, StatusCode::OK);
    assert!(told.header("content-type").starts_with("text/html"));
    let text = String::from_utf8(told.body).unwrap();
    assert_eq!(text.contains("run build"), !is_built(), "{text}");
    assert_eq!(text.contains("assets/"), is_built(), "{text}");
}

#[tokio::test]
async fn an_old_link_leads_to_the_app_and_a_programs_mistake_does_not() {
    for (path, location) in [("/old", "./"), ("/old/", "../"), ("/a/b/c?d", "../../")] {
        let told = ask(None, "GET", path, &[PAGE]).await;
        assert_eq!((told.status, told.header("location")), (StatusCode::FOUND, location), "{path}");
    }
    for (path, headers) in [("/api/v9/x", &[PAGE][..]), ("/transmission/x", &[PAGE]), ("/old", &[])]
    {
        assert_eq!(ask(None, "GET", path, headers).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let told = ask(None, "POST", "/", &[]).await;
    assert_eq!((told.status, told.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD"));
}

#[tokio::test]
async fn a_file_comes_packed_as_asked_for_and_not_again_while_it_is_the_same() {
    if !is_built() {
        return;
    }
    let plain = ask(None, "GET", "/", &[]).await;
    assert!(plain.header("content-security-policy").contains("default-src 'none'"));
    assert_eq!(plain.header("cache-control"), "no-cache");
    let mut tags = vec![plain.header("etag").to_owned()];
    for (accepted, encoding) in
        [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, GZIP;q=0.5", "gzip"), ("*", "")]
    {
        let told = ask(None, "GET", "/", &[("accept-encoding", accepted)]).await;
        assert_eq!(told.header("content-encoding"), encoding, "{accepted}");
        assert_eq!(told.body == plain.body, encoding.is_empty());
        let tag = told.header("etag").to_owned();
        let again = [("accept-encoding", accepted), ("if-none-match", &tag)];
        let again = ask(None, "GET", "/", &again).await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
        tags.push(tag);
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3);
    let text = String::from_utf8(plain.body).unwrap();
    let script = text.split('"').find(|it| it.starts_with("./assets/") && it.ends_with(".js"));
    let script = ask(None, "GET", &script.unwrap()[1..], &[]).await;
    assert_eq!(script.status, StatusCode::OK);
    assert!(script.header("cache-control").contains("immutable"));
    assert!(script.header("content-type").starts_with("text/javascript"));
}

#[tokio::test]
async fn another_root_is_served_with_its_own_page_for_unknown_paths() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    for (file, text) in [("index.html", "page"), ("sub/index.html", "sub"), ("a b.js", "script")] {
        fs::write(folder.path().join(file), text).unwrap();
    }
    let root = Some(folder.path());
    for (path, text) in
        [("/", "page"), ("/sub/", "sub"), ("/a%20b.js", "script"), ("/screen/7", "page")]
    {
        let told = ask(root, "GET", path, &[PAGE]).await;
        let tag = told.header("etag").to_owned();
        assert_eq!((told.status.as_u16(), told.body), (200, text.as_bytes().to_vec()), "{path}");
        let again = ask(root, "GET", path, &[PAGE, ("if-none-match", &tag)]).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    }
    assert_eq!(ask(root, "GET", "/absent.js", &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn no_path_leads_out_of_another_root() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("root");
    for folder in ["root/sub", "root-of-another"] {
        fs::create_dir_all(place.path().join(folder)).unwrap();
    }
    fs::write(place.path().join("secret"), "secret").unwrap();
    fs::write(place.path().join("root-of-another/secret"), "secret").unwrap();
    symlink("../secret", root.join("link")).unwrap();
    symlink("../../secret", root.join("sub/index.html")).unwrap();
    for path in [
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/sub/../../secret",
        "/%2e%2e%2froot-of-another/secret",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/secret%00",
        "/%ff",
        "/link",
        "/sub/",
        "/.",
    ] {
        let told = ask(Some(&root), "GET", path, &[]).await;
        assert_eq!(told.status, StatusCode::NOT_FOUND, "{path}");
        assert_ne!(told.body, b"secret", "{path}");
    }
}
