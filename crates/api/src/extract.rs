//! Parameters and bodies, refused with a problem instead of a plain text.

use crate::caller::header;
use crate::problem::{Code, Problem};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path as AxumPath, Query as AxumQuery, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use piecework_types::{InfoHash, Sha1Digest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

/// Parameters behind the question mark.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = AxumQuery::from_request_parts(parts, state).await;
        let told = |no: QueryRejection| Problem::new(Code::BadRequest, inner(&no.body_text()));
        query.map(|AxumQuery(query)| Self(query)).map_err(told)
    }
}

/// Parts of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = AxumPath::from_request_parts(parts, state).await;
        let told = |no: PathRejection| Problem::new(Code::NotFound, inner(&no.body_text()));
        path.map(|AxumPath(path)| Self(path)).map_err(told)
    }
}

/// A body that is a JSON object, and an answer.
pub(crate) struct Json<T>(pub(crate) T);

/// A body that is a JSON array.
pub(crate) struct JsonList<T>(pub(crate) Vec<T>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        json(request, state, b'{').await.map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonList<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        json(request, state, b'[').await.map(Self)
    }
}

/// Reads a body that begins as it should: serde would take an array for an object's values in order.
async fn json<S: Send + Sync, T: DeserializeOwned>(
    request: Request,
    state: &S,
    first: u8,
) -> Result<T, Problem> {
    let is_json = |kind: &str| kind.to_ascii_lowercase().starts_with("application/json");
    if !header(request.headers(), CONTENT_TYPE.as_str()).is_some_and(is_json) {
        return Err(Problem::new(Code::MediaType, "send application/json"));
    }
    let body = Bytes::from_request(request, state).await.map_err(|no: BytesRejection| {
        let is_large = no.status() == StatusCode::PAYLOAD_TOO_LARGE;
        let code = if is_large { Code::TooLarge } else { Code::BadRequest };
        Problem::new(code, no.body_text())
    })?;
    from_json(&body, first)
}

/// The same of bytes.
pub(crate) fn from_json<T: DeserializeOwned>(body: &[u8], first: u8) -> Result<T, Problem> {
    let begins = body.trim_ascii_start().first();
    if begins.is_some_and(|byte| *byte != first && b"{[\"tfn-0123456789".contains(byte)) {
        let what = if first == b'{' { "an object" } else { "an array" };
        return Err(Problem::new(Code::Invalid, format!("expected {what}")));
    }
    serde_json::from_slice(body).map_err(|cause| {
        let code = if cause.is_data() { Code::Invalid } else { Code::BadRequest };
        Problem::new(code, cause.to_string())
    })
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// JSON that was written by hand.
pub(crate) fn raw_json(bytes: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::new(bytes.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The cause without the frame around it.
fn inner(text: &str) -> String {
    text.rsplit_once("the target type: ").map_or(text, |(_, cause)| cause).to_owned()
}

/// The torrent that a part of the path names.
pub(crate) fn torrent_id(text: &str) -> Result<InfoHash, Problem> {
    text.parse::<Sha1Digest>()
        .map(|digest| InfoHash(digest.0))
        .map_err(|_| Problem::no_torrent(text))
}

/// Torrents that a body names.
pub(crate) fn torrent_ids(texts: &[String]) -> Result<Vec<InfoHash>, Problem> {
    texts.iter().map(|text| torrent_id(text)).collect()
}

/// Tells `null`, which takes a value away, from nothing, which leaves it.
pub(crate) fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(value).map(Some)
}
