//! From a request to its endpoint, and back.

use crate::auth::{self, Visitor};
use crate::call::{BODY_BYTES_MAX, Call};
use crate::endpoints::{Endpoint, Kind, answer};
use crate::reply::{Answer, Fault};
use crate::session::Sessions;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_LENGTH, HeaderMap};
use axum::http::{Method, Response, StatusCode};
use axum::routing::any;
use piecework_access::Face;
use piecework_api::{AccessGate, BasicLogins, Caller};
use piecework_daemon::Handle;
use std::sync::{Arc, Mutex};

/// What endpoints work with.
pub(crate) struct Server {
    pub(crate) daemon: Handle,
    pub(crate) gate: Arc<AccessGate>,
    pub(crate) sessions: Mutex<Sessions>,
    pub(crate) logins: BasicLogins,
}

/// The dialect as a router, below [`crate::PREFIX`]. Each request needs a [`Caller`] among its extensions;
/// one without is refused. Whether its Host is ours was asked by whoever put it there.
pub fn router(daemon: Handle, gate: Arc<AccessGate>) -> Router {
    let logins = BasicLogins::new(Face::QBittorrent);
    let server = Server { daemon, gate, sessions: Mutex::default(), logins };
    Router::new()
        .route(&format!("{}/{{scope}}/{{action}}", crate::PREFIX), any(serve))
        .with_state(Arc::new(server))
}

async fn serve(
    State(server): State<Arc<Server>>,
    Path((scope, action)): Path<(String, String)>,
    request: Request,
) -> Response<Body> {
    match answered(&server, &scope, &action, request).await {
        Ok(reply) => reply.into_response(),
        Err(fault) => fault.into_response(),
    }
}

async fn answered(server: &Server, scope: &str, action: &str, request: Request) -> Answer {
    let caller = request.extensions().get::<Caller>().cloned();
    let caller = caller.ok_or_else(|| Fault::forbidden("Forbidden"))?;
    let (parts, body) = request.into_parts();
    let visitor = auth::visitor(server, &parts.headers, &caller).await?;
    let is_login = (scope, action) == ("auth", "login");
    if visitor == Visitor::Nobody && !is_login {
        return Err(Fault::forbidden("Forbidden"));
    }
    if visitor.has_key() && scope == "auth" {
        return Err(Fault::forbidden("Forbidden"));
    }
    let endpoint = Endpoint::find(scope, action).ok_or_else(Fault::not_found)?;
    let is_allowed = match endpoint.kind {
        Kind::Read => matches!(parts.method, Method::GET | Method::POST | Method::HEAD),
        Kind::Write => parts.method == Method::POST,
    };
    if !is_allowed {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return Err(Fault { status, text: "Method Not Allowed".into() });
    }
    if endpoint.kind == Kind::Write && !is_login && !visitor.may_control() {
        return Err(Fault::forbidden("this key may only read"));
    }
    let body = whole(&parts.headers, body).await?;
    let mut call = Call::read(&parts, &body)?;
    call.ip = Some(caller.ip);
    (call.session, call.cookie) = visitor.into_session();
    answer(endpoint, server, &call).await
}

async fn whole(headers: &HeaderMap, body: Body) -> Result<Bytes, Fault> {
    let too_large =
        || Fault { status: StatusCode::PAYLOAD_TOO_LARGE, text: "the request is too large".into() };
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let announced = announced.and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| too_large())
}
