//! Logins by password or API key, for browsers.

use crate::caller::Caller;
use crate::extract::Json;
use crate::guard::COOKIE;
use crate::problem::{Code, Problem};
use crate::state::{Api, Credential, Who};
use axum::Extension;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use piecework_access::Face;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// User and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    #[schema(example = "admin")]
    user: String,
    #[schema(format = Password)]
    password: String,
}

/// Log in
///
/// Sets a cookie that counts until it was idle for an hour.
#[utoipa::path(post, path = "/session", tag = "access", request_body = Login, security(()),
    responses((status = 204, description = "Logged in.")))]
pub(crate) async fn login(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Json(login): Json<Login>,
) -> Result<Response, Problem> {
    // Nor may another page log somebody in as somebody else.
    api.gate.check_origin(&headers, &caller)?;
    let secret = api.gate.login(&login.user, &login.password, caller.ip, Face::Own).await?;
    Ok(with_cookie(&caller, secret.reveal(), ""))
}

/// An API key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyLogin {
    #[schema(format = Password, example = "pw_...")]
    key: String,
}

/// Log in with an API key
///
/// Sets a cookie: until it is closed, or the key is deleted, a browser may what the key may.
#[utoipa::path(post, path = "/session/key", tag = "access", request_body = KeyLogin, security(()),
    responses((status = 204, description = "Logged in.")))]
pub(crate) async fn login_with_key(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Json(login): Json<KeyLogin>,
) -> Result<Response, Problem> {
    api.gate.check_origin(&headers, &caller)?;
    let key = login.key.trim();
    let known = api.gate.key(key);
    known.ok_or_else(|| Problem::new(Code::Unauthorized, "this API key is unknown"))?;
    Ok(with_cookie(&caller, key, ""))
}

/// Only for us, never from other sites, and not readable by scripts.
fn with_cookie(caller: &Caller, value: &str, rest: &str) -> Response {
    let secure = if caller.is_https { "; Secure" } else { "" };
    let prefix = &caller.prefix;
    let cookie =
        format!("{COOKIE}={value}; Path={prefix}/; HttpOnly; SameSite=Strict{secure}{rest}");
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Log out
#[utoipa::path(delete, path = "/session", tag = "access",
    responses((status = 204, description = "The cookie counts no more.")))]
pub(crate) async fn logout(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Extension(who): Extension<Who>,
) -> Response {
    if let Credential::Login(cookie) = &who.credential {
        api.gate.logout(cookie);
    }
    with_cookie(&caller, "", "; Max-Age=0")
}

/// The password once more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    #[schema(format = Password)]
    password: String,
}

/// Spend by a login
///
/// A login has the scope `spend` for a quarter of an hour after its password was given once more. An API key
/// has the scopes that it was made with.
#[utoipa::path(put, path = "/session/spend", tag = "access", request_body = Confirmation,
    responses((status = 204, description = "This login may spend.")))]
pub(crate) async fn confirm(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Extension(who): Extension<Who>,
    Json(confirmation): Json<Confirmation>,
) -> Result<StatusCode, Problem> {
    let Credential::Login(cookie) = &who.credential else {
        let text = "a key has the scopes it was made with: ask with one that has \"spend\"";
        return Err(Problem::new(Code::Scope, text));
    };
    let confirmed = api.gate.confirm(cookie, &confirmation.password, caller.ip).await;
    let is_open =
        confirmed.map_err(|refused| wrong_is_forbidden(refused.into(), "the password"))?;
    if is_open {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::new(Code::Unauthorized, "the login has ended: log in again"))
}

/// Spend by a login no more
#[utoipa::path(delete, path = "/session/spend", tag = "access",
    responses((status = 204, description = "The password is needed again.")))]
pub(crate) async fn stop_spending(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
) -> StatusCode {
    if let Credential::Login(cookie) = &who.credential {
        api.gate.stop_spending(cookie);
    }
    StatusCode::NO_CONTENT
}

/// Whoever asks is logged in: it is the password of the body that is wrong.
fn wrong_is_forbidden(problem: Problem, what: &str) -> Problem {
    match problem.code() {
        Code::WrongPassword => Problem::new(Code::Forbidden, format!("{what} is wrong")),
        _ => problem,
    }
}

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct Me {
    /// The user, or the key's name.
    name: String,
    /// What is answered: `read`, `control`, `spend`.
    scopes: Vec<&'static str>,
    /// By an API key.
    is_key: bool,
}

/// Ask who I am
#[utoipa::path(get, path = "/session", tag = "access",
    responses((status = 200, description = "Who asks.", body = Me)))]
pub(crate) async fn whoami(Extension(who): Extension<Who>) -> Json<Me> {
    let role = who.role;
    Json(Me { name: role.name, scopes: role.scopes.words(), is_key: role.is_key })
}

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Passwords {
    #[schema(format = Password)]
    old: String,
    #[schema(format = Password, min_length = 8, max_length = 256)]
    new: String,
}

/// Change the password
///
/// All logins end.
#[utoipa::path(put, path = "/password", tag = "access", request_body = Passwords,
    responses((status = 204, description = "It is changed.")))]
pub(crate) async fn password(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Json(passwords): Json<Passwords>,
) -> Result<StatusCode, Problem> {
    let Passwords { old, new } = passwords;
    let changed = api.gate.change_password(&old, &new, caller.ip).await;
    changed.map_err(|error| wrong_is_forbidden(error.into(), "the old password"))?;
    Ok(StatusCode::NO_CONTENT)
}
