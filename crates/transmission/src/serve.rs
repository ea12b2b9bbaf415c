//! From a request to its method, and back.

use crate::dialect::{CALLS_MAX, Call, failed};
use crate::fault::{Code, Fault};
use crate::methods;
use crate::numbers::Numbers;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::routing::post;
use piecework_access::{Face, Refused, Role, Scope};
use piecework_api::{AccessGate, BasicLogins, Caller, credentials};
use piecework_daemon::Handle;
use serde_json::Value;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of a request: a few torrent files in base64.
const BODY_BYTES_MAX: usize = 32 << 20;

/// The header that a page of somebody else cannot send: who has not seen it is asked to repeat.
const SESSION: HeaderName = HeaderName::from_static("x-transmission-session-id");

/// What methods work with.
pub(crate) struct Server {
    pub(crate) daemon: Handle,
    gate: Arc<AccessGate>,
    logins: BasicLogins,
    numbers: Mutex<Numbers>,
    /// The session id of this process.
    pub(crate) session: String,
}

impl Server {
    pub(crate) fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The dialect as a router, at [`crate::PATH`]. Each request needs a [`Caller`] among its extensions; one
/// without is refused. Whether its Host is ours was asked by whoever put it there.
///
/// # Errors
/// When the system has no randomness for a session id.
pub fn router(daemon: Handle, gate: Arc<AccessGate>) -> io::Result<Router> {
    let random = piecework_node::system_random;
    let session = format!("{:016x}{:016x}{:016x}", random()?, random()?, random()?);
    let logins = BasicLogins::new(Face::Transmission);
    let server = Server { daemon, gate, logins, numbers: Mutex::default(), session };
    // With and without a slash at the end: programs write both.
    let router =
        Router::new().route(crate::PATH, post(serve)).route("/transmission/rpc/", post(serve));
    Ok(router.with_state(Arc::new(server)))
}

async fn serve(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let Some(caller) = request.extensions().get::<Caller>().cloned() else {
        return plain(StatusCode::FORBIDDEN, "Forbidden");
    };
    let (parts, body) = request.into_parts();
    let role = match role(&server, &parts.headers, &caller).await {
        Ok(role) => role,
        Err(response) => return *response,
    };
    let session = parts.headers.get(SESSION).and_then(|value| value.to_str().ok());
    if session != Some(server.session.as_str()) {
        let mut response =
            plain(StatusCode::CONFLICT, "repeat with the header X-Transmission-Session-Id");
        if let Ok(value) = HeaderValue::from_str(&server.session) {
            response.headers_mut().insert(SESSION, value);
        }
        return response;
    }
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large");
    };
    match answered(&server, &role, &body).await {
        Some(answer) => {
            let mut response = Response::new(Body::from(answer.to_string()));
            let kind = HeaderValue::from_static("application/json; charset=UTF-8");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        None => plain(StatusCode::NO_CONTENT, ""),
    }
}

/// Who asks: by name and password with each request, or by an API key.
async fn role(
    server: &Server,
    headers: &HeaderMap,
    caller: &Caller,
) -> Result<Role, Box<Response<Body>>> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let authorization = authorization.unwrap_or_default();
    if let Some(role) = credentials(authorization, "bearer").and_then(|key| server.gate.key(key)) {
        return Ok(role);
    }
    if server.gate.check_origin(headers, caller).is_err() {
        return Err(Box::new(plain(StatusCode::FORBIDDEN, "a page of another site asks")));
    }
    let role = match credentials(authorization, "basic") {
        Some(basic) => server.logins.role(&server.gate, basic, caller.ip).await,
        None => Ok(None),
    };
    match role {
        Ok(Some((role, _))) => Ok(role),
        Ok(None) | Err(Refused::Wrong | Refused::NoPassword) => {
            let mut response =
                plain(StatusCode::UNAUTHORIZED, "name and password, or a key, are needed");
            let realm = HeaderValue::from_static("Basic realm=\"Piecework\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, realm);
            Err(Box::new(response))
        }
        Err(refused) => Err(Box::new(plain(StatusCode::FORBIDDEN, &refused.to_string()))),
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=UTF-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

async fn answered(server: &Server, role: &Role, body: &Bytes) -> Option<Value> {
    match serde_json::from_slice(body) {
        Ok(Value::Array(calls)) if !calls.is_empty() && calls.len() <= CALLS_MAX => {
            let mut answers = Vec::new();
            for call in calls {
                answers.extend(one(server, role, call).await);
            }
            (!answers.is_empty()).then_some(Value::Array(answers))
        }
        Ok(call) => one(server, role, call).await,
        Err(error) => {
            let fault = Fault::new(Code::Parse, error.to_string());
            Some(failed(&Value::Null, &fault))
        }
    }
}

async fn one(server: &Server, role: &Role, call: Value) -> Option<Value> {
    let call = match Call::read(call) {
        Ok(call) => call,
        Err(answer) => return Some(answer),
    };
    let outcome = match methods::find(&call.method) {
        None => Err(Fault::new(Code::Method, "method name not recognized")),
        Some(method) if method.changes && !role.scopes.allow(Scope::Control) => {
            Err(Fault::new(Code::Path, "this key may only read"))
        }
        Some(_) => methods::answer(server, &call).await,
    };
    call.answer(outcome)
}
