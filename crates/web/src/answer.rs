//! Answers that are no files, and what all of them have.

use axum::body::Body;
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, LOCATION,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// Names that have a hash of their contents in them never stand for anything else.
pub(crate) const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// Kept, and asked about each time.
pub(crate) const ASK_AGAIN: &str = "no-cache";

/// A file, or that it is the same as the one that is known.
pub(crate) fn file(
    bytes: impl Into<Body>,
    kind: &'static str,
    tag: &str,
    cache: &'static str,
    headers: &HeaderMap,
) -> Response {
    let known = headers.get(IF_NONE_MATCH).and_then(|it| it.to_str().ok()).unwrap_or("");
    let mut response = if known.split(',').any(|known| known.trim() == tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(bytes.into());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    };
    set(&mut response, ETAG, tag);
    set(&mut response, CACHE_CONTROL, cache);
    response
}

/// Nothing is there.
pub(crate) fn absent(path: &str) -> Response {
    let path: String = path.chars().take(200).collect();
    (StatusCode::NOT_FOUND, format!("there is nothing at {path}\n")).into_response()
}

/// Files are looked at and no more.
pub(crate) fn no_method() -> Response {
    let mut response = (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n").into_response();
    set(&mut response, ALLOW, "GET,HEAD");
    response
}

/// To the app, seen from `path` (without a slash in front), wherever a proxy shows it.
pub(crate) fn to_root(path: &str) -> Response {
    let depth = path.matches('/').count();
    let up = if depth == 0 { "./".to_owned() } else { "../".repeat(depth) };
    let mut response = StatusCode::FOUND.into_response();
    set(&mut response, LOCATION, &up);
    response
}

/// Whether a page is wanted rather than a part of one.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get("accept").and_then(|it| it.to_str().ok()).unwrap_or("");
    accept.contains("text/html")
}

pub(crate) fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
