//! Who is let in to the own API, and what for.

use crate::caller::{Caller, header};
use crate::problem::{Code, Problem};
use crate::state::{Api, Credential, Who, unix_now};
use axum::extract::{Request, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use piecework_access::{Face, Role, Scope, Scopes};

/// The cookie of a login at our own face.
pub(crate) const COOKIE: &str = "piecework_login";

/// Lets a request through if somebody who may ask it is behind it: whoever looks needs `read`, all else
/// `control`. Routes that need more look themselves.
pub(crate) async fn authorize(
    State(api): State<Api>,
    mut request: Request,
    next: Next,
) -> Response {
    match admit(&api, &request) {
        Ok(who) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Err(problem) => {
            let is_unknown = problem.code() == Code::Unauthorized;
            let mut response = problem.into_response();
            if is_unknown {
                let challenge = HeaderValue::from_static("Bearer realm=\"piecework\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            response
        }
    }
}

fn admit(api: &Api, request: &Request) -> Result<Who, Problem> {
    let headers = request.headers();
    let is_look = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    if is_look && is_signed(api, request) {
        let role = Role { name: "token".into(), scopes: Scopes::READ, is_key: true };
        return Ok(Who { role, credential: Credential::Token });
    }
    let who = who(api, headers)?;
    // What a browser sends by itself may come from any page.
    if !is_look && matches!(who.credential, Credential::Login(_)) {
        let caller = request.extensions().get::<Caller>();
        let caller = caller.ok_or_else(|| Problem::new(Code::Failed, "no caller"))?;
        api.gate.check_origin(headers, caller)?;
    }
    who.needs(if is_look { Scope::Read } else { Scope::Control })?;
    Ok(who)
}

/// Whom a key or a cookie belongs to. A key that is wrong is not made good by a cookie.
pub(crate) fn who(api: &Api, headers: &HeaderMap) -> Result<Who, Problem> {
    let unknown = |text: &str| Problem::new(Code::Unauthorized, text);
    if let Some(authorization) = header(headers, "authorization") {
        let bearer = authorization
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let (_, key) = bearer.ok_or_else(|| unknown("expected: Authorization: Bearer pw_..."))?;
        let role = api.gate.key(key.trim()).ok_or_else(|| unknown("this API key is unknown"))?;
        return Ok(Who { role, credential: Credential::Key(key.trim().to_owned()) });
    }
    let text = "log in, or send an API key: Authorization: Bearer pw_...";
    let cookie = cookie(headers).ok_or_else(|| unknown(text))?;
    let role = by_cookie(api, cookie);
    let role = role.ok_or_else(|| unknown("the login has ended: log in again"))?;
    Ok(Who { role, credential: Credential::Login(cookie.to_owned()) })
}

/// Whom a cookie belongs to: that of a login by password, or an API key that a browser logged in with.
fn by_cookie(api: &Api, cookie: &str) -> Option<Role> {
    api.gate.session(Face::Own, cookie).or_else(|| api.gate.key(cookie))
}

/// The value of our cookie, if one came.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all("cookie").iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|list| list.split(';')).filter_map(|it| it.split_once('='));
    pairs.find(|(name, _)| name.trim() == COOKIE).map(|(_, value)| value.trim())
}

/// Whether the address itself opens one file, as a playlist of ours has it.
fn is_signed(api: &Api, request: &Request) -> bool {
    let uri = request.uri();
    let parts: Vec<&str> = uri.path().trim_start_matches('/').split('/').collect();
    let [.., "torrents", id, "files", file, "stream"] = parts[..] else { return false };
    let token =
        uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("token=")));
    token.is_some_and(|token| api.signer.opens(&format!("{id}/{file}"), token, unix_now()))
}

/// Whether somebody who was let in still would be.
pub(crate) fn is_still_welcome(api: &Api, who: &Who) -> bool {
    match &who.credential {
        Credential::Key(key) => api.gate.key(key).is_some(),
        Credential::Login(cookie) => by_cookie(api, cookie).is_some(),
        Credential::Token => false,
    }
}
