//! Logging in and out, and who a request comes from: a cookie, an API key, or name and password each time.

use crate::call::Call;
use crate::reply::{Answer, Fault, Reply};
use crate::serve::Server;
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, COOKIE, HeaderMap};
use piecework_access::{Face, Refused, Role, Scope};
use piecework_api::{Caller, credentials};
use std::net::{IpAddr, Ipv4Addr};

/// What an address is told that failed too often.
const BANNED: &str =
    "Your IP address has been banned after too many failed authentication attempts.";

/// The cookie's name. Programs send back whatever they were given, but scripts look for this name.
const SID: &str = "SID";

/// Whom a request comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Visitor {
    /// Nobody that we know; they may log in.
    Nobody,
    /// Somebody with a login of this face.
    Login {
        /// Its cookie.
        cookie: String,
        /// Who, and what they may do.
        role: Role,
    },
    /// A program with an API key.
    Key(Role),
}

impl Visitor {
    pub(crate) const fn has_key(&self) -> bool {
        matches!(self, Self::Key(_))
    }

    pub(crate) const fn may_control(&self) -> bool {
        match self {
            Self::Nobody => false,
            Self::Login { role, .. } | Self::Key(role) => role.scopes.allow(Scope::Control),
        }
    }

    /// The session that numbers of `sync` belong to, and the login's cookie.
    pub(crate) fn into_session(self) -> (String, Option<String>) {
        match self {
            Self::Nobody => (String::new(), None),
            Self::Login { cookie, .. } => (format!("login {cookie}"), Some(cookie)),
            Self::Key(role) => (format!("key {}", role.name), None),
        }
    }
}

/// Who a request comes from.
///
/// # Errors
/// When its address is banned, it comes from a stranger's page, or name and password do not count.
pub(crate) async fn visitor(
    server: &Server,
    headers: &HeaderMap,
    caller: &Caller,
) -> Result<Visitor, Fault> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    // No page can send a key of somebody else, so that its origin does not matter.
    if let Some(key) = authorization.and_then(|value| credentials(value, "bearer")) {
        return Ok(server.gate.key(key).map_or(Visitor::Nobody, Visitor::Key));
    }
    if server.gate.check_origin(headers, caller).is_err() {
        return Err(Fault { status: StatusCode::UNAUTHORIZED, text: "Unauthorized".into() });
    }
    if let Some(cookie) = cookie(headers)
        && let Some(role) = server.gate.session(Face::QBittorrent, cookie)
    {
        return Ok(Visitor::Login { cookie: cookie.to_owned(), role });
    }
    if server.gate.banned(caller.ip).is_some() {
        return Err(Fault::forbidden(BANNED));
    }
    let Some(basic) = authorization.and_then(|value| credentials(value, "basic")) else {
        return Ok(Visitor::Nobody);
    };
    match server.logins.role(&server.gate, basic, caller.ip).await {
        Ok(Some((role, cookie))) => Ok(Visitor::Login { cookie, role }),
        Ok(None) | Err(Refused::Wrong | Refused::NoPassword) => Ok(Visitor::Nobody),
        Err(Refused::Banned(_) | Refused::Busy(_)) => Err(Fault::forbidden(BANNED)),
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|it| it.split_once('='));
    pairs.find(|(name, _)| name.trim() == SID).map(|(_, value)| value.trim())
}

/// `auth/login`. A wrong password is no error of HTTP: that is what this version of the API did.
pub(crate) async fn login(server: &Server, call: &Call) -> Answer {
    let (name, password) =
        (call.get("username").unwrap_or_default(), call.get("password").unwrap_or_default());
    let ip = call.ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    match server.gate.login(name, password, ip, Face::QBittorrent).await {
        Ok(cookie) => Ok(Reply::Login {
            text: "Ok.",
            cookie: format!("{SID}={}; HttpOnly; SameSite=Strict; path=/", cookie.reveal()),
        }),
        Err(Refused::Wrong | Refused::NoPassword) => Ok(Reply::text("Fails.")),
        Err(Refused::Banned(_) | Refused::Busy(_)) => Err(Fault::forbidden(BANNED)),
    }
}

/// `auth/logout`.
pub(crate) async fn logout(server: &Server, call: &Call) -> Answer {
    if let Some(cookie) = &call.cookie {
        server.gate.logout(cookie);
        server.sessions().forget(&call.session);
    }
    Ok(Reply::Login {
        text: "",
        cookie: format!("{SID}=; expires=Thu, 01 Jan 1970 00:00:00 GMT; path=/"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "theme=dark; SID=abc".parse().expect("a header"));
        assert_eq!(cookie(&headers), Some("abc"));
        assert_eq!(cookie(&HeaderMap::new()), None);
    }
}
