//! By which names requests may address this server, and from which web pages they may come.
//!
//! A page of a stranger can make a browser connect to loopback: under a name of its own that resolves to
//! 127.0.0.1 (DNS rebinding; then `Host` is that name), or, for a WebSocket, from its own origin (no
//! browser forbids it; then `Origin` is the page's). Both are refused here. There are no CORS headers at
//! all.

use jsonrpsee::server::HttpRequest;
use std::net::IpAddr;

/// The names that are answered to, in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    names: Vec<String>,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Foreign {
    #[error(
        "invalid host specified: use localhost or an address, or tell the server its name with --host"
    )]
    Host,
    #[error("origin not allowed: web pages may not use this server")]
    Origin,
}

impl Hosts {
    /// Those that were set.
    pub(crate) fn new(names: &[String]) -> Self {
        Self { names: names.iter().map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// Looks at a request that arrived at the address `local`.
    pub(crate) fn check<B>(&self, request: &HttpRequest<B>, local: IpAddr) -> Result<(), Foreign> {
        let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or(""));
        let host = request.uri().authority().map(|authority| authority.as_str());
        let named = [host, header("host")];
        // HTTP/1.1 requires a Host; whoever leaves it out is no browser.
        if !named.into_iter().flatten().all(|host| self.is_ours(host, local)) {
            return Err(Foreign::Host);
        }
        match header("origin") {
            Some(origin) if !self.is_welcome(origin, local) => Err(Foreign::Origin),
            _ => Ok(()),
        }
    }

    fn is_ours(&self, authority: &str, local: IpAddr) -> bool {
        let name = name_of(authority).to_ascii_lowercase();
        match name.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback() || ip.to_canonical() == local.to_canonical(),
            Err(_) => name == "localhost" || self.names.contains(&name),
        }
    }

    /// Pages of our own hosts, and what is no page: the extensions that wallets are.
    fn is_welcome(&self, origin: &str, local: IpAddr) -> bool {
        match origin.split_once("://") {
            Some(("http" | "https", authority)) => self.is_ours(authority, local),
            Some((scheme, _)) => scheme.ends_with("-extension"),
            None => false,
        }
    }
}

/// The authority without its port.
fn name_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 5));

    fn check(headers: &[(&str, &str)]) -> Result<(), Foreign> {
        let mut request = HttpRequest::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        Hosts::new(&["Chain.Example".into()]).check(&request, LOCAL)
    }

    #[test]
    fn loopback_names_our_address_and_set_names_are_answered_to() {
        let ours = [
            "localhost",
            "localhost:8545",
            "LOCALHOST",
            "127.0.0.1:8545",
            "127.9.9.9",
            "[::1]:8545",
            "[::1]",
            "192.168.1.5:8545",
            "chain.example:443",
            "chain.example",
        ];
        for host in ours {
            assert_eq!(check(&[("host", host)]), Ok(()), "{host}");
        }
        assert_eq!(check(&[]), Ok(()));
    }

    #[test]
    fn other_names_and_addresses_are_not() {
        let foreign = [
            "evil.example",
            "evil.example:8545",
            "localhost.evil.example",
            "192.168.1.6",
            "",
            "[::2]",
            "127.0.0.1.evil.example",
            "chain.example.evil:8545",
            "a@localhost",
            "::1:x",
        ];
        for host in foreign {
            assert_eq!(check(&[("host", host)]), Err(Foreign::Host), "{host}");
        }
    }

    #[test]
    fn pages_of_strangers_are_refused_and_extensions_are_not() {
        let host = ("host", "127.0.0.1:8545");
        for origin in [
            "http://localhost:3000",
            "https://chain.example",
            "moz-extension://1",
            "chrome-extension://a",
        ] {
            assert_eq!(check(&[host, ("origin", origin)]), Ok(()), "{origin}");
        }
        for origin in ["http://evil.example", "https://evil.example:8545", "null", "file://", ""] {
            assert_eq!(check(&[host, ("origin", origin)]), Err(Foreign::Origin), "{origin}");
        }
    }
}
