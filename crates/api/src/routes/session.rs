//! Logins by password, for browsers.

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
    changed.map_err(Problem::from).map_err(|problem| {
        // Whoever asks is logged in: it is the old password of the body that is wrong.
        match problem.code() {
            Code::WrongPassword => Problem::new(Code::Forbidden, "the old password is wrong"),
            _ => problem,
        }
    })?;
    Ok(StatusCode::NO_CONTENT)
}
