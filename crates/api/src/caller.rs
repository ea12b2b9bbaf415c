//! Where a request comes from, and under which name we were asked.

use axum::http::HeaderMap;
use std::net::IpAddr;

/// An extension of every request that the server passes on. Behind a proxy that is trusted it tells what the
/// proxy says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The address a request came from.
    pub ip: IpAddr,
    /// The name, and the port if it is said, that was asked for; `None` if none was said.
    pub host: Option<String>,
    /// It came through TLS.
    pub is_https: bool,
    /// What stands before our own paths at the outside, such as `/torrents`; empty mostly.
    pub prefix: String,
}

impl Caller {
    /// The address of our root as the caller sees it, without a slash at its end.
    pub fn root(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        let host = self.host.as_deref().unwrap_or("localhost");
        format!("{scheme}://{host}{}", self.prefix)
    }
}

/// A header as text; nothing where it is absent or no text.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
