//! What an endpoint answers: the few shapes that qBittorrent's answers have.

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderValue, Response, StatusCode};
use piecework_catalog::{Refusal, RefusalKind};

/// An answer, or why there is none.
pub(crate) type Answer = Result<Reply, Fault>;

/// An answer with status 200.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Nothing to say: it is done.
    Empty,
    /// Plain text.
    Text(String),
    /// JSON, written already.
    Json(Vec<u8>),
    /// Plain text, and the cookie of a login.
    Login {
        /// What is said, if anything.
        text: &'static str,
        /// The whole value of the header.
        cookie: String,
    },
    /// A torrent file to save under a name.
    File {
        /// What is in it.
        bytes: Vec<u8>,
        /// A name without quotes and controls.
        name: String,
    },
}

impl Reply {
    /// Plain text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A JSON value.
    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self::Json(value.to_string().into_bytes())
    }

    /// As HTTP.
    pub(crate) fn into_response(self) -> Response<Body> {
        let (kind, body) = match self {
            Self::Empty => return Response::new(Body::empty()),
            Self::Text(text) => ("text/plain; charset=UTF-8", Body::from(text)),
            Self::Json(bytes) => ("application/json", Body::from(bytes)),
            Self::Login { text, cookie } => {
                let mut response = Response::new(Body::from(text));
                if !text.is_empty() {
                    set(&mut response, CONTENT_TYPE, "text/plain; charset=UTF-8");
                }
                set(&mut response, SET_COOKIE, &cookie);
                return response;
            }
            Self::File { bytes, name } => {
                let mut response = Response::new(Body::from(bytes));
                set(&mut response, CONTENT_TYPE, "application/x-bittorrent");
                let disposition = format!("attachment; filename=\"{name}\"");
                set(&mut response, CONTENT_DISPOSITION, &disposition);
                return response;
            }
        };
        let mut response = Response::new(body);
        set(&mut response, CONTENT_TYPE, kind);
        response
    }
}

fn set(response: &mut Response<Body>, name: axum::http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Why there is no answer: a status and a line of text.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    /// The status.
    pub(crate) status: StatusCode,
    /// The body.
    pub(crate) text: String,
}

impl Fault {
    /// A parameter is missing or makes no sense.
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    /// No such thing.
    pub(crate) fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, text: "Not Found".into() }
    }

    /// Not without a login, or never.
    pub(crate) fn forbidden(text: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, text: text.into() }
    }

    /// Its state forbids it.
    pub(crate) fn conflict(text: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, text: text.into() }
    }

    /// As HTTP.
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.text));
        *response.status_mut() = self.status;
        set(&mut response, CONTENT_TYPE, "text/plain; charset=UTF-8");
        response
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.kind {
            RefusalKind::Unknown => StatusCode::NOT_FOUND,
            // Programs of this dialect know one answer for "it cannot be now", whatever the reason.
            RefusalKind::Conflict | RefusalKind::Full | RefusalKind::Forbidden => {
                StatusCode::CONFLICT
            }
            RefusalKind::Invalid => StatusCode::BAD_REQUEST,
            RefusalKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, text: refusal.text }
    }
}
